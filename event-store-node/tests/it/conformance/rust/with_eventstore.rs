//! The client `eventstore`, and what it calls things.

pub mod api {
    pub use eventstore::*;

    pub type State = ExpectedRevision;
    pub const SCHEME: &str = "esdb";

    pub fn exact(revision: u64) -> State {
        State::Exact(revision)
    }

    pub fn append(state: State) -> AppendToStreamOptions {
        AppendToStreamOptions::default().expected_revision(state)
    }

    pub fn delete(state: State) -> DeleteStreamOptions {
        DeleteStreamOptions::default().expected_revision(state)
    }

    pub fn tombstone(state: State) -> TombstoneStreamOptions {
        TombstoneStreamOptions::default().expected_revision(state)
    }

    pub fn stream_of(event: &RecordedEvent) -> &str {
        &event.stream_id
    }

    pub fn is_caught_up(event: &SubscriptionEvent) -> bool {
        matches!(event, SubscriptionEvent::CaughtUp)
    }

    pub fn filtered(_: ReadAllOptions, _: SubscriptionFilter) -> ReadAllOptions {
        unreachable!("cases with a filter are left out")
    }
}

#[path = "runner.rs"]
pub mod runner;
