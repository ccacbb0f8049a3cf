//! Writing lines: many at once, one sync for all of them.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;

use tokio::sync::{mpsc, oneshot};

use super::call::Entry;

/// The most lines that share a sync.
const GROUP_MAX: usize = 256;

/// An entry on its way to the disk.
pub(super) struct Line {
    pub(super) entry: Entry,
    /// Told when it is there; dropped when it is not.
    pub(super) written: oneshot::Sender<()>,
}

/// Writes lines until nobody sends any more. When a line cannot be written, no later one is: memory is ahead of the
/// file then, and only a start from the file mends that.
pub(super) fn spawn(path: PathBuf, file: File, mut lines: mpsc::Receiver<Line>) -> io::Result<()> {
    let write = move || {
        let mut group = Vec::with_capacity(GROUP_MAX);
        while lines.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
            if let Err(error) = write(&file, &group) {
                tracing::error!(path = %path.display(), %error, "the ledger could not be written");
                return;
            }
            for line in group.drain(..) {
                // Who asked may have gone away; the call stands all the same.
                let _ = line.written.send(());
            }
        }
    };
    std::thread::Builder::new().name("sandbox-ledger".to_owned()).spawn(write).map(drop)
}

fn write(mut file: &File, group: &[Line]) -> io::Result<()> {
    let mut bytes = Vec::new();
    for line in group {
        serde_json::to_writer(&mut bytes, &line.entry)?;
        bytes.push(b'\n');
    }
    file.write_all(&bytes)?;
    file.sync_data()
}
