//! The tables as Postgres has them, against what the rest of the workspace believes of them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by failing")]

use private_postgres::{TestDatabase, test_database};
use read_model::catalogue::{PRODUCTS, ProductRow, ProductStatus};
use read_model::{MIGRATION_HISTORY, PROJECTIONS, SCHEMA, View, migrations, pool, reader_pool};
use tokio_postgres::error::SqlState;

async fn migrate(pool: &deadpool_postgres::Pool) -> Result<(), engine::EngineError> {
    engine::migrate_with(pool, migrations(), MIGRATION_HISTORY).await
}

async fn migrated() -> (TestDatabase, deadpool_postgres::Pool) {
    let database = test_database().await;
    let pool = pool(database.url(), 4).unwrap();
    migrate(&pool).await.unwrap();
    (database, pool)
}

/// The table that those of a fold are made like: of the last fold that changed its columns, else the first.
async fn shape(client: &tokio_postgres::Client, view: &View, fold: i32) -> String {
    let shapes = "SELECT table_name::text FROM information_schema.tables
        WHERE table_schema = $1 AND table_name ~ ('^' || $2 || '_(v1|f[0-9]+)$')
            AND substring(table_name FROM '[0-9]+$')::int <= $3
        ORDER BY substring(table_name FROM '[0-9]+$')::int DESC LIMIT 1";
    client.query_one(shapes, &[&SCHEMA, &view.name, &fold]).await.unwrap().get(0)
}

#[tokio::test]
async fn every_version_of_every_view_has_its_table_with_just_the_columns_it_names() {
    let (_database, pool) = migrated().await;
    let client = pool.get().await.unwrap();
    for projection in PROJECTIONS {
        let newest = *projection.folds.last().unwrap();
        for view in projection.views {
            let table = shape(&client, view, newest).await;
            let found = client
                .query(
                    "SELECT column_name::text FROM information_schema.columns
                     WHERE table_schema = $1 AND table_name = $2 ORDER BY ordinal_position",
                    &[&SCHEMA, &table],
                )
                .await
                .unwrap();
            let found: Vec<String> = found.iter().map(|row| row.get(0)).collect();
            assert_eq!(found, view.columns().collect::<Vec<_>>(), "{table}");

            let key = client
                .query(
                    "SELECT a.attname::text FROM pg_index i
                     JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
                     WHERE i.indrelid = to_regclass($1) AND i.indisprimary",
                    &[&table],
                )
                .await
                .unwrap();
            let key: Vec<String> = key.iter().map(|row| row.get(0)).collect();
            assert_eq!(key, view.key, "{table}");
        }
    }
}

#[tokio::test]
async fn migrating_again_and_at_the_same_time_changes_nothing() {
    let database = test_database().await;
    let pool = pool(database.url(), 4).unwrap();
    let (one, other) = tokio::join!(migrate(&pool), migrate(&pool));
    one.unwrap();
    other.unwrap();
    migrate(&pool).await.unwrap();
}

#[tokio::test]
async fn what_a_newer_binary_has_added_stays_and_what_it_has_changed_is_refused() {
    let (_database, pool) = migrated().await;
    let client = pool.get().await.unwrap();
    let newer = format!(
        "INSERT INTO {MIGRATION_HISTORY} (version, name, applied_on, checksum)
         SELECT max(version) + 1, 'newer', max(applied_on), '1' FROM {MIGRATION_HISTORY}"
    );
    client.execute(&newer, &[]).await.unwrap();
    migrate(&pool).await.unwrap();
    let other = format!("UPDATE {MIGRATION_HISTORY} SET checksum = '1' WHERE version = 1");
    client.execute(&other, &[]).await.unwrap();
    assert!(migrate(&pool).await.is_err());
}

#[tokio::test]
async fn a_row_reads_back_and_an_unknown_name_in_it_is_an_error() {
    let (_database, pool) = migrated().await;
    let client = pool.get().await.unwrap();
    let table = PRODUCTS.table(1);
    let insert = format!(
        "INSERT INTO {table} ({}) VALUES (gen_random_uuid(), 'A1', NULL, 'soft', 250, 'GBP', 'LISTED',
         7, 2, '2010-12-01T08:26:00Z', 3, NULL, 99)",
        PRODUCTS.column_list()
    );
    client.execute(&insert, &[]).await.unwrap();
    let select = format!("SELECT {} FROM {table}", PRODUCTS.column_list());
    let row = ProductRow::read(&client.query_one(&select, &[]).await.unwrap()).unwrap();
    assert_eq!((row.sku.as_str(), row.name, row.description.as_deref()), ("A1", None, Some("soft")));
    assert_eq!((row.price.to_string().as_str(), row.status), ("2.50 GBP", ProductStatus::Listed));
    assert_eq!((row.on_hand, row.reserved, row.revision, row.stock_revision), (7, 2, 3, None));
    assert_eq!((row.listed_at.to_string().as_str(), row.updated_position), ("2010-12-01T08:26:00Z", 99));

    client.execute(&format!("UPDATE {table} SET currency = 'XXL'"), &[]).await.unwrap();
    assert!(ProductRow::read(&client.query_one(&select, &[]).await.unwrap()).is_err());
    assert_eq!(View::POSITION, "updated_position");
}

#[tokio::test]
async fn readers_cannot_write_and_statements_end() {
    let (database, _pool) = migrated().await;
    let client = reader_pool(database.url(), 1).unwrap().get().await.unwrap();
    let refused = client.execute("DELETE FROM products_v1", &[]).await.unwrap_err();
    assert_eq!(refused.code(), Some(&SqlState::READ_ONLY_SQL_TRANSACTION));
    let timeout = client.query_one("SHOW statement_timeout", &[]).await.unwrap();
    assert_eq!(timeout.get::<_, String>(0), "5s");
}

#[test]
fn a_url_that_cannot_be_read_is_refused_without_its_password() {
    let error = pool("postgresql://me:secret@host:port/x", 1).unwrap_err().to_string();
    assert!(error.contains("database URL") && !error.contains("secret"), "{error}");
}
