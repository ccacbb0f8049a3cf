//! What the domain decides and the vault seals, folded into Postgres.

use contract::LogPosition;
use domain::ShopEvent;
use domain::ids::{ProductId, UserId};
use domain::personal::Personal;
use domain::user;
use domain::value::{Country, PersonName};
use engine::Recorded;
use proptest::test_runner::{Config, TestRunner};
use read_model::customers::{CUSTOMER, CustomerRow};

use crate::sales::assert_sums_are_of_the_rows;
use crate::shop::{Shop, settings};
use crate::wishes::{Wish, customer, sku, wish};

/// Of the streams that each projection folds.
const CATEGORIES: [&[&str]; 3] =
    [&["product-", "stock-"], &["user-"], &["order-", "payment-", "shipment-", "return-"]];

/// All events of a projection's categories, opened.
async fn events(shop: &Shop, categories: &[&str]) -> Vec<Recorded<ShopEvent>> {
    let decoder = projections::decoder(shop.vault.clone());
    let (mut events, mut at) = (Vec::new(), LogPosition::START);
    loop {
        let page = shop.store.read_all(at, categories, 1000).await.unwrap();
        for record in page.events {
            let event = decoder.decode(&record).await.unwrap().unwrap();
            events.push(Recorded::new(event, record));
        }
        at = page.considered;
        if page.is_end {
            return events;
        }
    }
}

async fn assert_is_naive_fold(shop: &Shop) {
    let client = shop.pool.get().await.unwrap();
    let projections = projections::all(&settings());
    assert_eq!(projections.len(), CATEGORIES.len());
    for (projection, categories) in projections.into_iter().zip(CATEGORIES) {
        let expected = engine::law::naive_fold(&projection, &events(shop, categories).await).unwrap();
        let stored = engine::law::stored(&client, &projection, projection.fold()).await.unwrap();
        for (expected, (stored, checksums)) in expected.iter().zip(&stored) {
            assert_eq!(expected.rows, stored.rows, "{}", expected.table.name);
            // The naive fold knows no positions of summaries.
            assert!(expected.updated.is_empty() || expected.updated == stored.updated);
            assert_eq!(stored.checksums().rows, checksums.rows);
            let kept = checksums.columns.iter().filter(|(_, sum)| **sum != 0);
            let computed = stored.checksums();
            assert!(kept.eq(computed.columns.iter().filter(|(_, sum)| **sum != 0)));
        }
    }
}

/// At some positions, every view was what a fold up to there gives.
async fn assert_past_is_naive_fold(shop: &Shop) {
    const LOOKS: usize = 12;
    let client = shop.pool.get().await.unwrap();
    for (projection, categories) in projections::all(&settings()).into_iter().zip(CATEGORIES) {
        let events = events(shop, categories).await;
        for number in (0..events.len()).step_by(events.len().div_ceil(LOOKS).max(1)) {
            let (at, version) = (events[number].position, projection.fold());
            let expected = engine::law::naive_fold(&projection, &events[..=number]).unwrap();
            let stored = engine::law::stored_as_of(&client, &projection, version, at).await.unwrap();
            // All of them but the texts, which are for the search.
            assert_eq!(stored.len() + usize::from(projection.name() == "catalogue"), expected.len());
            for stored in stored {
                let name = stored.table.name;
                let expected = expected.iter().find(|view| view.table.name == name).unwrap();
                assert_eq!(expected.rows, stored.rows, "{name} as of {at}");
            }
        }
    }
}

#[test]
fn whatever_the_domain_decides_folds_into_what_one_naive_fold_gives() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = Config { cases: 6, max_shrink_iters: 20, failure_persistence: None, ..Config::default() };
    let wishes = (proptest::collection::vec(wish(), 0..200), proptest::collection::vec(wish(), 0..100));
    TestRunner::new(config)
        .run(&wishes, |(history, live)| {
            runtime.block_on(async {
                let mut shop = Shop::open().await;
                for wish in history {
                    shop.wish(wish).await;
                }
                let folding = shop.fold(shop.vault.clone()).await;
                for wish in live {
                    shop.wish(wish).await;
                }
                shop.until_head().await;
                assert_is_naive_fold(&shop).await;
                assert_past_is_naive_fold(&shop).await;
                assert_sums_are_of_the_rows(&shop).await;
                folding.stop().await;
            });
            Ok(())
        })
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_whose_key_was_destroyed_folds_without_name() {
    let mut shop = Shop::open().await;
    let register = |number| {
        let name = Some(Personal::Clear(PersonName::new("Ada").unwrap()));
        let country = Country::new("France").unwrap();
        Wish::User(
            number,
            user::Command::Register { customer_number: customer(number), country, name, email: None },
        )
    };
    shop.wish(register(1)).await;
    shop.wish(register(2)).await;
    let erased = UserId::from_number(&customer(1));
    shop.vault.destroy(erased.into()).await.unwrap();
    let folding = shop.fold(shop.vault.clone()).await;
    shop.until_head().await;
    let query = format!("SELECT {} FROM customers_v1 ORDER BY customer_number", CUSTOMER.column_list());
    let rows = shop.pool.get().await.unwrap().query(&query, &[]).await.unwrap();
    let rows: Vec<CustomerRow> = rows.iter().map(|row| CustomerRow::read(row).unwrap()).collect();
    assert_eq!(rows.iter().map(|row| row.name.as_deref()).collect::<Vec<_>>(), [None, Some("Ada")]);
    assert_eq!(rows[0].user_id, erased.0);
    folding.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_of_a_product_that_was_never_listed_waits_for_somebody_and_all_else_goes_on() {
    let shop = Shop::open().await;
    let id = ProductId::from_sku(&sku(1));
    let stream = event_store::StreamId::new("stock", &id.0);
    let data = format!(r#"{{"productId":"{id}","quantity":3}}"#).into_bytes();
    shop.append_raw(&stream, "StockReceived", 1, data).await;
    let folding = shop.fold(shop.vault.clone()).await;
    let head = shop.store.head().await.unwrap();
    for projection in ["catalogue", "customers"] {
        shop.until(projection, |position, _, _| position >= head).await;
    }
    let parked = engine::parked::list(&shop.pool, None).await.unwrap();
    assert_eq!(parked.len(), 1, "{parked:#?}");
    assert_eq!(
        (parked[0].projection.as_str(), parked[0].event_type.as_str()),
        ("catalogue", "StockReceived")
    );
    assert!(parked[0].reason.contains("there is no row"), "{parked:#?}");
    folding.stop().await;
}
