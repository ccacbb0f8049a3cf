use event_store::{LOG_STREAM, Revision, StreamId};

use crate::support::{connect, node_and_store, start_node};

#[tokio::test(flavor = "multi_thread")]
async fn everybody_agrees_on_the_identity_also_after_a_restart() {
    let (dir, node, _) = node_and_store().await;
    let address = node.address();
    let asked: Vec<_> =
        (0..8).map(|_| tokio::spawn(async move { connect(address).identity().await.unwrap() })).collect();
    let mut identities = Vec::new();
    for answer in asked {
        identities.push(answer.await.unwrap());
    }
    assert!(identities.iter().all(|identity| *identity == identities[0]), "{identities:?}");

    let stream = StreamId::named(LOG_STREAM);
    let page = connect(address).read_stream(&stream, Revision::FIRST, 10).await.unwrap().unwrap();
    assert_eq!(page.events.len(), 1, "given once");
    assert!(page.events[0].id.to_string().starts_with(&identities[0].to_string()));

    node.shutdown().await;
    let node = start_node(dir.path(), address).await;
    assert_eq!(connect(node.address()).identity().await.unwrap(), identities[0]);

    let (_dir, _node, other) = node_and_store().await;
    assert_ne!(other.identity().await.unwrap(), identities[0], "another log is another");
}
