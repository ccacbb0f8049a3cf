//! What is parked of the versions that are served: rows that stand still while events of theirs wait.

use std::collections::{BTreeSet, HashMap};

use contract::LogPosition;
use jiff::Timestamp;
use uuid::Uuid;

use super::snapshot::Snapshot;
use crate::error::ReadError;

/// Rows by their key, streams by the name behind their category.
const PARKED: &str =
    "SELECT view, key, position, since FROM projection_parked WHERE name = $1 AND version = $2";

/// By the id of the aggregate: the first event that waits, and when it was recorded.
#[derive(Debug, Default)]
pub(super) struct Parked(HashMap<Uuid, (LogPosition, Timestamp)>);

impl Parked {
    /// Reads what is parked of these projections; without a statement when nothing is.
    pub(super) async fn read(
        snapshot: &Snapshot,
        projections: &BTreeSet<&'static str>,
    ) -> Result<Self, ReadError> {
        let mut parked = Self::default();
        for projection in projections {
            let status = snapshot.served(projection)?;
            if status.parked == 0 {
                continue;
            }
            for row in snapshot.query(PARKED, &[&status.name, &status.version]).await? {
                if let Some(id) = aggregate(row.try_get(0)?, row.try_get(1)?) {
                    let waits = (LogPosition(row.try_get::<_, i64>(2)?.cast_unsigned()), row.try_get(3)?);
                    let first = parked.0.entry(id).or_insert(waits);
                    *first = waits.min(*first);
                }
            }
        }
        Ok(parked)
    }

    /// Since when events of an aggregate wait, as of a position.
    pub(super) fn since(&self, aggregate: Uuid, at: Option<LogPosition>) -> Option<Timestamp> {
        let (position, since) = self.0.get(&aggregate)?;
        at.is_none_or(|at| *position <= at).then_some(*since)
    }
}

/// Keys are JSON arrays that begin with an id; streams are named by their category and the id.
fn aggregate(view: &str, key: &str) -> Option<Uuid> {
    if view.is_empty() {
        return Uuid::try_parse(key.split_once('-')?.1).ok();
    }
    let values: Vec<serde_json::Value> = serde_json::from_str(key).ok()?;
    Uuid::try_parse(values.first()?.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_streams_are_known_by_the_id_of_their_aggregate() {
        let id = Uuid::from_u128(7);
        assert_eq!(aggregate("orders", &format!("[\"{id}\"]")), Some(id));
        assert_eq!(aggregate("", &format!("order-{id}")), Some(id));
        for (view, key) in
            [("sales", "[7]"), ("sales", "[]"), ("sales", "no"), ("", "order"), ("", "order-1")]
        {
            assert_eq!(aggregate(view, key), None, "{view} {key}");
        }
    }
}
