//! The id of a GraphQL node: which kind of thing, and its UUID, in one opaque string.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// A node's id: unpadded URL-safe base64 of `<kind>:<uuid>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PublicId {
    /// The name of the GraphQL type, such as `Product`.
    pub kind: String,
    /// The aggregate.
    pub id: Uuid,
}

/// The text is not an id that was given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id that this service gave out")]
pub struct PublicIdError;

impl PublicId {
    /// The id of one thing of a kind.
    #[must_use]
    pub fn new(kind: &str, id: Uuid) -> Self {
        Self { kind: kind.to_owned(), id }
    }
}

impl fmt::Display for PublicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(format!("{}:{}", self.kind, self.id)))
    }
}

impl FromStr for PublicId {
    type Err = PublicIdError;

    fn from_str(text: &str) -> Result<Self, PublicIdError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| PublicIdError)?;
        let text = String::from_utf8(bytes).map_err(|_| PublicIdError)?;
        let (kind, id) = text.split_once(':').ok_or(PublicIdError)?;
        if kind.is_empty() || !kind.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(PublicIdError);
        }
        Ok(Self { kind: kind.to_owned(), id: Uuid::try_parse(id).map_err(|_| PublicIdError)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_junk_is_refused() {
        let id = PublicId::new("Product", Uuid::from_u128(7));
        assert_eq!(id.to_string().parse(), Ok(id));
        for junk in ["", "x", "UHJvZHVjdA", "!!!!", "UHJvZHVjdDp4"] {
            assert_eq!(junk.parse::<PublicId>(), Err(PublicIdError), "{junk:?}");
        }
    }
}
