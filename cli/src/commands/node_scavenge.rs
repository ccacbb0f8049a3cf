//! `headwater node scavenge`: has a running node free what hidden events take on its disk.

use std::collections::HashMap;
use std::time::Duration;

use eventstore::operations::{Client, ScavengeStatus, StatsOptions};
use serde::Serialize;

use super::node_folder::{bar, tell};
use super::node_stats::{client, failed};
use crate::args::ScavengeFlags;
use crate::config::Config;
use crate::failure::Failure;

/// How often the node is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// Starts a scavenge, or joins the one under way, and follows it to its end. Ctrl-C ends it.
pub async fn run(config: &Config, flags: &ScavengeFlags) -> Result<(), Failure> {
    let client = client(config)?;
    let started = client.start_scavenge(1, 0, &Default::default()).await.map_err(|error| failed(&error))?;
    let id = started.id().to_owned();
    if matches!(started.status(), ScavengeStatus::InProgress) {
        eprintln!("a scavenge is under way already; following that one");
    }
    if flags.no_wait {
        let told = Told { scavenge: id, state: "running".to_owned(), ..Told::default() };
        return tell(&told, flags.log.json, || told.text());
    }
    let told = tokio::select! {
        told = follow(&client, &id) => told?,
        _ = tokio::signal::ctrl_c() => {
            client.stop_scavenge(&id, &Default::default()).await.map_err(|error| failed(&error))?;
            follow(&client, &id).await?
        }
    };
    match told.error {
        Some(reason) => Err(Failure::run(format!("the scavenge could not go on: {reason}"))
            .hint("nothing was lost, and what it had freed stays freed; start it again once that is mended")),
        None => tell(&told, flags.log.json, || told.text()),
    }
}

/// Shows how far a scavenge is until it has ended.
async fn follow(client: &Client, id: &str) -> Result<Told, Failure> {
    let bar = bar("scavenging", "{pos} of {len} segments");
    let options = StatsOptions::default().refresh_time(ASK_EVERY);
    let mut stats = client.stats(&options).await.map_err(|error| failed(&error))?;
    loop {
        let stats = stats.next().await.map_err(|error| failed(&error))?.0;
        if stats.get("scavenge-id").is_none_or(|told| told != id) {
            return Err(Failure::run(format!("the node does not tell how far scavenge {id} is"))
                .hint("it was started; a server of another make shows it in its own way"));
        }
        let told = Told::of(&stats);
        bar.set_length(told.segments);
        bar.set_position(told.segments_done);
        if told.state != "running" {
            bar.finish_and_clear();
            return Ok(told);
        }
    }
}

/// What is told of a scavenge.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    scavenge: String,
    state: String,
    segments: u64,
    segments_done: u64,
    events_removed: u64,
    bytes_freed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Told {
    fn of(stats: &HashMap<String, String>) -> Self {
        let text = |name: &str| stats.get(name).cloned().unwrap_or_default();
        let number = |name: &str| text(name).parse().unwrap_or_default();
        Self {
            scavenge: text("scavenge-id"),
            state: text("scavenge-state"),
            segments: number("scavenge-segments"),
            segments_done: number("scavenge-segments-done"),
            events_removed: number("scavenge-events-removed"),
            bytes_freed: number("scavenge-bytes-freed"),
            error: stats.get("scavenge-error").cloned(),
        }
    }

    fn text(&self) -> String {
        let Self { scavenge, state, segments, segments_done, events_removed, bytes_freed, .. } = self;
        if state == "running" {
            return format!("scavenge {scavenge} is under way; `headwater node stats` tells how far it is\n");
        }
        let looked = if segments_done == segments {
            format!("{segments} full segments looked at")
        } else {
            format!("ended after {segments_done} of {segments} full segments")
        };
        format!("{events_removed} events taken away, {bytes_freed} bytes freed; {looked}\n")
    }
}
