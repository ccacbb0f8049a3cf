use serde::{Deserialize, Serialize};

use crate::ids::{PersonId, ProductId};
use crate::value::{Description, Price, ProductName, Sku};

/// What happened to a product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase")]
pub enum Event {
    /// It came into the catalogue.
    Listed {
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
    },
    /// Name and description were replaced.
    DetailsChanged {
        /// Which product.
        product_id: ProductId,
        /// What it is called now.
        name: Option<ProductName>,
        /// What there is to say of it now.
        description: Option<Description>,
    },
    /// It costs something else.
    PriceChanged {
        /// Which product.
        product_id: ProductId,
        /// What it costs now.
        price: Price,
    },
    /// It left the catalogue.
    Delisted {
        /// Which product.
        product_id: ProductId,
    },
    /// It came back.
    Relisted {
        /// Which product.
        product_id: ProductId,
    },
}

event_types! {
    Listed = "ProductListed" v 1;
    DetailsChanged = "ProductDetailsChanged" v 1;
    PriceChanged = "ProductPriceChanged" v 1;
    Delisted = "ProductDelisted" v 1;
    Relisted = "ProductRelisted" v 1;
}

impl Event {
    /// Nobody: a product is no person.
    #[must_use]
    pub const fn person(&self) -> Option<PersonId> {
        None
    }
}
