//! How a group stands, as clients are told.

use crate::persistent::{ConnectionInfo, Info};
use crate::proto::persistent_subscriptions::{SubscriptionInfo, subscription_info};

/// Nobody logs in here.
const USER: &str = "anonymous";
/// A client that gives its connection no name.
const NO_NAME: &str = "<unknown>";

pub(super) fn subscription_info(info: &Info) -> SubscriptionInfo {
    let settings = info.settings();
    SubscriptionInfo {
        event_source: info.source().name().to_owned(),
        group_name: info.key().group,
        status: if info.is_live { "Live" } else { "Behind" }.to_owned(),
        connections: info.connections.iter().map(connection).collect(),
        average_per_second: int(info.rate.per_second),
        total_items: long(info.rate.total),
        count_since_last_measurement: long(info.rate.since_last),
        last_checkpointed_event_position: info.last_checkpoint.clone(),
        last_known_event_position: info.last_known.clone(),
        resolve_link_tos: settings.resolve_links,
        start_from: info.start_from(),
        message_timeout_milliseconds: int(settings.message_timeout_ms),
        extra_statistics: settings.extra_statistics,
        max_retry_count: int(settings.max_retry_count),
        live_buffer_size: int(settings.live_buffer_size),
        buffer_size: int(settings.history_buffer_size),
        read_batch_size: int(settings.read_batch_size),
        check_point_after_milliseconds: int(settings.checkpoint_after_ms),
        min_check_point_count: int(settings.min_checkpoint_count),
        max_check_point_count: int(settings.max_checkpoint_count),
        // There is one buffer, filled from the log at any time.
        read_buffer_count: if info.is_live { 0 } else { int(info.buffered as u64) },
        live_buffer_count: if info.is_live { long(info.buffered as u64) } else { 0 },
        retry_buffer_count: int(info.retrying as u64),
        total_in_flight_messages: int(info.in_flight as u64),
        outstanding_messages_count: int((info.in_flight + info.retrying) as u64),
        named_consumer_strategy: settings.strategy.name().to_owned(),
        max_subscriber_count: int(settings.max_subscriber_count),
        parked_message_count: long(info.parked),
    }
}

fn connection(info: &ConnectionInfo) -> subscription_info::ConnectionInfo {
    let measurement =
        |(key, value): &(&str, i64)| subscription_info::Measurement { key: (*key).to_owned(), value: *value };
    subscription_info::ConnectionInfo {
        from: info.peer.address.map(|address| address.to_string()).unwrap_or_default(),
        username: USER.to_owned(),
        average_items_per_second: int(info.rate.per_second),
        total_items: long(info.rate.total),
        count_since_last_measurement: long(info.rate.since_last),
        observed_measurements: info.times.iter().map(measurement).collect(),
        available_slots: int(info.available_slots as u64),
        in_flight_messages: int(info.in_flight as u64),
        connection_name: info.peer.connection_name.clone().unwrap_or_else(|| NO_NAME.to_owned()),
    }
}

fn int(value: impl Into<u64>) -> i32 {
    i32::try_from(value.into()).unwrap_or(i32::MAX)
}

fn long(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
