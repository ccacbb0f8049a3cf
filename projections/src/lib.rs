//! What the shop's views are: one file a view, each a pure fold of events into rows. The engine does all reading and
//! writing; the tables stand in `read-model`.

mod decoder;
mod views;

use domain::ShopEvent;
use domain::{order, payment, product, returns, shipment, stock, user};
use engine::{Entity, Projection};
use read_model::{catalogue::CATALOGUE, customers::CUSTOMERS};

pub use decoder::decoder;

/// Every projection of the shop.
#[must_use]
pub fn all() -> Vec<Projection<ShopEvent>> {
    vec![catalogue(), customers()]
}

/// No view shows sales yet. Their streams are followed all the same: a checkpoint passes at once only what some
/// projection of the process follows, and a query that carries the position of an order must not wait in vain.
const CATALOGUE_CATEGORIES: &[&str] = &[
    product::CATEGORY,
    stock::CATEGORY,
    order::CATEGORY,
    payment::CATEGORY,
    shipment::CATEGORY,
    returns::CATEGORY,
];

/// Products with their stock, and their texts.
#[must_use]
pub fn catalogue() -> Projection<ShopEvent> {
    Projection::new(CATALOGUE.name, newest(&CATALOGUE), CATALOGUE_CATEGORIES)
        .entity(Entity::new(views::products::Products))
        .entity(Entity::new(views::product_texts::ProductTexts))
}

/// Who is registered.
#[must_use]
pub fn customers() -> Projection<ShopEvent> {
    Projection::new(CUSTOMERS.name, newest(&CUSTOMERS), &[user::CATEGORY])
        .entity(Entity::new(views::customers::Customers))
}

/// The version that this binary folds.
fn newest(projection: &read_model::Projection) -> i32 {
    *projection.versions.last().expect("every projection of the read model has a version")
}
