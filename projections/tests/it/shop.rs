//! A shop without its REST: commands decided by the domain, sealed by the vault, appended to a log.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use contract::LogPosition;
use deadpool_postgres::Pool;
use domain::ids::{ProductId, UserId};
use domain::order::Order;
use domain::payment::Payment;
use domain::product::{self, Product};
use domain::returns::Return;
use domain::shipment::Shipment;
use domain::stock::{self, Stock};
use domain::user::User;
use domain::{Decider, ShopEvent, codec};
use engine::Engine;
use event_store::{EventId, EventStore, Expected, Metadata, NewEvent, StreamId};
use event_store_node::{Node, NodeConfig};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use private_postgres::{TestDatabase, test_database};
use projections::Settings;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vault::Vault;

use crate::wishes::{Wish, customer, order_id, payment_id, return_id, shipment_id, sku};

const PATIENCE: Duration = Duration::from_secs(20);

/// The zone whose days the shop keeps.
pub const ZONE: &str = "America/New_York";

/// When the first event happened, and how much later each of the others: many days, and the end of summer time.
const BEGUN: &str = "2010-10-25T00:00:00.5Z";
const EVENT_EVERY: SignedDuration = SignedDuration::from_hours(7);

/// What the shop's projections are set up with.
pub fn settings() -> Settings {
    Settings { shop_time_zone: TimeZone::get(ZONE).unwrap() }
}

type States<D> = HashMap<u8, <D as Decider>::State>;

pub struct Shop {
    pub store: EventStore,
    pub vault: Vault,
    pub pool: Pool,
    products: States<Product>,
    stocks: States<Stock>,
    users: States<User>,
    orders: States<Order>,
    payments: States<Payment>,
    shipments: States<Shipment>,
    returns: States<Return>,
    appended: AtomicU32,
    _node: Node,
    _database: TestDatabase,
    _directory: tempfile::TempDir,
}

impl Shop {
    pub async fn open() -> Shop {
        let directory = tempfile::tempdir().unwrap();
        let mut config = NodeConfig::new(directory.path().join("log"), "127.0.0.1:0".parse().unwrap());
        config.segment_bytes = 4 * 1024 * 1024;
        let node = Node::start(config).await.unwrap();
        let store = EventStore::connect(&format!("esdb://{}?tls=false", node.address())).unwrap();
        store.identity().await.unwrap();
        let database = test_database().await;
        let pool = read_model::pool(database.url(), 4).unwrap();
        engine::migrate_with(&pool, read_model::migrations(), read_model::MIGRATION_HISTORY).await.unwrap();
        engine::migrate(&pool).await.unwrap();
        Shop {
            store,
            vault: Vault::open(&directory.path().join("vault")).unwrap(),
            pool,
            products: HashMap::new(),
            stocks: HashMap::new(),
            users: HashMap::new(),
            orders: HashMap::new(),
            payments: HashMap::new(),
            shipments: HashMap::new(),
            returns: HashMap::new(),
            appended: AtomicU32::new(0),
            _node: node,
            _database: database,
            _directory: directory,
        }
    }

    /// Decides and appends what comes of it, as if it were some hours after what came before; a rejected wish is none.
    pub async fn wish(&mut self, wish: Wish) {
        let number = self.appended.fetch_add(1, Ordering::SeqCst);
        let begun: Timestamp = BEGUN.parse().unwrap();
        self.wish_at(wish, begun + EVENT_EVERY * i32::try_from(number).unwrap()).await;
    }

    /// The same at a time of its own. Stock of a product that was never listed is not to be had.
    pub async fn wish_at(&mut self, wish: Wish, at: Timestamp) {
        let (category, id, events) = match wish {
            Wish::Product(number, command) => {
                let id = ProductId::from_sku(&sku(number)).0;
                (Product::CATEGORY, id, decide::<Product>(&mut self.products, number, command))
            }
            Wish::Stock(number, action) => {
                if self.products.get(&number).is_none_or(|product| *product == product::State::Unknown) {
                    return;
                }
                let product_id = ProductId::from_sku(&sku(number));
                let command = stock::Command { product_id, action };
                (Stock::CATEGORY, product_id.0, decide::<Stock>(&mut self.stocks, number, command))
            }
            Wish::User(number, command) => {
                let id = UserId::from_number(&customer(number)).0;
                (User::CATEGORY, id, decide::<User>(&mut self.users, number, command))
            }
            Wish::Order(number, command) => {
                (Order::CATEGORY, order_id(number).0, decide::<Order>(&mut self.orders, number, command))
            }
            Wish::Payment(number, command) => {
                let id = payment_id(number).0;
                (Payment::CATEGORY, id, decide::<Payment>(&mut self.payments, number, command))
            }
            Wish::Shipment(number, command) => {
                let id = shipment_id(number).0;
                (Shipment::CATEGORY, id, decide::<Shipment>(&mut self.shipments, number, command))
            }
            Wish::Return(number, command) => {
                (Return::CATEGORY, return_id(number).0, decide::<Return>(&mut self.returns, number, command))
            }
        };
        for event in events {
            let sealed = self.vault.seal(codec::encode(&event)).await.unwrap();
            let stream = StreamId::new(category, &id);
            self.append(&stream, sealed.event_type, sealed.schema_version, sealed.data, at).await;
        }
    }

    pub async fn append_raw(
        &self,
        stream: &StreamId,
        event_type: &'static str,
        schema_version: u32,
        data: Vec<u8>,
    ) -> LogPosition {
        self.append(stream, event_type, schema_version, data, Timestamp::now()).await
    }

    async fn append(
        &self,
        stream: &StreamId,
        event_type: &'static str,
        schema_version: u32,
        data: Vec<u8>,
        occurred_at: Timestamp,
    ) -> LogPosition {
        let id = Uuid::new_v4();
        let metadata = Metadata::of_command(id, schema_version, occurred_at);
        let event =
            NewEvent { id: EventId(id), event_type: Cow::Borrowed(event_type), data: data.into(), metadata };
        self.store.append(stream, Expected::Any, vec![event]).await.unwrap().position
    }

    /// Folds up to the head with the keys of this vault.
    pub async fn fold(&self, vault: Vault) -> Folding {
        let decoder = projections::decoder(vault);
        let projections = projections::all(&settings());
        let engine = Engine::new(projections, self.store.clone(), self.pool.clone(), decoder).unwrap();
        let shutdown = CancellationToken::new();
        Folding { task: tokio::spawn(engine.run(shutdown.clone())), shutdown }
    }

    /// Waits until a projection's row has this position or state, and gives position, state and reason.
    pub async fn until(
        &self,
        projection: &str,
        wanted: impl Fn(LogPosition, &str, Option<&str>) -> bool,
    ) -> (LogPosition, String, Option<String>) {
        let deadline = Instant::now() + PATIENCE;
        let query = "SELECT position, state, reason FROM projection_version WHERE name = $1";
        loop {
            let client = self.pool.get().await.unwrap();
            if let Some(row) = client.query_opt(query, &[&projection]).await.unwrap() {
                let position = LogPosition(row.get::<_, i64>(0).cast_unsigned());
                let (state, reason): (String, Option<String>) = (row.get(1), row.get(2));
                if wanted(position, &state, reason.as_deref()) {
                    return (position, state, reason);
                }
                assert!(Instant::now() < deadline, "{projection} stays at {position}, {state}: {reason:?}");
            }
            drop(client);
            sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn until_head(&self) {
        let head = self.store.head().await.unwrap();
        for projection in projections::all(&settings()) {
            self.until(projection.name(), |position, _, _| position >= head).await;
        }
    }
}

fn decide<D: Decider>(states: &mut States<D>, number: u8, command: D::Command) -> Vec<ShopEvent> {
    let state = states.entry(number).or_default();
    let events = D::decide(state, command).unwrap_or_default();
    *state = events.iter().fold(state.clone(), D::evolve);
    events.into_iter().map(Into::into).collect()
}

pub struct Folding {
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), engine::EngineError>>,
}

impl Folding {
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }
}
