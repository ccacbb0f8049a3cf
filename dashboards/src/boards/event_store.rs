//! The log: as its clients see it, and the node from within.

use crate::board::{Board, Row, Whose};
use crate::panel::{lines, stat};

pub(super) fn board() -> Board {
    Board {
        uid: "headwater-event-store",
        title: "Headwater: event store",
        description: "Appends as their clients see them, and the embedded node from within.",
        whose: Whose::Headwater,
        rows: vec![clients(), node(), subscriptions()],
    }
}

fn clients() -> Row {
    Row::new(
        "As clients see it",
        [
            lines("Appends", "ops", "By result; what was unreachable or unknown is sent again, byte for byte.")
                .query(
                    "{{result}}",
                    "sum by (result) (rate(headwater_eventstore_append_duration_seconds_count{@}[$__rate_interval]))",
                )
                .runbook("AppendsUnanswered"),
            lines("Time of an append", "s", "From its first try to its settled outcome.")
                .percentiles("headwater_eventstore_append_duration_seconds", "@"),
            lines("Events of an append", "none", "How many events one append brings.")
                .percentiles("headwater_eventstore_append_events", "@"),
            lines("Bytes of an append", "bytes", "Data, metadata and type names.")
                .percentiles("headwater_eventstore_append_bytes", "@"),
            lines("Lost connections", "ops", "Subscriptions that lost their connection and began again.")
                .query(
                    "{{instance}}",
                    "sum by (instance) (rate(headwater_subscription_reconnects_total{@}[$__rate_interval]))",
                )
                .runbook("SubscriptionsReconnecting"),
        ],
    )
}

fn node() -> Row {
    Row::new(
        "The node",
        [
            stat("Takes appends", "none", "Whether the log takes appends; after a failed sync it does not until a restart.")
                .query("{{instance}}", "max by (instance) (headwater_node_log_failed{@})")
                .words(&[("0", "yes"), ("1", "no")])
                .thresholds(1.0, 1.0)
                .runbook("LogTakesNoAppends"),
            stat("Newest event", "none", "Position of the newest event.")
                .query("{{instance}}", "max by (instance) (headwater_node_log_position{@})"),
            stat("On disk", "bytes", "What the log and its index take.")
                .query("{{kind}}", "sum by (kind) (headwater_node_disk_bytes{@})"),
            stat("Links to write", "bytes", "How far the links of the standard projections are behind the log, where they are on.")
                .query(
                    "{{instance}}",
                    "clamp_min(max by (instance) (headwater_node_log_position{@}) - max by (instance) (headwater_node_standard_projections_position{@}), 0)",
                ),
            lines("Scavenges under way", "none", "One at a time on each node.")
                .query("{{instance}}", "sum by (instance) (headwater_node_scavenging{@})"),
            lines("Scavenges ended", "ops", "By how they ended.").query(
                "{{outcome}}",
                "sum by (outcome) (rate(headwater_node_scavenges_total{@}[$__rate_interval]))",
            ),
            lines("Freed by scavenges", "Bps", "What the log takes less on disk.").query(
                "{{instance}}",
                "sum by (instance) (rate(headwater_node_scavenged_bytes_total{@}[$__rate_interval]))",
            ),
            lines("Taken away by scavenges", "ops", "Events that no read of their stream showed any more.").query(
                "{{instance}}",
                "sum by (instance) (rate(headwater_node_scavenged_events_total{@}[$__rate_interval]))",
            ),
            lines("Events written", "ops", "Events that the log took.").query(
                "{{instance}}",
                "sum by (instance) (rate(headwater_node_log_events_total{@}[$__rate_interval]))",
            ),
            lines("Bytes written", "Bps", "Bytes that the log took.").query(
                "{{instance}}",
                "sum by (instance) (rate(headwater_node_log_written_bytes_total{@}[$__rate_interval]))",
            ),
            lines("Appends answered", "ops", "Appends by their outcome.").query(
                "{{outcome}}",
                "sum by (outcome) (rate(headwater_node_append_duration_seconds_count{@}[$__rate_interval]))",
            ),
            lines("Time to answer an append", "s", "From an append's first byte to its answer, the sync included.")
                .percentiles("headwater_node_append_duration_seconds", "@"),
            lines("Time to sync", "s", "What the disk takes for one sync, which all appends of a group share.")
                .percentiles("headwater_node_log_sync_duration_seconds", "@")
                .thresholds(0.02, 0.1)
                .runbook("LogSyncSlow"),
            lines("Time to write", "s", "To write a group of appends, without its sync.")
                .percentiles("headwater_node_log_write_duration_seconds", "@"),
            lines("Appends that share a sync", "none", "The more, the less each waits for the disk.")
                .percentiles("headwater_node_log_group_appends", "@"),
            lines("Events an append brings", "none", "As the node counts them.")
                .percentiles("headwater_node_append_events", "@"),
            lines("Time to read", "s", "From a read's arrival to its first events.").query(
                "p99 {{kind}}",
                "histogram_quantile(0.99, sum by (le, kind) (rate(headwater_node_read_duration_seconds_bucket{@}[$__rate_interval])))",
            ),
        ],
    )
}

fn subscriptions() -> Row {
    Row::new(
        "Subscriptions",
        [
            lines("Subscriptions", "none", "Open subscriptions to a stream or to everything.")
                .query("{{kind}}", "sum by (kind) (headwater_node_subscriptions{@})"),
            lines("Consumer groups", "none", "Groups of persistent subscriptions, and the consumers connected to them.")
                .query("groups", "sum(headwater_node_persistent_sub_groups{@})")
                .query("consumers", "sum(headwater_node_persistent_sub_connections{@})"),
            lines("Waiting in consumer groups", "none", "Events that consumers have and have not answered, and parked ones.")
                .query("in flight", "sum(headwater_node_persistent_sub_in_flight_messages{@})")
                .query("parked", "sum(headwater_node_persistent_sub_parked_messages{@})"),
            lines("Events of consumer groups", "ops", "By what became of them.")
                .query(
                    "{{outcome}}",
                    "sum by (outcome) (rate(headwater_node_persistent_sub_items_total{@}[$__rate_interval]))",
                )
                .query(
                    "parked: {{reason}}",
                    "sum by (reason) (rate(headwater_node_persistent_sub_park_message_requests_total{@}[$__rate_interval]))",
                )
                .query(
                    "replayed",
                    "sum(rate(headwater_node_persistent_sub_parked_message_replays_total{@}[$__rate_interval]))",
                ),
        ],
    )
}
