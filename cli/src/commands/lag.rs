//! `headwater lag`: how far each projection is behind the log.

use contract::status::{HEARTBEAT_TIMEOUT_SECONDS, PROJECTION_TABLE, State, VERSION_TABLE};
use contract::{LogIdentity, LogPosition, Position};
use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

use crate::config::Config;
use crate::database::Database;
use crate::failure::Failure;
use crate::print;
use crate::table::table;

/// One command needs one connection.
const CONNECTIONS: usize = 1;

/// Prints a row for each projection and version.
pub async fn run(config: &Config, json: bool) -> Result<(), Failure> {
    let database = Database::open(config).await?;
    let lags = read(database.url()).await;
    database.close().await?;
    let lags = lags?;
    if json {
        let text = serde_json::to_string_pretty(&lags).map_err(|error| Failure::of(&error))?;
        return print(&(text + "\n"));
    }
    print(&as_table(&lags))
}

/// What `lag` tells of one version of a projection.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Lag {
    name: String,
    version: i32,
    /// Whether readers use this version.
    active: bool,
    state: &'static str,
    position: Position,
    head_position: Position,
    /// Events not folded yet, where that is known.
    lag_events: Option<i64>,
    /// Age of the oldest event not folded yet, or the silence of a worker that has stopped, seconds.
    lag_seconds: f64,
    heartbeat_at: Timestamp,
    reason: Option<String>,
}

async fn read(url: &str) -> Result<Vec<Lag>, Failure> {
    let pool = read_model::reader_pool(url, CONNECTIONS).map_err(|error| Failure::of(&error))?;
    let rows = query(&pool).await?;
    rows.iter().map(|row| lag(row).map_err(|error| Failure::of(&error))).collect()
}

async fn query(pool: &Pool) -> Result<Vec<Row>, Failure> {
    let sql = format!(
        "SELECT v.name, v.version, v.version = p.active_version AS active, v.state, v.log_identity, v.position, \
         v.head_position, v.lag_events, v.reason, v.heartbeat_at, \
         extract(epoch FROM now() - v.pending_since)::float8 AS pending_seconds, \
         extract(epoch FROM now() - v.heartbeat_at)::float8 AS silent_seconds \
         FROM {VERSION_TABLE} v JOIN {PROJECTION_TABLE} p USING (name) ORDER BY v.name, v.version"
    );
    let client = pool.get().await.map_err(|error| Failure::of(&error))?;
    match client.query(&sql, &[]).await {
        Ok(rows) => Ok(rows),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(Vec::new()),
        Err(error) => Err(Failure::of(&error)),
    }
}

fn lag(row: &Row) -> Result<Lag, tokio_postgres::Error> {
    let silent_seconds: f64 = row.try_get("silent_seconds")?;
    let is_silent = silent_seconds > HEARTBEAT_TIMEOUT_SECONDS;
    let stored: String = row.try_get("state")?;
    let state = if is_silent { State::Stopped } else { State::parse(&stored).unwrap_or(State::Stopped) };
    let pending_seconds: Option<f64> = row.try_get("pending_seconds")?;
    // The columns are how the engine stores unsigned numbers in Postgres's signed ones.
    let log = LogIdentity(u32::try_from(row.try_get::<_, i64>("log_identity")?).unwrap_or_default());
    let position = |column| -> Result<Position, tokio_postgres::Error> {
        let at = u64::try_from(row.try_get::<_, i64>(column)?).unwrap_or_default();
        Ok(Position { log, at: LogPosition(at) })
    };
    Ok(Lag {
        name: row.try_get("name")?,
        version: row.try_get("version")?,
        active: row.try_get("active")?,
        state: state.as_str(),
        position: position("position")?,
        head_position: position("head_position")?,
        lag_events: row.try_get("lag_events")?,
        lag_seconds: pending_seconds.or(is_silent.then_some(silent_seconds)).unwrap_or(0.0).max(0.0),
        heartbeat_at: row.try_get("heartbeat_at")?,
        reason: row.try_get("reason")?,
    })
}

fn as_table(lags: &[Lag]) -> String {
    if lags.is_empty() {
        return "no projection has started yet\n".to_owned();
    }
    let rows: Vec<_> = lags
        .iter()
        .map(|lag| {
            [
                lag.name.clone(),
                format!("{}{}", lag.version, if lag.active { "" } else { " (not active)" }),
                lag.state.to_owned(),
                lag.position.at.to_string(),
                lag.head_position.at.to_string(),
                lag.lag_events.map_or_else(|| "?".to_owned(), |events| events.to_string()),
                format!("{:.1} s", lag.lag_seconds),
                lag.reason.clone().unwrap_or_default(),
            ]
        })
        .collect();
    table(
        ["PROJECTION", "VERSION", "STATE", " POSITION", " HEAD", " EVENTS BEHIND", " TIME BEHIND", "REASON"],
        &rows,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_every_projection_and_its_trouble() {
        let at = |at| Position { log: LogIdentity(10), at: LogPosition(at) };
        let live = Lag {
            name: "catalogue".to_owned(),
            version: 1,
            active: true,
            state: "LIVE",
            position: at(17),
            head_position: at(17),
            lag_events: Some(0),
            lag_seconds: 0.0,
            heartbeat_at: Timestamp::UNIX_EPOCH,
            reason: None,
        };
        let failed = Lag {
            name: "customers".to_owned(),
            state: "FAILED",
            lag_events: None,
            lag_seconds: 61.25,
            reason: Some("no predecessor".to_owned()),
            ..live.clone()
        };
        let text = as_table(&[live, failed]);
        assert!(text.contains("catalogue   1        LIVE          17    17"), "{text}");
        assert!(text.contains("?") && text.contains("61.2 s") && text.contains("no predecessor"), "{text}");
        assert_eq!(as_table(&[]), "no projection has started yet\n");
    }
}
