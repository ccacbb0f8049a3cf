use crate::ids::ProductId;
use crate::value::{Description, Price, ProductName, Sku};

/// A product as its events leave it.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum State {
    /// Nobody listed it yet.
    #[default]
    Unknown,
    /// It was listed at some time.
    Known {
        /// Which product.
        product_id: ProductId,
        /// What the shop calls it.
        sku: Sku,
        /// What it is called.
        name: Option<ProductName>,
        /// What there is to say of it.
        description: Option<Description>,
        /// What it costs.
        price: Price,
        /// Whether it is in the catalogue.
        status: Status,
    },
}

/// Whether a product is in the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It can be ordered.
    Listed,
    /// It cannot.
    Delisted,
}
