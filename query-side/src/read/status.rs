//! The status rows that the workers of the projections write (`contract::status`).

use contract::status::{HEARTBEAT_TIMEOUT_SECONDS, Stage, State};
use contract::{LogIdentity, LogPosition, Position};
use jiff::Timestamp;
use tokio_postgres::Row;

use super::super::error::ReadError;

/// Every version of every projection, in one statement. Ages are worked out by the server's clock, which wrote the
/// heartbeat too. A replica that has yet to replay what it has received knows of heartbeats up to its last transaction: it
/// is behind, not the worker silent.
pub(super) const STATUS_SQL: &str =
    "SELECT v.name, v.version, v.fold, v.stage, v.version = p.active_version AS active, v.state,
        v.log_identity, v.position, v.head_position, v.lag_events, v.heartbeat_at,
        extract(epoch FROM known.until - v.heartbeat_at)::float8 AS heartbeat_age,
        extract(epoch FROM now() - v.pending_since)::float8 AS pending_age,
        CASE WHEN v.history_to = v.position THEN v.history_from END AS history_from, v.history_since, v.parked
    FROM projection_version v JOIN projection p ON p.name = v.name
    CROSS JOIN (SELECT CASE WHEN pg_is_in_recovery() AND pg_last_wal_receive_lsn() <> pg_last_wal_replay_lsn()
        THEN pg_last_xact_replay_timestamp() ELSE now() END) known (until)
    ORDER BY v.name, v.version";

/// What is known of one version of a projection.
#[derive(Debug, Clone)]
pub(crate) struct VersionStatus {
    /// The projection.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: i32,
    /// Which fold makes its rows.
    pub(crate) fold: i32,
    /// How far it is on its way to readers.
    pub(crate) stage: Stage,
    /// Whether readers shall use it.
    pub(crate) active: bool,
    /// What its worker does; stopped when it is silent.
    pub(crate) state: State,
    /// Up to where it is folded.
    pub(crate) position: Position,
    /// The end of the log, when the worker looked last.
    pub(crate) head: LogPosition,
    /// Events not folded, where that is known.
    pub(crate) lag_events: Option<i64>,
    /// How old the oldest event is that is not folded, seconds; of a silent worker at least its silence.
    pub(crate) lag_seconds: f64,
    /// When the worker wrote last.
    pub(crate) heartbeat_at: Timestamp,
    /// How many rows and streams are parked.
    pub(crate) parked: i32,
    /// From where on it is kept what rows were, if it is.
    pub(crate) history: Option<History>,
}

/// Where the past begins that is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct History {
    /// The first position.
    pub(crate) from: LogPosition,
    /// The moment that belongs to it; none for the beginning of the log.
    pub(crate) since: Option<Timestamp>,
}

impl VersionStatus {
    /// Reads a row of [`STATUS_SQL`].
    pub(super) fn read(row: &Row) -> Result<Self, ReadError> {
        let state: &str = row.try_get("state")?;
        let state = State::parse(state).ok_or_else(|| ReadError::StatusRow(format!("state {state:?}")))?;
        let stage: &str = row.try_get("stage")?;
        let stage = Stage::parse(stage).ok_or_else(|| ReadError::StatusRow(format!("stage {stage:?}")))?;
        let heartbeat_age: f64 = row.try_get("heartbeat_age")?;
        let pending_age: Option<f64> = row.try_get("pending_age")?;
        let silent = heartbeat_age > HEARTBEAT_TIMEOUT_SECONDS;
        // What a silent worker said last of events that wait is not true any more: there may be others by now.
        let lag_events = if silent { None } else { row.try_get("lag_events")? };
        let lag_seconds = match pending_age {
            Some(age) => age.max(0.0),
            None if silent => heartbeat_age,
            None => 0.0,
        };
        let log: i64 = row.try_get("log_identity")?;
        let log = u32::try_from(log).map_err(|_| ReadError::StatusRow(format!("log identity {log}")))?;
        Ok(Self {
            name: row.try_get("name")?,
            version: row.try_get("version")?,
            fold: row.try_get("fold")?,
            stage,
            active: row.try_get("active")?,
            state: if silent { State::Stopped } else { state },
            position: Position { log: LogIdentity(log), at: position(row, "position")? },
            head: position(row, "head_position")?,
            lag_events,
            lag_seconds,
            heartbeat_at: row.try_get("heartbeat_at")?,
            parked: row.try_get("parked")?,
            history: history(row)?,
        })
    }
}

fn position(row: &Row, column: &str) -> Result<LogPosition, ReadError> {
    let value: i64 = row.try_get(column)?;
    u64::try_from(value).map(LogPosition).map_err(|_| ReadError::StatusRow(format!("{column} {value}")))
}

fn history(row: &Row) -> Result<Option<History>, ReadError> {
    let Some(from) = row.try_get::<_, Option<i64>>("history_from")? else { return Ok(None) };
    let from = u64::try_from(from).map(LogPosition);
    let from = from.map_err(|_| ReadError::StatusRow("history_from is negative".to_owned()))?;
    Ok(Some(History { from, since: row.try_get("history_since")? }))
}
