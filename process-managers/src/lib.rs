//! Processes that span aggregates. The sagas are pure folds with reactions, which the engine runs; `dispatch` carries
//! out what they ask for, by the executors of the command side and the gateways to payment and shipping. `sandbox`
//! stands behind the gateways where no real ones are.

pub mod dispatch;
pub mod fulfilment;
pub mod gateway;
pub mod metrics;
mod migrate;
pub mod return_handling;
pub mod sandbox;
mod trouble;

use std::sync::Arc;

use domain::ShopEvent;
use engine::{Projection, Saga as _, Table};

pub use dispatch::Desk;
pub use migrate::migrate;
pub use trouble::Trouble;

/// The version of the sagas' folds that this binary has.
const VERSION: i32 = 1;

/// Every saga of the shop.
#[must_use]
pub fn all(desk: Desk) -> Vec<Projection<ShopEvent>> {
    let desk = Arc::new(desk);
    let fulfilment = Arc::new(dispatch::FulfilmentDispatch::new(Arc::clone(&desk)));
    let return_handling = Arc::new(dispatch::ReturnHandlingDispatch::new(desk));
    vec![
        Projection::saga(VERSION, fulfilment::CATEGORIES, fulfilment::Fulfilment, fulfilment),
        Projection::saga(
            VERSION,
            return_handling::CATEGORIES,
            return_handling::ReturnHandling,
            return_handling,
        ),
    ]
}

/// Each saga's name, the table of its rows and their version, for whoever looks into them.
#[must_use]
pub fn tables() -> [(&'static str, &'static Table, i32); 2] {
    let (fulfilment, returns) = (fulfilment::Fulfilment, return_handling::ReturnHandling);
    [(fulfilment.name(), fulfilment.table(), VERSION), (returns.name(), returns.table(), VERSION)]
}
