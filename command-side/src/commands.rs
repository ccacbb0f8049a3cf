//! All executors of a process, and what they share.

use std::sync::Arc;

use contract::Currency;
use domain::order::Order;
use domain::payment::Payment;
use domain::product::Product;
use domain::returns::Return;
use domain::shipment::Shipment;
use domain::stock::Stock;
use domain::user::User;
use event_store::EventStore;
use tokio::sync::Semaphore;
use vault::Vault;

use crate::executor::Executor;

/// How many commands may be under way at once, unless told otherwise.
pub const IN_FLIGHT_MAX: usize = 1_024;

/// What the command side stands on.
pub struct CommandDeps {
    /// The log.
    pub store: EventStore,
    /// The keys of personal data.
    pub vault: Vault,
    /// The one currency that the shop takes.
    pub currency: Currency,
    /// The most commands that are under way at once; more are turned away with 429.
    pub in_flight_max: usize,
}

impl CommandDeps {
    /// A shop that takes pounds sterling, with the usual bounds.
    #[must_use]
    pub fn new(store: EventStore, vault: Vault) -> Self {
        Self { store, vault, currency: Currency::GBP, in_flight_max: IN_FLIGHT_MAX }
    }
}

/// The executors of all aggregates. Routes and sagas of one process share one of these, so that they share memory
/// and locks.
#[derive(Clone)]
pub struct Commands {
    /// Products of the catalogue.
    pub products: Executor<Product>,
    /// Their stock.
    pub stock: Executor<Stock>,
    /// Registered customers.
    pub users: Executor<User>,
    /// Orders.
    pub orders: Executor<Order>,
    /// Payments of orders.
    pub payments: Executor<Payment>,
    /// Shipments of orders.
    pub shipments: Executor<Shipment>,
    /// Returns of goods.
    pub returns: Executor<Return>,
    pub(crate) currency: Currency,
    pub(crate) places: Arc<Semaphore>,
}

impl Commands {
    /// Executors that remember nothing yet.
    #[must_use]
    pub fn new(deps: CommandDeps) -> Self {
        let CommandDeps { store, vault, currency, in_flight_max } = deps;
        Self {
            products: Executor::new(store.clone(), vault.clone()),
            stock: Executor::new(store.clone(), vault.clone()),
            users: Executor::new(store.clone(), vault.clone()),
            orders: Executor::new(store.clone(), vault.clone()),
            payments: Executor::new(store.clone(), vault.clone()),
            shipments: Executor::new(store.clone(), vault.clone()),
            returns: Executor::new(store, vault),
            currency,
            places: Arc::new(Semaphore::new(in_flight_max)),
        }
    }
}
