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
async fn every_form_of_expectation_is_held_to_and_events_are_known_again_as_in_a_single_append() {
    use ExpectedRevision::{Any, Exact, NoStream, StreamExists};
    let running = start().await;
    // A session is over after its first refusal.
    let append = async |expected, events| {
        let session = running.client.batch_append(&Default::default()).await.expect("a session");
        session.append_to_stream("a-1", expected, events).await.map(|answer| answer.current_revision()).ok()
    };
    let (first, second) = (event(1), event(2));
    let pair = || vec![first.clone(), second.clone()];
    assert_eq!(append(StreamExists, pair()).await, None);
    assert_eq!(append(Exact(0), pair()).await, None);
    assert_eq!(append(NoStream, pair()).await, Some(Some(1)));
    for known in [NoStream, Any, StreamExists] {
        assert_eq!(append(known, pair()).await, Some(Some(1)), "{known:?}");
    }
    assert_eq!(append(Exact(0), vec![second.clone()]).await, Some(Some(1)));
    for wrong in [NoStream, Exact(0), Exact(2)] {
        assert_eq!(append(wrong, vec![event(9)]).await, None, "{wrong:?}");
    }
    assert_eq!(append(Any, vec![first.clone(), event(9)]).await, None, "known in part");
    assert_eq!(append(Exact(1), vec![event(3)]).await, Some(Some(2)));
    assert_eq!(append(StreamExists, vec![event(4)]).await, Some(Some(3)));
    assert_eq!(append(Any, vec![event(5)]).await, Some(Some(4)));
    assert_eq!(append(Exact(4), vec![]).await, Some(Some(4)), "nothing to write");
    assert_eq!(numbers(&running.client, "a-1").await.len(), 5);
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
