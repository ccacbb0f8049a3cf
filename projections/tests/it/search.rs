//! The search index follows its table, through restarts, damage and tables that begin again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use private_postgres::{TestDatabase, test_database};
use projections::search::{SearchIndexError, SearchIndexer, delete};
use read_model::search::{Analyzer, Fields, Published, SearchIndexes};
use tantivy::Term;
use tantivy::collector::Count;
use tantivy::query::TermQuery;
use tantivy::schema::IndexRecordOption;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(30);

/// Tables that are filled by hand, and a directory for the index.
struct Texts {
    database: TestDatabase,
    pool: Pool,
    home: TempDir,
    indexes: SearchIndexes,
}

/// Somebody who keeps the index.
struct Keeping(JoinHandle<()>, CancellationToken);

impl Keeping {
    async fn stop(self) {
        self.1.cancel();
        tokio::time::timeout(PATIENCE, self.0).await.expect("it stops").unwrap();
    }
}

impl Texts {
    async fn new() -> Self {
        let database = test_database().await;
        let pool = read_model::pool(database.url(), 1).unwrap();
        let home = tempfile::tempdir().unwrap();
        let texts = Self { database, pool, home, indexes: SearchIndexes::default() };
        texts.migrate().await;
        texts
    }

    async fn migrate(&self) {
        engine::migrate(&self.pool).await.unwrap();
        engine::migrate_with(&self.pool, read_model::migrations(), read_model::MIGRATION_HISTORY)
            .await
            .unwrap();
    }

    fn directory(&self) -> PathBuf {
        self.home.path().join("search")
    }

    fn open(&self) -> Result<SearchIndexer, SearchIndexError> {
        SearchIndexer::open(&self.directory(), self.database.url(), self.indexes.clone())
    }

    fn keep(&self) -> Keeping {
        let (indexer, stop) = (self.open().unwrap(), CancellationToken::new());
        Keeping(tokio::spawn(indexer.run(stop.clone())), stop)
    }

    async fn sql(&self, text: &str) {
        let client = self.pool.get().await.unwrap();
        client.batch_execute(text).await.unwrap_or_else(|error| panic!("{error:?}: {text}"));
    }

    /// Rows with these names at these positions, and a checkpoint, in one transaction as the engine writes them.
    async fn fold(&self, rows: &[(&str, u64)], log: u32, checkpoint: u64) {
        let rows = rows.iter().map(|(name, position)| {
            format!(
                "INSERT INTO product_texts_v1 VALUES (md5('{name}')::uuid, '{name}', '{name}', NULL, false, {position})
                 ON CONFLICT (product_id) DO UPDATE SET updated_position = excluded.updated_position;"
            )
        });
        self.sql(&format!("BEGIN; {} {}; COMMIT", rows.collect::<String>(), checkpoint_is(log, checkpoint)))
            .await;
    }

    /// The index once it is at a position of a log.
    async fn at(&self, log: u32, position: u64) -> Arc<Published> {
        let mut indexes = self.indexes.watch();
        let there = indexes.wait_for(|indexes| {
            let at = indexes.get(&1).map(|index| (index.position.log.0, index.position.at.0));
            at == Some((log, position))
        });
        let there = tokio::time::timeout(PATIENCE, there).await.expect("the index follows").unwrap();
        there[&1].clone()
    }
}

fn checkpoint_is(log: u32, position: u64) -> String {
    format!(
        "INSERT INTO projection VALUES ('catalogue', 1) ON CONFLICT DO NOTHING;
         INSERT INTO projection_version (name, version, fold, state, log_identity, position, fence,
             head_position, lag_events, heartbeat_at)
         VALUES ('catalogue', 1, 1, 'LIVE', {log}, {position}, 1, {position}, 0, now())
         ON CONFLICT (name, version) DO UPDATE SET log_identity = excluded.log_identity, position = excluded.position"
    )
}

/// How many products have a word in their name.
fn named(index: &Published, word: &str) -> usize {
    let term = Term::from_field_text(Fields::new().name, &Analyzer::Words.terms(word)[0]);
    index.searcher.search(&TermQuery::new(term, IndexRecordOption::Basic), &Count).unwrap()
}

#[tokio::test]
async fn each_version_of_the_table_has_an_index_for_as_long_as_it_is_there() {
    let texts = Texts::new().await;
    texts.fold(&[("lantern", 10)], 7, 10).await;
    let keeping = texts.keep();
    texts.at(7, 10).await;
    let until = async |wanted: &[i32]| {
        let mut indexes = texts.indexes.watch();
        let there = indexes.wait_for(|indexes| indexes.keys().copied().eq(wanted.iter().copied()));
        tokio::time::timeout(PATIENCE, there).await.expect("the indexes follow").unwrap().clone()
    };
    let sql = "
        CREATE TABLE product_texts_v2 (LIKE product_texts_v1 INCLUDING ALL);
        CREATE TABLE product_texts_v3 (LIKE product_texts_v1 INCLUDING ALL);
        INSERT INTO projection_version (name, version, fold, stage, state, log_identity, position, fence, head_position,
            heartbeat_at)
        SELECT name, n, fold, of_new, state, log_identity, 10, fence, head_position, heartbeat_at FROM (
            SELECT v.*, new.n, new.stage AS of_new FROM projection_version v
            CROSS JOIN (VALUES (2, 'BUILDING'), (3, 'READY')) new (n, stage) WHERE v.name = 'catalogue') v";
    texts.sql(sql).await;
    // What stands at a position in a version that is being built is not all that belongs there.
    until(&[1, 3]).await;
    texts.sql("INSERT INTO product_texts_v2 SELECT * FROM product_texts_v1").await;
    texts.sql("UPDATE projection_version SET stage = 'SWITCHING' WHERE version = 2").await;
    let all = until(&[1, 2, 3]).await;
    assert_eq!(named(&all[&2], "lantern"), 1);
    texts.sql("DELETE FROM projection_version WHERE version <> 2").await;
    until(&[2]).await;
    keeping.stop().await;
}

#[tokio::test]
async fn it_has_every_row_and_goes_on_where_it_was_after_a_restart() {
    let texts = Texts::new().await;
    let keeping = texts.keep();
    texts.fold(&[("bell", 1), ("lamp", 2)], 7, 2).await;
    let index = texts.at(7, 2).await;
    assert_eq!((named(&index, "bell"), named(&index, "lamp"), index.searcher.num_docs()), (1, 1, 2));
    // No text changed: the index is as far as the table all the same.
    texts.fold(&[], 7, 5).await;
    texts.at(7, 5).await;
    keeping.stop().await;

    // What is not in the table any more, without a trace, is what an index that is built anew would not have.
    texts.sql("DELETE FROM product_texts_v1 WHERE name = 'bell'").await;
    texts.fold(&[("tray", 6)], 7, 6).await;
    let keeping = texts.keep();
    let index = texts.at(7, 6).await;
    assert_eq!((named(&index, "bell"), named(&index, "tray"), index.searcher.num_docs()), (1, 1, 3));
    keeping.stop().await;
}

#[tokio::test]
async fn a_row_marked_deleted_is_not_in_it_until_it_is_back() {
    let texts = Texts::new().await;
    let keeping = texts.keep();
    texts.fold(&[("bell", 1)], 7, 1).await;
    assert_eq!(named(&texts.at(7, 1).await.clone(), "bell"), 1);
    texts
        .sql(&format!(
            "UPDATE product_texts_v1 SET deleted = true, updated_position = 2; {}",
            checkpoint_is(7, 2)
        ))
        .await;
    assert_eq!(texts.at(7, 2).await.searcher.num_docs(), 0);
    texts
        .sql(&format!(
            "UPDATE product_texts_v1 SET deleted = false, updated_position = 3; {}",
            checkpoint_is(7, 3)
        ))
        .await;
    assert_eq!(named(&texts.at(7, 3).await.clone(), "bell"), 1);
    keeping.stop().await;
}

#[tokio::test]
async fn more_rows_than_one_statement_reads_are_all_in_it() {
    let texts = Texts::new().await;
    // Several rows of one event, on both sides of every statement's end.
    texts
        .sql(&format!(
            "INSERT INTO product_texts_v1 SELECT gen_random_uuid(), i::text, 'lamp ' || i, NULL, false, i / 7
                 FROM generate_series(1, 12000) i; {}",
            checkpoint_is(7, 2_000)
        ))
        .await;
    let keeping = texts.keep();
    let index = texts.at(7, 2_000).await;
    assert_eq!((named(&index, "lamp"), index.searcher.num_docs()), (12_000, 12_000));
    keeping.stop().await;
}

#[tokio::test]
async fn one_that_is_damaged_or_of_another_program_is_built_anew() {
    let texts = Texts::new().await;
    texts.fold(&[("bell", 1), ("lamp", 2)], 7, 2).await;
    let damages: [fn(&Path); 4] = [
        |index| {
            let segment = fs::read_dir(index).unwrap().map(|entry| entry.unwrap().path());
            let segment =
                segment.filter(|path| path.extension().is_some_and(|end| end == "idx")).max().unwrap();
            let mut bytes = fs::read(&segment).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0xff;
            fs::write(segment, bytes).unwrap();
        },
        |index| fs::write(index.join("meta.json"), "{").unwrap(),
        |index| {
            let meta = fs::read_to_string(index.join("meta.json")).unwrap();
            fs::write(index.join("meta.json"), meta.replace("1 1 00000007-2", "0 1 00000007-2")).unwrap();
        },
        |index| fs::remove_dir_all(index).unwrap(),
    ];
    for damage in damages {
        let keeping = texts.keep();
        texts.at(7, 2).await;
        keeping.stop().await;
        let directory = texts.directory().join("catalogue_v1");
        let meta = || fs::read_to_string(directory.join("meta.json")).unwrap();
        let before = meta();
        damage(&directory);
        texts.indexes.withdraw(1);
        let keeping = texts.keep();
        let index = texts.at(7, 2).await;
        assert_ne!(meta(), before, "the segments have new names");
        assert_eq!((named(&index, "bell"), named(&index, "lamp"), index.searcher.num_docs()), (1, 1, 2));
        keeping.stop().await;
    }
}

#[tokio::test]
async fn tables_of_another_log_or_from_the_beginning_make_it_begin_again() {
    let texts = Texts::new().await;
    let keeping = texts.keep();
    texts.fold(&[("bell", 1), ("lamp", 2)], 7, 2).await;
    let before = texts.at(7, 2).await;
    texts.sql("DELETE FROM product_texts_v1").await;
    texts.fold(&[("tray", 2)], 8, 2).await;
    let index = texts.at(8, 2).await;
    assert_eq!((named(&index, "bell"), named(&index, "tray")), (0, 1));
    assert_eq!(named(&before, "bell"), 1, "who reads what was is not disturbed");

    texts.sql("DROP SCHEMA headwater CASCADE").await;
    let mut indexes = texts.indexes.watch();
    let gone = indexes.wait_for(|indexes| !indexes.contains_key(&1));
    tokio::time::timeout(PATIENCE, gone).await.expect("it is not served").unwrap();
    texts.migrate().await;
    texts.fold(&[("vase", 1)], 8, 1).await;
    let index = texts.at(8, 1).await;
    assert_eq!((named(&index, "tray"), named(&index, "vase"), index.searcher.num_docs()), (0, 1, 1));
    keeping.stop().await;
}

#[tokio::test]
async fn one_keeper_at_a_time_has_the_directory() {
    let texts = Texts::new().await;
    let keeping = texts.keep();
    let refused = texts.open().unwrap_err();
    assert!(
        matches!(&refused, SearchIndexError::InUse(directory) if *directory == texts.directory()),
        "{refused}"
    );
    assert!(matches!(delete(&texts.directory()), Err(SearchIndexError::InUse(_))));
    keeping.stop().await;
    fs::create_dir(texts.directory().join("catalogue_v0")).unwrap();
    texts.fold(&[("vase", 10)], 7, 10).await;
    let keeping = texts.keep();
    texts.at(7, 10).await;
    keeping.stop().await;
    assert!(!texts.directory().join("catalogue_v0").exists(), "a version that nobody knows is cleaned up");
    delete(&texts.directory()).unwrap();
    assert!(!texts.directory().join("catalogue_v1").exists());
    delete(&texts.home.path().join("nowhere")).unwrap();
}
