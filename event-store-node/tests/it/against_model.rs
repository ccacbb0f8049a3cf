//! Random changes, restarts and reads of the storage, every answer compared with the model's.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use event_store_node::storage::{
    AppendError, AppendOutcome, AppendRequest, Boundary, DeleteRequest, Deletion, Direction, Disk, Expected,
    ProposedEvent, Record, Revision, Storage, StorageConfig, StorageError, StreamName, verify,
};
use futures::future::{BoxFuture, FutureExt, join_all};
use proptest::prelude::*;
use uuid::Uuid;

use crate::disk::MemoryDisk;
use crate::model::{Answer, Event, Model, Read};

/// Streams that are written to; the metadata of the first ones, too.
pub const STREAMS: [&str; 6] = ["a-1", "b-1", "$system", "$$a-1", "$$b-1", "$$$system"];
const METADATA: [&str; 10] = [
    "{}",
    r#"{"$maxCount":2}"#,
    r#"{"$maxCount":1,"$tb":1,"mine":[1.50,"x"]}"#,
    r#"{"$tb":3}"#,
    r#"{"$tb":9223372036854775807,"mine":{"deep":true}}"#,
    r#"{"$tb":9223372036854775807,"$maxAge":3600}"#,
    r#"{"$maxCount":0}"#,
    r#"{"$tb":9223372036854775807,"$maxAge":-1}"#,
    "[]",
    "{ not JSON",
];

/// What is expected, said by what is there.
#[derive(Debug, Clone, Copy)]
pub enum Expectation {
    Any,
    NoStream,
    StreamExists,
    /// So many revisions past the last one, or before it.
    Last(i8),
}

#[derive(Debug, Clone)]
pub enum Change {
    /// Events with ids out of a few, so that some come again.
    Append {
        stream: usize,
        expected: Expectation,
        ids: Vec<u8>,
        bytes: usize,
    },
    /// The last events of a stream again, and perhaps one more.
    Repeat {
        stream: usize,
        back: u8,
        by_revision: bool,
        more: bool,
    },
    Metadata {
        stream: usize,
        expected: Expectation,
        text: usize,
        is_json: bool,
    },
    Delete {
        stream: usize,
        expected: Expectation,
        tombstone: bool,
    },
}

#[derive(Debug, Clone)]
enum Step {
    /// Changes that wait together, and so are decided in one group.
    Burst(Vec<Change>),
    Restart {
        without_index: bool,
    },
    Scavenge,
    Read {
        stream: usize,
        from: u64,
        backwards: bool,
        page: usize,
    },
    Scan {
        from: usize,
        off: u64,
        backwards: bool,
    },
}

fn expectation() -> impl Strategy<Value = Expectation> {
    prop_oneof![
        3 => Just(Expectation::Any),
        2 => Just(Expectation::NoStream),
        2 => Just(Expectation::StreamExists),
        5 => (-3i8..2).prop_map(Expectation::Last),
        4 => Just(Expectation::Last(0)),
    ]
}

pub fn change() -> impl Strategy<Value = Change> {
    let stream = || 0..STREAMS.len();
    let ids = proptest::collection::vec(0u8..20, 0..4);
    prop_oneof![
        8 => (stream(), expectation(), ids, 0usize..900)
            .prop_map(|(stream, expected, ids, bytes)| Change::Append { stream, expected, ids, bytes }),
        3 => (stream(), 1u8..4, any::<bool>(), any::<bool>())
            .prop_map(|(stream, back, by_revision, more)| Change::Repeat { stream, back, by_revision, more }),
        3 => (0..3usize, expectation(), 0..METADATA.len(), prop::bool::weighted(0.9))
            .prop_map(|(stream, expected, text, is_json)| Change::Metadata { stream, expected, text, is_json }),
        3 => (0..3usize, expectation(), prop::bool::weighted(0.15))
            .prop_map(|(stream, expected, tombstone)| Change::Delete { stream, expected, tombstone }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let stream = || 0..STREAMS.len();
    prop_oneof![
        10 => proptest::collection::vec(change(), 1..5).prop_map(Step::Burst),
        1 => any::<bool>().prop_map(|without_index| Step::Restart { without_index }),
        1 => Just(Step::Scavenge),
        4 => (stream(), prop_oneof![0u64..12, Just(u64::MAX), Just(i64::MAX as u64)], any::<bool>(), 1usize..5)
            .prop_map(|(stream, from, backwards, page)| Step::Read { stream, from, backwards, page }),
        2 => (0usize..60, 0u64..3, any::<bool>())
            .prop_map(|(from, off, backwards)| Step::Scan { from, off, backwards }),
    ]
}

pub fn config() -> StorageConfig {
    StorageConfig { data_dir: PathBuf::from("/data"), segment_bytes: 12 * 1024, max_append_bytes: 4 * 1024 }
}

/// A log beside its model.
pub struct Pair {
    pub storage: Storage,
    pub model: Model,
    /// Of the events of the log.
    pub positions: Vec<u64>,
}

impl Pair {
    pub fn new(storage: Storage) -> Self {
        let mut pair = Self { storage, model: Model::new(), positions: Vec::new() };
        pair.catch_up();
        pair
    }

    /// What the model answers to a change, and the change on its way.
    pub fn begin(
        &mut self,
        change: &Change,
    ) -> (Answer, BoxFuture<'static, Result<AppendOutcome, AppendError>>) {
        let storage = self.storage.clone();
        let (name, expected, kind, is_json, events) = match change {
            Change::Delete { stream, expected, tombstone } => {
                let expected = self.expected(STREAMS[*stream], *expected);
                let deletion = if *tombstone { Deletion::Tombstone } else { Deletion::Soft };
                let answer = self.model.delete(STREAMS[*stream], expected, deletion);
                let name = StreamName::new(STREAMS[*stream]).expect("a name");
                let request = DeleteRequest::new(name, expected, deletion).expect("no metadata stream");
                return (answer, async move { storage.delete(request).await }.boxed());
            }
            Change::Append { stream, expected, ids, bytes } => {
                let event = |id: &u8| (Uuid::from_u128(u128::from(*id) + 1), vec![*id; *bytes]);
                let expected = self.expected(STREAMS[*stream], *expected);
                (STREAMS[*stream].to_owned(), expected, "Counted", false, ids.iter().map(event).collect())
            }
            Change::Repeat { stream, back, by_revision, more } => {
                let ids = self.model.ids(STREAMS[*stream]);
                let from = ids.len().saturating_sub(usize::from(*back));
                let expected = match from.checked_sub(1) {
                    _ if !by_revision => Expected::Any,
                    None => Expected::NoStream,
                    Some(before) => Expected::Revision(Revision(before as u64)),
                };
                let extra = more.then(|| Some(Uuid::new_v4()));
                let again = ids[from..].iter().copied().chain(extra).flatten();
                let events: Vec<_> = again.map(|id| (id, vec![1; 10])).collect();
                (STREAMS[*stream].to_owned(), expected, "Counted", false, events)
            }
            Change::Metadata { stream, expected, text, is_json } => {
                let name = format!("$${}", STREAMS[*stream]);
                let expected = self.expected(&name, *expected);
                let event = (Uuid::new_v4(), METADATA[*text].as_bytes().to_vec());
                (name, expected, "$metadata", *is_json, vec![event])
            }
        };
        let answer = self.model.append(&name, expected, kind, is_json, &events);
        let events = events.into_iter().map(|(id, data)| ProposedEvent {
            id,
            event_type: kind.to_owned(),
            is_json,
            metadata: Default::default(),
            data: data.into(),
        });
        let stream = StreamName::new(name).expect("a name");
        let request = AppendRequest { stream, expected, events: events.collect() };
        (answer, async move { storage.append(request).await }.boxed())
    }

    fn expected(&self, stream: &str, expectation: Expectation) -> Expected {
        let revision = |by: i8| (self.model.last(stream)? as i64 + i64::from(by)).try_into().ok();
        match expectation {
            Expectation::Any => Expected::Any,
            Expectation::NoStream => Expected::NoStream,
            Expectation::StreamExists => Expected::StreamExists,
            Expectation::Last(by) => {
                revision(by).map_or(Expected::NoStream, |at| Expected::Revision(Revision(at)))
            }
        }
    }

    /// Compares what was written since the last time.
    pub fn catch_up(&mut self) {
        let after = self.positions.last().map(|last| contract::LogPosition(*last));
        let from =
            after.map_or(Boundary::START, |last| self.storage.boundary_after(last).expect("a boundary"));
        let records = scan(&self.storage, from, false);
        let new = &self.model.log[self.positions.len()..];
        assert_eq!(records.len(), new.len(), "{:?} instead of {new:?}", records.last());
        for (record, event) in records.iter().zip(new) {
            assert_same(record, event);
            assert!(self.positions.last() < Some(&record.position.0));
            self.positions.push(record.position.0);
        }
    }

    /// Scavenges, and sees what is gone; an error of the disk is one of the test's own.
    pub fn scavenge(&mut self) {
        let scavenged = self.storage.scavenge(&mut |_| ControlFlow::Continue(()));
        let left = scan(&self.storage, Boundary::START, false);
        let left: HashSet<_> = left.iter().map(|record| record.position.0).collect();
        let before = self.model.removed.len();
        for (at, position) in self.positions.iter().enumerate() {
            if !left.contains(position) && self.model.removed.insert(at) {
                assert!(self.model.may_be_removed(at), "{:?} was taken away", self.model.log[at]);
            }
        }
        if let Ok(scavenged) = scavenged {
            assert_eq!(scavenged.events_removed as usize, self.model.removed.len() - before);
            assert!(!scavenged.was_stopped);
        }
    }

    pub fn compare(&self, answer: &Answer, outcome: AppendOutcome) {
        let seen = match outcome {
            AppendOutcome::StreamDeleted => Answer::Gone,
            AppendOutcome::WrongExpectedRevision { current } => Answer::Wrong(current.map(|at| at.0)),
            AppendOutcome::Appended { revision, position } => {
                let place =
                    |at: contract::LogPosition| self.positions.binary_search(&at.0).expect("a record");
                match (answer, position.map(place)) {
                    (Answer::Done(_), Some(place)) => Answer::Done(place),
                    (_, place) => Answer::Appended(revision.map(|at| at.0), place),
                }
            }
        };
        assert_eq!(seen, *answer);
    }

    pub fn read(&self, stream: &str, from: u64, backwards: bool, page: usize) {
        let seen = match read(&self.storage, stream, from, backwards, page) {
            Err(StorageError::StreamDeleted { .. }) => Read::Gone,
            Err(other) => panic!("{other}"),
            Ok(None) => Read::Missing,
            Ok(Some(records)) => {
                let place =
                    |record: &Record| self.positions.binary_search(&record.position.0).expect("known");
                Read::Shown(records.iter().map(place).collect())
            }
        };
        assert_eq!(
            seen,
            self.model.read(stream, from, backwards),
            "{stream} from {from}, backwards: {backwards}"
        );
    }

    /// Everything that can be read.
    pub fn read_all(&self) {
        for stream in STREAMS.into_iter().chain(["$$$all", "nothing-1"]) {
            self.read(stream, 0, false, 100);
            self.read(stream, u64::MAX, true, 3);
            // Of a stream that was deleted for good a scavenge leaves nothing to number on from.
            if !self.model.has_tombstone(stream) {
                let last = self.storage.last_revision(stream).expect("read");
                assert_eq!(last.map(|at| at.0), self.model.last(stream));
            }
        }
    }
}

pub fn assert_same(record: &Record, event: &Event) {
    let seen = (record.stream_name(), record.revision.0, record.type_name(), record.is_json);
    assert_eq!(seen, (event.stream.as_str(), event.revision, event.kind, event.is_json));
    match event.id {
        Some(id) => assert_eq!((record.id, &record.data[..]), (id, &event.data[..])),
        // Made by the node: the members of metadata may stand in another order.
        None if event.is_json => {
            let value = |data: &[u8]| serde_json::from_slice::<serde_json::Value>(data).expect("JSON");
            assert_eq!(value(&record.data), value(&event.data));
        }
        None => assert!(record.data.is_empty()),
    }
}

pub fn scan(storage: &Storage, from: Boundary, backwards: bool) -> Vec<Record> {
    let mut records = Vec::new();
    let mut next = from;
    loop {
        let visit = |record| {
            records.push(record);
            ControlFlow::Continue(())
        };
        let scanned = match backwards {
            false => storage.scan_forwards(next, 5000, visit).expect("read"),
            true => storage.scan_backwards(next, 5000, visit).expect("read"),
        };
        if scanned.exhausted {
            return records;
        }
        next = scanned.next;
    }
}

fn read(
    storage: &Storage,
    stream: &str,
    from: u64,
    backwards: bool,
    page: usize,
) -> Result<Option<Vec<Record>>, StorageError> {
    let direction = if backwards { Direction::Backwards } else { Direction::Forwards };
    let mut records = Vec::new();
    let mut next = Some(Revision(from));
    while let Some(from) = next {
        let Some(page) = storage.read_stream(stream, from, direction, page, 1500)? else { return Ok(None) };
        records.extend(page.records);
        next = page.next;
    }
    Ok(Some(records))
}

fn run(steps: &[Step]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let disk = MemoryDisk::default();
    let open = || Storage::open(Arc::new(disk.clone()), config()).expect("the log opens").0;
    let mut pair = Pair::new(open());
    for step in steps {
        match step {
            Step::Burst(changes) => {
                disk.hold_syncs();
                let (answers, under_way): (Vec<_>, Vec<_>) =
                    changes.iter().map(|change| pair.begin(change)).unzip();
                let outcomes = runtime.block_on(async {
                    let outcomes = join_all(under_way);
                    let release = async { disk.release_syncs() };
                    futures::join!(outcomes, release).0
                });
                pair.catch_up();
                answers
                    .iter()
                    .zip(outcomes)
                    .for_each(|(answer, outcome)| pair.compare(answer, outcome.expect("written")));
            }
            Step::Restart { without_index } => {
                pair.storage.close();
                let disk_now: Arc<dyn Disk> = Arc::new(disk.clone());
                let verified = verify(&disk_now, Path::new("/data"), &mut |_, _| {}).expect("looked at");
                assert_eq!(verified.faults, []);
                assert_eq!(verified.events as usize, pair.model.log.len() - pair.model.removed.len());
                if *without_index {
                    disk.remove(Path::new("/data/index.redb")).expect("an index");
                }
                pair.storage = open();
                pair.model.restart();
            }
            Step::Scavenge => pair.scavenge(),
            Step::Read { stream, from, backwards, page } => {
                pair.read(STREAMS[*stream], *from, *backwards, *page)
            }
            Step::Scan { from, off, backwards } => {
                let at = *from % pair.positions.len();
                let place = pair.positions[at] + off;
                let seen = scan(
                    &pair.storage,
                    pair.storage.boundary_at(contract::LogPosition(place)).expect("read"),
                    *backwards,
                );
                let after = at + usize::from(*off > 0);
                let range = if *backwards { 0..after } else { after..pair.positions.len() };
                let left = range.filter(|at| !pair.model.removed.contains(at));
                let mut expected: Vec<_> = left.map(|at| pair.positions[at]).collect();
                if *backwards {
                    expected.reverse();
                }
                assert_eq!(seen.iter().map(|record| record.position.0).collect::<Vec<_>>(), expected);
            }
        }
    }
    pair.read_all();
    pair.storage.close();
}

fn cases() -> u32 {
    if std::env::var_os("HEADWATER_LONG_TESTS").is_some() { 10_000 } else { 300 }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]
    #[test]
    fn whatever_is_asked_of_the_log_it_answers_like_the_model(steps in proptest::collection::vec(step(), 1..40)) {
        run(&steps);
    }
}
