//! Hides passwords in connection strings.

const MASK: &str = "***";

/// The text with every password in it masked: `scheme://user:password@host`, and `password=…` as a parameter or a
/// word.
#[must_use]
pub fn masked(text: &str) -> String {
    mask_parameters(&mask_user_info(text))
}

fn mask_user_info(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    // The last `@` anywhere: a password that was not escaped may hold every sign that ends an authority.
    let at = rest.rfind('@');
    match at.and_then(|at| Some((rest[..at].split_once(':')?.0, &rest[at..]))) {
        Some((user, behind)) => format!("{scheme}://{user}:{MASK}{behind}"),
        None => text.to_owned(),
    }
}

fn mask_parameters(text: &str) -> String {
    const KEY: &str = "password=";
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(found) = rest.to_ascii_lowercase().find(KEY) {
        let (before, secret) = rest.split_at(found + KEY.len());
        masked.push_str(before);
        masked.push_str(MASK);
        let end = match secret.strip_prefix('\'') {
            Some(quoted) => quoted.find('\'').map_or(secret.len(), |end| end + 2),
            None => secret.find(['&', ' ']).unwrap_or(secret.len()),
        };
        rest = &secret[end..];
    }
    masked.push_str(rest);
    masked
}
