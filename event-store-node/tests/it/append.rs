//! Append and what it answers, through the official client.

use eventstore::{CurrentRevision, Error, ExpectedRevision, ReadStreamOptions, StreamPosition};

use crate::support::{event, events, expect, numbers, start, within};

#[tokio::test(flavor = "multi_thread")]
async fn an_append_is_answered_with_the_revision_and_position_of_its_last_event() {
    let running = start().await;
    let client = &running.client;
    let written = within(client.append_to_stream("a-1", &expect(ExpectedRevision::NoStream), events(0..3)))
        .await
        .expect("written");
    assert_eq!(written.next_expected_version, 2);
    assert!(written.position.commit > 0);
    assert_eq!(numbers(client, "a-1").await, [(0, 0), (1, 1), (2, 2)]);
    let options = ReadStreamOptions::default().backwards().position(StreamPosition::End).max_count(1);
    let mut read = client.read_stream("a-1", &options).await.expect("a read");
    let last = read.next().await.expect("an answer").expect("an event");
    let last = last.get_original_event();
    assert_eq!((last.revision, last.position), (2, written.position));
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_expected_revision_is_refused_with_the_actual_one() {
    let running = start().await;
    let client = &running.client;
    client.append_to_stream("a-1", &Default::default(), event(0)).await.expect("written");
    let refused = client.append_to_stream("a-1", &expect(ExpectedRevision::Exact(4)), event(1)).await;
    let Err(Error::WrongExpectedVersion { expected, current }) = refused else { panic!("{refused:?}") };
    assert_eq!((expected, current), (ExpectedRevision::Exact(4), CurrentRevision::Current(0)));
    running.node.shutdown().await;
}
