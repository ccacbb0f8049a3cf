//! The headers by which a client makes a command safe to send again, and safe to send at all.

use axum::http::{HeaderMap, header};
use contract::{ApiError, ErrorCode};
use event_store::Revision;

use crate::executor::IfMatch;

/// The header that makes a command safe to send again.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The most characters of an idempotency key.
pub(crate) const KEY_CHARACTERS_MAX: usize = 200;

/// The most revisions of an `If-Match`.
const REVISIONS_MAX: usize = 16;

/// The idempotency key: 1 to 200 visible ASCII characters.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let (Some(value), more) = (values.next(), values.next()) else {
        return Ok(None);
    };
    let key = value.as_bytes();
    if more.is_some()
        || key.is_empty()
        || key.len() > KEY_CHARACTERS_MAX
        || !key.iter().all(u8::is_ascii_graphic)
    {
        let rule =
            format!("Idempotency-Key has 1 to {KEY_CHARACTERS_MAX} visible ASCII characters and stands once");
        return Err(ApiError::new(ErrorCode::BadRequest).with_message(rule));
    }
    Ok(Some(key.iter().copied().map(char::from).collect()))
}

/// What `If-Match` asks for: `*` or revisions as they stand in `ETag`. A tag that was never given out (a weak one, a
/// text) matches nothing.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<IfMatch>, ApiError> {
    let mut revisions = Vec::new();
    let mut tags = 0;
    for value in headers.get_all(header::IF_MATCH) {
        let text = value.to_str().map_err(|_| not_if_match())?;
        for tag in text.split(',').map(str::trim) {
            if tag == "*" {
                return Ok(Some(IfMatch::Exists));
            }
            if tag.is_empty() || tags == REVISIONS_MAX {
                return Err(not_if_match());
            }
            tags += 1;
            revisions.extend(revision(tag));
        }
    }
    Ok((tags > 0).then_some(IfMatch::OneOf(revisions)))
}

fn revision(tag: &str) -> Option<Revision> {
    let digits = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok().map(Revision) } else { None }
}

fn not_if_match() -> ApiError {
    let rule = format!("If-Match is * or up to {REVISIONS_MAX} revisions as they stand in ETag");
    ApiError::new(ErrorCode::BadRequest).with_message(rule)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn with(name: &'static str, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_key_is_short_visible_and_stands_once() {
        let key = |values: &[&str]| idempotency_key(&with(IDEMPOTENCY_KEY, values));
        assert_eq!(key(&[]), Ok(None));
        assert_eq!(key(&["order/536365:1"]), Ok(Some("order/536365:1".to_owned())));
        assert!(key(&[&"k".repeat(200)]).is_ok());
        for bad in [&[""][..], &["a b"], &["é"], &["a", "a"], &[&"k".repeat(201)]] {
            assert_eq!(key(bad).unwrap_err().code, ErrorCode::BadRequest, "{bad:?}");
        }
    }

    #[test]
    fn if_match_takes_what_etag_gives() {
        let parse = |values: &[&str]| if_match(&with("if-match", values));
        let revisions = |list: &[u64]| Ok(Some(IfMatch::OneOf(list.iter().copied().map(Revision).collect())));
        assert_eq!(parse(&[]), Ok(None));
        assert_eq!(parse(&["*"]), Ok(Some(IfMatch::Exists)));
        assert_eq!(parse(&["\"7\""]), revisions(&[7]));
        assert_eq!(parse(&["7"]), revisions(&[7]));
        assert_eq!(parse(&["\"7\", \"8\"", "\"9\""]), revisions(&[7, 8, 9]));
        assert_eq!(parse(&["W/\"7\""]), revisions(&[]));
        assert_eq!(parse(&["\"+7\""]), revisions(&[]));
        for bad in ["", "\"7\",", "\u{e9}"] {
            assert!(parse(&[bad]).is_err(), "{bad:?}");
        }
        assert!(parse(&["1,".repeat(17).trim_end_matches(',')]).is_err());
    }
}
