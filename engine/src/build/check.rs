//! The proof of a build: its checksums worked out from the tables once more, and compared with those of the version in
//! use at the same position.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;

use contract::LogPosition;
use deadpool_postgres::ClientWrapper;
use futures::TryStreamExt as _;
use postgres_types::ToSql;
use serde::Serialize;

use crate::checksum::Checksums;
use crate::error::EngineError;
use crate::parked::decision::PlaceName;
use crate::projection::{MayDiffer, Projection};
use crate::table::Table;

/// Keys that are named of each view that differs.
const SAMPLE_KEYS: i64 = 5;

/// The version in use, as it stood when a build began.
pub(crate) struct InUse {
    pub(crate) version: i32,
    pub(crate) fold: i32,
    pub(crate) position: LogPosition,
    /// By view.
    pub(crate) checksums: BTreeMap<String, Checksums>,
    /// Rows and streams that are parked.
    pub(crate) parked: Vec<PlaceName>,
}

/// What is not the same in a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    /// Rows of the version in use, and of the one built.
    pub(crate) rows: (i64, i64),
    /// The columns whose checksums differ.
    pub(crate) columns: Vec<String>,
    /// The keys of some rows that differ.
    pub(crate) keys: Vec<String>,
}

/// Reads the version in use with its checksums; at one moment, if the client has begun a snapshot.
pub(crate) async fn in_use(client: &ClientWrapper, projection: &str) -> Result<Option<InUse>, EngineError> {
    const IN_USE: &str = "
        SELECT v.version, v.fold, v.position, c.view, c.row_count, c.checksums FROM projection p
        JOIN projection_version v ON v.name = p.name AND v.version = p.active_version
        LEFT JOIN projection_checksum c ON c.name = v.name AND c.version = v.version WHERE p.name = $1";
    let rows = client.query(IN_USE, &[&projection]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let mut in_use = InUse {
        version: first.try_get(0)?,
        fold: first.try_get(1)?,
        position: LogPosition(first.try_get::<_, i64>(2)?.cast_unsigned()),
        checksums: BTreeMap::new(),
        parked: Vec::new(),
    };
    for row in &rows {
        if let Some(view) = row.try_get::<_, Option<String>>(3)? {
            in_use.checksums.insert(view, Checksums::from_json(row.try_get(4)?, &row.try_get(5)?));
        }
    }
    const PARKED: &str = "SELECT view, key FROM projection_parked WHERE name = $1 AND version = $2";
    for row in client.query(PARKED, &[&projection, &in_use.version]).await? {
        in_use.parked.push(PlaceName { view: row.try_get(0)?, key: row.try_get(1)? });
    }
    Ok(Some(in_use))
}

/// Works the checksums of a table out from its rows.
pub(crate) async fn of_table(
    client: &ClientWrapper,
    table: &'static Table,
    version: i32,
) -> Result<Checksums, EngineError> {
    let sql = format!("SELECT {} FROM {}", table.column_list(), table.versioned(version));
    let none: [&(dyn ToSql + Sync); 0] = [];
    let mut rows = pin!(client.query_raw(&sql, none).await?);
    let mut checksums = Checksums::default();
    while let Some(row) = rows.try_next().await? {
        let (key, data) = table.read(&row)?;
        checksums.replace(table, &key, None, Some(&data));
    }
    Ok(checksums)
}

/// Compares what was built, in the order of the projection's tables, with the version in use at the same position.
/// Views that this one lacks are passed over, and of another fold columns that it lacks; so is what may differ, and what is
/// to be left out.
pub(crate) fn compare<E: Send + Sync + 'static>(
    projection: &Projection<E>,
    built: &[Checksums],
    in_use: &InUse,
    left_out: &BTreeSet<&'static str>,
) -> BTreeMap<&'static str, Difference> {
    let same_fold = in_use.fold == projection.fold;
    let may_differ = if same_fold { MayDiffer::Nothing } else { projection.may_differ };
    let mut differences = BTreeMap::new();
    for (table, built) in projection.tables().zip(built) {
        if left_out.contains(table.name) {
            continue;
        }
        let nothing = Checksums::default();
        let used = match in_use.checksums.get(table.name) {
            Some(used) => used,
            None if same_fold => &nothing,
            None => continue,
        };
        let differs = |column: &&str| {
            let is_common = same_fold || used.columns.contains_key(*column);
            let may = match may_differ {
                MayDiffer::Nothing => false,
                MayDiffer::Columns(columns) => columns.contains(&(table.name, *column)),
                MayDiffer::Anything => true,
            };
            is_common && !may && used.column(column) != built.column(column)
        };
        let columns: Vec<&str> = table.data.iter().map(|column| column.name).filter(differs).collect();
        let rows_differ = may_differ != MayDiffer::Anything && used.rows != built.rows;
        if rows_differ || !columns.is_empty() {
            let columns = columns.into_iter().map(str::to_owned).collect();
            let difference = Difference { rows: (used.rows, built.rows), columns, keys: Vec::new() };
            differences.insert(table.name, difference);
        }
    }
    differences
}

/// The keys of some rows that differ, by a comparison of both tables. The version in use has moved on: rows that events
/// behind the position have changed are left out.
pub(crate) async fn sample(
    client: &ClientWrapper,
    table: &'static Table,
    difference: &Difference,
    (used, built): (i32, i32),
    at: LogPosition,
) -> Result<Vec<String>, EngineError> {
    let key: Vec<&str> = table.key.iter().map(|column| column.name).collect();
    let key = key.join(", ");
    let unequal = |column: &String| format!("u.{column} IS DISTINCT FROM b.{column}");
    let mut unequal: Vec<String> = difference.columns.iter().map(unequal).collect();
    unequal.push("u.updated_position IS NULL OR b.updated_position IS NULL".to_owned());
    let parts: Vec<String> = table.key.iter().map(|column| format!("{}::text", column.name)).collect();
    let sql = format!(
        "SELECT concat_ws('/', {}) FROM {} u FULL JOIN {} b USING ({key}) WHERE ({}) \
         AND coalesce(u.updated_position, 0) <= $1 AND coalesce(b.updated_position, 0) <= $1 LIMIT {SAMPLE_KEYS}",
        parts.join(", "),
        table.versioned(used),
        table.versioned(built),
        unequal.join(" OR ")
    );
    let rows = client.query(&sql, &[&at.0.cast_signed()]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
