//! Reading one stream by revision.

use tonic::Status;

use super::respond::{self, Form};
use super::{blocking, refuse};
use crate::proto::streams::ReadResp;
use crate::proto::streams::read_req::options::StreamOptions;
use crate::proto::streams::read_req::options::stream_options::RevisionOption;
use crate::storage::{Direction, Revision, Storage};

/// A page has at most this many events and, past the first, bytes.
pub(super) const PAGE_EVENTS: u64 = 512;
pub(super) const PAGE_BYTES: usize = 512 * 1024;

/// A read of one stream under way.
pub(super) struct StreamRead {
    storage: Storage,
    stream: String,
    /// `None` once there is no more.
    next: Option<Revision>,
    direction: Direction,
    left: u64,
    form: Form,
    /// Whether the client asks for the stream's first and last positions.
    with_positions: bool,
    is_first: bool,
}

impl StreamRead {
    /// A read as asked.
    pub(super) fn new(
        storage: &Storage,
        options: &StreamOptions,
        direction: Direction,
        count: u64,
        form: Form,
        with_positions: bool,
    ) -> Result<Self, Status> {
        let stream = stream_text(options)?;
        let from = match options.revision_option {
            Some(RevisionOption::Revision(revision)) => Revision(revision),
            Some(RevisionOption::Start(())) | None => Revision(0),
            Some(RevisionOption::End(())) => Revision(u64::MAX),
        };
        let next = Some(from);
        let storage = storage.clone();
        Ok(Self { storage, stream, next, direction, left: count, form, with_positions, is_first: true })
    }

    /// The next page; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<ReadResp>>, Status> {
        let Some(from) = self.next else { return Ok(None) };
        let (storage, stream, direction) = (self.storage.clone(), self.stream.clone(), self.direction);
        let (form, left) = (self.form, self.left.min(PAGE_EVENTS));
        let page = blocking(move || {
            let Some(page) = storage.read_stream(&stream, from, direction, left as usize, PAGE_BYTES)? else {
                return Ok(None);
            };
            let events = page.records.into_iter().map(|record| respond::event(&storage, record, form));
            Ok(Some((events.collect::<Result<Vec<_>, _>>()?, page.next, page.first, page.last)))
        });
        let Some((mut messages, next, first, last)) = page.await? else {
            self.next = None;
            return Ok(Some(vec![respond::stream_not_found(&self.stream)]));
        };
        self.left -= messages.len() as u64;
        self.next = next.filter(|_| self.left > 0);
        if self.with_positions {
            let starts_later = self.is_first && direction == Direction::Forwards && first > from;
            if starts_later && messages.is_empty() {
                messages.push(respond::first_stream_position(first));
            }
            if self.next.is_none() {
                messages.push(respond::last_stream_position(last));
            }
        }
        self.is_first = false;
        Ok(Some(messages))
    }
}

/// The name of a stream to be read: any text, since a stream that cannot be is simply not there.
pub(super) fn stream_text(options: &StreamOptions) -> Result<String, Status> {
    let bytes = options.stream_identifier.as_ref().map(|identifier| identifier.stream_name.to_vec());
    let name = String::from_utf8(bytes.unwrap_or_default());
    let name = name.map_err(|_| refuse::invalid("a stream's name is UTF-8"))?;
    if name.is_empty() { Err(refuse::invalid("a stream's name is not empty")) } else { Ok(name) }
}
