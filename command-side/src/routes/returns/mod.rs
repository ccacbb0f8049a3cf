//! `/v1/returns`.

pub(crate) mod get;
pub(crate) mod receive;
pub(crate) mod refund;
pub(crate) mod restock;

/// How the kind stands in addresses.
const KIND: &str = "returns";
