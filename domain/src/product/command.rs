use crate::value::{Description, Price, ProductName, Sku};

/// What can be asked of a product.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Takes a new product into the catalogue. Its stream is the one of [`crate::ids::ProductId::from_sku`].
    List {
        /// What the shop calls it.
        sku: Sku,
        /// What it is called.
        name: Option<ProductName>,
        /// What there is to say of it.
        description: Option<Description>,
        /// What it costs.
        price: Price,
    },
    /// Replaces name and description; what is not given is taken away.
    ChangeDetails {
        /// What it is called from now on.
        name: Option<ProductName>,
        /// What there is to say of it from now on.
        description: Option<Description>,
    },
    /// Sets another price, in the same currency.
    ChangePrice {
        /// What it costs from now on.
        price: Price,
    },
    /// Takes it out of the catalogue.
    Delist,
    /// Puts it back, as it was.
    Relist,
}
