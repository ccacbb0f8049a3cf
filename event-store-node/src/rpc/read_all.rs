//! Reading everything by position.

use std::ops::ControlFlow;
use std::sync::Arc;

use contract::LogPosition;
use tonic::Status;

use super::read_stream::{PAGE_BYTES, PAGE_EVENTS};
use super::respond::{self, Form};
use super::{blocking, refuse};
use crate::filter::Filter;
use crate::persistent::is_hidden_from_all;
use crate::proto::streams::ReadResp;
use crate::proto::streams::read_req::options::all_options::AllOption;
use crate::storage::{Boundary, Direction, Record, Storage};

/// A read of everything under way.
pub(super) struct AllRead {
    storage: Storage,
    /// `None` once there is no more.
    next: Option<Boundary>,
    direction: Direction,
    left: u64,
    filter: Option<Arc<Filter>>,
    form: Form,
}

impl AllRead {
    /// A read as asked. A position is included when reading forwards and not when reading backwards.
    pub(super) async fn new(
        storage: &Storage,
        from: Option<AllOption>,
        direction: Direction,
        count: u64,
        filter: Option<Filter>,
        form: Form,
    ) -> Result<Self, Status> {
        let storage = storage.clone();
        let next = match from {
            Some(AllOption::Start(())) | None => Boundary::START,
            Some(AllOption::End(())) => storage.head().borrow().end,
            Some(AllOption::Position(position)) => {
                let storage = storage.clone();
                let at = LogPosition(position.commit_position);
                blocking(move || storage.boundary_at(at)).await?
            }
        };
        let next = Some(next).filter(|_| count > 0);
        Ok(Self { storage, next, direction, left: count, filter: filter.map(Arc::new), form })
    }

    /// The next page, possibly empty; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<ReadResp>>, Status> {
        let Some(from) = self.next else { return Ok(None) };
        let (storage, direction, form) = (self.storage.clone(), self.direction, self.form);
        let filter = self.filter.clone();
        let wanted = self.left.min(PAGE_EVENTS) as usize;
        let (messages, scanned) = blocking(move || {
            let mut page = Ok(Vec::new());
            let visit = |record: Record| {
                let Ok(messages) = &mut page else { return ControlFlow::Break(()) };
                if is_hidden_from_all(&record.stream) {
                    return ControlFlow::Continue(());
                }
                match filter.as_ref().map_or(Ok(true), |filter| filter.shows(&record)) {
                    Ok(false) => {}
                    Ok(true) => match respond::event(&storage, record, form) {
                        Ok(message) => messages.push(message),
                        Err(error) => page = Err(refuse::storage(&error)),
                    },
                    Err(error) => page = Err(refuse::invalid(error.to_string())),
                }
                match &page {
                    Ok(messages) if messages.len() < wanted => ControlFlow::Continue(()),
                    _ => ControlFlow::Break(()),
                }
            };
            let scanned = match direction {
                Direction::Forwards => storage.scan_forwards(from, PAGE_BYTES as u64, visit)?,
                Direction::Backwards => storage.scan_backwards(from, PAGE_BYTES as u64, visit)?,
            };
            Ok((page, scanned))
        })
        .await?;
        let messages = messages?;
        self.left -= messages.len() as u64;
        self.next = Some(scanned.next).filter(|_| self.left > 0 && !scanned.exhausted);
        Ok(Some(messages))
    }
}
