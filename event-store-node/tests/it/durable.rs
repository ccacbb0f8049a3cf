//! Acknowledged means on disk: the storage over a disk that loses what was not synced.

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use event_store_node::storage::{
    AppendError, AppendOutcome, AppendRequest, Direction, Expected, ProposedEvent, Revision, Storage,
    StorageConfig, StreamName,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

use crate::disk::MemoryDisk;
use crate::support::{MAX_APPEND_BYTES, within};

fn config() -> StorageConfig {
    StorageConfig { data_dir: PathBuf::from("/data"), segment_bytes: 256 * 1024, max_append_bytes: 64 * 1024 }
}

fn open(disk: &MemoryDisk) -> Storage {
    Storage::open(Arc::new(disk.clone()), config()).expect("the log opens").0
}

fn request(stream: &str, expected: Expected, sizes: &[usize]) -> AppendRequest {
    let event = |size: &usize| ProposedEvent {
        id: Uuid::new_v4(),
        event_type: "Scanned".to_owned(),
        is_json: false,
        metadata: Default::default(),
        data: vec![7; *size].into(),
    };
    let stream = StreamName::new(stream).expect("a name");
    AppendRequest { stream, expected, events: sizes.iter().map(event).collect() }
}

/// The ids of a stream, in order.
fn ids(storage: &Storage, stream: &str) -> Vec<Uuid> {
    let mut ids = Vec::new();
    let mut next = Some(Revision(0));
    while let Some(from) = next {
        let page = storage.read_stream(stream, from, Direction::Forwards, 100, 1 << 20).expect("read");
        let Some(page) = page else { break };
        ids.extend(page.records.iter().map(|record| record.id));
        next = page.next;
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn no_append_is_answered_before_the_sync_that_covers_it() {
    let disk = MemoryDisk::default();
    let storage = open(&disk);
    let before = disk.log_syncs();
    disk.hold_syncs();
    let held: Vec<_> = (0..3).map(|n| request(&format!("a-{n}"), Expected::NoStream, &[100])).collect();
    let mut pending = Vec::new();
    for append in held {
        pending.push(storage.enqueue(append).await.expect("queued"));
    }
    // The writer is in the sync of the first of them; the bytes are written, but nothing may be said or shown.
    let mut context = Context::from_waker(Waker::noop());
    let deadline = std::time::Instant::now() + std::time::Duration::from_millis(200);
    while std::time::Instant::now() < deadline {
        for append in &mut pending {
            assert_eq!(pin!(append).poll(&mut context), Poll::Pending, "answered before the sync");
        }
        assert_eq!(storage.last_revision("a-0").expect("read"), None, "shown before the sync");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(disk.log_syncs(), before);
    disk.release_syncs();
    for append in pending {
        within(append).await.expect("written");
    }
    assert!(disk.log_syncs() > before);
    let survivor = open(&disk.crash(1));
    assert_eq!(ids(&survivor, "a-2").len(), 1);
    storage.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_that_wait_together_share_a_sync_and_a_lone_one_has_its_own() {
    let disk = MemoryDisk::default();
    let storage = open(&disk);
    let before = disk.log_syncs();
    for n in 0..10 {
        storage.append(request(&format!("lone-{n}"), Expected::NoStream, &[10])).await.expect("written");
    }
    assert_eq!(disk.log_syncs() - before, 10);
    disk.hold_syncs();
    let mut pending = Vec::new();
    for n in 0..200 {
        pending.push(
            storage.enqueue(request(&format!("many-{n}"), Expected::NoStream, &[10])).await.expect("queued"),
        );
    }
    disk.release_syncs();
    for append in pending {
        within(append).await.expect("written");
    }
    assert!(disk.log_syncs() - before <= 13, "{} syncs for 200 appends", disk.log_syncs() - before - 10);
    storage.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_sync_nothing_is_acknowledged_until_the_log_is_opened_again() {
    let disk = MemoryDisk::default();
    let storage = open(&disk);
    storage.append(request("a-1", Expected::NoStream, &[10])).await.expect("written");
    disk.fail_syncs();
    for _ in 0..2 {
        let refused = storage.append(request("a-1", Expected::Any, &[10])).await;
        let Err(AppendError::Stopped(reason)) = refused else { panic!("{refused:?}") };
        assert!(reason.contains("the disk is broken"), "{reason}");
    }
    assert_eq!(ids(&storage, "a-1").len(), 1, "reads go on with what is acknowledged");
    storage.close();
    let again = open(&disk.crash(3));
    assert!(!ids(&again, "a-1").is_empty());
    again.append(request("a-1", Expected::StreamExists, &[10])).await.expect("written");
    again.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_has_no_room_for_its_next_segment_says_that_it_has_failed() {
    let disk = MemoryDisk::default();
    let storage = open(&disk);
    disk.fill();
    let mut acknowledged = 0;
    let refused = loop {
        match storage.append(request("a-1", Expected::Any, &[60_000])).await {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
        assert!(acknowledged < 10, "more than a segment holds");
    };
    assert!(acknowledged > 0, "{refused:?}");
    assert!(
        storage.statistics().expect("statistics").has_failed,
        "a failure that nobody hears of: {refused:?}"
    );
    let later = storage.append(request("b-1", Expected::Any, &[10])).await;
    assert!(matches!(later, Err(AppendError::Stopped(_))), "{later:?}");
    assert_eq!(ids(&storage, "a-1").len(), acknowledged);
    storage.close();
}

/// What one writer knows at the moment of the crash.
#[derive(Default)]
struct Told {
    /// Per stream, the ids that were acknowledged, in order.
    acknowledged: HashMap<String, Vec<Uuid>>,
    /// The append of which nothing was heard yet.
    in_flight: (String, Vec<Uuid>),
}

/// Appends at random until told to stop.
async fn write(storage: Storage, writer: u64, seed: u64, stop: Arc<AtomicBool>) -> Told {
    let mut random = StdRng::seed_from_u64(seed * 100 + writer);
    let mut told = Told::default();
    loop {
        let stream = format!("w{writer}-{}", random.random_range(0..3));
        let sizes: Vec<usize> =
            (0..random.random_range(1..4)).map(|_| random.random_range(0..6000)).collect();
        let append = request(&stream, Expected::Any, &sizes);
        told.in_flight = (stream.clone(), append.events.iter().map(|event| event.id).collect());
        let answered = storage.append(append).await;
        if stop.load(Ordering::SeqCst) {
            return told;
        }
        assert!(matches!(answered, Ok(AppendOutcome::Appended { .. })), "{answered:?}");
        told.acknowledged.entry(stream).or_default().append(&mut told.in_flight.1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_crash_leaves_of_the_last_write_everything_acknowledged_is_there_and_appends_are_whole() {
    let mut dropped_something = 0;
    for seed in 0..25 {
        let disk = MemoryDisk::default();
        let storage = open(&disk);
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..4)
            .map(|writer| tokio::spawn(write(storage.clone(), writer, seed, Arc::clone(&stop))))
            .collect();
        tokio::time::sleep(std::time::Duration::from_millis(20 + seed * 3)).await;
        // In half of the cases the last group is surely written and not synced.
        if seed % 2 == 0 {
            disk.hold_syncs();
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        stop.store(true, Ordering::SeqCst);
        let survivor = disk.crash(seed);
        disk.release_syncs();
        let (reopened, dropped) = Storage::open(Arc::new(survivor.clone()), config()).expect("the log opens");
        dropped_something += usize::from(dropped.is_some());
        for writer in writers {
            let Told { acknowledged, in_flight } = within(writer).await.expect("a writer");
            for (stream, mut expected) in acknowledged {
                let found = ids(&reopened, &stream);
                if in_flight.0 == stream && found.len() > expected.len() {
                    expected.extend(&in_flight.1);
                }
                assert_eq!(found, expected, "seed {seed}, stream {stream}");
            }
        }
        storage.close();
        reopened.append(request("after-1", Expected::NoStream, &[10])).await.expect("written");
        reopened.close();
        let twice = open(&survivor.crash(seed));
        assert_eq!(ids(&twice, "after-1").len(), 1, "seed {seed}");
        twice.close();
    }
    assert!(dropped_something > 3, "the crashes were too kind");
}

#[test]
fn a_log_that_cannot_hold_an_append_is_not_begun() {
    let config =
        StorageConfig { segment_bytes: MAX_APPEND_BYTES, max_append_bytes: MAX_APPEND_BYTES, ..config() };
    let refused = Storage::open(Arc::new(MemoryDisk::default()), config);
    assert!(refused.is_err_and(|error| error.to_string().contains("too small")));
}
