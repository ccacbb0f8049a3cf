//! Append and what it answers, through the official client (protocol sheet, 3.2 and 3.3).

use eventstore::{
    Client, CurrentRevision, Error, EventData, ExpectedRevision, Position, ReadStreamOptions, StreamPosition,
    WriteResult,
};

use crate::support::{MAX_APPEND_BYTES, event, events, expect, numbers, start};

async fn append(
    client: &Client,
    stream: &str,
    expected: ExpectedRevision,
    events: Vec<EventData>,
) -> Result<(u64, Position), CurrentRevision> {
    match client.append_to_stream(stream, &expect(expected), events).await {
        Ok(WriteResult { next_expected_version, position }) => Ok((next_expected_version, position)),
        Err(Error::WrongExpectedVersion { expected: refused, current }) => {
            assert_eq!(refused, expected);
            Err(current)
        }
        Err(other) => panic!("{other}"),
    }
}

fn revision(written: Result<(u64, Position), CurrentRevision>) -> Result<u64, CurrentRevision> {
    written.map(|(revision, _)| revision)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_is_answered_with_the_revision_and_position_of_its_last_event() {
    let running = start().await;
    let client = &running.client;
    let written = append(client, "a-1", ExpectedRevision::NoStream, events(0..3)).await;
    let (revision, position) = written.expect("written");
    assert_eq!(revision, 2);
    assert!(position.commit > 0 && position.commit == position.prepare);
    assert_eq!(numbers(client, "a-1").await, [(0, 0), (1, 1), (2, 2)]);
    let options = ReadStreamOptions::default().backwards().position(StreamPosition::End).max_count(1);
    let mut read = client.read_stream("a-1", &options).await.expect("a read");
    let last = read.next().await.expect("an answer").expect("an event");
    let last = last.get_original_event();
    assert_eq!((last.revision, last.position), (2, position));
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_expectation_is_held_to() {
    use ExpectedRevision::{Any, Exact, NoStream, StreamExists};
    let running = start().await;
    let client = &running.client;
    let none = Err(CurrentRevision::NoStream);
    let at = |revision| Err(CurrentRevision::Current(revision));
    let cases = [
        (StreamExists, none),
        (Exact(0), none),
        (NoStream, Ok(0)),
        (NoStream, at(0)),
        (Exact(1), at(0)),
        (Exact(0), Ok(1)),
        (Exact(0), at(1)),
        (Any, Ok(2)),
        (StreamExists, Ok(3)),
    ];
    for (step, (expected, answer)) in cases.into_iter().enumerate() {
        let written = append(client, "a-1", expected, vec![event(step as u64)]).await;
        assert_eq!(revision(written), answer, "step {step}: {expected:?}");
    }
    assert_eq!(revision(append(client, "a-2", Any, vec![event(0)]).await), Ok(0));
    assert_eq!(numbers(client, "a-1").await, [(0, 2), (1, 5), (2, 7), (3, 8)]);
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_events_at_the_same_revision_are_written_once() {
    use ExpectedRevision::{Exact, NoStream};
    let running = start().await;
    let client = &running.client;
    let (first, second, later) = (event(1), event(2), event(3));
    let pair = vec![first.clone(), second.clone()];
    append(client, "a-1", NoStream, vec![first.clone()]).await.expect("written");
    let written = append(client, "a-1", Exact(0), vec![second.clone()]).await.expect("written");
    append(client, "a-1", Exact(1), vec![later.clone()]).await.expect("written");

    assert_eq!(append(client, "a-1", NoStream, pair).await, Ok(written), "however they were written before");
    assert_eq!(append(client, "a-1", Exact(0), vec![second.clone()]).await, Ok(written));
    let at = Err(CurrentRevision::Current(2));
    let partly = vec![first.clone(), event(9)];
    assert_eq!(append(client, "a-1", NoStream, partly).await, at, "one id is another");
    let past_the_end = vec![later.clone(), event(4)];
    assert_eq!(
        append(client, "a-1", Exact(1), past_the_end).await,
        at,
        "the write goes past the stream's end"
    );
    assert_eq!(append(client, "a-1", NoStream, vec![second.clone()]).await, at, "the id stands elsewhere");

    let again = append(client, "a-1", Exact(2), vec![later.clone()]).await;
    assert_eq!(revision(again), Ok(3), "at the stream's end nothing is looked up");
    let elsewhere = append(client, "a-2", NoStream, vec![first]).await;
    assert_eq!(revision(elsewhere), Ok(0), "another stream knows nothing of the id");
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_revision_events_written_lately_are_known_again() {
    use ExpectedRevision::{Any, StreamExists};
    let running = start().await;
    let client = &running.client;
    let (first, second) = (event(1), event(2));
    let pair = vec![first.clone(), second.clone()];
    let written = append(client, "a-1", Any, pair.clone()).await.expect("written");
    assert_eq!(append(client, "a-1", Any, pair.clone()).await, Ok(written));
    assert_eq!(append(client, "a-1", StreamExists, pair).await, Ok(written));
    let first_revision = append(client, "a-1", Any, vec![first.clone()]).await;
    assert_eq!(revision(first_revision), Ok(0), "the last of the events given counts");
    let half_known = append(client, "a-1", Any, vec![first, event(3)]).await;
    assert_eq!(half_known, Err(CurrentRevision::Current(1)));
    let first_unknown = append(client, "a-1", Any, vec![event(4), second]).await;
    assert_eq!(revision(first_unknown), Ok(3), "a first id that is unknown makes it a new append");
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_of_nothing_only_checks_the_expectation() {
    use ExpectedRevision::{Any, Exact, NoStream};
    let running = start().await;
    let client = &running.client;
    append(client, "a-1", NoStream, events(0..2)).await.expect("written");
    let at = Err(CurrentRevision::Current(1));
    assert_eq!(revision(append(client, "a-1", Exact(1), vec![]).await), Ok(1));
    assert_eq!(revision(append(client, "a-1", Any, vec![]).await), Ok(1));
    assert_eq!(append(client, "a-1", Exact(0), vec![]).await, at);
    assert_eq!(append(client, "a-1", NoStream, vec![]).await, at);
    assert!(append(client, "a-2", NoStream, vec![]).await.is_ok());
    assert_eq!(numbers(client, "a-1").await.len(), 2);
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_keep_what_the_writer_gave_them() {
    let running = start().await;
    let client = &running.client;
    let id = uuid::Uuid::new_v4();
    let binary = EventData::binary("Scanned", vec![0u8, 255, 7].into()).metadata(vec![1u8, 2].into()).id(id);
    let before = std::time::SystemTime::now() - std::time::Duration::from_secs(1);
    append(client, "scans/ü-1", ExpectedRevision::NoStream, vec![binary, event(1)]).await.expect("written");
    let mut read = client.read_stream("scans/ü-1", &ReadStreamOptions::default()).await.expect("a read");
    let first = read.next().await.expect("an answer").expect("an event");
    let first = first.get_original_event();
    assert_eq!((first.id, first.event_type.as_str(), first.is_json), (id, "Scanned", false));
    assert_eq!((&first.data[..], &first.custom_metadata[..]), (&[0u8, 255, 7][..], &[1u8, 2][..]));
    assert_eq!(first.stream_id, "scans/ü-1");
    assert!(std::time::SystemTime::from(first.created) >= before, "{} is not now", first.created);
    let second = read.next().await.expect("an answer").expect("an event");
    assert!(second.get_original_event().is_json);
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_over_the_limit_is_refused_whole() {
    let running = start().await;
    let client = &running.client;
    let large = |bytes: usize| EventData::binary("Scanned", vec![7u8; bytes].into());
    let half = MAX_APPEND_BYTES as usize / 2;
    let refused = client.append_to_stream("a-1", &Default::default(), vec![large(half), large(half)]).await;
    let Err(Error::Grpc { code, message }) = refused else { panic!("{refused:?}") };
    assert_eq!(format!("{code:?}"), "InvalidArgument");
    assert!(message.contains("Maximum append size of 262144 bytes exceeded"), "{message}");
    let read = client.read_stream("a-1", &ReadStreamOptions::default()).await.expect("a read").next().await;
    assert!(matches!(read, Err(Error::ResourceNotFound)), "{read:?}");
    let fits = vec![large(half), large(half - 100)];
    client.append_to_stream("a-1", &Default::default(), fits).await.expect("written");
    running.node.shutdown().await;
}
