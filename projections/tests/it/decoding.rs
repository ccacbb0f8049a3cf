//! From recorded bytes to events, and what becomes of those that are none.

use domain::ids::UserId;
use domain::personal::Personal;
use domain::user;
use domain::value::{Country, PersonName};
use engine::DecodeFailure;
use event_store::{RecordedEvent, Revision, StreamId};
use vault::Vault;

use crate::shop::Shop;
use crate::wishes::{Wish, customer};

async fn last_of(shop: &Shop, stream: &StreamId) -> RecordedEvent {
    let page = shop.store.read_stream(stream, Revision::FIRST, 100).await.unwrap().unwrap();
    page.events.into_iter().last().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn types_unknown_are_passed_over_versions_unknown_need_an_upgrade_and_nonsense_is_malformed() {
    let shop = Shop::open().await;
    let stream = StreamId::named("product-1");
    let decoder = projections::decoder(shop.vault.clone());
    shop.append_raw(&stream, "ProductDelisted", 1, b"{}".to_vec()).await;
    let appended = last_of(&shop, &stream).await;
    for (event_type, version, data, expected) in [
        ("ProductRenamed", 1, "{}", "none"),
        ("ProductDelisted", 2, "{}", "upgrade"),
        ("ProductDelisted", 1, "{}", "malformed"),
        ("ProductDelisted", 1, "nonsense", "malformed"),
    ] {
        let mut record = appended.clone();
        (record.event_type, record.data) = (event_type.to_owned(), data.into());
        record.metadata.schema_version = version;
        let found = match decoder.decode(&record).await {
            Ok(None) => "none",
            Ok(Some(_)) => "an event",
            Err(DecodeFailure::NeedsUpgrade(_)) => "upgrade",
            Err(DecodeFailure::Malformed(_)) => "malformed",
            Err(DecodeFailure::Retry(_)) => "retry",
        };
        assert_eq!(found, expected, "{event_type} {version} {data}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_not_there_yet_is_waited_for() {
    let mut shop = Shop::open().await;
    let name = Some(Personal::Clear(PersonName::new("Ada").unwrap()));
    let country = Country::new("France").unwrap();
    let register = user::Command::Register { customer_number: customer(1), country, name, email: None };
    shop.wish(Wish::User(1, register)).await;
    let stream = StreamId::new("user", &UserId::from_number(&customer(1)).0);
    let record = last_of(&shop, &stream).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Vault::open(elsewhere.path()).unwrap();
    let failure = projections::decoder(other.clone()).decode(&record).await.unwrap_err();
    assert!(matches!(failure, DecodeFailure::Retry(_)), "{failure}");
    assert!(projections::decoder(shop.vault.clone()).decode(&record).await.unwrap().is_some());

    let folding = shop.fold(other).await;
    let (position, ..) = shop.until("customers", |_, _, reason| reason.is_some()).await;
    assert!(position < record.position);
    folding.stop().await;
    let folding = shop.fold(shop.vault.clone()).await;
    shop.until_head().await;
    folding.stop().await;
}
