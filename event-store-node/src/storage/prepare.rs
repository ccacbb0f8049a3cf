//! The segment after the active one, written ahead in a thread of its own so that the writer need not wait for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use uuid::Uuid;

use super::StorageError;
use super::disk::{Disk, DiskFile};
use super::segment::{self, SEGMENT_HEADER_BYTES, Segment};

type Prepared = (Segment, Arc<dyn DiskFile>);

/// Makes segments ahead of their use, one at a time.
#[derive(Debug)]
pub(crate) struct NextSegment {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    store: Uuid,
    segment_bytes: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Absent,
    Preparing(JoinHandle<Result<Prepared, StorageError>>),
    Ready(Prepared),
}

impl NextSegment {
    /// With the segment that an earlier run left prepared, if there is one.
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        store: Uuid,
        segment_bytes: u64,
        ready: Option<Prepared>,
    ) -> Self {
        Self { disk, dir, store, segment_bytes, state: ready.map_or(State::Absent, State::Ready) }
    }

    /// How many bytes of records fit into a segment that is made now.
    pub(crate) fn capacity(&self) -> u64 {
        self.segment_bytes - SEGMENT_HEADER_BYTES
    }

    /// Begins to make the segment at `base`, unless that was done.
    pub(crate) fn prepare(&mut self, base: u64) {
        if !matches!(self.state, State::Absent) {
            return;
        }
        let (disk, dir, store) = (Arc::clone(&self.disk), self.dir.clone(), self.store);
        let segment = Segment { base, size: self.segment_bytes, end: None };
        let make = move || segment::create(&*disk, &dir, store, segment, &[]).map(|file| (segment, file));
        let thread = std::thread::Builder::new().name("log-segment".to_owned()).spawn(make);
        if let Ok(thread) = thread {
            self.state = State::Preparing(thread);
        }
    }

    /// The segment at `base`, waiting for it or making it now.
    pub(crate) fn take(&mut self, base: u64) -> Result<Prepared, StorageError> {
        self.prepare(base);
        match std::mem::replace(&mut self.state, State::Absent) {
            State::Ready(prepared) => Ok(prepared),
            State::Preparing(thread) => join(thread),
            State::Absent => {
                let segment = Segment { base, size: self.segment_bytes, end: None };
                let file = segment::create(&*self.disk, &self.dir, self.store, segment, &[])?;
                Ok((segment, file))
            }
        }
    }
}

impl Drop for NextSegment {
    /// Nothing may write to the data directory once the writer has let go of it.
    fn drop(&mut self) {
        if let State::Preparing(thread) = std::mem::replace(&mut self.state, State::Absent) {
            let _ = join(thread);
        }
    }
}

fn join(thread: JoinHandle<Result<Prepared, StorageError>>) -> Result<Prepared, StorageError> {
    thread
        .join()
        .unwrap_or_else(|_| Err(StorageError::Config("the thread that makes segments failed".to_owned())))
}
