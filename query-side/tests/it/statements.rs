//! How many statements an answer takes, counted by Postgres in its log.

use crate::support::Service;

/// The statements of the service for one answer. Beginning and end of the transaction are not among them.
async fn statements(service: &Service, query: &str) -> usize {
    // Once before, so that each is prepared; in sequence all come from the same connection.
    for _ in 0..4 {
        service.ask(query).await.data();
    }
    let name = format!(" {} LOG:  execute ", service.database().name());
    let count = || {
        let log = std::fs::read_to_string(service.database().log_path()).unwrap();
        log.lines().filter(|line| line.contains(&name) && line.contains("SELECT")).count()
    };
    let before = count();
    service.ask(query).await.data();
    count() - before
}

#[tokio::test]
async fn a_page_takes_as_many_statements_at_5_rows_as_at_100() {
    let service = Service::start_without_tables().await;
    service.sql(&format!("ALTER DATABASE {} SET log_statement = 'all'", service.database().name())).await;
    // The service connects when it is asked, so after that setting.
    let pool = read_model::pool(service.database().url(), 1).unwrap();
    engine::migrate(&pool).await.unwrap();
    engine::migrate_with(&pool, read_model::migrations(), read_model::MIGRATION_HISTORY).await.unwrap();
    service.folded("catalogue", 100).await;
    service.folded("customers", 100).await;
    service.folded("shop", 100).await;
    service.products(120).await;
    service.orders(120).await;

    let page = |first: u32, more: &str| {
        format!("{{ products(first: {first}) {{ {more} nodes {{ sku price {{ amount }} available }} }} }}")
    };
    assert_eq!(statements(&service, &page(5, "")).await, 2, "the status rows and the page");
    assert_eq!(statements(&service, &page(100, "")).await, 2);
    assert_eq!(statements(&service, &page(100, "totalCount")).await, 3);
    assert_eq!(statements(&service, "{ product(sku: \"SKU0001\") { sku } }").await, 2);
    assert_eq!(statements(&service, "{ projections { name } }").await, 1);

    let orders = |first: u32, more: &str| {
        format!(
            "{{ orders(first: {first}) {{ {more} nodes {{ number gross {{ amount }} customer {{ name }}
            lines {{ sku total {{ amount }} product {{ name }} }} payments {{ status }} shipments {{ status }}
            returns {{ number lines {{ sku product {{ name }} }} }} }} }} }}"
        )
    };
    // The status rows, then orders, customers, lines, their products, payments, shipments, returns, their lines, and
    // the products on those.
    assert_eq!(statements(&service, &orders(5, "")).await, 10);
    assert_eq!(statements(&service, &orders(100, "")).await, 10);
    assert_eq!(statements(&service, &orders(100, "totalCount")).await, 11);
    let days = "from: \"2010-12-01\", to: \"2010-12-31\"";
    assert_eq!(
        statements(&service, &format!("{{ salesSummary({days}) {{ orders gross {{ amount }} }} }}")).await,
        2
    );
    assert_eq!(
        statements(&service, &format!("{{ topProducts({days}, by: UNITS) {{ sku name }} }}")).await,
        2
    );
}
