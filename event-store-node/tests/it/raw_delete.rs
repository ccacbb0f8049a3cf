//! Deletions over the wire, for the trailers and words that the official Rust client does not show.

use std::time::Duration;

use prost::Message;
use tonic::Code;

use crate::raw::proto::StreamDeleted;
use crate::raw::proto::streams::{batch_append_resp, delete_req, delete_resp, tombstone_req};
use crate::raw::{Wire, batch_message, message, options, read_options, stream_name, trailers};
use crate::support::{events, start};

fn deletion(stream: &str, expected: delete_req::options::ExpectedStreamRevision) -> delete_req::Options {
    delete_req::Options { stream_identifier: stream_name(stream), expected_stream_revision: Some(expected) }
}

fn end(stream: &str) -> tombstone_req::Options {
    let any = tombstone_req::options::ExpectedStreamRevision::Any(());
    tombstone_req::Options { stream_identifier: stream_name(stream), expected_stream_revision: Some(any) }
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_deletions_carry_the_trailers_and_the_words_that_clients_look_at() {
    use delete_req::options::ExpectedStreamRevision::{Any, NoStream, Revision, StreamExists};
    let running = start().await;
    let mut wire = Wire::to(&running.node).await;
    running.client.append_to_stream("a-1", &Default::default(), events(0..3)).await.expect("written");
    let cases = [
        ("a-1", NoStream(()), "-1", "2"),
        ("a-1", Revision(1), "1", "2"),
        ("ü-1", Any(()), "-2", "-1"),
        ("a-2", StreamExists(()), "-4", "-1"),
    ];
    for (stream, expected, number, actual) in cases {
        let refused = wire.delete(deletion(stream, expected)).await.expect_err("refused");
        assert_eq!(refused.code(), Code::FailedPrecondition);
        let message = format!(
            "Delete rejected: WrongExpectedVersion. Stream: {stream}, Expected version: {number}, Actual version: {actual}"
        );
        assert_eq!(refused.message(), message);
        let name = stream.replace('ü', "%C3%BC");
        let expected = [
            ("actual-version", actual),
            ("exception", "wrong-expected-version"),
            ("expected-version", number),
            ("stream-name", name.as_str()),
        ];
        assert_eq!(trailers(&refused), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
    let deleted = wire.delete(deletion("a-1", Revision(2))).await.expect("deleted");
    let Some(delete_resp::PositionOption::Position(position)) = deleted.position_option else {
        panic!("{deleted:?}")
    };
    assert!(position.commit_position > 0 && position.commit_position == position.prepare_position);
    wire.tombstone(end("a-1")).await.expect("ended");
    let all = ["type", "content-type"];
    let read = wire.read(read_options("a-1", 0)).await.map(|_| ());
    let appended = wire.append(vec![options("a-1"), message(1, &all, 1)]).await.map(|_| ());
    let deleted = wire.delete(deletion("a-1", Any(()))).await.map(|_| ());
    for refused in [read, appended, deleted] {
        let refused = refused.expect_err("refused");
        assert_eq!(
            (refused.code(), refused.message()),
            (Code::FailedPrecondition, "Event stream 'a-1' is deleted.")
        );
        let expected = [("exception", "stream-deleted"), ("stream-name", "a-1")];
        assert_eq!(trailers(&refused), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
    let answers = wire.batch(vec![batch_message(1, true, &[11], true)], Duration::ZERO).await;
    let Some(batch_append_resp::Result::Error(refused)) = &answers[0].result else { panic!("{answers:?}") };
    let detail = refused.details.as_ref().expect("a detail");
    assert_eq!(
        (refused.code, detail.type_url.as_str()),
        (5, "type.googleapis.com/event_store.client.StreamDeleted")
    );
    let expected = StreamDeleted { stream_identifier: stream_name("a-1") };
    assert_eq!(StreamDeleted::decode(&detail.value[..]), Ok(expected));
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_that_make_no_sense_are_refused() {
    let running = start().await;
    let mut wire = Wire::to(&running.node).await;
    let any = delete_req::options::ExpectedStreamRevision::Any(());
    let no_expectation = delete_req::Options { expected_stream_revision: None, ..deletion("a-1", any) };
    for nonsense in [
        no_expectation,
        deletion("", any),
        deletion("$$", any),
        deletion("$all", any),
        deletion("$$a-1", any),
    ] {
        let refused = wire.delete(nonsense.clone()).await.expect_err("refused");
        assert_eq!(refused.code(), Code::InvalidArgument, "{nonsense:?}");
    }
    for stream in ["", "$all", "$$a-1"] {
        assert_eq!(wire.tombstone(end(stream)).await.expect_err("refused").code(), Code::InvalidArgument);
    }
    running.node.shutdown().await;
}
