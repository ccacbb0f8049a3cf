//! Products by text, from an index that is kept by the indexer of the projections.

use std::path::Path;
use std::time::Duration;

use projections::search::SearchIndexer;
use read_model::search::SearchIndexes;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::{LOG, Service, token};

const PATIENCE: Duration = Duration::from_secs(30);

/// A service with a search index.
struct Shop {
    service: Service,
    indexes: SearchIndexes,
    directory: TempDir,
}

impl Shop {
    /// With products in its tables, folded up to position 100, and nobody who keeps the index yet.
    async fn with(products: &[(&str, &str, &str)], position_wait: Duration) -> Self {
        let indexes = SearchIndexes::default();
        let service = Service::start_with(|config| {
            config.search_indexes = indexes.clone();
            config.position_wait = position_wait;
        })
        .await;
        let shop = Self { service, indexes, directory: tempfile::tempdir().unwrap() };
        for (index, (sku, name, description)) in products.iter().enumerate() {
            shop.list(sku, name, description, index + 1).await;
        }
        shop.service.folded("catalogue", 100).await;
        shop
    }

    /// With an index that has all of it.
    async fn indexed(products: &[(&str, &str, &str)]) -> (Self, DropGuard) {
        let shop = Self::with(products, PATIENCE).await;
        let keeping = shop.keep(shop.directory.path());
        shop.reached(100).await;
        (shop, keeping)
    }

    fn keep(&self, directory: &Path) -> DropGuard {
        let indexer =
            SearchIndexer::open(directory, self.service.database().url(), self.indexes.clone()).unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(indexer.run(stop.clone()));
        stop.drop_guard()
    }

    /// Waits until the index is at a position.
    async fn reached(&self, position: u64) {
        let mut indexes = self.indexes.watch();
        let there =
            indexes.wait_for(|indexes| indexes.get(&1).is_some_and(|index| index.position.at.0 >= position));
        tokio::time::timeout(PATIENCE, there).await.expect("the index follows").unwrap();
    }

    /// Writes the rows of a product as the fold of the event at a position would.
    async fn list(&self, sku: &str, name: &str, description: &str, position: usize) {
        self.service
            .sql(&format!(
                "INSERT INTO products_v1 VALUES (md5('{sku}')::uuid, '{sku}', nullif('{name}', ''),
                     nullif('{description}', ''), 100, 'GBP', 'LISTED', 0, 0, now(), 0, NULL, {position})
                     ON CONFLICT (product_id) DO UPDATE SET name = excluded.name;
                 INSERT INTO product_texts_v1 VALUES (md5('{sku}')::uuid, '{sku}', nullif('{name}', ''),
                     nullif('{description}', ''), false, {position})
                     ON CONFLICT (product_id) DO UPDATE SET name = excluded.name, deleted = false,
                         updated_position = excluded.updated_position"
            ))
            .await;
    }

    /// The SKUs that a text finds.
    async fn found(&self, text: &str) -> Vec<String> {
        let query = "query ($text: String!) { searchProducts(text: $text) { nodes { sku } } }";
        let answer = self.service.ask_with(query, json!({"text": text})).await;
        let nodes = answer.data()["searchProducts"]["nodes"].as_array().unwrap();
        nodes.iter().map(|node| node["sku"].as_str().unwrap().to_owned()).collect()
    }
}

const PRODUCTS: &[(&str, &str, &str)] = &[
    ("85123A", "WHITE HANGING HEART T-LIGHT HOLDER", ""),
    ("85123B", "RED HANGING HEART T-LIGHT HOLDER", ""),
    ("71053", "WHITE METAL LANTERN", "for the garden"),
    ("20725", "LUNCH BAG RED RETROSPOT", "keeps lanterns away"),
    ("22423", "REGENCY CAKESTAND 3 TIER", ""),
    ("GIFT_0001", "Crème brûlée set", ""),
    ("X-1", "", ""),
];

#[tokio::test]
async fn words_are_found_in_any_order_and_form_and_all_of_them_must_be() {
    let (shop, _keeping) = Shop::indexed(PRODUCTS).await;
    for (text, expected) in [
        ("heart white", &["85123A"][..]),
        ("hanging hearts", &["85123A", "85123B"]),
        ("T-LIGHT holder", &["85123A", "85123B"]),
        ("creme BRULEE", &["GIFT_0001"]),
        ("regency teapot", &[]),
        ("lantern", &["71053", "20725"]),
        ("lan", &["71053", "20725"]),
        ("lan metal", &[]),
        ("metal lan", &["71053"]),
    ] {
        assert_eq!(shop.found(text).await, expected, "{text:?}");
    }
}

#[tokio::test]
async fn a_misspelt_word_still_finds_and_the_right_one_comes_first() {
    let (shop, _keeping) = Shop::indexed(PRODUCTS).await;
    for (text, expected) in [
        ("lantren", &["71053"][..]),
        ("lanternes", &["71053", "20725"]),
        ("metla lanten", &["71053"]),
        ("regancy cakestadn", &["22423"]),
        ("cakestsnf", &["22423"]),
        ("wite hart holder", &["85123A"]),
        ("rad", &[]),
        ("xegenzi", &[]),
    ] {
        assert_eq!(shop.found(text).await, expected, "{text:?}");
    }
    shop.list("A-0", "LANTERM", "", 101).await;
    shop.service.folded("catalogue", 101).await;
    shop.reached(101).await;
    assert_eq!(shop.found("lantern").await[0], "71053", "as it is written");
    assert_eq!(shop.found("lanterm").await[0], "A-0");
}

#[tokio::test]
async fn a_sku_finds_its_product_first_and_never_one_that_is_nearly_it() {
    let (shop, _keeping) = Shop::indexed(PRODUCTS).await;
    shop.list("NEW", "like 85123A but better", "", 101).await;
    shop.service.folded("catalogue", 101).await;
    shop.reached(101).await;
    for (text, expected) in [
        ("85123a", &["85123A", "NEW"][..]),
        ("85123B", &["85123B"]),
        ("85123", &["85123A", "85123B", "NEW"]),
        (" gift_0001 ", &["GIFT_0001"]),
        ("x-1", &["X-1"]),
        ("85124A", &[]),
    ] {
        assert_eq!(shop.found(text).await, expected, "{text:?}");
    }
}

#[tokio::test]
async fn texts_without_words_find_nothing_and_odd_ones_do_no_harm() {
    let (shop, _keeping) = Shop::indexed(PRODUCTS).await;
    for text in
        ["", " ", "\u{7f}", "…!?", "+-&|(){}[]^\"~*:\\/", "\u{202e}🎄", "name:lantern AND", &"x".repeat(200)]
    {
        assert_eq!(shop.found(text).await, [""; 0], "{text:?}");
    }
}

#[tokio::test]
async fn pages_hold_every_hit_once_and_count_them() {
    let products: Vec<_> =
        (0..57).map(|number| (format!("S{number:03}"), "LANTERN".repeat(1 + number % 2))).collect();
    let products: Vec<_> =
        products.iter().map(|(sku, name)| (sku.as_str(), name.as_str(), "lantern")).collect();
    let (shop, _keeping) = Shop::indexed(&products).await;
    let mut seen = Vec::new();
    let mut after = Value::Null;
    loop {
        let query = "query ($after: String) { searchProducts(text: \"lantern\", first: 20, after: $after) {
            totalCount pageInfo { hasNextPage hasPreviousPage endCursor } edges { cursor node { sku name } } } }";
        let answer = shop.service.ask_with(query, json!({"after": after})).await;
        let page = &answer.data()["searchProducts"];
        assert_eq!(page["totalCount"], 57);
        assert_eq!(page["pageInfo"]["hasPreviousPage"], !after.is_null());
        let edges = page["edges"].as_array().unwrap();
        seen.extend(edges.iter().map(|edge| edge["node"]["sku"].as_str().unwrap().to_owned()));
        assert_eq!(page["pageInfo"]["endCursor"], edges.last().unwrap()["cursor"]);
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    let (even, odd): (Vec<_>, Vec<_>) = (0..57).partition(|number| number % 2 == 0);
    let expected: Vec<_> = even.into_iter().chain(odd).map(|number| format!("S{number:03}")).collect();
    assert_eq!(seen, expected, "those named so first, then those described so, each by SKU");
}

#[tokio::test]
async fn impossible_pages_and_texts_are_refused() {
    let (shop, _keeping) = Shop::indexed(&PRODUCTS[..1]).await;
    let ask = async |arguments: &str| {
        let answer =
            shop.service.ask(&format!("{{ searchProducts({arguments}) {{ nodes {{ sku }} }} }}")).await;
        (answer.status, answer.code().to_owned())
    };
    for size in ["0", "-1", "101"] {
        let refused = ask(&format!("text: \"a\", first: {size}")).await;
        assert_eq!(refused, (200, "PAGE_SIZE_OUT_OF_RANGE".into()), "{size}");
    }
    let of_another_list = "eyJhIjoxfQ";
    for cursor in ["junk", "", of_another_list] {
        assert_eq!(ask(&format!("text: \"a\", after: \"{cursor}\"")).await.1, "INVALID_CURSOR", "{cursor:?}");
    }
    assert_eq!(ask(&format!("text: \"{}\"", "x".repeat(201))).await.1, "INVALID_INPUT");
    assert_eq!(ask(&format!("text: \"{}\"", "x ".repeat(17))).await.1, "INVALID_INPUT");
    assert_eq!(ask("first: 1").await.1, "INVALID_QUERY");
}

#[tokio::test]
async fn what_changes_is_found_as_it_is_now() {
    let (shop, _keeping) = Shop::indexed(PRODUCTS).await;
    shop.list("71053", "BRASS BELL", "", 101).await;
    shop.service
        .sql("UPDATE product_texts_v1 SET deleted = true, updated_position = 102 WHERE sku = '22423'")
        .await;
    shop.service.folded("catalogue", 102).await;
    let query = "{ searchProducts(text: \"bell\") { nodes { sku } } }";
    let answer = shop.service.ask_at(query, &token(102)).await;
    assert_eq!(answer.data()["searchProducts"]["nodes"], json!([{"sku": "71053"}]));
    assert_eq!(answer.position(), token(102));
    assert_eq!(shop.found("metal lantern").await, [""; 0]);
    assert_eq!(shop.found("cakestand").await, [""; 0]);
}

#[tokio::test]
async fn the_version_before_is_read_while_the_active_one_has_no_index_here() {
    let (shop, keeping) = Shop::indexed(PRODUCTS).await;
    drop(keeping);
    // Readers have switched to a version of which this process has no index yet.
    shop.service
        .sql(
            "CREATE TABLE products_v2 (LIKE products_v1 INCLUDING ALL);
             CREATE TABLE product_texts_v2 (LIKE product_texts_v1 INCLUDING ALL);
             INSERT INTO projection_version (name, version, fold, state, log_identity, position, fence, head_position,
                 heartbeat_at)
             SELECT name, 2, fold, state, log_identity, 300, fence, head_position, heartbeat_at
             FROM projection_version WHERE name = 'catalogue';
             UPDATE projection SET active_version = 2 WHERE name = 'catalogue'",
        )
        .await;
    assert_eq!(shop.found("hanging heart").await.len(), 2, "found, and read from the same version");
    let answer =
        shop.service.ask("{ searchProducts(text: \"heart\") { totalCount } products { totalCount } }").await;
    assert_eq!(answer.data()["products"]["totalCount"], PRODUCTS.len(), "one answer, one version");
    let answer = shop.service.ask("{ products { totalCount } }").await;
    assert_eq!(answer.data()["products"]["totalCount"], 0, "without the index the active one is read");

    // Once there is an index, that version is read.
    let _keeping = shop.keep(shop.directory.path());
    let mut indexes = shop.indexes.watch();
    let there = indexes.wait_for(|indexes| indexes.contains_key(&2));
    tokio::time::timeout(PATIENCE, there).await.expect("the index follows").unwrap();
    assert_eq!(shop.found("hanging heart").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_page_is_one_statement_whatever_its_size() {
    let (shop, _keeping) = Shop::indexed(PRODUCTS).await;
    // The service connects when it is asked, so after that setting.
    let name = shop.service.database().name().to_owned();
    shop.service.sql(&format!("ALTER DATABASE {name} SET log_statement = 'all'")).await;
    let executed = format!(" {name} LOG:  execute ");
    let pages = || {
        let log = std::fs::read_to_string(shop.service.database().log_path()).unwrap();
        log.lines().filter(|line| line.contains(&executed) && line.contains("FROM products_v1")).count()
    };
    for (text, hits) in [("cakestand", 1), ("heart", 2), ("r", 3)] {
        let before = pages();
        assert_eq!(shop.found(text).await.len(), hits, "{text}");
        assert_eq!(pages() - before, 1, "{text}");
    }
}

#[tokio::test]
async fn an_answer_waits_for_the_index_or_says_that_it_is_behind() {
    let shop = Shop::with(PRODUCTS, Duration::from_millis(50)).await;
    let query = "{ searchProducts(text: \"lantern\") { totalCount } }";
    assert_eq!(shop.service.ask(query).await.code(), "UNAVAILABLE", "nobody keeps an index");
    let behind = shop.service.ask_at(query, &token(100)).await;
    assert_eq!((behind.status, behind.code()), (200, "READ_MODEL_BEHIND"));
    let expected =
        json!({"reason": "behind", "projection": "search", "position": null, "requested": token(100)});
    assert_eq!(behind.details(), &expected);

    let keeping = shop.keep(shop.directory.path());
    shop.reached(100).await;
    let answer = shop.service.ask_at(query, &token(100)).await;
    assert_eq!(answer.data()["searchProducts"]["totalCount"], 2);
    assert_eq!(answer.position(), token(100));

    drop(keeping);
    released(shop.directory.path(), &shop).await;
    shop.service.folded("catalogue", 101).await;
    let behind = shop.service.ask_at(query, &token(101)).await;
    assert_eq!(behind.details()["projection"], "search");
    assert_eq!(behind.details()["position"], token(100));
    let lower = shop.service.ask(query).await;
    assert_eq!(lower.position(), token(100), "the lower of table and index");
    let tables = shop.service.ask_at("{ product(sku: \"71053\") { sku } }", &token(101)).await;
    assert_eq!(tables.position(), token(101), "what reads no index does not wait for it");
}

#[tokio::test]
async fn an_index_of_another_log_or_ahead_of_its_table_is_not_served() {
    for change in [format!("log_identity = {}", LOG + 1), "position = 99".to_owned()] {
        let (shop, keeping) = Shop::indexed(PRODUCTS).await;
        drop(keeping);
        released(shop.directory.path(), &shop).await;
        shop.service.worker("catalogue", &change).await;
        let query = "{ searchProducts(text: \"lantern\") { totalCount } }";
        assert_eq!(shop.service.ask(query).await.code(), "UNAVAILABLE", "{change}");
        let _keeping = shop.keep(shop.directory.path());
        let mut indexes = shop.indexes.watch();
        let anew = indexes.wait_for(|indexes| {
            indexes.get(&1).is_some_and(|index| index.position.log.0 != LOG || index.position.at.0 == 99)
        });
        tokio::time::timeout(PATIENCE, anew).await.expect("it is built anew").unwrap();
        assert_eq!(shop.service.ask(query).await.data()["searchProducts"]["totalCount"], 2, "{change}");
    }
}

/// Waits until whoever kept a directory has let go of it.
async fn released(directory: &Path, shop: &Shop) {
    let free = async {
        while SearchIndexer::open(directory, shop.service.database().url(), SearchIndexes::default()).is_err()
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, free).await.expect("the directory is free");
}
