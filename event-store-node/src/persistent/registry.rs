//! All groups of a node: made, changed, deleted, found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, MutexGuard, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, warn};

use super::command::{Command, Connection, MAX_QUEUED_COMMANDS, Peer};
use super::definition::{Definition, FilterDefinition, GroupKey, Settings, Source, StartFrom};
use super::info::Info;
use super::system_streams::{SystemStreams, reading};
use super::worker::Worker;
use super::{GroupError, config};
use crate::consumer_group::ConsumerId;
use crate::metrics;
use crate::storage::Storage;

/// No more groups than this.
const MAX_GROUPS: usize = 1000;
/// So many names of what had a group once are remembered.
const MAX_FORMER: usize = 10_000;

/// The groups of a node.
#[derive(Debug, Clone)]
pub(crate) struct Subscriptions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    storage: Storage,
    stop: CancellationToken,
    tasks: TaskTracker,
    state: Mutex<State>,
    next_consumer: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// Whether the definitions in the log are known here. If not, nothing may be written over them.
    is_loaded: bool,
    /// By `<what it follows>::<group>`.
    groups: BTreeMap<String, Running>,
    /// What has or had a group, since the node was started.
    followed: BTreeSet<Source>,
}

#[derive(Debug)]
struct Running {
    definition: Definition,
    commands: mpsc::Sender<Command>,
}

impl Subscriptions {
    /// Takes up the groups that the log knows.
    pub(crate) async fn open(storage: Storage, stop: CancellationToken) -> Result<Self, GroupError> {
        let (tasks, next_consumer) = (TaskTracker::new(), AtomicU64::new(0));
        let all = Self(Arc::new(Inner { storage, stop, tasks, state: Mutex::default(), next_consumer }));
        let mut state = all.0.state.lock().await;
        all.load(&mut state).await?;
        drop(state);
        Ok(all)
    }

    /// Waits until every group has ended after the node was told to stop.
    pub(crate) async fn ended(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Makes a group.
    pub(crate) async fn create(
        &self,
        key: GroupKey,
        start_from: StartFrom,
        filter: Option<FilterDefinition>,
        settings: Settings,
    ) -> Result<(), GroupError> {
        settings.check()?;
        let mut state = self.loaded().await?;
        match state.groups.get(&key.to_string()) {
            Some(other) if other.definition.key() == key => return Err(GroupError::Exists),
            Some(other) => {
                let other = other.definition.key();
                return Err(GroupError::failed(format!(
                    "the group {} on {} has the same system streams; take another name",
                    other.group,
                    other.source.name()
                )));
            }
            None if state.groups.len() >= MAX_GROUPS => {
                return Err(GroupError::failed(format!("there are {MAX_GROUPS} groups already")));
            }
            None => {}
        }
        let streams = SystemStreams::new(&key)?;
        let start_after = self.resolve(&key.source, start_from).await?;
        let definition = Definition {
            stream: key.source.name().to_owned(),
            group: key.group.clone(),
            start_from,
            start_after,
            filter,
            settings,
        };
        streams.reset(&self.0.storage).await?;
        self.store(&state, &key, Some(&definition)).await?;
        self.start(&mut state, definition).await
    }

    /// Gives a group other settings; who is connected is dropped. The filter stays.
    pub(crate) async fn update(
        &self,
        key: GroupKey,
        start_from: StartFrom,
        settings: Settings,
    ) -> Result<(), GroupError> {
        settings.check()?;
        let mut state = self.loaded().await?;
        let old = state.find(&key)?.definition.clone();
        // The same words keep their meaning: `end` is still the end of the time when the group was made.
        let start_after = if start_from == old.start_from {
            old.start_after
        } else {
            self.resolve(&key.source, start_from).await?
        };
        let definition = Definition { start_from, start_after, settings, ..old };
        self.store(&state, &key, Some(&definition)).await?;
        state.find(&key)?.stop(false).await;
        self.start(&mut state, definition).await
    }

    /// Deletes a group with its checkpoint and parked events; who is connected is dropped.
    pub(crate) async fn delete(&self, key: GroupKey) -> Result<(), GroupError> {
        let mut state = self.loaded().await?;
        state.find(&key)?;
        self.store(&state, &key, None).await?;
        if let Some(running) = state.groups.remove(&key.to_string()) {
            running.stop(true).await;
        }
        metrics::groups(state.groups.len());
        // A later group of that name takes no notice of what is left, so this is for tidiness only.
        if let Err(error) = SystemStreams::new(&key)?.delete(&self.0.storage).await {
            warn!(group = %key, %error, "the streams of a deleted group are left behind");
        }
        Ok(())
    }

    /// Connects a consumer.
    pub(crate) async fn connect(
        &self,
        key: &GroupKey,
        buffer_size: usize,
        peer: Peer,
    ) -> Result<Connection, GroupError> {
        let consumer = ConsumerId(self.0.next_consumer.fetch_add(1, Ordering::Relaxed));
        self.ask(key, |reply| Command::Connect { consumer, buffer_size, peer, reply }).await?
    }

    /// Has parked events tried again: all, or those before a revision.
    pub(crate) async fn replay(&self, key: &GroupKey, stop_at: Option<u64>) -> Result<(), GroupError> {
        self.ask(key, |reply| Command::Replay { stop_at, reply }).await
    }

    /// How a group stands.
    pub(crate) async fn info(&self, key: &GroupKey) -> Result<Info, GroupError> {
        self.ask(key, Command::Info).await
    }

    /// How all groups stand, or those on one source; [`GroupError::DoesNotExist`] when that never had one.
    pub(crate) async fn list(&self, source: Option<&Source>) -> Result<Vec<Info>, GroupError> {
        let state = self.loaded().await?;
        if source.is_some_and(|source| !state.followed.contains(source)) {
            return Err(GroupError::DoesNotExist);
        }
        let keys = state.groups.values().map(|running| running.definition.key());
        let keys: Vec<_> = keys.filter(|key| source.is_none_or(|source| *source == key.source)).collect();
        drop(state);
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            match self.info(&key).await {
                Ok(info) => found.push(info),
                // Deleted meanwhile, or not well: the others are told of.
                Err(GroupError::DoesNotExist | GroupError::NotReady) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Drops all consumers and takes the groups up anew from the log.
    pub(crate) async fn restart(&self) -> Result<(), GroupError> {
        let mut state = self.state().await?;
        for running in std::mem::take(&mut state.groups).into_values() {
            running.stop(false).await;
        }
        self.load(&mut state).await
    }

    async fn state(&self) -> Result<MutexGuard<'_, State>, GroupError> {
        if self.0.stop.is_cancelled() {
            return Err(GroupError::Stopping);
        }
        Ok(self.0.state.lock().await)
    }

    /// The groups, all of them.
    async fn loaded(&self) -> Result<MutexGuard<'_, State>, GroupError> {
        let state = self.state().await?;
        if state.is_loaded { Ok(state) } else { Err(GroupError::NotReady) }
    }

    async fn ask<T>(
        &self,
        key: &GroupKey,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, GroupError> {
        let commands = self.loaded().await?.find(key)?.commands.clone();
        let (reply, answer) = oneshot::channel();
        let gone = || if self.0.stop.is_cancelled() { GroupError::Stopping } else { GroupError::NotReady };
        commands.send(command(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }

    async fn load(&self, state: &mut State) -> Result<(), GroupError> {
        state.is_loaded = false;
        for definition in config::load(&self.0.storage).await? {
            let key = definition.key();
            if let Err(error) = self.start(state, definition).await {
                error!(group = %key, %error, "a group cannot be taken up; the others can");
            }
        }
        state.is_loaded = true;
        metrics::groups(state.groups.len());
        Ok(())
    }

    /// Writes the definitions with one group as it will be, or without it.
    async fn store(
        &self,
        state: &State,
        key: &GroupKey,
        changed: Option<&Definition>,
    ) -> Result<(), GroupError> {
        let others = state.groups.values().map(|running| &running.definition);
        let others = others.filter(|definition| definition.key() != *key);
        config::store(&self.0.storage, others.chain(changed).cloned().collect()).await
    }

    /// Sets a group to work. One that cannot be taken up is known all the same, and refuses its consumers.
    async fn start(&self, state: &mut State, definition: Definition) -> Result<(), GroupError> {
        let (commands, received) = mpsc::channel(MAX_QUEUED_COMMANDS);
        let (queue, stop) = (commands.downgrade(), self.0.stop.clone());
        let key = definition.key();
        let running = Running { definition: definition.clone(), commands };
        state.groups.insert(key.to_string(), running);
        if state.followed.len() >= MAX_FORMER {
            state.followed = state.groups.values().map(|running| running.definition.key().source).collect();
        }
        state.followed.insert(key.source.clone());
        metrics::groups(state.groups.len());
        let worker = Worker::load(&self.0.storage, definition, received, queue, stop).await?;
        self.0.tasks.spawn(worker.run());
        Ok(())
    }

    /// After which place a group begins.
    async fn resolve(&self, source: &Source, from: StartFrom) -> Result<Option<u64>, GroupError> {
        let head = self.0.storage.head().borrow().last.0;
        match (from, source) {
            (StartFrom::Start, _) => Ok(None),
            (StartFrom::At(position), Source::All) if position > head => Err(GroupError::failed(format!(
                "the start position {position} is beyond the end of the log, which is {head}"
            ))),
            (StartFrom::At(place), _) => Ok(place.checked_sub(1)),
            (StartFrom::End, Source::All) => Ok(Some(head)),
            (StartFrom::End, Source::Stream(stream)) => {
                let stream = stream.clone();
                let last = reading(&self.0.storage, move |storage| storage.last_revision(&stream)).await?;
                Ok(last.map(|last| last.0))
            }
        }
    }
}

impl State {
    fn find(&self, key: &GroupKey) -> Result<&Running, GroupError> {
        let running = self.groups.get(&key.to_string());
        running.filter(|running| running.definition.key() == *key).ok_or(GroupError::DoesNotExist)
    }
}

impl Running {
    /// Ends the group's task and waits for it.
    async fn stop(&self, is_deleted: bool) {
        let (reply, stopped) = oneshot::channel();
        if self.commands.send(Command::Stop { is_deleted, reply }).await.is_ok() {
            let _ = stopped.await;
        }
    }
}
