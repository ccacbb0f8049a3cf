//! The ledger: a file of JSON lines, read once at the start and written from then on. No call is answered before the
//! disk has its line.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::book::Book;
use super::call::{Call, Entry};
use super::writer::{self, Line};
use crate::metrics;

/// The most calls that a ledger takes; behind it the sandbox answers no more, until somebody begins another.
pub const CALLS_MAX: usize = 500_000;

/// The file in the sandbox's folder.
const FILE: &str = "ledger.jsonl";

/// Lines on their way to the disk.
const LINES_WAITING_MAX: usize = 1_024;

/// Why the sandbox cannot use its ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file cannot be read or written.
    #[error("the ledger {} cannot be used: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Another process has it.
    #[error("the ledger {} is in use by another sandbox", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A line in the middle is no line of a ledger.
    #[error("line {line} of the ledger {} cannot be read: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// It holds [`CALLS_MAX`] calls.
    #[error("the ledger holds {CALLS_MAX} calls and takes no more")]
    Full,
    /// A line could not be written; the sandbox has to be started again.
    #[error("the ledger could not be written")]
    NotWritten,
}

/// The sandbox's memory and its file.
pub struct Ledger {
    book: Mutex<Book>,
    lines: mpsc::Sender<Line>,
    /// How long goods are on their way.
    delivery: SignedDuration,
}

impl Ledger {
    /// Opens the ledger in a folder, which is made when it is missing. Goods are on their way for `delivery`.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn open(folder: &Path, delivery: SignedDuration) -> Result<Self, LedgerError> {
        let path = folder.join(FILE);
        let at = |error| LedgerError::Io { path: path.clone(), error };
        std::fs::create_dir_all(folder).map_err(at)?;
        let file = OpenOptions::new().create(true).read(true).append(true).open(&path).map_err(at)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LedgerError::InUse { path }),
            Err(TryLockError::Error(error)) => return Err(at(error)),
        }
        let book = replay(&path, &file)?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(at)?;
        let (lines, waiting) = mpsc::channel(LINES_WAITING_MAX);
        writer::spawn(path.clone(), file, waiting).map_err(at)?;
        Ok(Self { book: Mutex::new(book), lines, delivery })
    }

    /// Answers a call, once its line is on the disk.
    ///
    /// # Errors
    /// [`LedgerError::Full`] or [`LedgerError::NotWritten`].
    pub async fn receive(&self, call: Call) -> Result<Entry, LedgerError> {
        let kind = call.kind;
        let place = self.lines.reserve().await.map_err(|_| LedgerError::NotWritten)?;
        let (written, is_written) = oneshot::channel();
        let entry = {
            let mut book = self.book();
            if book.entries().len() >= CALLS_MAX {
                return Err(LedgerError::Full);
            }
            let entry = book.receive(call, Timestamp::now(), self.delivery);
            // Within the lock: the file has the order of the book.
            place.send(Line { entry: entry.clone(), written });
            entry
        };
        is_written.await.map_err(|_| LedgerError::NotWritten)?;
        metrics::record_sandbox_call(kind.name());
        Ok(entry)
    }

    /// Looks through all calls so far, oldest first.
    pub fn look<T>(&self, through: impl FnOnce(&[Entry]) -> T) -> T {
        through(self.book().entries())
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads what stands in the file. A last line that was cut off was never answered, and is cut away.
fn replay(path: &Path, file: &File) -> Result<Book, LedgerError> {
    let at = |error| LedgerError::Io { path: path.to_owned(), error };
    let mut book = Book::default();
    let mut reader = BufReader::new(file);
    let (mut text, mut whole, mut line) = (String::new(), 0, 0);
    loop {
        text.clear();
        let length = reader.read_line(&mut text).map_err(at)?;
        if length == 0 {
            return Ok(book);
        }
        if !text.ends_with('\n') {
            tracing::warn!(path = %path.display(), "the ledger's last line was cut off and is dropped");
            file.set_len(whole).map_err(at)?;
            file.sync_all().map_err(at)?;
            return Ok(book);
        }
        line += 1;
        let malformed = |reason: String| LedgerError::Malformed { path: path.to_owned(), line, reason };
        let entry: Entry = serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?;
        if entry.number != line {
            return Err(malformed(format!("it is numbered {}", entry.number)));
        }
        book.keep(entry);
        whole += length as u64;
    }
}
