//! What a saga's worker does besides folding: it tells the dispatcher of the rows that it writes, and reads the table
//! for it. Both happen in the order of the worker's transactions, so that a command which an event has answered is
//! never taken for one that waits.

use std::sync::Arc;

use contract::LogPosition;
use deadpool_postgres::ClientWrapper;
use jiff::Timestamp;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::Worker;
use crate::error::EngineError;
use crate::fold::Change;
use crate::metrics;
use crate::saga::{Courier, Dispatcher, OutboxRow, PageEnd, keep_counting};
use crate::value::Value;

/// The most rows that are read for the dispatcher at once.
const PAGE_ROWS: usize = 64;

/// Of the data columns of a saga's table, which one.
const OUTBOX: usize = 2;
const DUE_AT: usize = 3;

pub(super) struct Dispatching {
    saga: &'static str,
    courier: Arc<dyn Courier>,
    /// Nothing is sent before the checkpoint is here: where the log ended as the term began.
    begins_at: LogPosition,
    page: String,
    dispatcher: Option<Dispatcher>,
    _census: AbortOnDropHandle<()>,
}

impl Dispatching {
    /// For the term of a saga's worker; none for other projections.
    pub(super) fn new<E: Send + Sync + 'static>(worker: &Worker<E>, begins_at: LogPosition) -> Option<Self> {
        let projection = &worker.projection;
        let (saga, version) = (projection.name, worker.version);
        let courier = Arc::clone(projection.courier.as_ref()?);
        let table = projection.tables().next()?;
        let page = format!(
            "SELECT saga_id, due_at, outbox FROM {} WHERE due_at IS NOT NULL AND due_at <= $3 \
             AND (due_at, saga_id) > ($1, $2) ORDER BY due_at, saga_id LIMIT {PAGE_ROWS}",
            table.versioned(version)
        );
        let census = tokio::spawn(keep_counting(saga, worker.pool.clone(), table, version));
        let _census = AbortOnDropHandle::new(census);
        Some(Self { saga, courier, begins_at, page, dispatcher: None, _census })
    }

    /// The checkpoint is here.
    pub(super) fn reached(&mut self, position: LogPosition) {
        if self.dispatcher.is_none() && position >= self.begins_at {
            self.dispatcher = Some(Dispatcher::begin(self.saga, Arc::clone(&self.courier)));
        }
    }

    /// The saga's rows were written.
    pub(super) fn written(&self, changes: Vec<Change>) {
        if let Some(dispatcher) = &self.dispatcher
            && !changes.is_empty()
        {
            dispatcher.written(changes.into_iter().filter_map(outbox_row));
        }
    }

    /// Reads a page of outboxes, if the dispatcher wants one.
    pub(super) async fn read_page(&self, client: &ClientWrapper) -> Result<(), EngineError> {
        let Some(dispatcher) = &self.dispatcher else { return Ok(()) };
        let Some(wanted) = dispatcher.page_wanted() else { return Ok(()) };
        let statement = client.prepare_cached(&self.page).await?;
        let (due, saga_id) = wanted.after;
        let found = client.query(&statement, &[&due, &saga_id, &wanted.until]).await?;
        let mut end = PageEnd::OfTable;
        let mut rows = Vec::with_capacity(found.len());
        for row in &found {
            let (saga_id, due): (Uuid, Timestamp) = (row.try_get(0)?, row.try_get(1)?);
            if found.len() == PAGE_ROWS {
                end = PageEnd::At(due, saga_id);
            }
            rows.push(OutboxRow { saga_id, due_at: Some(due), outbox: row.try_get(2)? });
        }
        dispatcher.page(rows, end);
        Ok(())
    }

    /// Waits until the dispatcher may want a page; for ever where there is none. Cancel-safe.
    pub(super) async fn wants_page(dispatching: Option<&mut Self>) -> Result<(), EngineError> {
        match dispatching.and_then(|dispatching| dispatching.dispatcher.as_mut()) {
            Some(dispatcher) => Ok(dispatcher.wants_page().await?),
            None => std::future::pending().await,
        }
    }

    /// The term ends: nothing more is sent.
    pub(super) async fn end(self) {
        if let Some(dispatcher) = self.dispatcher {
            dispatcher.end().await;
        }
        drop(self._census);
        metrics::record_no_dispatcher(self.saga);
    }
}

fn outbox_row(change: Change) -> Option<OutboxRow> {
    let Some(Value::Uuid(saga_id)) = change.key.first() else { return None };
    let data = change.after.unwrap_or_default();
    let due_at = match data.get(DUE_AT) {
        Some(Value::TimestampTz(due)) => Some(*due),
        _ => None,
    };
    let outbox = match data.into_iter().nth(OUTBOX) {
        Some(Value::Jsonb(outbox)) => Some(outbox),
        _ => None,
    };
    Some(OutboxRow { saga_id: *saga_id, due_at, outbox })
}
