//! A shop in a folder of its own: log, vault, database, the sagas in an engine, and the sandbox behind real gateways.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use command_side::executor::{Aggregate, CommandId, CommandRequest, Executor, Origin};
use command_side::{CommandDeps, Commands};
use deadpool_postgres::Pool;
use domain::ids::{OrderId, PaymentId, ProductId};
use domain::lines::NewLine;
use domain::order::{self, Buyer, Place};
use domain::stock::{self, Action};
use domain::value::{Country, Sku};
use engine::Engine;
use event_store::EventStore;
use event_store_node::{Node, NodeConfig};
use jiff::{SignedDuration, Timestamp};
use private_postgres::{TestDatabase, test_database};
use process_managers::Desk;
use process_managers::gateway::{PaymentGateway, ShippingGateway};
use process_managers::sandbox::{Entry, Kind, Ledger, routes};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vault::Vault;

use crate::story::{pounds, token, units};

/// What a test waits for at most.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Shop {
    pub commands: Commands,
    pub store: EventStore,
    pub ledger: Arc<Ledger>,
    pub pool: Pool,
    vault: Vault,
    sandbox: SocketAddr,
    _database: TestDatabase,
    _node: Node,
    _dir: tempfile::TempDir,
}

/// The sagas at work.
pub struct Sagas {
    stop: CancellationToken,
    task: JoinHandle<Result<(), engine::EngineError>>,
}

impl Sagas {
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

pub fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// Serves the sandbox for the rest of the test.
pub async fn serve(router: Router, listener: TcpListener) {
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
}

/// Waits for something, with a deadline.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let give_up = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(tokio::time::Instant::now() < give_up, "{what}: not in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Shop {
    /// With the sandbox at work.
    pub async fn open() -> Self {
        let (shop, listener) = Self::without_sandbox().await;
        serve(routes(Arc::clone(&shop.ledger)), listener).await;
        shop
    }

    /// With nobody who answers at the sandbox's address; serving its routes there is the caller's.
    pub async fn without_sandbox() -> (Self, TcpListener) {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::start(NodeConfig::new(dir.path().join("log"), loopback())).await.unwrap();
        let store = EventStore::connect(&format!("esdb://{}?tls=false", node.address())).unwrap();
        std::fs::create_dir_all(dir.path().join("vault")).unwrap();
        let vault = Vault::open(&dir.path().join("vault")).unwrap();
        let listener = TcpListener::bind(loopback()).await.unwrap();
        let database = test_database().await;
        let shop = Self {
            commands: Commands::new(CommandDeps::new(store.clone(), vault.clone())),
            ledger: Arc::new(Ledger::open(&dir.path().join("sandbox"), SignedDuration::ZERO).unwrap()),
            pool: read_model::pool(database.url(), 6).unwrap(),
            sandbox: listener.local_addr().unwrap(),
            store,
            vault,
            _database: database,
            _node: node,
            _dir: dir,
        };
        (shop, listener)
    }

    /// The sagas, with executors that remember nothing, as a process of their own has them.
    pub async fn start_sagas(&self) -> Sagas {
        engine::migrate(&self.pool).await.unwrap();
        process_managers::migrate(&self.pool).await.unwrap();
        let url: process_managers::gateway::GatewayUrl = format!("http://{}", self.sandbox).parse().unwrap();
        let desk = Desk {
            commands: Commands::new(CommandDeps::new(self.store.clone(), self.vault.clone())),
            log: self.store.clone(),
            payment: PaymentGateway::new(url.clone()),
            shipping: ShippingGateway::new(url),
        };
        let decoder = projections::decoder(self.vault.clone());
        let sagas = process_managers::all(desk);
        let engine = Engine::new(sagas, self.store.clone(), self.pool.clone(), decoder).unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(engine.run(stop.clone()));
        Sagas { stop, task }
    }

    pub async fn send<D: Aggregate>(&self, executor: &Executor<D>, aggregate: Uuid, command: D::Command) {
        let command_id = CommandId::fresh();
        let request = CommandRequest {
            aggregate,
            command,
            command_id,
            origin: Origin::itself(command_id),
            occurred_at: Timestamp::now(),
            fingerprinted: None,
            if_match: None,
        };
        executor.execute(request).await.unwrap();
    }

    pub async fn receive_stock(&self, product_id: ProductId, quantity: i64) {
        let action = Action::Receive { quantity: units(quantity) };
        self.send(&self.commands.stock, product_id.0, stock::Command { product_id, action }).await;
    }

    /// Somebody orders; a line is a product, how many, and the price of one.
    pub async fn place(
        &self,
        lines: &[(ProductId, i64, i64)],
        payment_token: Option<&str>,
        shipping_token: Option<&str>,
    ) -> OrderId {
        let order_id = OrderId(Uuid::new_v4());
        let line = |(product_id, quantity, price): &(ProductId, i64, i64)| NewLine {
            product_id: *product_id,
            sku: Sku::new("MUG").unwrap(),
            description: None,
            quantity: units(*quantity),
            unit_price: pounds(*price),
        };
        let place = order::Command::Place(Box::new(Place {
            order_id,
            number: None,
            buyer: Buyer::Guest { name: None, email: None },
            country: Country::new("France").unwrap(),
            currency: contract::Currency::GBP,
            lines: lines.iter().map(line).collect(),
            payment_token: payment_token.map(token),
            shipping_token: shipping_token.map(token),
        }));
        self.send(&self.commands.orders, order_id.0, place).await;
        order_id
    }

    pub async fn status(&self, order: OrderId) -> (order::Status, Option<order::CancelReason>) {
        match self.commands.orders.current(order.0).await.unwrap().unwrap().state {
            order::State::Placed(order) => (order.status, order.cancelled.map(|(reason, _)| reason)),
            order::State::Unknown => panic!("no order"),
        }
    }

    pub async fn payment(&self, order: OrderId) -> domain::payment::State {
        let id = PaymentId::of_order(order);
        self.commands.payments.current(id.0).await.unwrap().unwrap().state
    }

    /// On hand and reserved.
    pub async fn stock(&self, product: ProductId) -> (i64, i64) {
        let stock = self.commands.stock.current(product.0).await.unwrap().unwrap().state;
        (stock.on_hand, stock.reserved)
    }

    /// Step, reason for being stuck, and whether it is over.
    pub async fn row(&self, table: &str, id: Uuid) -> Option<(String, Option<String>, bool)> {
        let client = self.pool.get().await.unwrap();
        let query = format!("SELECT step, stuck_reason, over FROM {table} WHERE saga_id = $1");
        let row = client.query_opt(&query, &[&id]).await.ok().flatten()?;
        Some((row.get(0), row.get(1), row.get(2)))
    }

    pub async fn ends(&self, order: OrderId) -> String {
        let over = async || self.row("fulfilment_v1", order.0).await.filter(|(_, _, over)| *over);
        eventually("the end of the fulfilment", over).await.0
    }

    /// What the sandbox was asked for an order, in short.
    pub fn calls(&self, order: OrderId) -> Vec<Kind> {
        let of = |entries: &[Entry]| {
            let own = entries.iter().filter(|entry| entry.call.order == Some(order));
            own.map(|entry| entry.call.kind).collect()
        };
        self.ledger.look(of)
    }
}
