//! A log is checked as a whole: what is sound passes, whatever else is on disk is named with its place, and nothing is
//! changed by looking.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use event_store_node::storage::{
    AppendRequest, DeleteRequest, Deletion, Disk, Expected, FileSystem, IndexState, ProposedEvent, Storage,
    StorageConfig, StorageError, StreamName, Verified, verify,
};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng};
use tempfile::TempDir;
use uuid::Uuid;

const SEGMENT_BYTES: u64 = 128 * 1024;

fn open(dir: &Path) -> Storage {
    let config =
        StorageConfig { data_dir: dir.to_owned(), segment_bytes: SEGMENT_BYTES, max_append_bytes: 32 * 1024 };
    Storage::open_flushing_each(Arc::new(FileSystem), config, 50).expect("the log opens").0
}

async fn append(storage: &Storage, stream: &str, events: usize) {
    let event = |number: usize| ProposedEvent {
        id: Uuid::new_v4(),
        event_type: "Counted".to_owned(),
        is_json: false,
        metadata: Default::default(),
        data: vec![number as u8; 900].into(),
    };
    let stream = StreamName::new(stream).expect("a name");
    let request = AppendRequest { stream, expected: Expected::Any, events: (0..events).map(event).collect() };
    storage.append(request).await.expect("appended");
}

async fn delete(storage: &Storage, stream: &str, deletion: Deletion) {
    let stream = StreamName::new(stream).expect("a name");
    let request = DeleteRequest::new(stream, Expected::Any, deletion).expect("a stream that can be deleted");
    storage.delete(request).await.expect("deleted");
}

/// Streams written, deleted, written again and ended over several segments.
async fn fill(storage: &Storage, rounds: usize) {
    for round in 0..rounds {
        append(storage, &format!("round-{}", round % 7), 1 + round % 4).await;
        append(storage, &format!("once-{round}"), 2).await;
        if round % 10 == 3 {
            delete(storage, "round-1", Deletion::Soft).await;
            delete(storage, &format!("once-{round}"), Deletion::Tombstone).await;
        }
    }
}

async fn written() -> TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let storage = open(dir.path());
    fill(&storage, 120).await;
    storage.close();
    dir
}

fn check(dir: &Path) -> Result<Verified, StorageError> {
    let disk: Arc<dyn Disk> = Arc::new(FileSystem);
    verify(&disk, dir, &mut |done, total| assert!(done <= total, "{done} of {total}"))
}

fn sound(dir: &Path) -> Verified {
    let verified = check(dir).expect("a check");
    assert_eq!((&verified.faults[..], verified.fault_count), (&[][..], 0));
    verified
}

fn faults(dir: &Path) -> Vec<(PathBuf, Option<u64>, String)> {
    let verified = check(dir).expect("a check");
    assert!(verified.fault_count >= 1 && !verified.faults.is_empty(), "nothing was found");
    verified.faults.into_iter().map(|fault| (fault.file, fault.position, fault.what)).collect()
}

fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for folder in [dir.to_owned(), dir.join("log")] {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                found.insert(path.clone(), fs::read(&path).expect("read"));
            }
        }
    }
    found
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    files(dir).into_keys().filter(|path| path.extension().is_some_and(|end| end == "log")).collect()
}

fn flip(path: &Path, offset: u64, bit: u8) {
    let file = OpenOptions::new().read(true).write(true).open(path).expect("a file");
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).expect("a byte");
    file.write_all_at(&[byte[0] ^ (1 << bit)], offset).expect("written");
}

#[tokio::test]
async fn a_sound_log_passes_and_is_left_as_it_was() {
    let dir = written().await;
    let before = files(dir.path());
    let verified = sound(dir.path());
    let IndexState::Checked { events, .. } = verified.index else { panic!("{:?}", verified.index) };
    assert_eq!(events, verified.events, "all of it was flushed when the log was closed");
    assert!(verified.segments >= 4 && verified.events > 500, "{verified:?}");
    assert!(files(dir.path()) == before, "looking has changed something");

    fs::remove_file(dir.path().join("index.redb")).expect("removed");
    let without = sound(dir.path());
    assert_eq!((without.index, without.events), (IndexState::Missing, verified.events));
    assert!(!dir.path().join("index.redb").exists());
}

#[tokio::test]
async fn what_a_crash_leaves_is_no_fault() {
    let (dir, copy) = (written().await, tempfile::tempdir().expect("a folder"));
    let storage = open(dir.path());
    fill(&storage, 33).await;
    // What lies in the files while the log is open is what a kill leaves.
    fs::create_dir(copy.path().join("log")).expect("a folder");
    for (path, bytes) in files(dir.path()) {
        fs::write(copy.path().join(path.strip_prefix(dir.path()).expect("inside")), bytes).expect("written");
    }
    storage.close();
    let verified = sound(copy.path());
    let IndexState::Checked { events, .. } = verified.index else { panic!("{:?}", verified.index) };
    assert!(events < verified.events, "some of it is in the log alone");
    assert_eq!(verified.interrupted, None);
    assert_eq!(sound(dir.path()).events, verified.events);

    // The beginning of another write.
    let last = segments(copy.path())
        .into_iter()
        .rev()
        .find(|path| fs::read(path).expect("read")[4096..].iter().any(|byte| *byte != 0));
    let path = last.expect("a segment that is written to");
    let used = fs::read(&path).expect("read").iter().rposition(|byte| *byte != 0).expect("some") as u64;
    let file = OpenOptions::new().write(true).open(path).expect("open");
    file.write_all_at(&[7; 100], used + 40).expect("written");
    let dropped = sound(copy.path()).interrupted.expect("something was left");
    assert!((100..=200).contains(&dropped.bytes), "{dropped:?}");
}

#[tokio::test]
async fn a_log_in_use_and_a_folder_without_one_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    assert!(matches!(check(dir.path()), Err(StorageError::NoLog(_))));
    assert!(matches!(check(&dir.path().join("none")), Err(StorageError::NoLog(_))));
    assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 0, "nothing was begun there");
    let storage = open(dir.path());
    assert!(matches!(check(dir.path()), Err(StorageError::InUse(_))));
    storage.close();
    sound(dir.path());
}

#[tokio::test]
async fn any_flipped_bit_of_any_record_is_found_where_it_is() {
    let dir = written().await;
    let mut random = StdRng::seed_from_u64(7);
    let segments = segments(dir.path());
    for round in 0..60 {
        let path = &segments[random.random_range(0..segments.len())];
        let bytes = fs::read(path).expect("read");
        let Some(used) = bytes[4096..].iter().rposition(|byte| *byte != 0) else { continue };
        let (offset, bit) = (4096 + random.random_range(0..=used as u64), random.random_range(0..8));
        flip(path, offset, bit);
        let base = u64::from_str_radix(path.file_stem().expect("a name").to_str().expect("text"), 16);
        let position = base.expect("a base") + offset;
        let found = faults(dir.path());
        let file = path.strip_prefix(dir.path()).expect("inside");
        let near = found
            .iter()
            .any(|(of, at, _)| of == file && at.is_some_and(|at| at <= position && position - at < 2000));
        assert!(near, "round {round}: {position} was changed, found were {found:?}");
        flip(path, offset, bit);
    }
    sound(dir.path());
}

#[tokio::test]
async fn an_index_that_says_something_else_than_the_log_is_found() {
    let dir = written().await;
    let path = dir.path().join("index.redb");
    let whole = fs::read(&path).expect("read");
    let used: Vec<_> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    let mut random = StdRng::seed_from_u64(11);
    let mut found = 0;
    for _ in 0..600 {
        let (offset, bit) = (used[random.random_range(0..used.len())] as u64, random.random_range(0..8));
        flip(&path, offset, bit);
        let verified = check(dir.path()).expect("a check");
        let of_index = verified
            .faults
            .iter()
            .all(|fault| fault.file == Path::new("index.redb") || fault.what.contains("index"));
        assert!(of_index, "{:?}", verified.faults);
        found += usize::from(verified.fault_count > 0);
        flip(&path, offset, bit);
    }
    // The file also holds pages that nothing leads to any more.
    assert!(found >= 5, "{found} of 600");
    fs::write(&path, "garbage").expect("written");
    assert_eq!(check(dir.path()).expect("a check").index, IndexState::Unusable);
    assert_eq!(fs::read(&path).expect("read"), b"garbage");
}

#[tokio::test]
async fn an_index_of_other_events_is_found() {
    let (dir, other) = (written().await, tempfile::tempdir().expect("a folder"));
    // The same log with a few more events, and the index of that.
    fs::create_dir(other.path().join("log")).expect("a folder");
    for (path, bytes) in files(dir.path()) {
        fs::write(other.path().join(path.strip_prefix(dir.path()).expect("inside")), bytes).expect("written");
    }
    let storage = open(other.path());
    append(&storage, "round-1", 3).await;
    storage.close();
    fs::copy(other.path().join("index.redb"), dir.path().join("index.redb")).expect("copied");
    let found = faults(dir.path());
    assert!(found.iter().any(|(_, _, what)| what.contains("the log ends here")), "{found:?}");
    assert!(found.iter().any(|(_, _, what)| what.contains("places; the log has")), "{found:?}");
}

#[tokio::test]
async fn missing_cut_and_foreign_files_are_named() {
    let dir = written().await;
    let segments = segments(dir.path());
    let moved = dir.path().join("moved");
    fs::rename(&segments[1], &moved).expect("moved");
    let found = faults(dir.path());
    let gap = (PathBuf::from("log"), Some(SEGMENT_BYTES));
    assert!(found.iter().any(|(file, at, _)| (file, at) == (&gap.0, &gap.1)), "{found:?}");
    fs::rename(&moved, &segments[1]).expect("moved back");

    fs::write(dir.path().join("log/notes.txt"), "mine").expect("written");
    assert_eq!(faults(dir.path())[0].0, Path::new("log/notes.txt"));
    fs::remove_file(dir.path().join("log/notes.txt")).expect("removed");

    let whole = fs::read(&segments[2]).expect("read");
    fs::write(&segments[2], &whole[..whole.len() - 10]).expect("cut");
    let found = faults(dir.path());
    assert!(found[0].2.contains("not as long as its header says"), "{found:?}");
    fs::write(&segments[2], &whole).expect("written");
    flip(&segments[2], 20, 3);
    assert!(faults(dir.path())[0].2.contains("header"));
    flip(&segments[2], 20, 3);
    sound(dir.path());
}
