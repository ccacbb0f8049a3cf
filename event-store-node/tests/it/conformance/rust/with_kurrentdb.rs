//! The client `kurrentdb`, and what it calls things.

pub mod api {
    pub use kurrentdb::*;

    pub type State = StreamState;
    pub const SCHEME: &str = "kurrentdb";

    pub fn exact(revision: u64) -> State {
        State::StreamRevision(revision)
    }

    pub fn append(state: State) -> AppendToStreamOptions {
        AppendToStreamOptions::default().stream_state(state)
    }

    pub fn delete(state: State) -> DeleteStreamOptions {
        DeleteStreamOptions::default().stream_state(state)
    }

    pub fn tombstone(state: State) -> TombstoneStreamOptions {
        TombstoneStreamOptions::default().stream_state(state)
    }

    pub fn stream_of(event: &RecordedEvent) -> &str {
        event.stream_id()
    }

    pub fn is_caught_up(event: &SubscriptionEvent) -> bool {
        matches!(event, SubscriptionEvent::CaughtUp(_))
    }

    pub fn filtered(options: ReadAllOptions, filter: SubscriptionFilter) -> ReadAllOptions {
        options.filter(filter)
    }
}

#[path = "runner.rs"]
pub mod runner;
