//! `headwater rebuild`: builds projections anew from the log, beside the versions in use.

use std::time::Duration;

use contract::status::{Stage, State};
use deadpool_postgres::Pool;
use engine::versions::{self, Build, Phase, Version, VersionError};
use indicatif::ProgressBar;
use serde::Serialize;
use tokio::time::sleep;

use super::projection::{failure, named, pool};
use crate::args::RebuildFlags;
use crate::bar::log_bar;
use crate::config::Config;
use crate::database::Database;
use crate::failure::Failure;
use crate::print;

/// How often it is looked how far a build is.
const LOOK: Duration = Duration::from_millis(200);

/// What became of a build.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rebuilt {
    projection: String,
    version: i32,
    fold: i32,
    outcome: Outcome,
    events: i64,
    rows: i64,
    seconds: f64,
    /// What the comparison left out: rows that are parked or were skipped, and sums to which they contribute.
    left_out_keys: i64,
    left_out_sums: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<serde_json::Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Outcome {
    /// Readers use it.
    Active,
    /// It was built, and waits for a person.
    Differs,
    /// It cannot be built.
    Failed,
    /// Somebody dropped it.
    Dropped,
    /// It is being built; nobody waited for it.
    Begun,
    /// It is to be built, and nobody is at it.
    Orphaned,
}

/// Builds one projection after the other, and says what became of each.
pub async fn run(config: &Config, flags: &RebuildFlags) -> Result<(), Failure> {
    let names = named(config, &flags.names, flags.all)?;
    let database = Database::open(config).await?;
    let rebuilt = rebuild_all(database.url(), &names, flags.detach, flags.json).await;
    database.close().await?;
    let rebuilt = rebuilt?;
    if flags.json {
        let text = serde_json::to_string_pretty(&rebuilt).map_err(|error| Failure::of(&error))?;
        print(&(text + "\n"))?;
    }
    let unfinished = rebuilt.iter().find(|r| !matches!(r.outcome, Outcome::Active | Outcome::Begun));
    match unfinished {
        None => Ok(()),
        Some(rebuilt) => Err(rebuilt.failure()),
    }
}

async fn rebuild_all(url: &str, names: &[String], detach: bool, json: bool) -> Result<Vec<Rebuilt>, Failure> {
    let pool = pool(url)?;
    let mut all = Vec::new();
    for name in names {
        let rebuilt = rebuild(&pool, name, detach).await?;
        if !json {
            print(&rebuilt.text())?;
        }
        all.push(rebuilt);
    }
    Ok(all)
}

async fn rebuild(pool: &Pool, name: &str, detach: bool) -> Result<Rebuilt, Failure> {
    let standing = versions::versions(pool, Some(name)).await.map_err(|error| Failure::of(&error))?;
    if standing.iter().any(|version| version.is_active && version.state == State::Stopped) {
        return Err(Failure::run(format!("no process folds the projection {name}"))
            .hint("start `headwater up` or `headwater serve projections`: whoever folds it builds it anew"));
    }
    let (version, is_ours) = match versions::rebuild(pool, name).await {
        Ok(version) => (version, true),
        Err(VersionError::OnItsWay { version, stage: Stage::Building, .. }) => (version, false),
        Err(error) => return Err(failure(error)),
    };
    if detach {
        let found = find(pool, name, version).await?;
        return Ok(Rebuilt::of(name, version, found.as_ref(), Outcome::Begun));
    }
    let bar = log_bar(name);
    let watched = tokio::select! {
        watched = watch(pool, name, version, &bar) => watched,
        _ = tokio::signal::ctrl_c() => {
            bar.finish_and_clear();
            return cancelled(pool, name, version, is_ours).await;
        }
    };
    bar.finish_and_clear();
    watched
}

/// Ctrl-C: what this command began it takes back.
async fn cancelled(pool: &Pool, name: &str, version: i32, is_ours: bool) -> Result<Rebuilt, Failure> {
    if !is_ours {
        return Err(Failure::run(format!("{name} is still being built: somebody else asked for it"))
            .hint(format!("`headwater drop-version {name} {version}` ends it")));
    }
    match versions::abandon(pool, name, version).await {
        Ok(()) => Err(Failure::run(format!("cancelled: {name} is as it was"))),
        Err(error) => Err(failure(error)),
    }
}

/// Waits until something has become of the version.
async fn watch(pool: &Pool, name: &str, version: i32, bar: &ProgressBar) -> Result<Rebuilt, Failure> {
    loop {
        let Some(found) = find(pool, name, version).await? else {
            return Ok(Rebuilt::of(name, version, None, Outcome::Dropped));
        };
        let outcome = match (found.stage, found.state) {
            (Stage::Ready, _) => Some(Outcome::Active),
            (Stage::Differs, _) => Some(Outcome::Differs),
            (Stage::Dropping, _) => Some(Outcome::Dropped),
            (Stage::Building | Stage::Switching, State::Failed | State::NeedsUpgrade) => {
                Some(Outcome::Failed)
            }
            (Stage::Building | Stage::Switching, State::Stopped) => Some(Outcome::Orphaned),
            (Stage::Building | Stage::Switching, State::CatchingUp | State::Live) => None,
        };
        if let Some(outcome) = outcome {
            return Ok(Rebuilt::of(name, version, Some(&found), outcome));
        }
        show(&found, bar);
        sleep(LOOK).await;
    }
}

async fn find(pool: &Pool, name: &str, version: i32) -> Result<Option<Version>, Failure> {
    let all = versions::versions(pool, Some(name)).await.map_err(|error| Failure::of(&error))?;
    Ok(all.into_iter().find(|found| found.version == version))
}

fn show(found: &Version, bar: &ProgressBar) {
    let name = &found.projection;
    let Some(build) = &found.build else { return };
    bar.set_length(build.target.0.max(1));
    bar.set_position(build.position.0);
    let doing = match (found.stage, build.phase) {
        (Stage::Switching, _) | (_, Phase::Done) => "catching up".to_owned(),
        (_, Phase::Folding) => format!("folding, {} events/s", per_second(build)),
        (_, Phase::Indexing) => "making indexes".to_owned(),
        (_, Phase::Checking) => "comparing".to_owned(),
    };
    bar.set_message(format!("{name}: {doing}"));
}

// For people; counts stay far below 2^53.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
fn per_second(build: &Build) -> i64 {
    (build.events as f64 / seconds(build).max(0.001)) as i64
}

fn seconds(build: &Build) -> f64 {
    let until = build.finished_at.unwrap_or_else(jiff::Timestamp::now);
    until.duration_since(build.started_at).as_secs_f64()
}

impl Rebuilt {
    fn of(name: &str, version: i32, found: Option<&Version>, outcome: Outcome) -> Self {
        let build = found.and_then(|found| found.build.as_ref());
        Self {
            projection: name.to_owned(),
            version,
            fold: found.map_or(0, |found| found.fold),
            outcome,
            events: build.map_or(0, |build| build.events),
            rows: build.map_or(0, |build| build.rows),
            seconds: build.map_or(0.0, seconds),
            left_out_keys: build.map_or(0, |build| build.left_out_keys),
            left_out_sums: build.map_or(0, |build| build.left_out_sums),
            reason: found.and_then(|found| found.reason.clone()),
            difference: build.and_then(|build| build.difference.clone()),
        }
    }

    fn text(&self) -> String {
        let Self { projection, version, events, rows, seconds, .. } = self;
        let left_out = match (self.left_out_keys, self.left_out_sums) {
            (0, 0) => String::new(),
            (keys, sums) => format!("; {keys} parked or skipped rows and {sums} sums not compared"),
        };
        let counts = format!("{events} events, {rows} rows written, {seconds:.1} s{left_out}");
        match self.outcome {
            Outcome::Active => format!("{projection}: version {version} is in use ({counts})\n"),
            Outcome::Begun => format!("{projection}: version {version} is being built\n"),
            Outcome::Differs => format!(
                "{projection}: version {version} is built ({counts}) and differs:\n{}",
                self.differences()
            ),
            Outcome::Failed | Outcome::Dropped | Outcome::Orphaned => String::new(),
        }
    }

    /// A line for each view that differs.
    fn differences(&self) -> String {
        let Some(views) = self.difference.as_ref().and_then(serde_json::Value::as_object) else {
            return String::new();
        };
        let list = |value: &serde_json::Value| -> String {
            let texts = value.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
            texts.collect::<Vec<_>>().join(", ")
        };
        let line = |(view, difference): (&String, &serde_json::Value)| {
            let (columns, keys) = (list(&difference["columns"]), list(&difference["keys"]));
            let rows = format!("{} rows, {} before", difference["rows"][1], difference["rows"][0]);
            let columns = if columns.is_empty() { String::new() } else { format!("; columns {columns}") };
            let keys = if keys.is_empty() { String::new() } else { format!("; keys such as {keys}") };
            format!("  {view}: {rows}{columns}{keys}\n")
        };
        views.iter().map(line).collect()
    }

    /// Why the command does not end well.
    fn failure(&self) -> Failure {
        let Self { projection, version, .. } = self;
        match self.outcome {
            Outcome::Differs => Failure::run(format!("version {version} of {projection} differs from the one in use"))
                .hint(format!(
                    "`headwater accept {projection} {version}` takes it into use, `headwater drop-version {projection} {version}` drops it"
                )),
            Outcome::Dropped => Failure::run(format!("version {version} of {projection} was dropped meanwhile")),
            Outcome::Orphaned => Failure::run(format!("nobody is building version {version} of {projection} any more"))
                .hint("it is built by whoever folds the projection next: `headwater up`, or `headwater serve projections`"),
            Outcome::Failed | Outcome::Active | Outcome::Begun => {
                let reason = self.reason.as_deref().unwrap_or("no reason is known");
                Failure::run(format!("{projection} cannot be built anew: {reason}"))
                    .hint(format!("the version in use is as it was; `headwater drop-version {projection} {version}` drops what was built"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rebuilt(outcome: Outcome) -> Rebuilt {
        Rebuilt {
            projection: "shop".to_owned(),
            version: 2,
            fold: 1,
            outcome,
            events: 9000,
            rows: 4200,
            seconds: 1.26,
            left_out_keys: 0,
            left_out_sums: 0,
            reason: Some("OrderPlaced in order-1 (0): no".to_owned()),
            difference: Some(json!({"orders": {"rows": [7, 8], "columns": ["status"], "keys": ["a", "b"]}})),
        }
    }

    #[test]
    fn what_became_of_a_build_is_said_in_a_line_and_what_differs_in_one_a_view() {
        let text = |outcome| rebuilt(outcome).text();
        assert_eq!(
            text(Outcome::Active),
            "shop: version 2 is in use (9000 events, 4200 rows written, 1.3 s)\n"
        );
        assert_eq!(
            text(Outcome::Differs),
            "shop: version 2 is built (9000 events, 4200 rows written, 1.3 s) and differs:\n  \
             orders: 8 rows, 7 before; columns status; keys such as a, b\n"
        );
        let left_out = Rebuilt { left_out_keys: 2, left_out_sums: 5, ..rebuilt(Outcome::Active) }.text();
        assert!(
            left_out.ends_with("1.3 s; 2 parked or skipped rows and 5 sums not compared)\n"),
            "{left_out}"
        );
        let failed = rebuilt(Outcome::Failed).failure().to_string();
        assert!(failed.contains("OrderPlaced in order-1 (0): no"), "{failed}");
    }
}
