//! A transaction that sees one moment of the read model, and which tables it serves.

use std::collections::BTreeSet;

use contract::status::Stage;
use contract::{LogPosition, Position};
use deadpool_postgres::{Object, Pool};
use observability::span;
use postgres_types::ToSql;
use read_model::{PROJECTIONS, Projection, View};
use tokio_postgres::Row;
use tracing::Instrument as _;

use super::connection::connection;
use super::status::{STATUS_SQL, VersionStatus};
use crate::error::ReadError;
use crate::trace;

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// An open snapshot. When it is dropped, also in the middle of a statement, its transaction ends and its connection
/// goes back to the pool, without anyone waiting for that.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// Always there until the drop.
    client: Option<Object>,
    statuses: Vec<VersionStatus>,
    /// Not the first version of this projection, but that one.
    pinned: Option<(&'static str, i32)>,
    /// Rows are read as they were there.
    pub(super) as_of: Option<Position>,
}

impl Snapshot {
    /// Opens a snapshot; its beginning and the status rows are one round trip.
    pub(super) async fn open(pool: &Pool) -> Result<Self, ReadError> {
        let span = trace::snapshot_span();
        let opened = Self::begin(pool).instrument(span.clone()).await;
        match &opened {
            Ok(_) => {}
            Err(ReadError::Postgres(error)) => trace::statement_failed(&span, error),
            Err(_) => span::failed(&span, "pool"),
        }
        opened
    }

    async fn begin(pool: &Pool) -> Result<Self, ReadError> {
        let mut snapshot =
            Self { client: Some(connection(pool).await?), statuses: Vec::new(), pinned: None, as_of: None };
        let client = snapshot.client();
        let begin = client.batch_execute(BEGIN);
        let status = async {
            let statement = client.prepare_cached(STATUS_SQL).await?;
            client.query(&statement, &[]).await
        };
        // Sent in this order, answered together.
        let ((), rows) = futures::future::try_join(begin, status).await?;
        snapshot.statuses = rows.iter().map(VersionStatus::read).collect::<Result<_, _>>()?;
        Ok(snapshot)
    }

    /// Every version of every projection.
    pub(crate) fn statuses(&self) -> &[VersionStatus] {
        &self.statuses
    }

    /// The versions of a projection that may be served, the first before the others: the active one, then those that are
    /// kept and folded on, the newest first. Those of a fold that this binary does not know are none of them.
    pub(super) fn servable(&self, projection: &str) -> Vec<&VersionStatus> {
        let known =
            PROJECTIONS.iter().find(|known| known.name == projection).map_or(&[][..], |known| known.folds);
        let of_projection = self.statuses.iter().filter(|status| status.name == projection);
        let mut servable: Vec<_> = of_projection
            .filter(|status| known.contains(&status.fold) && (status.active || status.stage == Stage::Ready))
            .collect();
        servable.sort_by_key(|status| (!status.active, std::cmp::Reverse(status.version)));
        servable
    }

    /// Serves this version of the projection, whichever would be the first.
    pub(super) fn pin(&mut self, projection: &'static str, version: i32) {
        self.pinned = Some((projection, version));
    }

    /// The version of a projection that is served.
    pub(super) fn served(&self, projection: &'static str) -> Result<&VersionStatus, ReadError> {
        let servable = self.servable(projection);
        let pinned = |status: &&&VersionStatus| self.pinned == Some((projection, status.version));
        if let Some(status) = servable.iter().find(pinned).or(servable.first()) {
            return Ok(status);
        }
        let mut of_projection = self.statuses.iter().filter(|status| status.name == projection).peekable();
        if of_projection.peek().is_none() {
            return Err(ReadError::NotProjected { projection });
        }
        let active =
            of_projection.find(|status| status.active).map_or_else(i32::default, |status| status.fold);
        Err(ReadError::UnknownFold { projection, active })
    }

    /// What a statement reads a view from that this snapshot serves; there it has the view's name.
    pub(super) fn table(&self, projection: &Projection, view: &View) -> Result<String, ReadError> {
        let served = self.served(projection.name)?;
        let source = projection.source(view, (served.version, served.fold), self.as_of.is_some());
        source.ok_or(ReadError::NoHistory { view: view.name })
    }

    /// As of which position rows are read, if not as they are now.
    pub(crate) fn as_of(&self) -> Option<Position> {
        self.as_of
    }

    /// The position up to which all these projections are folded; none when there are none.
    pub(super) fn position(&self, projections: &BTreeSet<&'static str>) -> Option<Position> {
        projections
            .iter()
            .filter_map(|name| Some(self.served(name).ok()?.position))
            .min_by_key(|position| position.at)
    }

    /// The first of these projections that has not reached a position, as the error to give when waiting is over.
    pub(super) fn behind(
        &self,
        projections: &BTreeSet<&'static str>,
        requested: Position,
    ) -> Result<Option<ReadError>, ReadError> {
        for projection in projections {
            let (position, state): (Option<LogPosition>, _) = match self.served(projection) {
                Ok(status) if status.position.log != requested.log => {
                    return Err(ReadError::OtherLog { requested });
                }
                Ok(status) if status.position.at >= requested.at => continue,
                Ok(status) => (Some(status.position.at), Some(status.state)),
                Err(ReadError::NotProjected { .. }) => (None, None),
                Err(error) => return Err(error),
            };
            return Ok(Some(ReadError::Behind { projection, position, requested, state }));
        }
        Ok(None)
    }

    /// Runs a statement. Its text must be one of a small, fixed number: each stays prepared on its connection.
    pub(crate) async fn query(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, ReadError> {
        let span = trace::statement_span(sql);
        let client = self.client();
        let rows = async {
            let statement = client.prepare_cached(sql).await?;
            client.query(&statement, parameters).await
        };
        let rows = rows.instrument(span.clone()).await;
        match &rows {
            Ok(rows) => span::note(&span, "db.response.returned_rows", span::count(rows.len())),
            Err(error) => trace::statement_failed(&span, error),
        }
        Ok(rows?)
    }

    fn client(&self) -> &Object {
        self.client.as_ref().expect("only the drop takes it")
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        let (Some(client), Ok(runtime)) = (self.client.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        runtime.spawn(async move {
            if client.batch_execute("COMMIT").await.is_err() {
                // In an unknown state: not for the pool.
                drop(Object::take(client));
            }
        });
    }
}
