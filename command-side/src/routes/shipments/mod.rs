//! `/v1/shipments`.

pub(crate) mod deliver;
pub(crate) mod dispatch;
pub(crate) mod fail;
pub(crate) mod get;
pub(crate) mod request;

/// How the kind stands in addresses.
const KIND: &str = "shipments";
