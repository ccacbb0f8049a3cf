//! `headwater node stats`: what a running node tells of itself.

use std::collections::BTreeMap;

use eventstore::operations::{Client, StatsOptions};
use serde_json::Value;

use super::node_folder::tell;
use crate::config::{Config, Setting};
use crate::failure::Failure;
use crate::table::table;

/// Asks once and prints.
pub async fn run(config: &Config, json: bool) -> Result<(), Failure> {
    let client = client(config)?;
    let mut stats = client.stats(&StatsOptions::default()).await.map_err(|error| failed(&error))?;
    let told: BTreeMap<_, _> = stats.next().await.map_err(|error| failed(&error))?.0.into_iter().collect();
    let values: BTreeMap<_, _> = told.iter().map(|(name, text)| (name, value(text))).collect();
    tell(&values, json, || {
        let rows: Vec<_> = told.iter().map(|(name, text)| [name.clone(), text.clone()]).collect();
        table(["WHAT", " VALUE"], &rows)
    })
}

/// A client of the node that the settings name.
pub fn client(config: &Config) -> Result<Client, Failure> {
    let url = config.eventstore_url();
    let settings = url.parse().map_err(|error| {
        Failure::usage(format!("{url} is no address of a node: {error}"))
            .hint(format!("check --{}", Setting::EventStore.name()))
    })?;
    Ok(Client::new(settings))
}

/// A node that does not answer.
pub fn failed(error: &eventstore::Error) -> Failure {
    Failure::run(format!("the node does not answer: {error}"))
        .hint(format!("name a running one with --{}", Setting::NodeListen.name()))
}

/// A number or a truth where the text is one.
fn value(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
        _ => Value::from(text),
    }
}
