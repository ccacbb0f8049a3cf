//! `/v1/users`.

pub(crate) mod deactivate;
pub(crate) mod get;
pub(crate) mod profile;
pub(crate) mod register;

/// How the kind stands in addresses.
const KIND: &str = "users";
