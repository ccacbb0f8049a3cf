//! Deleted streams through the official client (protocol sheet, 3.2 and 3.9).

use event_store_node::Node;
use eventstore::{
    Client, CurrentRevision, DeleteStreamOptions, Error, EventData, ExpectedRevision, Position,
    ReadStreamOptions, StreamPosition, SubscribeToStreamOptions, Subscription, SubscriptionEvent,
    TombstoneStreamOptions, WriteResult,
};
use serde_json::{Value, json};

use crate::support::{client, config, event, events, everything, expect, numbers, start, within};

use ExpectedRevision::{Any, Exact, NoStream, StreamExists};

const TOMBSTONE_REVISION: u64 = i64::MAX as u64;

/// Why a stream was not deleted.
#[derive(Debug, PartialEq, Eq)]
enum No {
    /// It is not as expected: where it is.
    At(i64),
    Gone,
}

fn verdict(answer: Result<Option<Position>, Error>) -> Result<Position, No> {
    match answer {
        Ok(position) => Ok(position.expect("a position")),
        Err(Error::ResourceDeleted) => Err(No::Gone),
        Err(Error::Grpc { message, .. }) if message.contains("WrongExpectedVersion") => {
            let actual = message.rsplit_once("Actual version: ").expect("the actual version").1;
            Err(No::At(actual.parse().expect("a number")))
        }
        Err(other) => panic!("{other}"),
    }
}

async fn delete(client: &Client, stream: &str, expected: ExpectedRevision) -> Result<Position, No> {
    let options = DeleteStreamOptions::default().expected_revision(expected);
    verdict(client.delete_stream(stream, &options).await)
}

async fn tombstone(client: &Client, stream: &str, expected: ExpectedRevision) -> Result<Position, No> {
    let options = TombstoneStreamOptions::default().expected_revision(expected);
    verdict(client.tombstone_stream(stream, &options).await)
}

async fn append(client: &Client, stream: &str, expected: ExpectedRevision) -> Result<u64, No> {
    match client.append_to_stream(stream, &expect(expected), event(7)).await {
        Ok(WriteResult { next_expected_version, .. }) => Ok(next_expected_version),
        Err(Error::ResourceDeleted) => Err(No::Gone),
        Err(Error::WrongExpectedVersion { current: CurrentRevision::Current(at), .. }) => {
            Err(No::At(at as i64))
        }
        Err(Error::WrongExpectedVersion { current: CurrentRevision::NoStream, .. }) => Err(No::At(-1)),
        Err(other) => panic!("{other}"),
    }
}

async fn write(client: &Client, stream: &str, count: u64) {
    client.append_to_stream(stream, &Default::default(), events(0..count)).await.expect("written");
}

async fn set(client: &Client, stream: &str, metadata: &Value) {
    let event = EventData::json("$metadata", metadata).expect("JSON");
    client.append_to_stream(format!("$${stream}"), &Default::default(), event).await.expect("written");
}

/// The newest metadata of a stream and its revision.
async fn metadata(client: &Client, stream: &str) -> (u64, String) {
    let mut read =
        client.read_stream(format!("$${stream}"), &ReadStreamOptions::default()).await.expect("a read");
    let newest = read.next().await.expect("an answer").expect("an event");
    let newest = newest.get_original_event();
    assert_eq!((newest.event_type.as_str(), newest.is_json), ("$metadata", true));
    (newest.revision, String::from_utf8(newest.data.to_vec()).expect("text"))
}

async fn read(client: &Client, stream: &str) -> Result<Vec<u64>, Error> {
    let mut read = client.read_stream(stream, &ReadStreamOptions::default()).await?;
    let mut revisions = Vec::new();
    while let Some(event) = read.next().await? {
        revisions.push(event.get_original_event().revision);
    }
    Ok(revisions)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_is_held_to_what_it_expects() {
    let running = start().await;
    let client = &running.client;
    for expected in [Any, NoStream, StreamExists, Exact(0)] {
        assert_eq!(delete(client, "missing-1", expected).await, Err(No::At(-1)), "{expected:?}");
    }
    for (n, expected) in [Any, StreamExists, Exact(1)].into_iter().enumerate() {
        let stream = format!("a-{n}");
        write(client, &stream, 2).await;
        for wrong in [NoStream, Exact(0), Exact(2)] {
            assert_eq!(delete(client, &stream, wrong).await, Err(No::At(1)), "{wrong:?}");
        }
        delete(client, &stream, expected).await.expect("deleted");
        for again in [Any, Exact(1), NoStream] {
            delete(client, &stream, again).await.expect("deleted again");
        }
        assert_eq!(delete(client, &stream, StreamExists).await, Err(No::Gone));
        assert_eq!(delete(client, &stream, Exact(0)).await, Err(No::At(1)));
    }
    for expected in [Any, NoStream, StreamExists] {
        let stream = format!("described-{expected:?}");
        set(client, &stream, &json!({ "mine": 1 })).await;
        assert_eq!(delete(client, &stream, Exact(0)).await, Err(No::At(-1)));
        delete(client, &stream, expected).await.expect("deleted: it had metadata only");
    }
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tombstone_is_held_to_what_it_expects_and_ends_the_stream_for_good() {
    let running = start().await;
    let client = &running.client;
    for expected in [StreamExists, Exact(0)] {
        assert_eq!(tombstone(client, "missing-1", expected).await, Err(No::At(-1)), "{expected:?}");
    }
    write(client, "a-1", 2).await;
    for wrong in [NoStream, Exact(0), Exact(2)] {
        assert_eq!(tombstone(client, "a-1", wrong).await, Err(No::At(1)), "{wrong:?}");
    }
    write(client, "hidden-1", 2).await;
    delete(client, "hidden-1", Any).await.expect("deleted");
    assert_eq!(tombstone(client, "hidden-1", StreamExists).await, Err(No::Gone));
    let cases = [("a-1", Exact(1)), ("missing-1", NoStream), ("missing-2", Any), ("hidden-1", NoStream)];
    for (stream, expected) in cases {
        tombstone(client, stream, expected).await.expect("ended");
        for expected in [Any, NoStream, StreamExists, Exact(0), Exact(1), Exact(TOMBSTONE_REVISION)] {
            assert_eq!(tombstone(client, stream, expected).await, Err(No::Gone), "{stream} {expected:?}");
            assert_eq!(delete(client, stream, expected).await, Err(No::Gone), "{stream} {expected:?}");
            assert_eq!(append(client, stream, expected).await, Err(No::Gone), "{stream} {expected:?}");
        }
        let refused = read(client, stream).await;
        assert!(matches!(refused, Err(Error::ResourceDeleted)), "{refused:?}");
        let call = client.read_stream(stream, &ReadStreamOptions::default()).await;
        assert!(matches!(call, Err(Error::ResourceDeleted)), "the call itself is refused");
        let described = client.get_stream_metadata(stream, &ReadStreamOptions::default()).await;
        assert!(matches!(described, Err(Error::ResourceDeleted)), "its metadata goes with it: {described:?}");
        set(client, stream, &json!({ "written": "all the same" })).await;
        let options = SubscribeToStreamOptions::default().start_from(StreamPosition::Start);
        let mut subscription = client.subscribe_to_stream(stream, &options).await;
        let refused = within(subscription.next_subscription_event()).await;
        assert!(matches!(refused, Err(Error::ResourceDeleted)), "{refused:?}");
    }
    let session = client.batch_append(&Default::default()).await.expect("a session");
    let refused = session.append_to_stream("a-1", Any, vec![event(1)]).await;
    let Err(Error::Grpc { code, message }) = refused else { panic!("{refused:?}") };
    assert_eq!((format!("{code:?}").as_str(), message.as_str()), ("NotFound", "StreamDeleted"));
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_stream_is_not_found_until_it_is_written_again_and_its_revisions_go_on() {
    let running = start().await;
    let client = &running.client;
    for (n, expected) in [NoStream, Exact(1), Any].into_iter().enumerate() {
        let stream = format!("a-{n}");
        write(client, &stream, 2).await;
        delete(client, &stream, Exact(1)).await.expect("deleted");
        let missing = read(client, &stream).await;
        assert!(matches!(missing, Err(Error::ResourceNotFound)), "{missing:?}");
        assert_eq!(metadata(client, &stream).await, (0, r#"{"$tb":9223372036854775807}"#.to_owned()));
        assert_eq!(append(client, &stream, Exact(0)).await, Err(No::At(1)));
        assert_eq!(append(client, &stream, StreamExists).await, Err(No::Gone));
        let nothing = client.append_to_stream(stream.as_str(), &expect(NoStream), vec![]).await;
        assert_eq!(nothing.expect("as expected").next_expected_version, 1, "nothing is created by nothing");
        assert!(matches!(read(client, &stream).await, Err(Error::ResourceNotFound)));

        assert_eq!(append(client, &stream, expected).await, Ok(2), "{expected:?}");
        assert_eq!(read(client, &stream).await.expect("read"), [2]);
        assert_eq!(metadata(client, &stream).await, (1, r#"{"$tb":2}"#.to_owned()));
        assert_eq!(append(client, &stream, StreamExists).await, Ok(3));
        assert_eq!(append(client, &stream, NoStream).await, Err(No::At(3)), "it is there again");
        assert_eq!(numbers(client, &stream).await, [(2, 7), (3, 7)]);
        assert_eq!(metadata(client, &stream).await.0, 1, "the mark is taken away once");
        delete(client, &stream, Exact(3)).await.expect("deleted again");
        assert_eq!(append(client, &stream, Exact(3)).await, Ok(4));
        assert_eq!(read(client, &stream).await.expect("read"), [4]);
    }
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_deleted_stream_are_known_again_where_the_protocol_says_so() {
    let running = start().await;
    let client = &running.client;
    let (first, other) = (event(1), event(2));
    let as_none = async |events| client.append_to_stream("a-1", &expect(NoStream), events).await;
    let written = as_none(vec![first.clone()]).await.expect("written");
    delete(client, "a-1", Any).await.expect("deleted");
    let again = as_none(vec![first.clone()]).await.expect("known");
    assert_eq!((again.next_expected_version, again.position), (0, written.position), "nothing was written");
    let begins_alike = as_none(vec![first, event(3)]).await;
    assert!(matches!(begins_alike, Err(Error::WrongExpectedVersion { .. })), "{begins_alike:?}");
    assert_eq!(as_none(vec![other]).await.expect("written").next_expected_version, 1);
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_outlives_a_deletion_that_it_brought_about_itself() {
    let running = start().await;
    let client = &running.client;
    write(client, "a-1", 2).await;
    let deleted = r#"{"b":1.50,"$tb":9223372036854775807,"$maxCount":5,"a":{"x":[ 1 ]}}"#;
    let as_metadata = async |text: &str| {
        let event = EventData::json(
            "$metadata",
            &serde_json::value::RawValue::from_string(text.to_owned()).expect("JSON"),
        );
        client.append_to_stream("$$a-1", &Default::default(), event.expect("JSON")).await.expect("written")
    };
    as_metadata(deleted).await;
    assert!(matches!(read(client, "a-1").await, Err(Error::ResourceNotFound)));
    assert_eq!(append(client, "a-1", NoStream).await, Ok(2));
    let kept = r#"{"b":1.50,"$tb":2,"$maxCount":5,"a":{"x":[ 1 ]}}"#;
    assert_eq!(metadata(client, "a-1").await, (1, kept.to_owned()));
    assert_eq!(read(client, "a-1").await.expect("read"), [2]);

    delete(client, "a-1", Any).await.expect("deleted");
    let written = as_metadata(r#"{"mine":[1, 2]}"#).await;
    assert_eq!(written.next_expected_version, 3, "the answer is about what was written");
    let unhidden = (4, r#"{"mine":[1, 2],"$tb":3}"#.to_owned());
    assert_eq!(metadata(client, "a-1").await, unhidden, "the mark is gone, what was there stays hidden");
    assert_eq!(read(client, "a-1").await.expect("it is there"), [] as [u64; 0]);
    assert_eq!(append(client, "a-1", StreamExists).await, Ok(3));
    assert_eq!(read(client, "a-1").await.expect("read"), [3]);
    delete(client, "a-1", Any).await.expect("deleted");
    as_metadata("[]").await;
    assert_eq!(read(client, "a-1").await.expect("read"), [0, 1, 2, 3], "void metadata hides nothing");
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_shows_deleted_streams_and_what_deleted_them_at_the_positions_answered() {
    let running = start().await;
    let client = &running.client;
    write(client, "a-1", 1).await;
    let hidden = delete(client, "a-1", Any).await.expect("deleted");
    append(client, "a-1", NoStream).await.expect("written");
    let ended = tombstone(client, "a-1", Any).await.expect("ended");
    let seen: Vec<_> = everything(client)
        .await
        .into_iter()
        .skip(1)
        .map(|event| {
            let event = event.get_original_event();
            (event.stream_id.clone(), event.event_type.clone(), event.revision)
        })
        .collect();
    let expected = [
        ("a-1", "Counted", 0),
        ("$$a-1", "$metadata", 0),
        ("a-1", "Counted", 1),
        ("$$a-1", "$metadata", 1),
        ("a-1", "$streamDeleted", TOMBSTONE_REVISION),
    ];
    assert_eq!(seen, expected.map(|(stream, kind, revision)| (stream.to_owned(), kind.to_owned(), revision)));
    let found = everything(client).await;
    let at = |place: usize| found[place].get_original_event();
    assert_eq!((at(2).position, at(5).position), (hidden, ended));
    assert!(at(5).data.is_empty() && !at(5).is_json);
    running.node.shutdown().await;
}

async fn next(subscription: &mut Subscription) -> Result<Option<(String, u64)>, Error> {
    loop {
        match within(subscription.next_subscription_event()).await? {
            SubscriptionEvent::EventAppeared(event) => {
                let event = event.get_original_event();
                return Ok(Some((event.event_type.clone(), event.revision)));
            }
            SubscriptionEvent::CaughtUp => return Ok(None),
            SubscriptionEvent::Confirmed(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_goes_on_over_a_deletion_and_ends_with_the_tombstone() {
    let running = start().await;
    let client = &running.client;
    let counted = |revision| Some(("Counted".to_owned(), revision));
    write(client, "a-1", 1).await;
    let options = SubscribeToStreamOptions::default().start_from(StreamPosition::Start);
    let mut early = client.subscribe_to_stream("a-1", &options).await;
    assert_eq!(next(&mut early).await.expect("shown"), counted(0));
    assert_eq!(next(&mut early).await.expect("caught up"), None);
    delete(client, "a-1", Any).await.expect("deleted");
    let mut late = client.subscribe_to_stream("a-1", &options).await;
    assert_eq!(next(&mut late).await.expect("nothing to show"), None);
    append(client, "a-1", NoStream).await.expect("written");
    for subscription in [&mut early, &mut late] {
        assert_eq!(next(subscription).await.expect("shown"), counted(1));
    }
    let mut of_metadata = client.subscribe_to_stream("$$a-1", &options).await;
    assert_eq!(next(&mut of_metadata).await.expect("shown"), Some(("$metadata".to_owned(), 1)));
    assert_eq!(next(&mut of_metadata).await.expect("caught up"), None);
    tombstone(client, "a-1", Any).await.expect("ended");
    for subscription in [&mut early, &mut late] {
        let last = next(subscription).await.expect("shown");
        assert_eq!(last, Some(("$streamDeleted".to_owned(), TOMBSTONE_REVISION)));
        let ended = next(subscription).await;
        assert!(matches!(ended, Err(Error::ResourceDeleted)), "{ended:?}");
    }
    set(client, "a-1", &json!({})).await;
    assert_eq!(next(&mut of_metadata).await.expect("shown"), Some(("$metadata".to_owned(), 2)));
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_a_deleted_stream_is_read_without_its_event() {
    let running = start().await;
    let client = &running.client;
    for stream in ["hidden-1", "ended-1"] {
        write(client, stream, 1).await;
        let link = EventData::binary("$>", format!("0@{stream}").into_bytes().into());
        client.append_to_stream("links", &Default::default(), link).await.expect("written");
    }
    delete(client, "hidden-1", Any).await.expect("deleted");
    tombstone(client, "ended-1", Any).await.expect("ended");
    let options = ReadStreamOptions::default().resolve_link_tos();
    let mut read = client.read_stream("links", &options).await.expect("a read");
    let mut found = Vec::new();
    while let Some(event) = read.next().await.expect("an event") {
        found.push((event.event.is_some(), event.link.map(|link| link.revision)));
    }
    assert_eq!(found, [(false, Some(0)), (false, Some(1))]);
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_streams_stay_deleted_over_a_restart_and_without_the_index() {
    let running = start().await;
    let (client_before, dir) = (&running.client, running.dir);
    for stream in ["hidden-1", "back-1", "ended-1"] {
        write(client_before, stream, 3).await;
    }
    delete(client_before, "hidden-1", Any).await.expect("deleted");
    delete(client_before, "back-1", Any).await.expect("deleted");
    append(client_before, "back-1", Any).await.expect("written");
    tombstone(client_before, "ended-1", Any).await.expect("ended");
    tombstone(client_before, "never-1", NoStream).await.expect("ended");
    running.node.shutdown().await;
    for without_index in [false, true] {
        if without_index {
            std::fs::remove_file(dir.path().join("index.redb")).expect("an index");
        }
        let node = Node::start(config(dir.path())).await.expect("a node");
        let client = &client(&node);
        assert!(matches!(read(client, "hidden-1").await, Err(Error::ResourceNotFound)));
        assert_eq!(append(client, "hidden-1", StreamExists).await, Err(No::Gone));
        assert_eq!(read(client, "back-1").await.expect("read"), [3]);
        for stream in ["ended-1", "never-1"] {
            assert!(matches!(read(client, stream).await, Err(Error::ResourceDeleted)));
            assert_eq!(append(client, stream, Any).await, Err(No::Gone));
        }
        node.shutdown().await;
    }
    let node = Node::start(config(dir.path())).await.expect("a node");
    let client = &client(&node);
    assert_eq!(append(client, "hidden-1", NoStream).await, Ok(3), "the revision goes on");
    node.shutdown().await;
}
