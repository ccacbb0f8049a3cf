//! Monitoring: what the node counts, told at once and then every so often.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use super::{blocking, refuse};
use crate::persistent::Subscriptions;
use crate::proto::monitoring::monitoring_server::Monitoring;
use crate::proto::monitoring::{StatsReq, StatsResp};
use crate::scavenges::{Scavenge, ScavengeState, Scavenges};
use crate::storage::Storage;

/// Nobody is told more often than this.
const LEAST_PERIOD: Duration = Duration::from_millis(100);
const GREATEST_PERIOD: Duration = Duration::from_secs(3600);

/// Tells how the node stands.
#[derive(Debug)]
pub(crate) struct MonitoringService {
    storage: Storage,
    subscriptions: Subscriptions,
    scavenges: Scavenges,
    stop: CancellationToken,
    started: Instant,
}

impl MonitoringService {
    /// Of a node that has just started.
    pub(crate) fn new(
        storage: Storage,
        subscriptions: Subscriptions,
        scavenges: Scavenges,
        stop: CancellationToken,
    ) -> Self {
        Self { storage, subscriptions, scavenges, stop, started: Instant::now() }
    }
}

#[tonic::async_trait]
impl Monitoring for MonitoringService {
    type StatsStream = BoxStream<'static, Result<StatsResp, Status>>;

    async fn stats(&self, request: Request<StatsReq>) -> Result<Response<Self::StatsStream>, Status> {
        let period = Duration::from_millis(request.into_inner().refresh_time_period_in_ms);
        let mut ticks = interval(period.clamp(LEAST_PERIOD, GREATEST_PERIOD));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (storage, subscriptions) = (self.storage.clone(), self.subscriptions.clone());
        let (scavenges, stop, started) = (self.scavenges.clone(), self.stop.clone(), self.started);
        let told = stream::unfold(Some(ticks), move |ticks| {
            let (storage, subscriptions) = (storage.clone(), subscriptions.clone());
            let (scavenges, stop) = (scavenges.clone(), stop.clone());
            async move {
                let mut ticks = ticks?;
                let waited = stop.run_until_cancelled(ticks.tick()).await;
                if waited.is_none() {
                    return Some((Err(refuse::stopping()), None));
                }
                let told = stats(&storage, &subscriptions, started).await.map(|mut stats| {
                    stats.extend(scavenges.newest().iter().flat_map(scavenge));
                    StatsResp { stats }
                });
                Some((told, Some(ticks)))
            }
        });
        Ok(Response::new(told.boxed()))
    }
}

async fn stats(
    storage: &Storage,
    subscriptions: &Subscriptions,
    started: Instant,
) -> Result<HashMap<String, String>, Status> {
    let read = storage.clone();
    let log = blocking(move || read.statistics()).await?;
    let groups = subscriptions.list(None).await.unwrap_or_default();
    let connections: usize = groups.iter().map(|group| group.connections.len()).sum();
    let parked: u64 = groups.iter().map(|group| group.parked).sum();
    let in_flight: usize = groups.iter().map(|group| group.in_flight).sum();
    let stats = [
        ("uptime-seconds", started.elapsed().as_secs().to_string()),
        ("log-position", log.position.to_string()),
        ("log-has-failed", log.has_failed.to_string()),
        ("log-segments", log.segments.to_string()),
        ("log-disk-bytes", log.log_bytes.to_string()),
        ("index-disk-bytes", log.index_bytes.to_string()),
        ("written-appends", log.appends.to_string()),
        ("written-events", log.events.to_string()),
        ("written-bytes", log.bytes.to_string()),
        ("syncs", log.syncs.to_string()),
        ("sync-seconds", format!("{:.6}", log.sync_time.as_secs_f64())),
        ("persistent-groups", groups.len().to_string()),
        ("persistent-connections", connections.to_string()),
        ("persistent-in-flight-messages", in_flight.to_string()),
        ("persistent-parked-messages", parked.to_string()),
    ];
    Ok(stats.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// How the newest scavenge stands.
fn scavenge(newest: &Scavenge) -> Vec<(String, String)> {
    let at = &newest.at;
    let mut told = vec![
        ("scavenge-id", newest.id.to_string()),
        ("scavenge-state", newest.state.name().to_owned()),
        ("scavenge-segments", at.segments.to_string()),
        ("scavenge-segments-done", at.segments_done.to_string()),
        ("scavenge-events-removed", at.so_far.events_removed.to_string()),
        ("scavenge-bytes-freed", at.so_far.bytes_freed.to_string()),
    ];
    if let ScavengeState::Failed(reason) = &newest.state {
        told.push(("scavenge-error", reason.clone()));
    }
    told.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
