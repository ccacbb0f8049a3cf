//! A backup taken while the log grows: it opens, it is sound, it holds every event that was acknowledged before it began.

use std::collections::HashMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use event_store_node::storage::{
    AppendOutcome, AppendRequest, Disk, Expected, FileSystem, ProposedEvent, Storage, StorageConfig,
    StorageError, StreamName, backup, verify,
};
use uuid::Uuid;

use crate::support;

const FROM: &str = "HEADWATER_BACKUP_FROM";
const TO: &str = "HEADWATER_BACKUP_TO";
const WRITERS: usize = 4;

fn open(dir: &Path) -> Result<Storage, StorageError> {
    let config =
        StorageConfig { data_dir: dir.to_owned(), segment_bytes: 256 * 1024, max_append_bytes: 64 * 1024 };
    Ok(Storage::open(Arc::new(FileSystem), config)?.0)
}

async fn append(storage: &Storage, stream: &str) -> u64 {
    let event = ProposedEvent {
        id: Uuid::new_v4(),
        event_type: "Counted".to_owned(),
        is_json: false,
        metadata: Default::default(),
        data: vec![7; 700].into(),
    };
    let name = StreamName::new(stream).expect("a name");
    let request = AppendRequest { stream: name, expected: Expected::Any, events: vec![event.clone(), event] };
    match storage.append(request).await {
        Ok(AppendOutcome::Appended { revision: Some(revision), .. }) => revision.0,
        other => panic!("{other:?}"),
    }
}

fn sound(dir: &Path) -> u64 {
    let disk: Arc<dyn Disk> = Arc::new(FileSystem);
    let verified = verify(&disk, dir, &mut |_, _| {}).expect("a check");
    assert_eq!(verified.faults, []);
    verified.events
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_acknowledged_before_is_in_a_backup_taken_during_appends() {
    let dir = tempfile::tempdir().expect("a folder");
    let storage = open(&dir.path().join("node")).expect("open");
    let acknowledged: Arc<Mutex<HashMap<String, u64>>> = Arc::default();
    let stop = Arc::new(AtomicBool::new(false));
    let writers = (0..WRITERS).map(|writer| {
        let (storage, acknowledged, stop) = (storage.clone(), Arc::clone(&acknowledged), Arc::clone(&stop));
        tokio::spawn(async move {
            let stream = format!("writer-{writer}");
            while !stop.load(Ordering::Relaxed) {
                let revision = append(&storage, &stream).await;
                acknowledged.lock().expect("a lock").insert(stream.clone(), revision);
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let mut sizes = Vec::new();
    for round in 0..8 {
        let grown = || acknowledged.lock().expect("a lock").values().sum::<u64>() > 400 * (round + 1);
        while !grown() {
            tokio::task::yield_now().await;
        }
        let before = acknowledged.lock().expect("a lock").clone();
        let (from, to) = (dir.path().join("node"), dir.path().join(format!("backup-{round}")));
        let target = to.clone();
        let mut told = Vec::new();
        let made = tokio::task::spawn_blocking(move || {
            backup(&from, &target, &mut |done, total| told.push((done, total))).map(|made| (made, told))
        });
        let (made, told) = made.await.expect("done").expect("a backup");
        assert!(told.last().is_some_and(|(done, total)| done == total), "{told:?}");
        assert_eq!(sound(&to), made.events);
        let copy = open(&to).expect("the backup opens");
        for (stream, revision) in before {
            let last = copy.last_revision(&stream).expect("read").map(|last| last.0);
            assert!(last >= Some(revision), "{stream}: {revision} was acknowledged, {last:?} is there");
        }
        assert_eq!(append(&copy, "after").await, 1, "it goes on");
        copy.close();
        sizes.push(made.segments);
    }
    stop.store(true, Ordering::Relaxed);
    futures::future::join_all(writers).await;
    storage.close();
    assert!(sizes.iter().max() >= Some(&5), "{sizes:?}");
}

#[tokio::test]
async fn a_backup_of_a_node_serves_what_the_node_served() {
    let running = support::start().await;
    let stream = "backed-1";
    let options = support::expect(eventstore::ExpectedRevision::Any);
    running.client.append_to_stream(stream, &options, support::events(0..50)).await.expect("appended");
    let place = tempfile::tempdir().expect("a folder");
    let target = place.path().join("copy");
    backup(running.dir.path(), &target, &mut |_, _| {}).expect("a backup");
    let before = support::everything(&running.client).await;
    let node = event_store_node::Node::start(support::config(&target)).await.expect("a node");
    let after = support::everything(&support::client(&node)).await;
    let told = |events: &[eventstore::ResolvedEvent]| -> Vec<_> {
        let events = events.iter().map(eventstore::ResolvedEvent::get_original_event);
        events.map(|event| (event.position, event.revision, event.stream_id.clone(), event.id)).collect()
    };
    assert_eq!(told(&before), told(&after), "the same, to the position");
    assert_eq!(before.len(), 51, "the node's own first event is one");
    node.shutdown().await;
    running.node.shutdown().await;
}

#[tokio::test]
async fn a_target_that_exists_or_lies_inside_is_refused_and_left_alone() {
    let place = tempfile::tempdir().expect("a folder");
    let from = place.path().join("node");
    let storage = open(&from).expect("open");
    let (folder, file) = (place.path().join("folder"), place.path().join("file"));
    fs::create_dir(&folder).expect("a folder");
    fs::write(&file, "mine").expect("written");
    for target in [&folder, &file] {
        assert!(matches!(backup(&from, target, &mut |_, _| {}), Err(StorageError::TargetExists(_))));
    }
    let inside = backup(&from, &from.join("log/copy"), &mut |_, _| {});
    assert!(matches!(inside, Err(StorageError::TargetInside(_))), "{inside:?}");
    assert!(backup(&from, &place.path().join("no/such/place"), &mut |_, _| {}).is_err());
    let none = backup(&place.path().join("none"), &place.path().join("copy"), &mut |_, _| {});
    assert!(matches!(none, Err(StorageError::NoLog(_))), "{none:?}");
    let mut names: Vec<_> = fs::read_dir(place.path())
        .expect("listed")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["file", "folder", "node"]);
    assert_eq!(fs::read_to_string(file).expect("read"), "mine");
    storage.close();
}

#[tokio::test]
async fn what_does_not_read_back_is_not_backed_up() {
    let place = tempfile::tempdir().expect("a folder");
    let from = place.path().join("node");
    let storage = open(&from).expect("open");
    for _ in 0..300 {
        append(&storage, "a-1").await;
    }
    storage.close();
    let first = from.join("log").join(format!("{:016x}.log", 0));
    let mut bytes = fs::read(&first).expect("read");
    bytes[9000] ^= 1;
    fs::write(&first, bytes).expect("written");
    let refused = backup(&from, &place.path().join("copy"), &mut |_, _| {});
    assert!(
        matches!(refused, Err(StorageError::DamagedRecord { position }) if position <= 9000),
        "{refused:?}"
    );
    assert_eq!(fs::read_dir(place.path()).expect("listed").count(), 1, "nothing is left of it");
}

#[tokio::test]
async fn nothing_after_the_last_whole_append_is_copied() {
    let place = tempfile::tempdir().expect("a folder");
    let (from, to) = (place.path().join("node"), place.path().join("copy"));
    let storage = open(&from).expect("open");
    append(&storage, "a-1").await;
    storage.close();
    // What is there of a write that is under way; what comes after it may be of a later one.
    let path = from.join("log").join(format!("{:016x}.log", 0));
    let mut bytes = fs::read(&path).expect("read");
    let used = bytes.iter().rposition(|byte| *byte != 0).expect("an event");
    bytes[used + 40..used + 140].fill(7);
    fs::write(&path, bytes).expect("written");
    backup(&from, &to, &mut |_, _| {}).expect("a backup");
    let disk: Arc<dyn Disk> = Arc::new(FileSystem);
    let interrupted = |dir: &Path| verify(&disk, dir, &mut |_, _| {}).expect("a check").interrupted.is_some();
    assert_eq!((interrupted(&from), interrupted(&to)), (true, false));
}

#[tokio::test]
async fn a_killed_backup_is_none_and_the_next_one_takes_its_place() {
    let place = tempfile::tempdir().expect("a folder");
    let (from, to) = (place.path().join("node"), place.path().join("copy"));
    let storage = open(&from).expect("open");
    for _ in 0..400 {
        append(&storage, "a-1").await;
    }
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "backup::child_that_is_killed", "--ignored", "--nocapture"])
        .env(FROM, &from)
        .env(TO, &to)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    // It says when it has begun to copy, and then waits.
    let mut said = String::new();
    let mut out = child.stdout.take().expect("its output");
    let mut byte = [0];
    while !said.contains("halfway") {
        out.read_exact(&mut byte).expect("it goes on");
        said.push(byte[0].into());
    }
    let busy = backup(&from, &to, &mut |_, _| {});
    assert!(matches!(busy, Err(StorageError::InUse(_))), "{busy:?}");
    child.kill().expect("killed");
    child.wait().expect("gone");
    assert!(!to.exists());
    let left = place.path().join("copy.unfinished");
    assert!(left.exists() && matches!(open(&left), Err(StorageError::ForeignDirectory(_))));
    let made = backup(&from, &to, &mut |_, _| {}).expect("a backup");
    assert!(!left.exists());
    assert_eq!(sound(&to), made.events);
    storage.close();
}

#[test]
#[ignore = "run by the test above, which kills it"]
fn child_that_is_killed() {
    let (Some(from), Some(to)) = (std::env::var_os(FROM), std::env::var_os(TO)) else { return };
    let _ = backup(&PathBuf::from(from), &PathBuf::from(to), &mut |done, total| {
        if done * 2 > total {
            println!("halfway");
            std::thread::park();
        }
    });
}
