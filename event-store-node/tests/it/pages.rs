//! Reads of a stream that somebody writes to meanwhile.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use event_store_node::storage::{
    AppendRequest, Boundary, Direction, Expected, FileSystem, ProposedEvent, Revision, Storage,
    StorageConfig, StreamName,
};
use tokio::task::JoinHandle;
use uuid::Uuid;

const STREAM: &str = "a-1";

fn one_event() -> ProposedEvent {
    ProposedEvent {
        id: Uuid::new_v4(),
        event_type: "Scanned".to_owned(),
        is_json: false,
        metadata: Default::default(),
        data: vec![7; 100].into(),
    }
}

fn open(dir: &Path) -> Storage {
    let config = StorageConfig {
        data_dir: dir.to_owned(),
        segment_bytes: 4 * 1024 * 1024,
        max_append_bytes: 64 * 1024,
    };
    Storage::open(Arc::new(FileSystem), config).unwrap().0
}

/// Appends so many events, one after the other.
fn write(storage: &Storage, events: u64) -> JoinHandle<()> {
    let storage = storage.clone();
    tokio::spawn(async move {
        for _ in 0..events {
            let stream = StreamName::new(STREAM).unwrap();
            let request = AppendRequest { stream, expected: Expected::Any, events: vec![one_event()] };
            storage.append(request).await.unwrap();
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_a_stream_page_by_page_sees_each_event_once() {
    const EVENTS: u64 = 500;
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path());
    let writer = write(&storage, EVENTS);
    let reader = tokio::task::spawn_blocking(move || {
        let (mut next, mut seen) = (Revision(0), 0);
        while seen < EVENTS {
            let Some(page) = storage.read_stream(STREAM, next, Direction::Forwards, 100, 1 << 20).unwrap()
            else {
                continue;
            };
            for record in &page.records {
                assert_eq!(record.revision.0, seen);
                seen += 1;
            }
            next = page.next.unwrap_or(Revision(next.0.max(page.last.0 + 1)));
        }
        storage
    });
    writer.await.unwrap();
    reader.await.unwrap().close();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_in_its_stream_and_in_everything_from_the_same_moment_on() {
    const EVENTS: u64 = 2_000;
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path());
    let writer = write(&storage, EVENTS);
    let by_stream = tokio::task::spawn_blocking({
        let storage = storage.clone();
        move || {
            let newest = || storage.read_stream(STREAM, Revision(u64::MAX), Direction::Backwards, 1, 1);
            while newest().unwrap().is_none_or(|page| page.records[0].revision.0 + 1 < EVENTS) {}
        }
    });
    let by_position = tokio::task::spawn_blocking({
        let storage = storage.clone();
        move || {
            let (mut next, mut seen) = (Boundary::START, 0);
            while seen < EVENTS {
                let scan = storage.scan_forwards(next, 1 << 20, |record| {
                    if record.stream == STREAM.as_bytes() {
                        assert!(storage.last_revision(STREAM).unwrap() >= Some(record.revision));
                        seen += 1;
                    }
                    ControlFlow::Continue(())
                });
                next = scan.unwrap().next;
            }
        }
    });
    writer.await.unwrap();
    by_stream.await.unwrap();
    by_position.await.unwrap();
    storage.close();
}
