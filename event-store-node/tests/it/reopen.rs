//! Opening a log that was damaged, cut, or lost its index, on real files.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use event_store_node::storage::{
    AppendOutcome, AppendRequest, Direction, Dropped, Expected, FileSystem, ProposedEvent, Revision, Storage,
    StorageConfig, StorageError, StreamName,
};
use tempfile::TempDir;
use uuid::Uuid;

const SEGMENT_BYTES: u64 = 160 * 1024;

fn config(dir: &Path) -> StorageConfig {
    StorageConfig { data_dir: dir.to_owned(), segment_bytes: SEGMENT_BYTES, max_append_bytes: 32 * 1024 }
}

fn try_open(dir: &Path) -> Result<(Storage, Option<Dropped>), StorageError> {
    Storage::open(Arc::new(FileSystem), config(dir))
}

fn open(dir: &Path) -> Storage {
    try_open(dir).expect("the log opens").0
}

fn append(storage: &Storage, stream: &str, events: usize) -> u64 {
    let event = |number: usize| ProposedEvent {
        id: Uuid::new_v4(),
        event_type: "Scanned".to_owned(),
        is_json: false,
        metadata: Default::default(),
        data: vec![number as u8; 1000].into(),
    };
    let stream = StreamName::new(stream).expect("a name");
    let request = AppendRequest { stream, expected: Expected::Any, events: (0..events).map(event).collect() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    match runtime.block_on(storage.append(request)) {
        Ok(AppendOutcome::Appended { position: Some(position), .. }) => position.0,
        other => panic!("{other:?}"),
    }
}

fn revisions(storage: &Storage, stream: &str) -> Vec<u64> {
    let page = storage.read_stream(stream, Revision(0), Direction::Forwards, 10_000, 1 << 30).expect("read");
    page.map_or(Vec::new(), |page| page.records.iter().map(|record| record.revision.0).collect())
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(dir.join("log"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    found.sort();
    found
}

/// The segment file and offset of a position.
fn place(dir: &Path, position: u64) -> (PathBuf, u64) {
    (segments(dir)[(position / SEGMENT_BYTES) as usize].clone(), position % SEGMENT_BYTES)
}

fn change(dir: &Path, position: u64, change: impl Fn(u8) -> u8) {
    let (path, offset) = place(dir, position);
    let file = OpenOptions::new().read(true).write(true).open(path).expect("a segment");
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).expect("a byte");
    file.write_all_at(&[change(byte[0])], offset).expect("written");
}

/// A closed log of 400 appends of one event over several segments, and the positions of the events.
fn written() -> (TempDir, Vec<u64>) {
    let dir = tempfile::tempdir().expect("a folder");
    let storage = open(dir.path());
    let positions = (0..400).map(|_| append(&storage, "a-1", 1)).collect();
    storage.close();
    assert!(segments(dir.path()).len() >= 3);
    (dir, positions)
}

fn without_index(dir: &Path) {
    fs::remove_file(dir.join("index.redb")).expect("an index");
}

#[test]
fn the_index_is_built_again_when_it_is_gone_or_garbage() {
    let (dir, _) = written();
    let all: Vec<u64> = (0..400).collect();
    for damage in [without_index, |dir: &Path| fs::write(dir.join("index.redb"), "garbage").expect("written")]
    {
        damage(dir.path());
        let (storage, dropped) = try_open(dir.path()).expect("the log opens");
        assert_eq!(dropped, None);
        assert_eq!(revisions(&storage, "a-1"), all);
        storage.close();
    }
}

#[test]
fn an_append_that_was_cut_off_is_dropped_whole_and_reported() {
    let (dir, positions) = written();
    let storage = open(dir.path());
    let first = append(&storage, "b-1", 1);
    let last_of_three = append(&storage, "b-1", 3);
    storage.close();
    without_index(dir.path());
    change(dir.path(), last_of_three + 500, |byte| byte ^ 1);
    let (storage, dropped) = try_open(dir.path()).expect("the log opens");
    let dropped = dropped.expect("a report");
    assert!(first < dropped.at.0 && dropped.at.0 < last_of_three, "{dropped:?}");
    assert!(dropped.bytes > 3000, "{dropped:?}");
    assert_eq!(revisions(&storage, "b-1"), [0]);
    assert_eq!(revisions(&storage, "a-1").len(), positions.len());
    let again = append(&storage, "b-1", 1);
    assert_eq!(again, dropped.at.0, "its place is used again");
    storage.close();
    without_index(dir.path());
    let (storage, dropped) = try_open(dir.path()).expect("the log opens");
    assert_eq!((dropped, revisions(&storage, "b-1")), (None, vec![0, 1]));
    storage.close();
}

#[test]
fn rubbish_after_the_end_is_cleared_so_that_it_never_comes_back() {
    let (dir, positions) = written();
    let end = positions[399];
    for offset in [1200, 1203, 5000] {
        change(dir.path(), end + offset, |_| 0x5A);
    }
    let (storage, dropped) = try_open(dir.path()).expect("the log opens");
    assert!(dropped.is_some());
    storage.close();
    let (storage, dropped) = try_open(dir.path()).expect("the log opens");
    assert_eq!(dropped, None);
    assert_eq!(revisions(&storage, "a-1").len(), 400);
    storage.close();
}

#[test]
fn damage_before_something_written_later_is_an_error_that_says_where() {
    for flips in [vec![3], vec![200], vec![500], vec![0, 1, 2, 3]] {
        let (dir, positions) = written();
        without_index(dir.path());
        for flip in &flips {
            change(dir.path(), positions[397] + flip, |byte| byte ^ 0x10);
        }
        let refused = try_open(dir.path());
        let Err(StorageError::DamagedRecord { position }) = refused else { panic!("{flips:?}: {refused:?}") };
        assert_eq!(position, positions[397]);
    }
}

#[test]
fn damage_in_an_earlier_segment_is_an_error_that_says_where() {
    let (dir, positions) = written();
    without_index(dir.path());
    let last_of_first = positions.iter().rfind(|position| **position < SEGMENT_BYTES).expect("one");
    change(dir.path(), last_of_first + 100, |byte| byte ^ 1);
    let refused = try_open(dir.path());
    assert!(matches!(refused, Err(StorageError::DamagedRecord { position }) if position == *last_of_first));
}

#[test]
fn a_damaged_event_is_an_error_when_it_is_read_and_the_others_are_not() {
    let (dir, positions) = written();
    change(dir.path(), positions[10] + 500, |byte| byte ^ 1);
    let storage = open(dir.path());
    let read = |from, count| storage.read_stream("a-1", Revision(from), Direction::Forwards, count, 1 << 20);
    let refused = read(10, 1);
    assert!(matches!(refused, Err(StorageError::DamagedRecord { position }) if position == positions[10]));
    assert_eq!(read(11, 5).expect("read").expect("a stream").records.len(), 5);
    storage.close();
}

#[test]
fn a_missing_segment_is_an_error_that_says_where() {
    for (missing, index_too) in [(0, false), (1, false), (1, true)] {
        let (dir, _) = written();
        fs::remove_file(&segments(dir.path())[missing]).expect("a segment");
        if index_too {
            without_index(dir.path());
        }
        let refused = try_open(dir.path());
        let at = missing as u64 * SEGMENT_BYTES;
        assert!(
            matches!(refused, Err(StorageError::MissingSegment { position }) if position == at),
            "{refused:?}"
        );
    }
    let (dir, _) = written();
    for segment in segments(dir.path()).iter().skip(1) {
        fs::remove_file(segment).expect("a segment");
    }
    let refused = try_open(dir.path());
    assert!(matches!(refused, Err(StorageError::LogTooShort { .. })), "{refused:?}");
}

#[test]
fn a_format_of_another_version_is_refused() {
    let (dir, _) = written();
    let marker = dir.path().join("format.json");
    let text = fs::read_to_string(&marker)
        .expect("a marker")
        .replace("headwater-event-log 1", "headwater-event-log 3");
    fs::write(&marker, text).expect("written");
    let refused = try_open(dir.path());
    assert!(
        matches!(&refused, Err(StorageError::OtherFormat { found, .. }) if found == "headwater-event-log 3")
    );
}
