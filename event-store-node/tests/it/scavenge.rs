//! Scavenging: what no stream shows any more leaves the disk while the log is read and written, and nothing else does.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use event_store_node::storage::{
    AppendError, AppendRequest, Boundary, DeleteRequest, Deletion, Direction, Disk, Expected, FileSystem,
    IndexState, ProposedEvent, Revision, Scavenged, Storage, StorageConfig, StorageError, StreamName, backup,
    verify,
};
use rand::RngExt;
use uuid::Uuid;

use crate::against_model::scan;
use crate::disk::MemoryDisk;
use crate::journal::seeded;
use crate::support::within;

fn config(dir: &Path) -> StorageConfig {
    StorageConfig { data_dir: dir.to_owned(), segment_bytes: 256 * 1024, max_append_bytes: 64 * 1024 }
}

fn open(disk: impl Disk, dir: &Path) -> Storage {
    Storage::open_flushing_each(Arc::new(disk), config(dir), 100).expect("the log opens").0
}

fn event(kind: &str, is_json: bool, data: Vec<u8>) -> ProposedEvent {
    let (id, event_type) = (Uuid::new_v4(), kind.to_owned());
    ProposedEvent { id, event_type, is_json, metadata: Default::default(), data: data.into() }
}

async fn append(storage: &Storage, stream: &str, events: Vec<ProposedEvent>) {
    let stream = StreamName::new(stream).expect("a name");
    storage.append(AppendRequest { stream, expected: Expected::Any, events }).await.expect("written");
}

/// So many events of a thousand bytes.
async fn fill(storage: &Storage, stream: &str, count: usize) {
    for _ in 0..count {
        append(storage, stream, vec![event("Filled", false, vec![7; 1000])]).await;
    }
}

async fn describe(storage: &Storage, stream: &str, metadata: &str) {
    append(storage, &format!("$${stream}"), vec![event("$metadata", true, metadata.into())]).await;
}

fn scavenge(storage: &Storage) -> Scavenged {
    storage.scavenge(&mut |_| ControlFlow::Continue(())).expect("scavenged")
}

/// The revisions that a read of a stream shows, and how many pages that takes.
fn shown(storage: &Storage, stream: &str, direction: Direction) -> (Vec<u64>, usize) {
    let (mut revisions, mut pages) = (Vec::new(), 0);
    let mut next = Some(if direction == Direction::Forwards { Revision(0) } else { Revision(u64::MAX) });
    while let Some(from) = next {
        let page = storage.read_stream(stream, from, direction, 10, 1 << 20).expect("read");
        let Some(page) = page else { break };
        revisions.extend(page.records.iter().map(|record| record.revision.0));
        next = page.next;
        pages += 1;
    }
    (revisions, pages)
}

/// What is left of each stream.
fn left(storage: &Storage) -> BTreeMap<String, Vec<u64>> {
    let mut streams: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for record in scan(storage, Boundary::START, false) {
        streams.entry(record.stream_name().to_owned()).or_default().push(record.revision.0);
    }
    streams
}

fn sound(disk: impl Disk, dir: &Path) {
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let verified = verify(&disk, dir, &mut |_, _| {}).expect("a check");
    assert_eq!(verified.faults, []);
    // Places of events that are gone do not count.
    if let IndexState::Checked { events, .. } = verified.index {
        assert_eq!(events, verified.events);
    }
}

fn log_bytes(storage: &Storage) -> u64 {
    storage.statistics().expect("statistics").log_bytes
}

/// Streams of every kind of which something is hidden, and a full segment after them.
async fn hide_much(storage: &Storage) {
    for stream in ["counted-1", "cut-1", "deleted-1", "created-again-1", "ended-1", "whole-1"] {
        fill(storage, stream, 300).await;
    }
    describe(storage, "counted-1", r#"{"$maxCount":3}"#).await;
    describe(storage, "cut-1", r#"{"$tb":100}"#).await;
    describe(storage, "cut-1", r#"{"$tb":290}"#).await;
    for (stream, deletion) in
        [("deleted-1", Deletion::Soft), ("created-again-1", Deletion::Soft), ("ended-1", Deletion::Tombstone)]
    {
        let stream = StreamName::new(stream).expect("a name");
        let request = DeleteRequest::new(stream, Expected::Any, deletion).expect("no metadata stream");
        storage.delete(request).await.expect("deleted");
    }
    fill(storage, "created-again-1", 2).await;
    fill(storage, "last-1", 400).await;
}

fn assert_only_what_was_hidden_is_gone(storage: &Storage) {
    let left = left(storage);
    let of = |stream: &str| left.get(stream).cloned().unwrap_or_default();
    assert_eq!(of("counted-1"), [297, 298, 299]);
    assert_eq!(of("cut-1"), (290..300).collect::<Vec<_>>());
    assert_eq!(of("deleted-1"), [299], "the newest, which says where the stream goes on");
    assert_eq!(of("created-again-1"), [300, 301]);
    assert_eq!(of("ended-1"), [i64::MAX as u64], "the tombstone");
    assert_eq!(of("whole-1"), (0..300).collect::<Vec<_>>());
    assert_eq!(shown(storage, "counted-1", Direction::Forwards).0, [297, 298, 299]);
    assert_eq!(shown(storage, "cut-1", Direction::Backwards).0, (290..300).rev().collect::<Vec<_>>());
    assert!(
        storage.read_stream("deleted-1", Revision(0), Direction::Forwards, 1, 1).expect("read").is_none()
    );
    let ended = storage.read_stream("ended-1", Revision(0), Direction::Forwards, 1, 1);
    assert!(matches!(ended, Err(StorageError::StreamDeleted { .. })), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_leaves_the_disk_and_all_else_stays_also_without_the_index_and_in_a_backup() {
    let dir = tempfile::tempdir().expect("a folder");
    let (from, to) = (dir.path().join("node"), dir.path().join("copy"));
    let storage = open(FileSystem, &from);
    hide_much(&storage).await;
    let before = log_bytes(&storage);
    let scavenged = scavenge(&storage);
    assert_eq!(scavenged.events_removed, 297 + 290 + 299 + 300 + 300);
    assert_eq!(before - log_bytes(&storage), scavenged.bytes_freed);
    assert!(scavenged.bytes_freed > 1_400_000, "{scavenged:?}");
    assert_only_what_was_hidden_is_gone(&storage);
    assert_eq!(scavenge(&storage).segments_packed, 0, "a second one finds nothing");
    storage.close();
    sound(FileSystem, &from);

    backup(&from, &to, &mut |_, _| {}).expect("a copy");
    sound(FileSystem, &to);
    for dir in [&from, &to] {
        let storage = open(FileSystem, dir);
        assert_only_what_was_hidden_is_gone(&storage);
        storage.close();
        std::fs::remove_file(dir.join("index.redb")).expect("an index");
        let storage = open(FileSystem, dir);
        assert_only_what_was_hidden_is_gone(&storage);
        fill(&storage, "deleted-1", 1).await;
        assert_eq!(shown(&storage, "deleted-1", Direction::Forwards).0, [300]);
        storage.close();
        sound(FileSystem, dir);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_events_grew_too_old_is_read_from_what_is_left_of_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let storage = open(FileSystem, dir.path());
    describe(&storage, "aged-1", r#"{"$maxAge":1}"#).await;
    fill(&storage, "aged-1", 3000).await;
    let too_old = async {
        while !shown(&storage, "aged-1", Direction::Forwards).0.is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within(too_old).await;
    describe(&storage, "aged-1", r#"{"$maxAge":3600}"#).await;
    fill(&storage, "aged-1", 500).await;
    assert_eq!(shown(&storage, "aged-1", Direction::Forwards).0.len(), 3500, "not gone yet");
    describe(&storage, "aged-1", r#"{"$tb":3000}"#).await;
    fill(&storage, "last-1", 300).await;
    scavenge(&storage);
    // Whoever takes the limit away does not get the events back.
    describe(&storage, "aged-1", "{}").await;
    for round in 0..2 {
        for direction in [Direction::Forwards, Direction::Backwards] {
            let (mut revisions, pages) = shown(&storage, "aged-1", direction);
            revisions.sort_unstable();
            assert_eq!(revisions, (3000..3500).collect::<Vec<_>>(), "{direction:?}, round {round}");
            // Without giving room back in the index it would be 350.
            assert!(pages < 300, "{pages} pages to pass over what is gone");
        }
        scavenge(&storage);
    }
    storage.close();
    sound(FileSystem, dir.path());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_and_writers_notice_nothing_of_a_scavenge() {
    let dir = tempfile::tempdir().expect("a folder");
    let storage = open(FileSystem, dir.path());
    for stream in ["short-1", "short-2"] {
        describe(&storage, stream, r#"{"$maxCount":5}"#).await;
        fill(&storage, stream, 5).await;
    }
    fill(&storage, "kept-1", 200).await;
    let stop = Arc::new(AtomicBool::new(false));
    let reader = |direction| {
        let (storage, stop) = (storage.clone(), Arc::clone(&stop));
        move || {
            let mut reads = 0;
            while !stop.load(Ordering::SeqCst) {
                assert_eq!(shown(&storage, "kept-1", direction).0.len(), 200);
                assert!(shown(&storage, "short-1", direction).0.len() >= 5);
                let everything = scan(&storage, Boundary::START, false);
                assert!(everything.is_sorted_by(|one, next| one.position < next.position));
                assert_eq!(everything.iter().filter(|record| record.stream_name() == "kept-1").count(), 200);
                reads += 1;
            }
            reads
        }
    };
    let readers =
        [Direction::Forwards, Direction::Backwards].map(|way| tokio::task::spawn_blocking(reader(way)));
    let mut removed = 0;
    for _ in 0..8 {
        fill(&storage, "short-1", 250).await;
        let scavenging = storage.clone();
        let scavenged = tokio::task::spawn_blocking(move || scavenge(&scavenging));
        fill(&storage, "short-2", 250).await;
        removed += scavenged.await.expect("scavenged").events_removed;
    }
    stop.store(true, Ordering::SeqCst);
    for reader in readers {
        assert!(within(reader).await.expect("no reader failed") > 2);
    }
    assert!(removed > 2000, "{removed} of 4000 events are gone");
    storage.close();
    sound(FileSystem, dir.path());
}

#[tokio::test]
async fn a_scavenge_that_is_ended_keeps_what_it_did_and_the_next_does_the_rest() {
    let disk = MemoryDisk::default();
    let dir = PathBuf::from("/data");
    let storage = open(disk.clone(), &dir);
    hide_much(&storage).await;
    let stop_after = |segments| {
        move |at: event_store_node::storage::Scavenging| match at.so_far.segments_packed >= segments {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
    let first = storage.scavenge(&mut stop_after(2)).expect("scavenged");
    assert!(first.was_stopped && first.segments_packed == 2, "{first:?}");
    let storage_again = storage.clone();
    let mut within_one = None;
    let second = storage.scavenge(&mut |_| {
        within_one.get_or_insert_with(|| storage_again.scavenge(&mut |_| ControlFlow::Continue(())));
        ControlFlow::Continue(())
    });
    assert!(matches!(within_one, Some(Err(StorageError::Scavenging))), "two at once: {within_one:?}");
    assert!(!second.expect("scavenged").was_stopped);
    assert_only_what_was_hidden_is_gone(&storage);
    storage.close();
    sound(disk, &dir);
}

#[tokio::test]
async fn a_disk_without_room_ends_a_scavenge_and_costs_nothing() {
    let disk = MemoryDisk::default();
    let dir = PathBuf::from("/data");
    let storage = open(disk.clone(), &dir);
    hide_much(&storage).await;
    let before = left(&storage);
    disk.fill();
    let failed = storage.scavenge(&mut |_| ControlFlow::Continue(()));
    assert!(matches!(failed, Err(StorageError::Io { .. })), "{failed:?}");
    assert_eq!(left(&storage), before);
    let after = storage.append(AppendRequest {
        stream: StreamName::new("after-1").expect("a name"),
        expected: Expected::Any,
        events: vec![event("Filled", false, vec![1])],
    });
    assert!(!matches!(after.await, Err(AppendError::Stopped(_))), "the writer has nothing to do with it");
    storage.close();
}

#[tokio::test]
async fn a_bit_that_flips_in_a_packed_segment_is_noticed() {
    let disk = MemoryDisk::default();
    let dir = PathBuf::from("/data");
    let storage = open(disk.clone(), &dir);
    hide_much(&storage).await;
    scavenge(&storage);
    storage.close();
    let log = dir.join("log");
    let packed: Vec<_> = disk.list(&log).expect("files").into_iter().map(|name| log.join(name)).collect();
    let is_packed = |path: &&PathBuf| {
        let mut magic = [0; 8];
        disk.open(path).and_then(|file| file.read_at(&mut magic, 0)).is_ok() && magic == *b"HWEVPCK1"
    };
    let packed: Vec<_> = packed.iter().filter(is_packed).collect();
    assert!(packed.len() > 3);
    let mut random = seeded(5);
    for _ in 0..500 {
        let path = packed[random.random_range(0..packed.len())];
        let size = disk.open(path).and_then(|file| file.size()).expect("a size") as usize;
        // Between its header and the first record a segment has nothing to say.
        let at = match random.random_range(0..size - 4096 + 80) {
            at if at < 80 => at,
            at => at - 80 + 4096,
        };
        let bit = random.random_range(0..8);
        disk.flip(path, at, bit);
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let faults = verify(&shared, &dir, &mut |_, _| {}).expect("a check").fault_count;
        assert!(faults > 0, "bit {bit} of byte {at} of {}", path.display());
        disk.flip(path, at, bit);
    }
    sound(disk, &dir);
}
