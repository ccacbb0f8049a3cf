//! Batch append through the official client.

use eventstore::{Error, EventData, ExpectedRevision};

use crate::support::{event, events, numbers, start, within};

#[tokio::test(flavor = "multi_thread")]
async fn appends_of_one_session_are_all_written_and_answered() {
    let running = start().await;
    let session = running.client.batch_append(&Default::default()).await.expect("a session");
    let session = &session;
    let appends = (0..200).map(|number| async move {
        let stream = format!("batch-{}", number % 10);
        session.append_to_stream(stream, ExpectedRevision::Any, vec![event(number)]).await.expect("written")
    });
    let answers = within(futures::future::join_all(appends)).await;
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer.stream_name(), format!("batch-{}", number % 10));
        assert_eq!(
            answer.current_revision(),
            Some(number as u64 / 10),
            "in the order in which they were sent"
        );
        assert!(answer.current_position().is_some_and(|position| position.commit > 0));
    }
    for stream in 0..10 {
        let expected: Vec<_> = (0..20).map(|turn| (turn, turn * 10 + stream)).collect();
        assert_eq!(numbers(&running.client, &format!("batch-{stream}")).await, expected);
    }
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_expected_revision_is_the_answer_of_its_append() {
    let running = start().await;
    let session = running.client.batch_append(&Default::default()).await.expect("a session");
    session.append_to_stream("a-1", ExpectedRevision::NoStream, events(0..3)).await.expect("written");
    let refused = session.append_to_stream("a-1", ExpectedRevision::NoStream, vec![event(9)]).await;
    let Err(Error::Grpc { code, message }) = refused else { panic!("{refused:?}") };
    assert_eq!((format!("{code:?}").as_str(), message.as_str()), ("AlreadyExists", "WrongExpectedVersion"));
    assert_eq!(numbers(&running.client, "a-1").await.len(), 3);
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_batch_is_one_append() {
    let running = start().await;
    let session = running.client.batch_append(&Default::default()).await.expect("a session");
    let data = vec![7u8; 256];
    let batch = (0..500).map(|_| EventData::binary("Scanned", data.clone().into())).collect();
    let answer =
        within(session.append_to_stream("a-1", ExpectedRevision::NoStream, batch)).await.expect("written");
    assert_eq!(answer.current_revision(), Some(499));
    running.node.shutdown().await;
}
