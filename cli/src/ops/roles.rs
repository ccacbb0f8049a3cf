//! The health of each role of the process, in a word and some numbers.

use serde::Serialize;

use super::history::Traffic;
use super::projections::{Parked, Projection};
use super::sagas::Saga;
use crate::scrape::Scrape;

/// A projection that is behind by more than this is worth a look, seconds.
const LAG_MAX: f64 = 10.0;

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Log,
    Commands,
    Projections,
    Sagas,
    Search,
    Queries,
}

/// The roles of a service by its name.
fn roles_of(service: &str) -> &'static [Role] {
    match service {
        "headwater-node" => &[Role::Log],
        "headwater-commands" => &[Role::Commands],
        "headwater-projections" => &[Role::Projections],
        "headwater-sagas" => &[Role::Sagas],
        "headwater-queries" => &[Role::Search, Role::Queries],
        "headwater" => {
            &[Role::Log, Role::Commands, Role::Projections, Role::Sagas, Role::Search, Role::Queries]
        }
        _ => &[],
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Health {
    Ok,
    Warn,
    Down,
}

/// A role as it is.
#[derive(Debug, Serialize)]
pub struct RoleState {
    name: &'static str,
    health: Health,
    facts: Vec<Fact>,
}

#[derive(Debug, Serialize)]
struct Fact {
    label: &'static str,
    value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'static str>,
}

fn fact(label: &'static str, value: impl Into<Option<f64>>) -> Fact {
    Fact { label, value: value.into(), unit: None }
}

/// What roles are judged by.
pub struct Seen<'s> {
    pub scrape: &'s Scrape,
    pub traffic: &'s Traffic,
    pub projections: &'s [Projection],
    pub sagas: &'s [Saga],
    pub parked: &'s [Parked],
}

/// The roles of a service, each as it is.
pub fn all(service: &str, seen: &Seen<'_>) -> Vec<RoleState> {
    roles_of(service).iter().filter_map(|role| role.seen(seen)).collect()
}

impl Role {
    /// None where the process turns out not to have it: a log of somebody else's.
    fn seen(self, seen: &Seen<'_>) -> Option<RoleState> {
        let (name, health, facts) = match self {
            Role::Log => ("log", of_log(seen)?, log_facts(seen)),
            Role::Commands => ("commands", of_requests(seen), command_facts(seen)),
            Role::Projections => ("projections", of_projections(seen), projection_facts(seen)),
            Role::Sagas => ("sagas", of_sagas(seen), saga_facts(seen)),
            Role::Search => ("search", of_search(seen), search_facts(seen)),
            Role::Queries => ("queries", of_queries(seen), query_facts(seen)),
        };
        Some(RoleState { name, health, facts })
    }
}

fn warn_if(trouble: bool) -> Health {
    if trouble { Health::Warn } else { Health::Ok }
}

fn of_log(seen: &Seen<'_>) -> Option<Health> {
    let failed = seen.scrape.sum("headwater_node_log_failed", &[])?;
    Some(if failed > 0.0 { Health::Down } else { Health::Ok })
}

fn log_facts(seen: &Seen<'_>) -> Vec<Fact> {
    let bytes = seen.scrape.sum("headwater_node_disk_bytes", &[]);
    vec![
        fact("position", seen.scrape.sum("headwater_node_log_position", &[])),
        Fact { label: "on disk", value: bytes, unit: Some("B") },
        fact("subscriptions", seen.scrape.sum("headwater_node_subscriptions", &[])),
    ]
}

/// Failures are of the process: nobody can say here whether a command or a query failed.
fn of_requests(seen: &Seen<'_>) -> Health {
    warn_if(seen.traffic.failed_lately())
}

fn command_facts(seen: &Seen<'_>) -> Vec<Fact> {
    let (commands, _, failures) = seen.traffic.now();
    vec![
        fact("commands a second", commands),
        fact("failures a second", failures),
        fact("conflicts in all", seen.scrape.sum("command_conflicts_total", &[]).unwrap_or_default()),
    ]
}

fn of_projections(seen: &Seen<'_>) -> Health {
    let of_one = |projection: &Projection| {
        if projection.has_stopped() {
            Health::Down
        } else {
            warn_if(projection.lag_seconds().unwrap_or_default() > LAG_MAX)
        }
    };
    let worst = seen.projections.iter().map(of_one).max().unwrap_or(Health::Ok);
    worst.max(warn_if(!seen.parked.is_empty()))
}

fn projection_facts(seen: &Seen<'_>) -> Vec<Fact> {
    let live = seen.projections.iter().filter(|projection| projection.is_live()).count();
    let rows = seen.parked.iter().fold(0.0, |sum, parked| sum + parked.rows);
    vec![
        fact("live", number(live)),
        fact("in all", number(seen.projections.len())),
        fact("parked rows", rows),
    ]
}

fn of_sagas(seen: &Seen<'_>) -> Health {
    warn_if(seen.sagas.iter().any(|saga| saga.stuck > 0.0))
}

fn saga_facts(seen: &Seen<'_>) -> Vec<Fact> {
    let sum = |of: fn(&Saga) -> f64| seen.sagas.iter().map(of).fold(0.0, |sum, more| sum + more);
    vec![fact("running", sum(|saga| saga.running)), fact("stuck", sum(|saga| saga.stuck))]
}

fn of_search(seen: &Seen<'_>) -> Health {
    warn_if(seen.scrape.sum("search_index_position", &[]).is_none())
}

fn search_facts(seen: &Seen<'_>) -> Vec<Fact> {
    vec![
        fact("documents", seen.scrape.sum("search_index_documents", &[])),
        fact("position", seen.scrape.sum("search_index_position", &[])),
    ]
}

fn of_queries(seen: &Seen<'_>) -> Health {
    let waiting = seen.scrape.sum("postgres_pool_waiting", &[]).unwrap_or_default();
    warn_if(waiting > 0.0 || seen.traffic.failed_lately())
}

fn query_facts(seen: &Seen<'_>) -> Vec<Fact> {
    let (_, queries, failures) = seen.traffic.now();
    vec![
        fact("queries a second", queries),
        fact("failures a second", failures),
        fact("waiting for Postgres", seen.scrape.sum("postgres_pool_waiting", &[]).unwrap_or_default()),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "a process has few of anything")]
fn number(count: usize) -> f64 {
    count as f64
}
