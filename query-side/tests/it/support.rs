//! A service on a database of its own.

use std::time::Duration;

use deadpool_postgres::Pool;
use private_postgres::{TestDatabase, test_database};
use query_side::{MIN_POSITION_HEADER, QueryConfig};
use serde_json::{Value, json};

/// The log that every test's rows are folded from.
pub const LOG: u32 = 0xcafe;

pub struct Service {
    /// None on servers that a test started itself.
    database: Option<TestDatabase>,
    pub address: String,
    pool: Pool,
    client: reqwest::Client,
}

/// An answer over HTTP.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    /// The data of an answer without errors.
    pub fn data(&self) -> &Value {
        assert!(self.body.get("errors").is_none(), "{:#}", self.body);
        &self.body["data"]
    }

    /// The code of the first error.
    pub fn code(&self) -> &str {
        self.body["errors"][0]["extensions"]["code"]
            .as_str()
            .unwrap_or_else(|| panic!("no code: {:#}", self.body))
    }

    pub fn details(&self) -> &Value {
        &self.body["errors"][0]["extensions"]["details"]
    }

    pub fn position(&self) -> &str {
        self.body["extensions"]["position"].as_str().unwrap_or_else(|| panic!("no position: {:#}", self.body))
    }
}

impl Service {
    /// With every projection folded up to position 100.
    pub async fn start() -> Self {
        let service = Self::start_with(|_| {}).await;
        for projection in ["catalogue", "customers", "shop"] {
            service.folded(projection, 100).await;
        }
        service
    }

    /// With tables and nothing in them.
    pub async fn start_with(change: impl FnOnce(&mut QueryConfig)) -> Self {
        let database = test_database().await;
        let (pool, url) = (with_tables(database.url()).await, database.url().to_owned());
        Self::serve(Some(database), &url, pool, change).await
    }

    /// Before any table is there.
    pub async fn start_without_tables() -> Self {
        let database = test_database().await;
        let (pool, url) = (read_model::pool(database.url(), 2).unwrap(), database.url().to_owned());
        Self::serve(Some(database), &url, pool, |_| {}).await
    }

    /// With tables and nothing in them, written on one server and read on another.
    pub async fn between(written: &str, read: &str) -> Self {
        Self::serve(None, read, with_tables(written).await, |_| {}).await
    }

    async fn serve(
        database: Option<TestDatabase>,
        read: &str,
        pool: Pool,
        change: impl FnOnce(&mut QueryConfig),
    ) -> Self {
        let mut config = QueryConfig::new(read);
        config.connections = 4;
        change(&mut config);
        let router = query_side::router(&config).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { database, address, pool, client: reqwest::Client::new() }
    }

    pub fn database(&self) -> &TestDatabase {
        self.database.as_ref().expect("a database of the tests' server")
    }

    /// Carries out SQL as the projections would.
    pub async fn sql(&self, text: &str) {
        self.pool
            .get()
            .await
            .unwrap()
            .batch_execute(text)
            .await
            .unwrap_or_else(|error| panic!("{error:?}: {text}"));
    }

    /// Writes the status row of a live worker, without a notification.
    pub async fn folded(&self, projection: &str, position: u64) {
        self.sql(&format!(
            "INSERT INTO projection VALUES ('{projection}', 1) ON CONFLICT DO NOTHING;
             INSERT INTO projection_version (name, version, fold, state, log_identity, position, fence,
                                             head_position, lag_events, heartbeat_at)
             VALUES ('{projection}', 1, 1, 'LIVE', {LOG}, {position}, 1, {position}, 0, now())
             ON CONFLICT (name, version) DO UPDATE SET position = excluded.position,
                 head_position = excluded.head_position, heartbeat_at = now()"
        ))
        .await;
    }

    /// Changes the status row of a projection's worker.
    pub async fn worker(&self, projection: &str, assignments: &str) {
        self.sql(&format!("UPDATE projection_version SET {assignments} WHERE name = '{projection}'")).await;
    }

    /// Ends the connection that hears notifications.
    pub async fn cut_off_listener(&self) {
        let cut = "DO $$ BEGIN ASSERT (SELECT count(pg_terminate_backend(pid)) = 1 FROM pg_stat_activity
            WHERE datname = current_database() AND query LIKE 'LISTEN %'), 'one listener'; END $$";
        self.sql(cut).await;
    }

    pub async fn notify(&self, projection: &str, position: u64) {
        self.sql(&format!("SELECT pg_notify('headwater_projection', '{projection} 1 {position}')")).await;
    }

    /// Inserts `count` products: SKUs in order, names and prices out of it, some equal and some without a name.
    pub async fn products(&self, count: u32) {
        self.sql(&format!(
            "INSERT INTO products_v1 SELECT gen_random_uuid(), 'SKU' || lpad(i::text, 4, '0'),
                 CASE WHEN i % 7 = 0 THEN NULL ELSE 'Name ' || (i * 31 % 17) END, NULL, i * 37 % 23, 'GBP',
                 CASE WHEN i % 5 = 0 THEN 'DELISTED' ELSE 'LISTED' END, i % 3, i % 2,
                 timestamptz '2010-12-01 08:00Z' + i % 11 * interval '1 minute', 0, NULL, 1
             FROM generate_series(1, {count}) i"
        ))
        .await;
    }

    /// Inserts `count` orders, three a minute from 08:00 on, each with three lines of two products, a payment, a shipment
    /// and a return with a line. Those of a round number are of guests, the others of the customers C1 to C9; half of
    /// them are cancelled, a quarter delivered.
    pub async fn orders(&self, count: u32) {
        let lines = "jsonb_build_array(
            jsonb_build_object('productId', md5('p' || i % 50)::uuid, 'sku', 'P' || i % 50, 'description', NULL,
                               'quantity', 2, 'unitPriceMinor', 100),
            jsonb_build_object('productId', md5('p' || i % 49)::uuid, 'sku', 'P' || i % 49, 'description', 'text',
                               'quantity', 1, 'unitPriceMinor', i),
            jsonb_build_object('productId', md5('p' || i % 50)::uuid, 'sku', 'P' || i % 50, 'description', NULL,
                               'quantity', 1, 'unitPriceMinor', 90))";
        let placed = "timestamptz '2010-12-01 08:00Z' + i / 3 * interval '1 minute'";
        let numbers = format!("FROM generate_series(1, {count}) i");
        self.sql(&format!(
            "INSERT INTO customers_v1 SELECT md5('c' || i)::uuid, 'C' || i, 'Germany', 'Customer ' || i, NULL, 'ACTIVE',
                 '2010-11-01T08:00:00Z', 0, 1 FROM generate_series(1, 9) i;
             INSERT INTO products_v1 SELECT md5('p' || i)::uuid, 'P' || i, 'Product ' || i, NULL, 100, 'GBP', 'LISTED', 9,
                 0, '2010-11-01T08:00:00Z', 0, NULL, 1 FROM generate_series(0, 49) i;
             INSERT INTO orders_v1 SELECT md5('o' || i)::uuid, (536000 + i)::text,
                 CASE WHEN i % 10 <> 0 THEN md5('c' || i % 10)::uuid END, CASE WHEN i % 10 <> 0 THEN 'C' || i % 10 END,
                 'Germany', 'GBP', CASE i % 4 WHEN 0 THEN 'DELIVERED' WHEN 2 THEN 'PLACED' ELSE 'CANCELLED' END, NULL,
                 {placed}, '2010-12-01', 290 + i, 4, 3, 0, 1 {numbers};
             INSERT INTO order_lines_v1 SELECT md5('o' || i)::uuid, {lines}, '2010-12-01', i % 2 = 1, 1 {numbers};
             INSERT INTO payments_v1 SELECT md5('y' || i)::uuid, md5('o' || i)::uuid, 290 + i, 'GBP', 'CAPTURED', NULL, NULL,
                 0, {placed}, 2, 1 {numbers};
             INSERT INTO shipments_v1 SELECT md5('s' || i)::uuid, md5('o' || i)::uuid, 'DELIVERED', NULL, NULL,
                 {placed}, {placed}, {placed}, 2, 1 {numbers};
             INSERT INTO returns_v1 SELECT md5('r' || i)::uuid, 'C' || 536000 + i, md5('o' || i)::uuid, NULL, NULL,
                 'Germany', 'GBP', false, false, {placed}, '2010-12-01', 90, 1, 1, 0, 1 {numbers};
             INSERT INTO return_lines_v1 SELECT md5('r' || i)::uuid, {lines} - 0 - 0, 1 {numbers}"
        ))
        .await;
    }

    pub async fn ask(&self, query: &str) -> Answer {
        self.send(json!({"query": query}), None).await
    }

    pub async fn ask_with(&self, query: &str, variables: Value) -> Answer {
        self.send(json!({"query": query, "variables": variables}), None).await
    }

    pub async fn ask_at(&self, query: &str, position: &str) -> Answer {
        self.send(json!({"query": query}), Some(position)).await
    }

    async fn send(&self, body: Value, position: Option<&str>) -> Answer {
        let mut request = self.post().body(body.to_string());
        if let Some(position) = position {
            request = request.header(MIN_POSITION_HEADER, position);
        }
        self.answer(request).await
    }

    pub fn post(&self) -> reqwest::RequestBuilder {
        self.client.post(format!("{}/graphql", self.address)).header("content-type", "application/json")
    }

    pub fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.get(format!("{}{path}", self.address))
    }

    pub async fn answer(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.timeout(Duration::from_secs(30)).send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}, no JSON: {text}"));
        Answer { status, headers, body }
    }
}

/// A pool for a database that gets its tables first.
async fn with_tables(url: &str) -> Pool {
    let pool = read_model::pool(url, 2).unwrap();
    engine::migrate(&pool).await.unwrap();
    engine::migrate_with(&pool, read_model::migrations(), read_model::MIGRATION_HISTORY).await.unwrap();
    pool
}

/// The token of a position of the tests' log.
pub fn token(position: u64) -> String {
    format!("{LOG:08x}-{position}")
}
