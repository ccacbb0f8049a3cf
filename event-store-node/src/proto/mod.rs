//! The client protocol's messages and services, generated from `proto/` and committed; a test keeps them equal.

#![allow(missing_docs, unused_qualifications, unreachable_pub, clippy::all, clippy::too_many_lines)]

pub(crate) mod event_store {
    pub(crate) mod client {
        include!("event_store.client.rs");

        pub(crate) mod streams {
            include!("event_store.client.streams.rs");
        }

        pub(crate) mod server_features {
            include!("event_store.client.server_features.rs");
        }

        pub(crate) mod gossip {
            include!("event_store.client.gossip.rs");
        }

        pub(crate) mod monitoring {
            include!("event_store.client.monitoring.rs");
        }

        pub(crate) mod operations {
            include!("event_store.client.operations.rs");
        }

        pub(crate) mod persistent_subscriptions {
            include!("event_store.client.persistent_subscriptions.rs");
        }
    }
}

pub(crate) mod google {
    pub(crate) mod rpc {
        include!("google.rpc.rs");
    }
}

pub(crate) use event_store::client::{
    AllStreamPosition, BadRequest, MaximumAppendSizeExceeded, StreamDeleted, StreamIdentifier, Timeout,
    Unknown, Uuid, WrongExpectedVersion, uuid, wrong_expected_version,
};
pub(crate) use event_store::client::{
    gossip, monitoring, operations, persistent_subscriptions, server_features, streams,
};
