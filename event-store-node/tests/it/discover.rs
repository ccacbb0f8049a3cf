//! Gossip: a client that discovers nodes reaches the address that the node advertises.

use event_store_node::{Node, NodeConfig};
use eventstore::Client;
use eventstore::operations;

use crate::support::{client, config, event, start, within};

fn discovering(port: u16) -> Client {
    let settings =
        format!("esdb+discover://127.0.0.1:{port}?tls=false").parse().expect("a connection string");
    Client::new(settings).expect("a client")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_discovers_nodes_finds_the_one() {
    let running = start().await;
    let client = discovering(running.node.address().port());
    within(client.append_to_stream("a-1", &Default::default(), event(0))).await.expect("written");
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_advertised_is_the_one_that_clients_use() {
    let target = start().await;
    let dir = tempfile::tempdir().expect("a folder");
    let advertised = Some(("127.0.0.1".to_owned(), target.node.address().port()));
    let gate = Node::start(NodeConfig { advertised, ..config(dir.path()) }).await.expect("a node");
    let client = discovering(gate.address().port());
    within(client.append_to_stream("a-1", &Default::default(), event(0))).await.expect("written");
    assert_eq!(crate::support::numbers(&target.client, "a-1").await, [(0, 0)]);
    gate.shutdown().await;
    target.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operations_of_the_client_read_the_gossip() {
    let dir = tempfile::tempdir().expect("a folder");
    let advertised = Some(("store.example".to_owned(), 2113));
    let node = Node::start(NodeConfig { advertised, ..config(dir.path()) }).await.expect("a node");
    let client = client(&node);
    let appended =
        within(client.append_to_stream("a-1", &Default::default(), event(0))).await.expect("written");
    let members = within(operations::Client::from(client).read_gossip()).await.expect("an answer");
    let [member] = &members[..] else { panic!("{members:?}") };
    assert_eq!((member.http_end_point.host.as_str(), member.http_end_point.port), ("store.example", 2113));
    assert!(member.is_alive && member.state == operations::VNodeState::Leader, "{member:?}");
    assert_eq!(u64::try_from(member.last_commit_position).expect("a position"), appended.position.commit);
    node.shutdown().await;
}
