//! `headwater node`: checks, copies and tells, beside a running node and without one.

use std::fs;
use std::path::Path;

use event_store_node::{Node, NodeConfig};
use eventstore::{Client, EventData};
use serde_json::Value;

use crate::{headwater, refused, text};

async fn start(dir: &Path) -> (Node, Client) {
    let mut config = NodeConfig::new(dir, "127.0.0.1:0".parse().unwrap());
    (config.segment_bytes, config.max_append_bytes) = (1 << 20, 1 << 18);
    let node = Node::start(config).await.unwrap();
    let client = Client::new(format!("esdb://{}?tls=false", node.address()).parse().unwrap()).unwrap();
    (node, client)
}

fn said(arguments: &[&str]) -> Value {
    let output = headwater(arguments, &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_node_is_copied_and_tells_and_a_stopped_one_is_checked() {
    let place = tempfile::tempdir().unwrap();
    let (dir, copy) = (place.path().join("node"), place.path().join("copy"));
    let (dir_text, copy_text) = (dir.to_str().unwrap(), copy.to_str().unwrap());
    let (node, client) = start(&dir).await;
    let event = EventData::binary("Told", bytes::Bytes::from_static(&[7; 100]));
    client.append_to_stream("told-1", &Default::default(), vec![event; 20]).await.unwrap();

    let address = node.address().to_string();
    let stats = said(&["node", "stats", "--json", "--node-listen", &address]);
    assert_eq!((&stats["written-events"], &stats["log-has-failed"]), (&Value::from(20), &Value::from(false)));
    let told = headwater(&["node", "stats", "--node-listen", &address], &[]);
    assert!(
        text(&told.stdout).lines().any(|line| line.starts_with("written-events ") && line.ends_with(" 20"))
    );

    let in_use = headwater(&["node", "verify", dir_text], &[]);
    assert_eq!(in_use.status.code(), Some(1));
    assert!(
        text(&in_use.stderr).contains("is in use") && text(&in_use.stderr).contains("hint: stop the node")
    );

    let made = said(&["node", "backup", dir_text, copy_text, "--json"]);
    assert_eq!(made["events"], 21, "{made}");
    assert!(refused(&["node", "backup", dir_text, copy_text], &[]).contains("exists already"));
    node.shutdown().await;
    for folder in [dir_text, copy_text] {
        let found = said(&["node", "verify", folder, "--json"]);
        assert_eq!((&found["events"], &found["faultCount"]), (&Value::from(21), &Value::from(0)), "{found}");
    }
    let stopped = headwater(&["node", "stats", "--node-listen", &address], &[]);
    assert_eq!(stopped.status.code(), Some(1));
    assert!(text(&stopped.stderr).contains("hint: name a running one"), "{}", text(&stopped.stderr));

    let segment = dir.join("log/0000000000000000.log");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[5000] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let wrong = headwater(&["node", "verify", dir_text], &[]);
    assert_eq!(wrong.status.code(), Some(1));
    let told = text(&wrong.stdout);
    assert!(told.contains("log/0000000000000000.log") && told.contains("does not read back"), "{told}");
    assert!(text(&wrong.stderr).starts_with("headwater: "), "{}", text(&wrong.stderr));
}

#[test]
fn a_folder_without_a_log_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let (folder, copy) = (place.path().to_str().unwrap(), place.path().join("copy"));
    assert!(refused(&["node", "verify", folder], &[]).contains("holds no log"));
    assert!(refused(&["node", "backup", folder, copy.to_str().unwrap()], &[]).contains("holds no log"));
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_node_is_scavenged_and_says_what_came_of_it() {
    let place = tempfile::tempdir().unwrap();
    let (node, client) = start(place.path()).await;
    let limit = eventstore::StreamMetadataBuilder::new().max_count(1).build();
    client.set_stream_metadata("short-1", &Default::default(), &limit).await.unwrap();
    let event = EventData::binary("Told", bytes::Bytes::from_static(&[7; 1000]));
    for _ in 0..80 {
        client.append_to_stream("short-1", &Default::default(), vec![event.clone(); 20]).await.unwrap();
    }
    let address = node.address().to_string();
    let told = said(&["node", "scavenge", "--json", "--node-listen", &address]);
    assert_eq!((&told["state"], &told["segmentsDone"]), (&Value::from("done"), &told["segments"]), "{told}");
    let (removed, freed) = (told["eventsRemoved"].as_u64().unwrap(), told["bytesFreed"].as_u64().unwrap());
    assert!((500..1100).contains(&removed) && freed > removed * 1000, "{told}");
    let again = headwater(&["node", "scavenge", "--node-listen", &address], &[]);
    assert!(
        text(&again.stdout).starts_with("0 events taken away, 0 bytes freed; "),
        "{}",
        text(&again.stdout)
    );
    let started = said(&["node", "scavenge", "--no-wait", "--json", "--node-listen", &address]);
    assert_eq!(started["state"], "running", "{started}");
    node.shutdown().await;
    let stopped = headwater(&["node", "scavenge", "--node-listen", &address], &[]);
    assert_eq!(stopped.status.code(), Some(1));
    assert!(text(&stopped.stderr).contains("hint: name a running one"), "{}", text(&stopped.stderr));
}
