//! What a group tells of itself.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::definition::{Definition, Settings, Source};
use super::system_streams::reading;
use super::worker::Worker;
use super::{GroupKey, Peer};
use crate::consumer_group::Place;
use crate::storage::Storage;

/// So many of the newest times of a consumer are kept for its statistics.
const MAX_TIMES: usize = 1000;

/// A group as it stands.
#[derive(Debug, Clone)]
pub(crate) struct Info {
    pub(super) definition: Definition,
    /// Whether it has read everything there is.
    pub(crate) is_live: bool,
    pub(crate) connections: Vec<ConnectionInfo>,
    pub(crate) rate: Rate,
    /// Empty when there is none.
    pub(crate) last_checkpoint: String,
    /// The newest event of what is followed; empty when there is none.
    pub(crate) last_known: String,
    pub(crate) buffered: usize,
    pub(crate) retrying: usize,
    pub(crate) in_flight: usize,
    pub(crate) parked: u64,
}

impl Info {
    pub(crate) fn key(&self) -> GroupKey {
        self.definition.key()
    }

    pub(crate) fn source(&self) -> Source {
        self.definition.key().source
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.definition.settings
    }

    /// Where it began, as the protocol writes it.
    pub(crate) fn start_from(&self) -> String {
        self.definition.start_text()
    }
}

/// A consumer as it stands.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionInfo {
    pub(crate) peer: Peer,
    pub(crate) rate: Rate,
    /// Named times in milliseconds; none without extra statistics.
    pub(crate) times: Vec<(&'static str, i64)>,
    pub(crate) available_slots: usize,
    pub(crate) in_flight: usize,
}

/// How many events were sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) total: u64,
    pub(crate) per_second: u64,
    pub(crate) since_last: u64,
}

/// Counts events.
#[derive(Debug)]
pub(super) struct Meter {
    began: Instant,
    total: u64,
    last_total: u64,
}

impl Meter {
    pub(super) fn new(now: Instant) -> Self {
        Self { began: now, total: 0, last_total: 0 }
    }

    pub(super) fn count(&mut self) {
        self.total += 1;
    }

    /// The count, and what was added to it since this was asked last.
    pub(super) fn measure(&mut self, now: Instant) -> Rate {
        let seconds = now.saturating_duration_since(self.began).as_secs().max(1);
        let since_last = self.total - self.last_total;
        self.last_total = self.total;
        Rate { total: self.total, per_second: self.total / seconds, since_last }
    }
}

/// How long a consumer takes for an event, of the newest ones.
#[derive(Debug, Default)]
pub(super) struct Times(VecDeque<Duration>);

impl Times {
    pub(super) fn add(&mut self, time: Duration) {
        if self.0.len() == MAX_TIMES {
            self.0.pop_front();
        }
        self.0.push_back(time);
    }

    /// The names are those of the protocol's own server.
    pub(super) fn named(&self) -> Vec<(&'static str, i64)> {
        let mut sorted: Vec<i64> =
            self.0.iter().map(|time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX)).collect();
        sorted.sort_unstable();
        let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else { return Vec::new() };
        let at = |per_mille: usize| sorted[(sorted.len() - 1) * per_mille / 1000];
        let mean = sorted.iter().sum::<i64>() / i64::try_from(sorted.len()).unwrap_or(i64::MAX);
        vec![
            ("Mean", mean),
            ("Median", at(500)),
            ("Fastest", *first),
            ("Quintile 1", at(200)),
            ("Quintile 2", at(400)),
            ("Quintile 3", at(600)),
            ("Quintile 4", at(800)),
            ("Quintile 5", at(1000)),
            ("90%", at(900)),
            ("95%", at(950)),
            ("99%", at(990)),
            ("99.5%", at(995)),
            ("99.9%", at(999)),
            ("Highest", *last),
        ]
    }
}

impl Worker {
    /// The group as it stands.
    pub(super) async fn info(&mut self) -> Info {
        let now = Instant::now();
        let last_known = last_known(&self.storage, &self.key.source).await;
        let with_times = self.definition.settings.extra_statistics;
        let group = &self.group;
        let connections = self.consumers.iter_mut().map(|(id, connected)| {
            let (in_flight, available_slots) = group.load(*id);
            ConnectionInfo {
                peer: connected.peer.clone(),
                rate: connected.meter.measure(now),
                times: if with_times { connected.times.named() } else { Vec::new() },
                available_slots,
                in_flight,
            }
        });
        let connections = connections.collect();
        let text = |place: Option<Place>| place.map(|place| self.key.source.place_text(place));
        Info {
            is_live: self.is_live || last_known <= self.group.read_to(),
            connections,
            rate: self.meter.measure(now),
            last_checkpoint: text(self.checkpoint).unwrap_or_default(),
            last_known: text(last_known).unwrap_or_default(),
            buffered: self.group.buffered(),
            retrying: self.group.retrying(),
            in_flight: self.group.in_flight(),
            parked: self.group.parked(),
            definition: self.definition.clone(),
        }
    }
}

/// The newest event of what a group follows.
async fn last_known(storage: &Storage, source: &Source) -> Option<Place> {
    match source {
        Source::All => Some(Place(storage.head().borrow().last.0)),
        Source::Stream(stream) => {
            let stream = stream.clone();
            let last = reading(storage, move |storage| storage.last_revision(&stream)).await;
            last.ok().flatten().map(|last| Place(last.0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_of_the_newest_events() {
        let mut times = Times::default();
        assert_eq!(times.named(), []);
        for millis in 0..=1000 {
            times.add(Duration::from_millis(millis));
        }
        let named = times.named();
        assert_eq!(named[..3], [("Mean", 500), ("Median", 500), ("Fastest", 1)]);
        assert_eq!(named.last(), Some(&("Highest", 1000)));
    }
}
