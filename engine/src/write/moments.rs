//! When events were recorded, so that a moment can be turned into a position: that before the first event which was
//! recorded later.

use contract::LogPosition;
use jiff::Timestamp;
use postgres_types::ToSql;
use tokio_postgres::{Error, GenericClient, Statement};

/// Some events in their order.
#[derive(Debug)]
pub(crate) struct Moments {
    positions: Vec<i64>,
    recorded: Vec<Timestamp>,
    /// Of these events and all before them.
    pub(crate) latest: Timestamp,
}

/// What [`Moments::write`] is to be given prepared.
pub(crate) const INSERT: &str = "
    INSERT INTO projection_moments (name, version, latest, last_position, positions, recorded)
    VALUES ($1, $2, $3, $4, $5, $6)";

const LATEST: &str = "
    SELECT latest FROM projection_moments WHERE name = $1 AND version = $2 ORDER BY latest DESC LIMIT 1";

impl Moments {
    /// Of events that stand behind others, the latest of which was recorded at `before`; none of no events.
    pub(crate) fn of(
        events: impl Iterator<Item = (LogPosition, Timestamp)>,
        before: Option<Timestamp>,
    ) -> Option<Self> {
        let (positions, recorded): (Vec<i64>, Vec<Timestamp>) =
            events.map(|(position, recorded)| (position.0.cast_signed(), recorded)).unzip();
        let latest = recorded.iter().copied().chain(before).max()?;
        (!positions.is_empty()).then_some(Self { positions, recorded, latest })
    }

    /// Writes them for a version.
    pub(crate) async fn write(
        &self,
        client: &impl GenericClient,
        insert: &Statement,
        (name, version): (&str, i32),
    ) -> Result<(), Error> {
        let values: [&(dyn ToSql + Sync); 6] =
            [&name, &version, &self.latest, &self.positions.last(), &self.positions, &self.recorded];
        client.execute(insert, &values).await?;
        Ok(())
    }
}

/// Forgets all that is written of a version.
pub(crate) async fn forget(client: &impl GenericClient, (name, version): (&str, i32)) -> Result<(), Error> {
    let forget = "DELETE FROM projection_moments WHERE name = $1 AND version = $2";
    client.execute(forget, &[&name, &version]).await.map(drop)
}

/// The latest moment of all that is written of a version.
pub(crate) async fn latest(
    client: &impl GenericClient,
    (name, version): (&str, i32),
) -> Result<Option<Timestamp>, Error> {
    client.query_opt(LATEST, &[&name, &version]).await?.map(|row| row.try_get(0)).transpose()
}
