//! What a group is to be, as it comes over the wire, checked.

use tonic::Status;

use super::refuse;
use crate::consumer_group::Strategy;
use crate::persistent::{
    FilterDefinition, FilterSubject, GroupError, GroupKey, Settings as GroupSettings, Source, StartFrom,
};
use crate::proto::StreamIdentifier;
use crate::proto::persistent_subscriptions::all_options::{AllOption, FilterOption};
use crate::proto::persistent_subscriptions::group_options::StreamOption;
use crate::proto::persistent_subscriptions::settings::{CheckpointAfter, MessageTimeout};
use crate::proto::persistent_subscriptions::stream_options::RevisionOption;
use crate::proto::persistent_subscriptions::{AllOptions, ConsumerStrategy, GroupOptions, Settings};
use crate::proto::streams::read_req::options::filter_options::Filter as WireFilter;
use crate::storage::StreamName;

/// A tick is 100 ns.
const TICKS_PER_MILLISECOND: i64 = 10_000;

/// A group to be made or changed.
pub(super) struct Wanted {
    pub(super) key: GroupKey,
    pub(super) start_from: StartFrom,
    pub(super) filter: Option<FilterDefinition>,
    pub(super) settings: Result<GroupSettings, GroupError>,
}

/// Reads what is wanted.
pub(super) fn wanted(options: Option<GroupOptions>) -> Result<Wanted, Status> {
    let options = options.ok_or_else(|| refuse::invalid("a persistent subscription needs options"))?;
    let settings =
        options.settings.ok_or_else(|| refuse::invalid("a persistent subscription needs settings"))?;
    let old_revision = settings.revision;
    let (source, start_from, filter) = match options.stream_option {
        Some(StreamOption::Stream(stream)) => {
            let start_from = match stream.revision_option {
                Some(RevisionOption::Revision(revision)) => at(revision),
                Some(RevisionOption::Start(())) => StartFrom::Start,
                Some(RevisionOption::End(())) => StartFrom::End,
                None => return Err(refuse::invalid("a persistent subscription says where it starts")),
            };
            (stream_source(stream.stream_identifier.as_ref())?, start_from, None)
        }
        Some(StreamOption::All(all)) => {
            let (start_from, filter) = all_start(all)?;
            (Source::All, start_from, filter)
        }
        // The Node clients and old ones say where in a stream by another field, and the end by its greatest number.
        None if old_revision == u64::MAX => {
            (stream_source(options.stream_identifier.as_ref())?, StartFrom::End, None)
        }
        None => (stream_source(options.stream_identifier.as_ref())?, at(old_revision), None),
    };
    let key = key(source, options.group_name)?;
    Ok(Wanted { settings: group_settings(&settings, start_from), key, start_from, filter })
}

/// A group's key; its name is not empty.
pub(super) fn key(source: Source, group: String) -> Result<GroupKey, Status> {
    if group.is_empty() {
        return Err(refuse::invalid("a persistent subscription's group has a name"));
    }
    Ok(GroupKey { source, group })
}

/// A stream to be followed.
pub(super) fn stream_source(identifier: Option<&StreamIdentifier>) -> Result<Source, Status> {
    let bytes = identifier.map(|identifier| identifier.stream_name.to_vec()).unwrap_or_default();
    let name = String::from_utf8(bytes).map_err(|_| refuse::invalid("a stream's name is UTF-8"))?;
    if StreamName::new(name.as_str()).is_some() {
        return Ok(Source::Stream(name));
    }
    // Everything is asked for in another way; who names it as a stream is told in the protocol's words.
    if Source::All.name() == name {
        let key = GroupKey { source: Source::All, group: String::new() };
        let reason = "$all is no stream; it is followed by the option for everything".to_owned();
        return Err(super::persistent_refuse::group(&key, &GroupError::Failed(reason)));
    }
    Err(refuse::invalid("a stream's name is not empty, not $$, and at most 16 KiB long"))
}

fn at(place: u64) -> StartFrom {
    if place == 0 { StartFrom::Start } else { StartFrom::At(place) }
}

fn all_start(all: AllOptions) -> Result<(StartFrom, Option<FilterDefinition>), Status> {
    let start_from = match all.all_option {
        Some(AllOption::Position(position)) if position.prepare_position > position.commit_position => {
            let key = GroupKey { source: Source::All, group: String::new() };
            let reason = "a prepare position is not greater than its commit position".to_owned();
            return Err(super::persistent_refuse::group(&key, &GroupError::Failed(reason)));
        }
        Some(AllOption::Position(position)) => at(position.commit_position),
        Some(AllOption::Start(())) => StartFrom::Start,
        Some(AllOption::End(())) => StartFrom::End,
        None => return Err(refuse::invalid("a persistent subscription says where it starts")),
    };
    let Some(FilterOption::Filter(filter)) = all.filter_option else { return Ok((start_from, None)) };
    let (subject, expression) = match filter.filter {
        Some(WireFilter::StreamIdentifier(expression)) => (FilterSubject::StreamName, expression),
        Some(WireFilter::EventType(expression)) => (FilterSubject::EventType, expression),
        None => return Err(refuse::invalid("a filter says what it looks at")),
    };
    let filter = FilterDefinition { subject, regex: expression.regex, prefixes: expression.prefix };
    filter.filter().map_err(|error| refuse::invalid(error.to_string()))?;
    Ok((start_from, Some(filter)))
}

fn group_settings(settings: &Settings, start_from: StartFrom) -> Result<GroupSettings, GroupError> {
    if matches!(start_from, StartFrom::At(place) if i64::try_from(place).is_err()) {
        return Err(failed("no event is that far"));
    }
    let timeout = match settings.message_timeout {
        Some(MessageTimeout::MessageTimeoutTicks(ticks)) => ticks / TICKS_PER_MILLISECOND,
        Some(MessageTimeout::MessageTimeoutMs(ms)) => ms.into(),
        None => 0,
    };
    let checkpoint_after = match settings.checkpoint_after {
        Some(CheckpointAfter::CheckpointAfterTicks(ticks)) => ticks / TICKS_PER_MILLISECOND,
        Some(CheckpointAfter::CheckpointAfterMs(ms)) => ms.into(),
        None => 0,
    };
    Ok(GroupSettings {
        resolve_links: settings.resolve_links,
        extra_statistics: settings.extra_statistics,
        message_timeout_ms: number("message timeout", timeout)?,
        max_retry_count: number("max retry count", settings.max_retry_count.into())?,
        checkpoint_after_ms: number("checkpoint after", checkpoint_after)?,
        min_checkpoint_count: number("min checkpoint count", settings.min_checkpoint_count.into())?,
        max_checkpoint_count: number("max checkpoint count", settings.max_checkpoint_count.into())?,
        max_subscriber_count: number("max subscriber count", settings.max_subscriber_count.into())?,
        live_buffer_size: number("live buffer size", settings.live_buffer_size.into())?,
        read_batch_size: number("read batch size", settings.read_batch_size.into())?,
        history_buffer_size: number("history buffer size", settings.history_buffer_size.into())?,
        strategy: strategy(settings)?,
    })
}

/// The name counts where there is one.
fn strategy(settings: &Settings) -> Result<Strategy, GroupError> {
    let by_number =
        ConsumerStrategy::try_from(settings.named_consumer_strategy).map(|named| named.as_str_name());
    let name = match (settings.consumer_strategy.as_str(), by_number) {
        ("", Ok(name)) => name,
        ("", Err(_)) => return Err(failed("there is no consumer strategy of that number")),
        (name, _) => name,
    };
    match name {
        "RoundRobin" => Ok(Strategy::RoundRobin),
        "DispatchToSingle" => Ok(Strategy::DispatchToSingle),
        "Pinned" | "PinnedByCorrelation" => Err(failed(&format!(
            "the consumer strategy {name} is not supported; take RoundRobin or DispatchToSingle"
        ))),
        _ => Err(failed(&format!("there is no consumer strategy {name}"))),
    }
}

fn number(what: &str, value: i64) -> Result<u32, GroupError> {
    let value = i32::try_from(value).ok().and_then(|value| u32::try_from(value).ok());
    value.ok_or_else(|| failed(&format!("the {what} is a number from 0 to {}", i32::MAX)))
}

fn failed(reason: &str) -> GroupError {
    GroupError::Failed(reason.to_owned())
}
