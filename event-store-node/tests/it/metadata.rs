//! Stream metadata through the official client (protocol sheet, 3.8).

use std::time::Duration;

use eventstore::{
    Client, Error, EventData, ReadStreamOptions, StreamMetadata, StreamMetadataResult, StreamPosition,
    SubscribeToStreamOptions, SubscriptionEvent,
};
use serde_json::{Value, json};

use crate::support::{events, everything, numbers, start, within};

async fn set(client: &Client, stream: &str, data: &str, is_json: bool) {
    let event = match is_json {
        true => {
            EventData::json("$metadata", &serde_json::from_str::<Value>(data).expect("JSON")).expect("JSON")
        }
        false => EventData::binary("$metadata", data.as_bytes().to_vec().into()),
    };
    client.append_to_stream(format!("$${stream}"), &Default::default(), event).await.expect("written");
}

async fn revisions(client: &Client, stream: &str) -> Vec<u64> {
    numbers(client, stream).await.into_iter().map(|(revision, _)| revision).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_a_streams_metadata_is_kept_and_read_back() {
    let running = start().await;
    let client = &running.client;
    let none = client.get_stream_metadata("a-1", &ReadStreamOptions::default()).await.expect("an answer");
    assert!(none.is_not_found());
    let acl: Value = json!({ "$r": ["$all"], "$w": "ouro", "$d": "$admins", "$mr": [], "$mw": ["a", "b"] });
    for text in [
        json!({ "$maxCount": 7, "$maxAge": 60_000, "$tb": 1, "$cacheControl": 10_000, "$acl": acl, "mine": { "x": [1, null] } }),
        json!({ "$acl": "$userStreamAcl" }),
    ] {
        set(client, "a-1", &text.to_string(), true).await;
        let options = ReadStreamOptions::default().backwards().position(StreamPosition::End).max_count(1);
        let mut read = client.read_stream("$$a-1", &options).await.expect("a read");
        let newest = read.next().await.expect("an answer").expect("an event");
        assert_eq!(newest.get_original_event().as_json::<Value>().expect("JSON"), text);
        assert!(read.next().await.expect("an answer").is_none(), "only the newest is shown");
    }
    let metadata = StreamMetadata::builder()
        .max_count(3)
        .max_age(Duration::from_secs(3600))
        .truncate_before(2)
        .cache_control(Duration::from_secs(15))
        .insert_custom_property("mine", 7)
        .build();
    let written = client.set_stream_metadata("a-1", &Default::default(), &metadata).await.expect("written");
    assert_eq!(written.next_expected_version, 2, "revisions of metadata go on");
    let read = client.get_stream_metadata("a-1", &ReadStreamOptions::default()).await.expect("an answer");
    let StreamMetadataResult::Success(read) = read else { panic!("{read:?}") };
    assert_eq!((read.version(), read.metadata()), (2, &metadata));
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_that_is_malformed_anywhere_hides_nothing() {
    let running = start().await;
    let client = &running.client;
    client.append_to_stream("a-1", &Default::default(), events(0..4)).await.expect("written");
    let all = [0, 1, 2, 3];
    for (data, is_json) in [
        (r#"{"$maxCount":1,"$maxAge":0}"#, true),
        (r#"{"$maxCount":1,"$tb":-1}"#, true),
        (r#"{"$maxCount":"1"}"#, true),
        (r#"{"$maxCount":1,"$acl":{"$r":7}}"#, true),
        (r#"{"$maxCount":1,"$cacheControl":0}"#, true),
        ("[1]", true),
        ("7", true),
        (r#"{"$maxCount":1}"#, false),
        ("not JSON", false),
        (r#"{"$tb":9223372036854775807}"#, false),
    ] {
        set(client, "a-1", r#"{"$maxCount":2}"#, true).await;
        assert_eq!(revisions(client, "a-1").await, [2, 3]);
        set(client, "a-1", data, is_json).await;
        assert_eq!(revisions(client, "a-1").await, all, "{data}");
    }
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_past_their_age_are_hidden_from_reads_and_subscriptions_but_not_from_everything() {
    let running = start().await;
    let client = &running.client;
    client.append_to_stream("a-1", &Default::default(), events(0..3)).await.expect("written");
    set(client, "a-1", r#"{"$maxAge":1}"#, true).await;
    let deadline = std::time::Instant::now() + crate::support::LIMIT;
    while !revisions(client, "a-1").await.is_empty() {
        assert!(std::time::Instant::now() < deadline, "the events do not age");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    client.append_to_stream("a-1", &Default::default(), events(3..4)).await.expect("written");
    set(client, "a-1", r#"{"$maxAge":1000000000000}"#, true).await;
    assert_eq!(revisions(client, "a-1").await, [0, 1, 2, 3]);
    set(client, "a-1", r#"{"$maxCount":2,"$tb":1}"#, true).await;
    let options = SubscribeToStreamOptions::default().start_from(StreamPosition::Start);
    let mut subscription = client.subscribe_to_stream("a-1", &options).await;
    let mut shown = Vec::new();
    loop {
        match within(subscription.next_subscription_event()).await.expect("a message") {
            SubscriptionEvent::EventAppeared(event) => shown.push(event.get_original_event().revision),
            SubscriptionEvent::CaughtUp => break,
            _ => {}
        }
    }
    assert_eq!(shown, [2, 3]);
    let found = everything(client).await;
    let of_stream = found.iter().filter(|event| event.get_original_event().stream_id == "a-1");
    assert_eq!(of_stream.count(), 4);
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn system_streams_are_streams_like_any_other() {
    let running = start().await;
    let client = &running.client;
    for stream in
        ["$settings", "$user-ouro", "$ce-orders", "$et-OrderPlaced", "$persistentsubscription-a::b-parked"]
    {
        client.append_to_stream(stream, &Default::default(), events(0..3)).await.expect("written");
        set(client, stream, r#"{"$maxCount":1}"#, true).await;
        assert_eq!(revisions(client, stream).await, [2], "{stream}");
        client.delete_stream(stream, &Default::default()).await.expect("deleted");
        let read =
            client.read_stream(stream, &ReadStreamOptions::default()).await.expect("a read").next().await;
        assert!(matches!(read, Err(Error::ResourceNotFound)), "{read:?}");
        client.tombstone_stream(stream, &Default::default()).await.expect("ended");
        let refused = client.append_to_stream(stream, &Default::default(), events(0..1)).await;
        assert!(matches!(refused, Err(Error::ResourceDeleted)), "{refused:?}");
    }
    set(client, "$all", r#"{"$acl":{"$r":"$admins"},"$maxCount":1}"#, true).await;
    assert!(everything(client).await.len() > 20, "metadata of everything hides nothing");
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_with_metadata_only_exists_to_who_appends_and_not_to_who_reads() {
    use eventstore::ExpectedRevision::StreamExists;
    let running = start().await;
    let client = &running.client;
    set(client, "a-1", r#"{"$maxCount":5}"#, true).await;
    let read = client.read_stream("a-1", &ReadStreamOptions::default()).await.expect("a read").next().await;
    assert!(matches!(read, Err(Error::ResourceNotFound)), "{read:?}");
    let written = client.append_to_stream("a-1", &crate::support::expect(StreamExists), events(0..1)).await;
    assert_eq!(written.expect("written").next_expected_version, 0);
    running.node.shutdown().await;
}
