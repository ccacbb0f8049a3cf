//! Notifications that a checkpoint moved. They are hints: a lost one delays whoever waits until the next slow look, a
//! false one costs a look.

use std::collections::{BTreeSet, HashMap};
use std::pin::pin;
use std::time::Duration;

use contract::LogPosition;
use contract::status::{CHANNEL, Moved};
use futures::StreamExt as _;
use futures::stream::poll_fn;
use observability::postgres::told;
use tokio::sync::watch;
use tokio_postgres::{AsyncMessage, NoTls};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::PoolError;

/// The first pause before a lost connection is tried again; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The highest position heard of, by projection.
type Heard = HashMap<String, LogPosition>;

/// The listening end. Its connection ends with it; until it has one, nothing is heard.
#[derive(Debug)]
pub struct Hints {
    heard: watch::Receiver<Heard>,
    _stop: DropGuard,
}

impl Hints {
    /// Starts to listen on a connection of its own. Needs a Tokio runtime.
    ///
    /// # Errors
    /// The URL cannot be read.
    pub fn listen(database_url: &str) -> Result<Self, PoolError> {
        let config = database_url.parse().map_err(PoolError::Url)?;
        let (sender, heard) = watch::channel(Heard::new());
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move { stopped.run_until_cancelled(keep_listening(config, sender)).await });
        Ok(Self { heard, _stop: stop.drop_guard() })
    }

    /// A place from which to hear what comes from now on.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        let mut heard = self.heard.clone();
        heard.mark_unchanged();
        Subscription(heard)
    }
}

/// Hears what came since it was made.
#[derive(Debug)]
pub struct Subscription(watch::Receiver<Heard>);

impl Subscription {
    /// Returns once it is said that all these projections have reached a position; perhaps never.
    pub async fn reached(&mut self, projections: &BTreeSet<&'static str>, at: LogPosition) {
        loop {
            if self.0.changed().await.is_err() {
                return std::future::pending().await;
            }
            let heard = self.0.borrow_and_update();
            if projections.iter().all(|name| heard.get(*name).is_some_and(|position| *position >= at)) {
                return;
            }
        }
    }
}

async fn keep_listening(config: tokio_postgres::Config, heard: watch::Sender<Heard>) {
    let mut pause = FIRST_PAUSE;
    loop {
        match listen_once(&config, &heard, &mut pause).await {
            Ok(()) => tracing::debug!("the connection for notifications was closed"),
            Err(error) => {
                tracing::debug!(error = told(&error), "no notifications from the read model for now")
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn listen_once(
    config: &tokio_postgres::Config,
    heard: &watch::Sender<Heard>,
    pause: &mut Duration,
) -> Result<(), tokio_postgres::Error> {
    let (client, mut connection) = config.connect(NoTls).await?;
    let mut messages = poll_fn(move |context| connection.poll_message(context));
    let listen = format!("LISTEN {CHANNEL}");
    let mut listening = pin!(client.batch_execute(&listen));
    let mut listens = false;
    loop {
        tokio::select! {
            done = &mut listening, if !listens => {
                done?;
                listens = true;
                *pause = FIRST_PAUSE;
            }
            message = messages.next() => match message {
                Some(Ok(AsyncMessage::Notification(note))) => {
                    if let Some(moved) = Moved::parse(note.payload()) {
                        heard.send_modify(|heard| {
                            let highest = heard.entry(moved.projection).or_default();
                            *highest = moved.position.max(*highest);
                        });
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            }
        }
    }
}
