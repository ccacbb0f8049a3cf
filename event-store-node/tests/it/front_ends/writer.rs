//! A writer: appends one after the other, each tried again with the same ids until it is answered.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use uuid::Uuid;

use super::api::{self, Client, ClientSettings, Error, EventData};
use crate::front_ends::stub::{Cut, Severed, Stub};
use crate::front_ends::{Acknowledged, Progress, Seen, Temper};

/// Appends that each makes at least.
const APPENDS: u64 = 300;
const OWN_STREAMS: u64 = 2;
const MOST_EVENTS: u64 = 3;
const SHARED: &str = "shared-1";
const PAUSE: Duration = Duration::from_millis(10);
/// A try that takes this long hangs.
const TRY_LIMIT: Duration = Duration::from_secs(5);

pub struct Writer {
    name: String,
    settings: ClientSettings,
    client: Client,
    temper: Temper,
    stub: Arc<Stub>,
    progress: Arc<Progress>,
    seen: Seen,
    random: StdRng,
}

enum Outcome {
    Written {
        revision: u64,
        position: u64,
    },
    /// The try failed; the client is of use, or is not.
    Failed {
        client_lost: bool,
    },
}

impl Writer {
    /// A writer that is given all addresses.
    pub fn new(number: u64, hosts: &str, temper: Temper, stub: Arc<Stub>, progress: Arc<Progress>) -> Self {
        let name = format!("writer-{number}");
        let text = format!("{}://{hosts}?tls=false&discoveryInterval=10&connectionName={name}", api::SCHEME);
        let settings: ClientSettings = text.parse().expect("a connection string");
        let client = Client::new(settings.clone()).expect("a client");
        let random = StdRng::seed_from_u64(number);
        Self { name, settings, client, temper, stub, progress, seen: Seen::default(), random }
    }

    /// Writes until it is told to stop. Gives all that was acknowledged, and what it met with.
    pub async fn run(mut self) -> (Vec<Acknowledged>, Seen) {
        let mut ends = [None; OWN_STREAMS as usize];
        let mut written = Vec::new();
        for turn in 0.. {
            if turn >= APPENDS && self.progress.stopped() {
                break;
            }
            let own = (turn % (OWN_STREAMS + 1)) as usize;
            let (stream, state) = match ends.get(own) {
                Some(Some(end)) => (format!("{}-{own}", self.name), api::exact(*end)),
                Some(None) => (format!("{}-{own}", self.name), api::State::NoStream),
                None => (SHARED.to_owned(), api::State::Any),
            };
            let first = written.len() as u64;
            let numbers = first..first + self.random.random_range(1..=MOST_EVENTS);
            let ids: Vec<Uuid> = numbers.clone().map(|_| Uuid::new_v4()).collect();
            let events = numbers.clone().zip(&ids).map(|(number, id)| self.event(number, *id)).collect();
            let (revision, position) = self.append(&stream, state, events).await;
            if let Some(end) = ends.get_mut(own) {
                *end = Some(revision);
            }
            let revisions = revision + 1 - ids.len() as u64..;
            let last = numbers.end - 1;
            for ((revision, number), id) in revisions.zip(numbers).zip(ids) {
                let position = (number == last).then_some(position);
                let (stream, writer) = (stream.clone(), self.name.clone());
                written.push(Acknowledged { stream, writer, revision, number, id, position });
            }
            self.progress.acknowledged();
        }
        (written, self.seen)
    }

    fn event(&self, number: u64, id: Uuid) -> EventData {
        EventData::json(self.name.clone(), &json!({ "number": number })).expect("JSON").id(id)
    }

    /// Tries until there is an answer. Gives the last event's revision and position.
    async fn append(&mut self, stream: &str, state: api::State, events: Vec<EventData>) -> (u64, u64) {
        let mut same_client = true;
        let mut moved = false;
        for tries in 1.. {
            match self.try_once(stream, state, events.clone(), &mut moved).await {
                Outcome::Written { revision, position } => {
                    self.seen.followed += u64::from(moved && same_client);
                    for severed in self.stub.severed(&self.name) {
                        self.resolved(severed, tries, position).await;
                    }
                    return (revision, position);
                }
                Outcome::Failed { client_lost: true } => {
                    same_client = false;
                    self.seen.clients += 1;
                    self.client = Client::new(self.settings.clone()).expect("a client");
                }
                Outcome::Failed { client_lost: false } => {}
            }
            self.progress.failed();
            tokio::time::sleep(PAUSE).await;
        }
        unreachable!("tries go on")
    }

    async fn try_once(
        &mut self,
        stream: &str,
        state: api::State,
        events: Vec<EventData>,
        moved: &mut bool,
    ) -> Outcome {
        let options = api::append(state);
        let answer = self.client.append_to_stream(stream, &options, events);
        let Ok(answer) = tokio::time::timeout(TRY_LIMIT, answer).await else {
            self.seen.unclear += 1;
            return Outcome::Failed { client_lost: true };
        };
        match answer {
            Ok(written) => {
                let position = written.position.commit;
                Outcome::Written { revision: written.next_expected_version, position }
            }
            Err(Error::NotLeaderException(_)) => {
                self.seen.not_leader += 1;
                *moved = true;
                Outcome::Failed { client_lost: false }
            }
            Err(Error::ConnectionClosed | Error::GrpcConnectionError(_)) => {
                Outcome::Failed { client_lost: true }
            }
            Err(Error::ServerError(_)) => {
                self.seen.unclear += 1;
                Outcome::Failed { client_lost: self.temper == Temper::Hasty }
            }
            Err(other) => panic!("{} on {stream}: {other:?}", self.name),
        }
    }

    /// An append that was cut off has an answer now; it must not matter which try was the one that counted.
    async fn resolved(&mut self, severed: Severed, tries: u32, position: u64) {
        let cut = severed.cut;
        if tries > 1 {
            *self.seen.resolved.entry(cut).or_default() += 1;
        }
        if let Some(first) = severed.position {
            assert_eq!(position, first, "{}: the answer names the append that was there before", self.name);
        }
        let late = severed.let_in().await;
        assert_eq!(late.is_some(), cut == Cut::Late);
        assert_eq!(late.unwrap_or(position), position, "{}: what comes late changes nothing", self.name);
    }
}
