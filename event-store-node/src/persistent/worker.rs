//! The task of one group: brings the state machine together with the log, the clock and the consumers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::command::{Answer, Command, Connection, Peer};
use super::definition::{Definition, Source};
use super::held::{Event, Held, Unread};
use super::info::{Meter, Times};
use super::parked;
use super::reader::{Considered, Page, Reader};
use super::system_streams::{SystemStreams, reading};
use super::writes::{Writes, Written};
use super::{GroupError, GroupKey};
use crate::consumer_group::{ConsumerId, Full, Group, Parking, Place, Reason, Start};
use crate::metrics::GroupMetrics;
use crate::storage::{AppendError, Direction, Head, Revision, Storage};

/// So many events are parked with one append, if that takes so much.
const MAX_PARKED_AT_ONCE: u64 = 64;
/// No parked event takes more: the longest name of a stream, the longest reason in JSON, and some.
const MAX_PARKED_BYTES: u64 = 24 * 1024;
/// So much may wait for a consumer that does not read, past the first event.
const MAX_UNREAD_BYTES: usize = 8 * 1024 * 1024;
/// After a read or write that failed, the next one waits this long.
const BACKOFF: Duration = Duration::from_secs(1);
/// A consumer that does not take what it was sent is looked after this often.
const LOOK_AFTER: Duration = Duration::from_millis(200);
/// How long the last writes of a group may take.
const LAST_WRITES: Duration = Duration::from_secs(3);

/// A consumer that is connected.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) peer: Peer,
    pub(super) meter: Meter,
    pub(super) times: Times,
    events: mpsc::Sender<Event>,
    unread: Unread,
    end: oneshot::Sender<GroupError>,
}

impl Connected {
    /// Whether it reads what it is sent. What was sent twice is there twice, beside what the group counts.
    fn can_take(&self) -> bool {
        self.events.capacity() > 0 && self.unread.bytes() < MAX_UNREAD_BYTES && !self.events.is_closed()
    }
}

/// A group at work.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) definition: Definition,
    pub(super) key: GroupKey,
    pub(super) storage: Storage,
    streams: SystemStreams,
    pub(super) group: Group<Arc<Held>>,
    reader: Reader,
    writes: Writes,
    pub(super) consumers: HashMap<ConsumerId, Connected>,
    commands: mpsc::Receiver<Command>,
    /// For those who connect, to answer by.
    queue: mpsc::WeakSender<Command>,
    head: watch::Receiver<Head>,
    stop: CancellationToken,
    pub(super) meter: Meter,
    metrics: GroupMetrics,
    pub(super) is_live: bool,
    /// The last checkpoint on disk.
    pub(super) checkpoint: Option<Place>,
    reads_not_before: Option<Instant>,
    writes_not_before: Option<Instant>,
}

/// Why a group's task ends.
struct End {
    is_deleted: bool,
    reply: Option<oneshot::Sender<()>>,
}

impl Worker {
    /// Takes up a group where it was left.
    pub(super) async fn load(
        storage: &Storage,
        definition: Definition,
        commands: mpsc::Receiver<Command>,
        queue: mpsc::WeakSender<Command>,
        stop: CancellationToken,
    ) -> Result<Self, GroupError> {
        let key = definition.key();
        let streams = SystemStreams::new(&key)?;
        let reader = Reader::new(storage, &definition)?;
        let (names, source) = (streams.clone(), key.source.clone());
        let (checkpoint, parked) = reading(storage, move |storage| {
            let name = names.checkpoint.as_str();
            let page = storage.read_stream(name, Revision(u64::MAX), Direction::Backwards, 1, 1)?;
            let newest = page.and_then(|page| page.records.into_iter().next());
            let checkpoint = newest.map(|record| parse_checkpoint(&source, &record.data));
            Ok((checkpoint, parked::range(storage, &names.parked)?))
        })
        .await?;
        if checkpoint == Some(None) {
            warn!(group = %key, "the group's checkpoint cannot be read; it begins where it was first begun");
        }
        let checkpoint = checkpoint.flatten();
        let after = checkpoint.or(definition.start_after.map(Place));
        let now = Instant::now();
        let group = Group::new(definition.settings.rules(), &Start { after, parked }, now);
        Ok(Self {
            key,
            storage: storage.clone(),
            writes: Writes::new(storage.clone(), streams.clone()),
            streams,
            group,
            reader,
            consumers: HashMap::new(),
            commands,
            queue,
            head: storage.head(),
            stop,
            meter: Meter::new(now),
            metrics: GroupMetrics::default(),
            is_live: false,
            checkpoint,
            reads_not_before: None,
            writes_not_before: None,
            definition,
        })
    }

    /// Works until the group is stopped or the node is.
    pub(super) async fn run(mut self) {
        let end = loop {
            let mut end = None;
            while let (None, Ok(command)) = (&end, self.commands.try_recv()) {
                end = self.handle(command).await;
            }
            if end.is_some() || self.stop.is_cancelled() {
                break end;
            }
            while let Some(written) = self.writes.try_next() {
                self.written(written);
            }
            self.group.expire(Instant::now());
            self.send();
            self.start_writes(false);
            let has_more = self.read().await;
            self.send();
            self.metrics.show(&self.group, self.consumers.len());
            if has_more {
                tokio::task::yield_now().await;
                continue;
            }
            if let Some(end) = self.wait().await {
                break end;
            }
        };
        self.finish(end).await;
    }

    /// Waits for anything to happen. Gives the end, if that is what happened.
    async fn wait(&mut self) -> Option<Option<End>> {
        let wake = self.wake_at().map(tokio::time::Instant::from_std);
        let wants_events = self.group.wanted(self.is_live) > 0;
        tokio::select! {
            () = self.stop.cancelled() => Some(None),
            command = self.commands.recv() => match command {
                Some(command) => self.handle(command).await.map(Some),
                None => Some(None),
            },
            written = self.writes.next() => {
                self.written(written);
                None
            }
            changed = self.head.changed(), if wants_events => changed.is_err().then_some(None),
            () = tokio::time::sleep_until(wake.unwrap_or_else(tokio::time::Instant::now)), if wake.is_some() => None,
        }
    }

    /// When to look again at the latest, if nothing happens.
    fn wake_at(&self) -> Option<Instant> {
        let now = Instant::now();
        let later = |at: Option<Instant>| at.filter(|at| *at > now);
        // What is overdue waits for a write that may not begin yet.
        let deadline = self.group.next_deadline();
        let deadline =
            later(deadline).or(deadline.map(|_| later(self.writes_not_before).unwrap_or(now + LOOK_AFTER)));
        let has_unsent = self.group.buffered() + self.group.retrying() > 0;
        let is_held_up = self.consumers.values().any(|consumer| !consumer.can_take());
        let looks_after = (has_unsent && is_held_up).then(|| now + LOOK_AFTER);
        let times = [deadline, later(self.reads_not_before), later(self.writes_not_before), looks_after];
        times.into_iter().flatten().min()
    }

    async fn handle(&mut self, command: Command) -> Option<End> {
        match command {
            Command::Connect { consumer, buffer_size, peer, reply } => {
                let connection = self.connect(consumer, buffer_size, peer);
                if let Err(Ok(connection)) = reply.send(connection) {
                    self.disconnect(connection.id);
                }
            }
            Command::Answer { consumer, ids, answer } => self.answer(consumer, &ids, &answer),
            Command::Disconnect(consumer) => self.disconnect(consumer),
            Command::Replay { stop_at, reply } => {
                self.group.request_replay(stop_at);
                let _ = reply.send(());
            }
            Command::Info(reply) => {
                let info = self.info().await;
                let _ = reply.send(info);
            }
            Command::Stop { is_deleted, reply } => return Some(End { is_deleted, reply: Some(reply) }),
        }
        None
    }

    fn connect(
        &mut self,
        consumer: ConsumerId,
        buffer_size: usize,
        peer: Peer,
    ) -> Result<Connection, GroupError> {
        let commands = self.queue.upgrade().ok_or(GroupError::NotReady)?;
        self.group.connect(consumer, buffer_size).map_err(|Full| GroupError::MaxSubscribers)?;
        // An event that was sent again may be there twice until the consumer has read the first; then the consumer
        // is sent nothing more.
        let (events, received) = mpsc::channel(buffer_size);
        let (end, ended) = oneshot::channel();
        let meter = Meter::new(Instant::now());
        let (times, unread) = (Times::default(), Unread::default());
        self.consumers.insert(consumer, Connected { peer, meter, times, events, unread, end });
        Ok(Connection { events: received, end: ended, id: consumer, commands })
    }

    fn disconnect(&mut self, consumer: ConsumerId) {
        if self.consumers.remove(&consumer).is_some() {
            self.group.disconnect(consumer);
            // Without a consumer nothing is read.
            self.is_live &= !self.consumers.is_empty();
        }
    }

    fn answer(&mut self, consumer: ConsumerId, ids: &[uuid::Uuid], answer: &Answer) {
        let now = Instant::now();
        for id in ids {
            match answer {
                Answer::Done => {
                    let time = self.group.acknowledge(consumer, *id, now);
                    if let (Some(time), Some(connected)) = (time, self.consumers.get_mut(&consumer)) {
                        connected.times.add(time);
                    }
                }
                Answer::Refused(refusal, reason) => self.group.refuse(consumer, *id, *refusal, reason),
            }
        }
    }

    /// Sends whatever somebody has room for.
    fn send(&mut self) {
        let now = Instant::now();
        loop {
            let consumers = &self.consumers;
            let can_take = |id| consumers.get(&id).is_some_and(Connected::can_take);
            let Some(delivery) = self.group.dispatch(now, can_take) else { return };
            self.meter.count();
            if let Some(connected) = self.consumers.get_mut(&delivery.consumer) {
                connected.meter.count();
                // Who has gone in this moment says so, and then the event is tried again.
                let event = Event::new(delivery.payload, delivery.retry_count, &connected.unread);
                let _ = connected.events.try_send(event);
            }
        }
    }

    /// Reads a page, if there is room for it. Gives whether there may be another one at once.
    async fn read(&mut self) -> bool {
        if self.reads_not_before.is_some_and(|at| at > Instant::now()) {
            return false;
        }
        self.head.borrow_and_update();
        match self.try_read().await {
            Ok(has_more) => {
                self.reads_not_before = None;
                has_more
            }
            Err(error) => {
                warn!(group = %self.key, %error, "a group cannot read; it tries again");
                self.reads_not_before = Some(Instant::now() + BACKOFF);
                false
            }
        }
    }

    async fn try_read(&mut self) -> Result<bool, GroupError> {
        if let Some(wanted) = self.group.wanted_parked() {
            let (stream, resolve_links) =
                (self.streams.parked.clone(), self.definition.settings.resolve_links);
            let (events, read_to) =
                reading(&self.storage, move |storage| parked::read(storage, &stream, &wanted, resolve_links))
                    .await?;
            for held in events {
                if !self.group.has_memory() {
                    return Ok(true);
                }
                self.group.unparked(held.record.revision.0, held.record.id, held.bytes, Arc::new(held));
            }
            self.group.unparked_up_to(read_to);
            return Ok(true);
        }
        let wanted = self.group.wanted(self.is_live);
        if wanted == 0 {
            return Ok(false);
        }
        let Page { events, is_end } = self.reader.page(self.group.read_to(), wanted).await?;
        self.is_live = is_end;
        for considered in events {
            match considered {
                Considered::Passed(place) => self.group.passed_over(place),
                Considered::Ours(place, held) => {
                    // What there is no memory for is read again later.
                    if !self.group.has_memory() {
                        return Ok(false);
                    }
                    self.group.arrived(place, held.record.id, held.bytes, held);
                }
            }
        }
        Ok(!is_end)
    }

    fn start_writes(&mut self, is_last: bool) {
        let now = Instant::now();
        if !is_last && self.writes_not_before.is_some_and(|at| at > now) {
            return;
        }
        let at_once = (self.storage.max_append_bytes() / MAX_PARKED_BYTES).clamp(1, MAX_PARKED_AT_ONCE);
        let parking = self.group.start_parking(at_once as usize);
        if !parking.is_empty() {
            self.writes.park(parking.iter().map(parking_event).collect());
        }
        if let Some(place) = self.group.start_checkpoint(now, is_last) {
            self.writes.checkpoint(place, &self.key.source.place_text(place));
        }
        if let Some(before) = self.group.start_truncation(now, is_last) {
            self.writes.truncate(before);
        }
    }

    fn written(&mut self, written: Written) {
        let now = Instant::now();
        let failed = |what: &str, error: &AppendError| {
            warn!(group = %self.key, %error, "{what} could not be written; it is tried again");
            Some(now + BACKOFF)
        };
        let not_before = match written {
            Written::Parked(result) => {
                self.group.finish_parking(result.as_ref().ok().copied());
                result.err().and_then(|error| failed("parked events", &error))
            }
            Written::Checkpoint(result) => {
                self.group.finish_checkpoint(result.is_ok(), now);
                self.checkpoint = result.as_ref().ok().copied().or(self.checkpoint);
                result.err().and_then(|error| failed("a checkpoint", &error))
            }
            Written::Truncated(result) => {
                self.group.finish_truncation(result.is_ok(), now);
                result.err().and_then(|error| failed("what was replayed", &error))
            }
        };
        self.writes_not_before = not_before.or(self.writes_not_before);
    }

    /// Lets the consumers go, writes what there is still to be written, and ends.
    async fn finish(mut self, end: Option<End>) {
        let is_stopping = end.is_none();
        // What was answered before the end counts.
        while let Ok(command) = self.commands.try_recv() {
            if let Command::Answer { consumer, ids, answer } = command {
                self.answer(consumer, &ids, &answer);
            }
        }
        for (_, connected) in self.consumers.drain() {
            let why = if is_stopping { GroupError::Stopping } else { GroupError::Dropped };
            let _ = connected.end.send(why);
        }
        self.commands.close();
        let is_deleted = end.as_ref().is_some_and(|end| end.is_deleted);
        let last_writes = async {
            self.drain().await;
            if !is_deleted {
                // Parked events are settled by the first round and in the checkpoint of the second.
                for _ in 0..2 {
                    self.start_writes(true);
                    self.drain().await;
                }
            }
        };
        if tokio::time::timeout(LAST_WRITES, last_writes).await.is_err() {
            info!(group = %self.key, "a group was ended before its last writes; some events come again");
        }
        if let Some(reply) = end.and_then(|end| end.reply) {
            let _ = reply.send(());
        }
    }

    async fn drain(&mut self) {
        while self.writes.is_busy() {
            let written = self.writes.next().await;
            self.written(written);
        }
    }
}

fn parking_event(parking: &Parking<Arc<Held>>) -> crate::storage::ProposedEvent {
    let held = &parking.item.payload;
    match &parking.reason {
        Reason::Consumer(reason) => held.parking(reason),
        Reason::Retries(count) => held.parking(&format!("Reached retry count of {count}")),
    }
}

fn parse_checkpoint(source: &Source, data: &[u8]) -> Option<Place> {
    source.parse_place(&serde_json::from_slice::<String>(data).ok()?)
}
