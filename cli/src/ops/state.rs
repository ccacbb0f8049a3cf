//! The first view of the page: how everything is now.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use serde::Serialize;

use super::Ops;
use super::history::{EVERY, POINTS, Traffic};
use super::projections::{self, Parked, Projection};
use super::roles::{self, RoleState, Seen};
use super::sagas::{self, Saga};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    service: Service,
    now: Timestamp,
    ready: bool,
    waiting_for: Vec<String>,
    roles: Vec<RoleState>,
    chart: Chart,
    traffic: Traffic,
    projections: Vec<Projection>,
    sagas: Vec<Saga>,
    parked: Vec<Parked>,
    memory: Memory,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Service {
    name: String,
    version: &'static str,
    started_at: Timestamp,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Chart {
    every_seconds: u64,
    points: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    budget_bytes: usize,
    used_bytes: usize,
    requests: usize,
    log_lines: usize,
}

impl State {
    /// As everything is now.
    pub fn of(ops: &Ops) -> Self {
        let now = SystemTime::now();
        let history = ops.history();
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let (traffic, sagas) = (history.traffic(), sagas::all(&history.latest));
        let (projections, parked) = (projections::all(&history, seconds), projections::parked(&history));
        let seen = Seen {
            scrape: &history.latest,
            traffic: &traffic,
            projections: &projections,
            sagas: &sagas,
            parked: &parked,
        };
        let roles = roles::all(&ops.service, &seen);
        let fill = ops.recent.fill();
        let waiting_for = ops.readiness.waiting_for();
        Self {
            service: Service {
                name: ops.service.to_string(),
                version: env!("CARGO_PKG_VERSION"),
                started_at: moment(ops.began),
            },
            now: moment(now),
            ready: waiting_for.is_empty(),
            waiting_for,
            roles,
            chart: Chart { every_seconds: EVERY.as_secs(), points: POINTS },
            traffic,
            projections,
            sagas,
            parked,
            memory: Memory {
                budget_bytes: fill.budget_bytes,
                used_bytes: fill.used_bytes,
                requests: fill.traces,
                log_lines: fill.lines,
            },
        }
    }
}

fn moment(at: SystemTime) -> Timestamp {
    Timestamp::try_from(at).unwrap_or_default()
}
