//! A real SIGKILL: a child process writes until it is killed, then the log is opened and compared with what the child
//! said was acknowledged.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use event_store_node::storage::{
    AppendOutcome, AppendRequest, Expected, FileSystem, ProposedEvent, Storage, StorageConfig, StreamName,
};
use uuid::Uuid;

const DIR: &str = "HEADWATER_KILL_DIR";
const WRITERS: u64 = 8;

fn open(dir: &Path) -> Storage {
    let config =
        StorageConfig { data_dir: dir.to_owned(), segment_bytes: 256 * 1024, max_append_bytes: 64 * 1024 };
    Storage::open(Arc::new(FileSystem), config).expect("the log opens").0
}

#[test]
fn what_a_killed_process_acknowledged_is_there_when_the_log_is_opened_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut acknowledged: HashMap<String, u64> = HashMap::new();
    for acknowledgements in [50, 700, 2000] {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "kill::child_that_is_killed", "--ignored", "--nocapture"])
            .env(DIR, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines().map_while(Result::ok);
        let mut seen = 0;
        let mut killed = false;
        // After the kill the pipe still holds what was said before it.
        for line in lines {
            let mut words = line.split(' ');
            if words.next() == Some("ack")
                && let (Some(stream), Some(revision)) = (words.next(), words.next())
                && let Ok(revision) = revision.parse()
            {
                acknowledged.insert(stream.to_owned(), revision);
                seen += 1;
            }
            if seen >= acknowledgements && !killed {
                child.kill().expect("killed");
                killed = true;
            }
        }
        child.wait().expect("gone");
        assert!(killed, "the child ended by itself");
        let storage = open(dir.path());
        for (stream, revision) in &acknowledged {
            let last = storage.last_revision(stream).expect("read").map(|last| last.0);
            assert!(last >= Some(*revision), "{stream}: {revision} was acknowledged, {last:?} is there");
        }
        storage.close();
    }
    assert_eq!(acknowledged.len() as u64, WRITERS);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the test above, which kills it"]
async fn child_that_is_killed() {
    let Some(dir) = std::env::var_os(DIR).map(PathBuf::from) else { return };
    let storage = open(&dir);
    let writers = (0..WRITERS).map(|writer| tokio::spawn(write(storage.clone(), format!("killed-{writer}"))));
    futures::future::join_all(writers).await;
}

async fn write(storage: Storage, stream: String) {
    loop {
        let event = ProposedEvent {
            id: Uuid::new_v4(),
            event_type: "Scanned".to_owned(),
            is_json: false,
            metadata: Default::default(),
            data: vec![7; 700].into(),
        };
        let name = StreamName::new(stream.clone()).expect("a name");
        let request = AppendRequest { stream: name, expected: Expected::Any, events: vec![event] };
        let Ok(AppendOutcome::Appended { revision: Some(revision), .. }) = storage.append(request).await
        else {
            return;
        };
        let mut out = std::io::stdout().lock();
        if writeln!(out, "ack {stream} {revision}").and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}
