//! `/v1/payments`.

pub(crate) mod authorize;
pub(crate) mod capture;
pub(crate) mod decline;
pub(crate) mod get;
pub(crate) mod refund;
pub(crate) mod request;

/// How the kind stands in addresses.
const KIND: &str = "payments";
