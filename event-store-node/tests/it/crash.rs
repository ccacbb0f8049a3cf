//! Every moment of a run can be its last: the journal of the disk is cut off after each entry, what a loss of power
//! leaves is opened, and compared with what was acknowledged until then.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use event_store_node::storage::{Boundary, Disk, Record, Storage};
use futures::future::join_all;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::against_model::{Change, Pair, assert_same, change, config, scan};
use crate::disk::MemoryDisk;
use crate::journal::{Fault, JournalDisk, Platter, seeded};
use crate::model::{Event, Model};

/// The index is flushed each so many events.
const FLUSH_EVENTS: usize = 16;

/// What a run wrote.
struct Run {
    disk: JournalDisk,
    model: Model,
    /// The length of the model's log after so many changes.
    ends: Vec<usize>,
    /// The first change of the last burst.
    last_burst: usize,
    was_refused: bool,
}

pub fn bursts(seed: u64, count: usize) -> Vec<Vec<Change>> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let burst = proptest::collection::vec(change(), 1..6);
    (0..count).map(|_| burst.new_tree(&mut runner).expect("a burst").current()).collect()
}

fn open(disk: impl Disk) -> Result<Storage, String> {
    let opened = Storage::open_flushing_each(Arc::new(disk), config(), FLUSH_EVENTS);
    opened.map(|(storage, _)| storage).map_err(|error| error.to_string())
}

/// Carries bursts out, with two restarts among them, until one is refused because the disk fails.
fn run(disk: JournalDisk, bursts: &[Vec<Change>]) -> Run {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let mut run =
        Run { disk: disk.clone(), model: Model::new(), ends: vec![1], last_burst: 0, was_refused: true };
    let Ok(storage) = open(disk.clone()) else { return run };
    let mut pair = Pair::new(storage);
    for (turn, burst) in bursts.iter().enumerate() {
        if turn > 0 && turn % (bursts.len() / 3) == 0 {
            pair.storage.close();
            let Ok(storage) = open(disk.clone()) else { return run };
            pair.storage = storage;
            pair.model.restart();
        }
        if turn % 5 == 4 {
            pair.scavenge();
        }
        run.last_burst = run.ends.len() - 1;
        let mut answers = Vec::new();
        let mut under_way = Vec::new();
        for change in burst {
            let (answer, outcome) = pair.begin(change);
            run.ends.push(pair.model.log.len());
            let (told, disk) = (run.ends.len() - 1, disk.clone());
            answers.push(answer);
            under_way.push(async move {
                let outcome = outcome.await;
                if outcome.is_ok() {
                    disk.tell(told);
                }
                outcome
            });
        }
        let outcomes = runtime.block_on(join_all(under_way));
        run.model = pair.model.clone();
        if outcomes.iter().any(Result::is_err) {
            let later = runtime.block_on(pair.begin(&burst[0]).1);
            assert!(later.is_err(), "acknowledged after a failure: {later:?}");
            pair.storage.close();
            return run;
        }
        pair.catch_up();
        answers
            .iter()
            .zip(outcomes)
            .for_each(|(answer, outcome)| pair.compare(answer, outcome.expect("written")));
    }
    pair.storage.close();
    run.was_refused = false;
    run
}

/// Where each event of the model lies, up to the last one there is, and which of them are gone: no others than a
/// scavenge took away. Those get a place of their own all the same.
fn places(records: &[Record], model: &Model) -> (Vec<u64>, HashSet<usize>) {
    let (mut positions, mut removed) = (Vec::new(), HashSet::new());
    for record in records {
        while (record.stream_name(), record.revision.0) != named(&model.log[positions.len()]) {
            let at = positions.len();
            assert!(model.removed.contains(&at), "{:?} is missing", model.log[at]);
            removed.insert(at);
            positions.push(positions.last().map_or(1, |before| before + 1));
        }
        assert_same(record, &model.log[positions.len()]);
        positions.push(record.position.0);
    }
    (positions, removed)
}

fn named(event: &Event) -> (&str, u64) {
    (&event.stream, event.revision)
}

/// Opens what a crash left. Everything acknowledged must be there, changes whole and in order, and all that can be
/// read must agree; every so often the log is then written to and opened once more.
fn check(run: &Run, told: usize, disk: &MemoryDisk, goes_on: bool) {
    let storage = open(disk.clone()).expect("the log opens");
    let records = scan(&storage, Boundary::START, false);
    let (positions, removed) = places(&records, &run.model);
    assert!(run.ends.contains(&positions.len()), "a change was cut into pieces");
    assert!(positions.len() >= run.ends[told], "{} of {} acknowledged", positions.len(), run.ends[told]);
    let mut model = run.model.cut(positions.len());
    model.removed = removed;
    let mut pair = Pair { storage, model, positions };
    pair.read_all();
    if goes_on {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        for change in &bursts(told as u64, 1)[0] {
            let (answer, outcome) = pair.begin(change);
            let outcome = runtime.block_on(outcome).expect("written");
            pair.catch_up();
            pair.compare(&answer, outcome);
        }
        pair.storage.close();
        pair.storage = open(disk.clone()).expect("the log opens again");
        pair.model.restart();
        let again = scan(&pair.storage, Boundary::START, false);
        assert_eq!(places(&again, &pair.model).0.len(), pair.model.log.len());
        pair.read_all();
    }
    pair.storage.close();
}

fn is_long() -> bool {
    std::env::var_os("HEADWATER_LONG_TESTS").is_some()
}

#[test]
fn at_whatever_moment_the_power_goes_everything_acknowledged_is_there() {
    let (mut moments, mut removed) = (0, 0);
    for seed in 0..if is_long() { 100 } else { 10 } {
        let run = run(JournalDisk::default(), &bursts(seed, 24));
        assert!(!run.was_refused);
        let mut random = seeded(seed);
        let mut platter = Platter::default();
        for (at, entry) in run.disk.journal().iter().enumerate() {
            platter.apply(entry);
            check(&run, platter.told, &platter.survivor(&mut random), at % 8 == 0);
            moments += 1;
        }
        assert_eq!(platter.told, run.ends.len() - 1);
        removed += run.model.removed.len();
    }
    assert!(removed > 50, "scavenges took {removed} events away");
    assert!(moments > 2000, "{moments} moments are few");
}

#[test]
fn after_a_full_disk_or_a_failing_sync_nothing_acknowledged_is_missing() {
    let bursts = bursts(7, 9);
    let entries = run(JournalDisk::default(), &bursts).disk.journal().len();
    let step = if is_long() { 1 } else { 2 };
    for fault in [Fault::FullDisk, Fault::BrokenSync] {
        let mut refused = 0;
        for at in (0..entries).step_by(step) {
            let run = run(JournalDisk::failing(at, fault), &bursts);
            refused += usize::from(run.was_refused);
            let mut platter = Platter::default();
            run.disk.journal().iter().for_each(|entry| platter.apply(entry));
            check(&run, platter.told, &platter.survivor(&mut seeded(at as u64)), at % 4 == 0);
        }
        assert!(refused > 10, "{fault:?} was met {refused} times only");
    }
}

/// The log, as far as it can be read.
fn read_what_is_left(storage: &Storage) -> Option<usize> {
    let mut count = 0;
    let visit = |_| {
        count += 1;
        std::ops::ControlFlow::Continue(())
    };
    storage.scan_forwards(Boundary::START, u64::MAX, visit).is_ok().then_some(count)
}

#[test]
fn a_bit_that_flips_is_noticed_and_costs_at_most_what_was_written_last() {
    let run = run(JournalDisk::default(), &bursts(11, 12));
    let mut platter = Platter::default();
    run.disk.journal().iter().for_each(|entry| platter.apply(entry));
    let mut random = seeded(1);
    let mut noticed = 0;
    for turn in 0..if is_long() { 10_000 } else { 400 } {
        let disk = platter.survivor(&mut random);
        flip_one(&disk, &mut random);
        if turn % 2 == 0 && disk.open(Path::new("/data/index.redb")).is_ok() {
            disk.remove(Path::new("/data/index.redb")).expect("an index");
        }
        let Ok(storage) = open(disk) else {
            noticed += 1;
            continue;
        };
        match read_what_is_left(&storage) {
            None => noticed += 1,
            Some(left) => {
                let records = scan(&storage, Boundary::START, false);
                assert_eq!(records.len(), left);
                let left = places(&records, &run.model).0.len();
                assert!(
                    left >= run.ends[run.last_burst] && run.ends.contains(&left),
                    "{left} events are left"
                );
            }
        }
        storage.close();
    }
    assert!(noticed > 20, "{noticed} flips were noticed");
}

/// In any file of the log.
fn flip_one(disk: &MemoryDisk, random: &mut StdRng) {
    let dir = Path::new("/data/log");
    let mut files = disk.list(dir).expect("files");
    files.sort();
    let path = dir.join(&files[random.random_range(0..files.len())]);
    let size = disk.open(&path).and_then(|file| file.size()).expect("a size");
    disk.flip(&path, random.random_range(0..size as usize), random.random_range(0..8));
}
