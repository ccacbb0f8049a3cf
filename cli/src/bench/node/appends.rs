//! How many events a second are appended, one an append, and how long each append takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use eventstore::{
    AppendToStreamOptions, BatchAppendClient, BatchAppendOptions, Client, Error, ExpectedRevision,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::target::{Target, event, failed};
use crate::bench::report::Sorted;
use crate::failure::Failure;

/// As often as the node has synced its log.
const SYNCS: &str = "headwater_node_log_sync_duration_seconds_count";

/// By what the events go in.
#[derive(Debug, Clone, Copy)]
pub enum Door {
    /// A call for each append.
    Single,
    /// One batch-append session, which all writers share.
    Session,
}

impl Door {
    pub fn key(self) -> &'static str {
        match self {
            Self::Single => "append",
            Self::Session => "session",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::Single => "append_to_stream",
            Self::Session => "batch-append session",
        }
    }
}

/// What was measured; times in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Appends {
    pub per_second: f64,
    pub per_sync: f64,
    pub p50: f64,
    pub p99: f64,
}

/// Who appends to a stream of its own, as one who knows its revision.
struct Writer {
    client: Client,
    session: Option<Arc<BatchAppendClient>>,
    stream: String,
    expected: ExpectedRevision,
}

impl Writer {
    async fn append(&mut self) -> Result<(), Error> {
        let revision = match &self.session {
            None => {
                let options = AppendToStreamOptions::default().expected_revision(self.expected);
                let written = self.client.append_to_stream(self.stream.as_str(), &options, event()).await?;
                written.next_expected_version
            }
            Some(session) => {
                let written = session.append_to_stream(&self.stream, self.expected, vec![event()]).await?;
                written.current_revision().unwrap_or_default()
            }
        };
        self.expected = ExpectedRevision::Exact(revision);
        Ok(())
    }
}

/// Lets so many append for so long, each the next event once the last one is answered.
///
/// # Errors
/// The node refuses.
pub async fn measure(
    target: &Target,
    door: Door,
    writers: usize,
    lasting: Duration,
) -> Result<Appends, Failure> {
    let session = match door {
        Door::Single => None,
        Door::Session => {
            let options = BatchAppendOptions::default();
            Some(Arc::new(target.client.batch_append(&options).await.map_err(|error| failed(&error))?))
        }
    };
    let syncs_before = target.process.metric(SYNCS).await?;
    let (begun, mut tasks) = (Instant::now(), JoinSet::new());
    for _ in 0..writers {
        let mut writer = Writer {
            client: target.client.clone(),
            session: session.clone(),
            stream: format!("measured-{}", Uuid::new_v4()),
            expected: ExpectedRevision::NoStream,
        };
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while begun.elapsed() < lasting {
                let sent = Instant::now();
                writer.append().await?;
                latencies.push(sent.elapsed());
            }
            Ok::<_, Error>(latencies)
        });
    }
    let mut latencies = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        let of_writer = ended.map_err(|error| Failure::of(&error))?.map_err(|error| failed(&error))?;
        latencies.extend(of_writer);
    }
    let elapsed = begun.elapsed();
    let syncs = target.process.metric(SYNCS).await? - syncs_before;
    let latencies = Sorted::of(latencies);
    Ok(Appends {
        per_second: latencies.count() / elapsed.as_secs_f64(),
        per_sync: latencies.count() / syncs,
        p50: latencies.at(0.5),
        p99: latencies.at(0.99),
    })
}
