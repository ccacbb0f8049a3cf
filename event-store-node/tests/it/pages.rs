//! Pages of a stream that somebody writes to meanwhile.

use std::sync::Arc;

use event_store_node::storage::{
    AppendRequest, Direction, Expected, FileSystem, ProposedEvent, Revision, Storage, StorageConfig,
    StreamName,
};
use uuid::Uuid;

const EVENTS: u64 = 500;

fn one_event() -> ProposedEvent {
    ProposedEvent {
        id: Uuid::new_v4(),
        event_type: "Scanned".to_owned(),
        is_json: false,
        metadata: Default::default(),
        data: vec![7; 100].into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_a_stream_page_by_page_sees_each_event_once() {
    let dir = tempfile::tempdir().unwrap();
    let config = StorageConfig {
        data_dir: dir.path().to_owned(),
        segment_bytes: 4 * 1024 * 1024,
        max_append_bytes: 64 * 1024,
    };
    let storage = Storage::open(Arc::new(FileSystem), config).unwrap().0;
    let writer = tokio::spawn({
        let storage = storage.clone();
        async move {
            for _ in 0..EVENTS {
                let stream = StreamName::new("a-1").unwrap();
                let request = AppendRequest { stream, expected: Expected::Any, events: vec![one_event()] };
                storage.append(request).await.unwrap();
            }
        }
    });
    let reader = tokio::task::spawn_blocking(move || {
        let (mut next, mut seen) = (Revision(0), 0);
        while seen < EVENTS {
            let Some(page) = storage.read_stream("a-1", next, Direction::Forwards, 100, 1 << 20).unwrap()
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
