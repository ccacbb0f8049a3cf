//! `headwater versions`: the versions of each projection.

use contract::status::{Stage, State};
use engine::versions::{self, Version};
use jiff::Timestamp;
use serde::Serialize;

use super::projection::{named, pool};
use crate::args::VersionsFlags;
use crate::config::Config;
use crate::database::Database;
use crate::failure::Failure;
use crate::print;
use crate::roles::projections::views;
use crate::table::table;

/// Prints a row for each version.
pub async fn run(config: &Config, flags: &VersionsFlags) -> Result<(), Failure> {
    let name = flags.name.as_deref();
    if let Some(name) = name {
        named(config, &[name.to_owned()], false)?;
    }
    let database = Database::open(config).await?;
    let found = read(database.url(), name).await;
    database.close().await?;
    let folds: Vec<_> =
        views(config).iter().map(|projection| (projection.name(), projection.fold())).collect();
    let lines: Vec<_> = found?.iter().map(|version| Line::of(version, &folds)).collect();
    if flags.json {
        let text = serde_json::to_string_pretty(&lines).map_err(|error| Failure::of(&error))?;
        return print(&(text + "\n"));
    }
    print(&as_table(&lines))
}

async fn read(url: &str, name: Option<&str>) -> Result<Vec<Version>, Failure> {
    let versions = versions::versions(&pool(url)?, name).await.map_err(|error| Failure::of(&error))?;
    // Sagas have one version each and no readers.
    let is_view =
        |version: &Version| !process_managers::tables().iter().any(|(saga, ..)| *saga == version.projection);
    Ok(versions.into_iter().filter(is_view).collect())
}

/// What is told of a version.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    projection: String,
    version: i32,
    fold: i32,
    /// In use, kept, frozen, or how far it is on its way.
    state: &'static str,
    rows: i64,
    position: u64,
    /// From where on it is kept what its rows were.
    #[serde(skip_serializing_if = "Option::is_none")]
    history_from: Option<u64>,
    /// The moment that belongs to it; none for the beginning of the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    history_since: Option<Timestamp>,
    /// What the comparison left out, of a version that was built.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out_keys: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out_sums: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<serde_json::Value>,
}

impl Line {
    fn of(version: &Version, folds: &[(&'static str, i32)]) -> Self {
        let newest = folds.iter().find(|(name, _)| *name == version.projection).map_or(0, |(_, fold)| *fold);
        let halted = matches!(version.state, State::Failed | State::NeedsUpgrade);
        let state = match version.stage {
            // Nobody is at it, and this binary could not be.
            Stage::Ready if version.state == State::Stopped && version.fold != newest => "FROZEN",
            Stage::Ready | Stage::Building | Stage::Switching if halted => version.state.as_str(),
            Stage::Ready if version.is_active => "ACTIVE",
            Stage::Ready => "KEPT",
            stage => stage.as_str(),
        };
        Self {
            projection: version.projection.clone(),
            version: version.version,
            fold: version.fold,
            state,
            rows: version.rows,
            position: version.position.0,
            history_from: version.history.map(|history| history.from.0),
            history_since: version.history.and_then(|history| history.since),
            left_out_keys: version.build.as_ref().map(|build| build.left_out_keys),
            left_out_sums: version.build.as_ref().map(|build| build.left_out_sums),
            reason: version.reason.clone(),
            difference: version.build.as_ref().and_then(|build| build.difference.clone()),
        }
    }
}

impl Line {
    /// How much is kept of what its rows were, for people.
    fn past(&self) -> String {
        match (self.history_from, self.history_since) {
            (None, _) => "none".to_owned(),
            (Some(_), None) => "all".to_owned(),
            (Some(_), Some(since)) => format!("since {since:.0}"),
        }
    }
}

fn as_table(lines: &[Line]) -> String {
    if lines.is_empty() {
        return "no projection has started yet\n".to_owned();
    }
    let row = |line: &Line| {
        [
            line.projection.clone(),
            line.version.to_string(),
            line.fold.to_string(),
            line.state.to_owned(),
            line.rows.to_string(),
            line.position.to_string(),
            line.past(),
            line.reason.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = lines.iter().map(row).collect();
    table(["PROJECTION", " VERSION", " FOLD", "STATE", " ROWS", " POSITION", "PAST", "REASON"], &rows)
}

#[cfg(test)]
mod tests {
    use contract::LogPosition;

    use super::*;

    #[test]
    fn a_version_that_nobody_can_fold_any_more_is_frozen() {
        let version = |fold, stage, state, is_active| Version {
            projection: "shop".to_owned(),
            version: 3,
            fold,
            stage,
            is_active,
            is_previous: false,
            state,
            position: LogPosition(7),
            reason: None,
            rows: 12,
            build: None,
            history: None,
        };
        let state = |version: Version| Line::of(&version, &[("shop", 2)]).state;
        assert_eq!(state(version(2, Stage::Ready, State::Live, true)), "ACTIVE");
        assert_eq!(state(version(2, Stage::Ready, State::Stopped, true)), "ACTIVE");
        assert_eq!(state(version(1, Stage::Ready, State::Live, false)), "KEPT");
        assert_eq!(state(version(1, Stage::Ready, State::Stopped, false)), "FROZEN");
        assert_eq!(state(version(2, Stage::Building, State::CatchingUp, false)), "BUILDING");
        assert_eq!(state(version(2, Stage::Building, State::Failed, false)), "FAILED");
        assert_eq!(state(version(2, Stage::Differs, State::Live, false)), "DIFFERS");
        let text = as_table(&[Line::of(&version(2, Stage::Ready, State::Live, true), &[("shop", 2)])]);
        assert!(text.contains("ACTIVE") && text.lines().count() == 2, "{text}");
    }
}
