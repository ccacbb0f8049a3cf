//! Many clients append to one stream, each where it believes the end to be. There must be one order of all their
//! appends, in keeping with the order in which they were made and answered, that explains every answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use eventstore::{Client, CurrentRevision, Error, ExpectedRevision, ReadStreamOptions, WriteResult};
use uuid::Uuid;

use crate::support::{client, event, expect, start, within};

const CLIENTS: u64 = 12;
const APPENDS: u64 = 40;

/// One append: between which ticks of a clock for all, and what came of it.
#[derive(Debug, Clone, Copy)]
struct Made {
    began: u64,
    ended: u64,
    id: Uuid,
    /// The revision it got, or the last revision that stood in its way.
    outcome: Result<u64, Option<u64>>,
}

async fn writer(client: Client, clock: Arc<AtomicU64>, number: u64) -> Vec<Made> {
    let mut made = Vec::new();
    let mut last = None;
    for turn in 0..APPENDS {
        // Some append where they know the end not to be any more.
        let guess = if turn % 7 == 6 { last.and_then(|last: u64| last.checked_sub(1)) } else { last };
        let expected = guess.map_or(ExpectedRevision::NoStream, ExpectedRevision::Exact);
        let id = Uuid::new_v4();
        let began = clock.fetch_add(1, Ordering::SeqCst);
        let answer = client.append_to_stream("raced-1", &expect(expected), event(number).id(id)).await;
        let ended = clock.fetch_add(1, Ordering::SeqCst);
        let outcome = match answer {
            Ok(WriteResult { next_expected_version, .. }) => {
                assert_eq!(next_expected_version, guess.map_or(0, |guess| guess + 1));
                Ok(next_expected_version)
            }
            Err(Error::WrongExpectedVersion { current: CurrentRevision::Current(at), .. }) => Err(Some(at)),
            Err(Error::WrongExpectedVersion { current: CurrentRevision::NoStream, .. }) => Err(None),
            Err(other) => panic!("{other}"),
        };
        last = outcome.map_or_else(|current| current, Some);
        made.push(Made { began, ended, id, outcome });
    }
    made
}

/// The ticks between which the append with each revision must have happened, narrowed by what refusals saw.
fn windows(made: &[Made], count: usize) -> Vec<(u64, u64)> {
    let mut windows = vec![(0, 0); count];
    for append in made {
        if let Ok(revision) = append.outcome {
            windows[revision as usize] = (append.began, append.ended);
        }
    }
    for refused in made.iter().filter(|append| append.outcome.is_err()) {
        let seen = refused.outcome.expect_err("a refusal").map_or(0, |at| at as usize + 1);
        // The one it saw happened before it was answered, the next one after it was made.
        if let Some(before) = seen.checked_sub(1) {
            windows[before].1 = windows[before].1.min(refused.ended);
        }
        if let Some(next) = windows.get_mut(seen) {
            next.0 = next.0.max(refused.began);
        }
    }
    windows
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_of_many_clients_happen_one_after_the_other() {
    let running = start().await;
    let clock = Arc::new(AtomicU64::new(1));
    let writers = (0..CLIENTS).map(|number| {
        // Three share a connection.
        let client = if number % 3 == 0 { client(&running.node) } else { running.client.clone() };
        tokio::spawn(writer(client, Arc::clone(&clock), number))
    });
    let made = within(futures::future::join_all(writers)).await;
    let made: Vec<Made> = made.into_iter().flat_map(|made| made.expect("a writer")).collect();
    let options = ReadStreamOptions::default().max_count(usize::MAX);
    let mut read = running.client.read_stream("raced-1", &options).await.expect("a read");
    let mut stored = Vec::new();
    while let Some(event) = read.next().await.expect("an event") {
        let event = event.get_original_event();
        assert_eq!(event.revision, stored.len() as u64);
        stored.push(event.id);
    }
    let mut written: Vec<_> =
        made.iter().filter_map(|append| Some((append.outcome.ok()?, append.id))).collect();
    written.sort_unstable();
    let expected: Vec<_> = (0..).zip(stored.iter().copied()).collect();
    assert_eq!(written, expected, "each revision was given once, and to the event that is there");
    // In lock-step one of all clients wins each round: enough of both must have come for the order to say something.
    let fewest = (APPENDS / 2) as usize;
    let refused = made.len() - written.len();
    assert!(written.len() > fewest && refused > fewest, "{} of {}", written.len(), made.len());
    let mut now = 0;
    for (revision, (earliest, latest)) in windows(&made, stored.len()).into_iter().enumerate() {
        now = now.max(earliest);
        assert!(now <= latest, "there is no order in which revision {revision} makes sense");
    }
    running.node.shutdown().await;
}
