//! A shop without its REST: commands decided by the domain, sealed by the vault, appended to a log.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use contract::{Currency, LogPosition, Money};
use deadpool_postgres::Pool;
use domain::ids::{OrderId, ProductId, UserId};
use domain::personal::Personal;
use domain::product::{self, Product};
use domain::stock::{self, Action, Stock};
use domain::user::{self, User};
use domain::value::{
    Country, CustomerNumber, Description, Email, PersonName, Price, ProductName, Quantity, QuantityChange,
    Reason, Sku,
};
use domain::{Decider, ShopEvent, codec};
use engine::Engine;
use event_store::{EventId, EventStore, Expected, Metadata, NewEvent, StreamId};
use event_store_node::{Node, NodeConfig};
use jiff::Timestamp;
use private_postgres::{TestDatabase, test_database};
use proptest::prelude::*;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vault::Vault;

const PATIENCE: Duration = Duration::from_secs(20);

/// What somebody wants done; the numbers choose whom it is about.
#[derive(Debug, Clone)]
pub enum Wish {
    Product(u8, product::Command),
    Stock(u8, Action),
    User(u8, user::Command),
}

fn name() -> impl Strategy<Value = Option<ProductName>> {
    proptest::option::of("[A-Za-zß ]{1,20}x".prop_map(|text| ProductName::new(&text).unwrap()))
}

fn description() -> impl Strategy<Value = Option<Description>> {
    proptest::option::of("[a-z\n✓]{1,40}x".prop_map(|text| Description::new(&text).unwrap()))
}

fn price() -> impl Strategy<Value = Price> {
    (0_i64..100_000).prop_map(|minor| Price::new(Money::new(minor, Currency::GBP)).unwrap())
}

fn product_command() -> impl Strategy<Value = (u8, product::Command)> {
    let command = prop_oneof![
        2 => (name(), description()).prop_map(|(name, description)| product::Command::ChangeDetails { name, description }),
        2 => price().prop_map(|price| product::Command::ChangePrice { price }),
        1 => Just(product::Command::Delist),
        1 => Just(product::Command::Relist),
    ];
    let list = (0_u8..5, name(), description(), price()).prop_map(|(number, name, description, price)| {
        (number, product::Command::List { sku: sku(number), name, description, price })
    });
    prop_oneof![2 => list, 3 => (0_u8..5, command)]
}

fn stock_action() -> impl Strategy<Value = Action> {
    let quantity = || (1_i64..50).prop_map(|units| Quantity::new(units).unwrap());
    let order = || (0_u128..4).prop_map(|number| OrderId(Uuid::from_u128(number)));
    prop_oneof![
        3 => quantity().prop_map(|quantity| Action::Receive { quantity }),
        1 => (1_i64..20, any::<bool>()).prop_map(|(units, less)| Action::Adjust {
            quantity: QuantityChange::new(if less { -units } else { units }).unwrap(),
            reason: Reason::new("counted").unwrap(),
        }),
        3 => (order(), quantity()).prop_map(|(order_id, quantity)| Action::Reserve { order_id, quantity }),
        1 => order().prop_map(|order_id| Action::Release { order_id }),
        2 => order().prop_map(|order_id| Action::Ship { order_id }),
    ]
}

fn user_command() -> impl Strategy<Value = (u8, user::Command)> {
    let person = || {
        let name = "[A-Z][a-zé]{1,12}".prop_map(|text| Personal::Clear(PersonName::new(&text).unwrap()));
        let email = "[a-z]{1,8}"
            .prop_map(|text| Personal::Clear(Email::new(&format!("{text}@example.org")).unwrap()));
        let country = prop_oneof![Just("France"), Just("EIRE")].prop_map(|text| Country::new(text).unwrap());
        (country, proptest::option::of(name), proptest::option::of(email))
    };
    prop_oneof![
        2 => (0_u8..4, person()).prop_map(|(number, (country, name, email))| {
            (number, user::Command::Register { customer_number: customer(number), country, name, email })
        }),
        2 => (0_u8..4, person()).prop_map(|(number, (country, name, email))| {
            (number, user::Command::ChangeProfile { country, name, email })
        }),
        1 => (0_u8..4).prop_map(|number| (number, user::Command::Deactivate)),
    ]
}

pub fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        4 => product_command().prop_map(|(number, command)| Wish::Product(number, command)),
        6 => (0_u8..5, stock_action()).prop_map(|(number, action)| Wish::Stock(number, action)),
        4 => user_command().prop_map(|(number, command)| Wish::User(number, command)),
    ]
}

pub fn sku(number: u8) -> Sku {
    Sku::new(&format!("SKU{number}")).unwrap()
}

pub fn customer(number: u8) -> CustomerNumber {
    CustomerNumber::new(&format!("{}", 17_000 + u32::from(number))).unwrap()
}

pub struct Shop {
    pub store: EventStore,
    pub vault: Vault,
    pub pool: Pool,
    products: HashMap<u8, product::State>,
    stocks: HashMap<u8, stock::State>,
    users: HashMap<u8, user::State>,
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
        read_model::migrate(&pool).await.unwrap();
        engine::migrate(&pool).await.unwrap();
        Shop {
            store,
            vault: Vault::open(&directory.path().join("vault")).unwrap(),
            pool,
            products: HashMap::new(),
            stocks: HashMap::new(),
            users: HashMap::new(),
            _node: node,
            _database: database,
            _directory: directory,
        }
    }

    /// Decides and appends what comes of it; a rejected wish is none. Stock of a product that was never listed is not
    /// to be had.
    pub async fn wish(&mut self, wish: Wish) {
        match wish {
            Wish::Product(number, command) => {
                let id = ProductId::from_sku(&sku(number)).0;
                let events = decide::<Product>(self.products.entry(number).or_default(), command);
                self.append(Product::CATEGORY, id, events).await;
            }
            Wish::Stock(number, action) => {
                if self.products.get(&number).is_none_or(|product| *product == product::State::Unknown) {
                    return;
                }
                let product_id = ProductId::from_sku(&sku(number));
                let command = stock::Command { product_id, action };
                let events = decide::<Stock>(self.stocks.entry(number).or_default(), command);
                self.append(Stock::CATEGORY, product_id.0, events).await;
            }
            Wish::User(number, command) => {
                let id = UserId::from_number(&customer(number)).0;
                let events = decide::<User>(self.users.entry(number).or_default(), command);
                self.append(User::CATEGORY, id, events).await;
            }
        }
    }

    async fn append<E: Into<ShopEvent>>(&self, category: &str, id: Uuid, events: Vec<E>) {
        for event in events {
            let sealed = self.vault.seal(codec::encode(&event.into())).await.unwrap();
            self.append_raw(
                &StreamId::new(category, &id),
                sealed.event_type,
                sealed.schema_version,
                sealed.data,
            )
            .await;
        }
    }

    pub async fn append_raw(
        &self,
        stream: &StreamId,
        event_type: &'static str,
        schema_version: u32,
        data: Vec<u8>,
    ) -> LogPosition {
        let id = Uuid::new_v4();
        let metadata = Metadata::of_command(id, schema_version, Timestamp::now());
        let event =
            NewEvent { id: EventId(id), event_type: Cow::Borrowed(event_type), data: data.into(), metadata };
        self.store.append(stream, Expected::Any, vec![event]).await.unwrap().position
    }

    /// Folds up to the head with the keys of this vault.
    pub async fn fold(&self, vault: Vault) -> Folding {
        let decoder = projections::decoder(vault);
        let engine = Engine::new(projections::all(), self.store.clone(), self.pool.clone(), decoder).unwrap();
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
        for projection in projections::all() {
            self.until(projection.name(), |position, _, _| position >= head).await;
        }
    }
}

fn decide<D: Decider>(state: &mut D::State, command: D::Command) -> Vec<D::Event> {
    let events = D::decide(state, command).unwrap_or_default();
    *state = events.iter().fold(state.clone(), D::evolve);
    events
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
