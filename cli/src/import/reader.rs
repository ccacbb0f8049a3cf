//! The file, plain or gzip, one line one row: a row that cannot be read costs its document, never what follows.
//!
//! Quotes that are not closed end with their line. A reader that let them run on would swallow rows of other
//! documents without a word.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use csv_core::ReadRecordResult;
use domain::value::{Country, CustomerNumber, DocumentNumber};
use flate2::bufread::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use super::row::{COLUMNS, Contradiction, Malformed, Movement, Row, document_of};

/// The longest line, in bytes.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// The most that is read, in bytes after decompression: the plan stands in memory.
const CONTENT_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// How many malformed rows are kept to be listed; the others are counted.
pub const MALFORMED_LISTED_MAX: usize = 100;
/// More fields than this are not told apart: the count is wrong already.
const FIELDS_MAX: usize = 4 * COLUMNS.len();

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a file holds.
#[derive(Debug)]
pub struct Contents {
    /// The rows of whole documents, in the order of the file.
    pub rows: Vec<Row>,
    /// How many rows the file has, the malformed ones included.
    pub rows_read: u64,
    /// The first [`MALFORMED_LISTED_MAX`] malformed rows.
    pub malformed: Vec<Malformed>,
    /// How many malformed rows there are.
    pub malformed_rows: u64,
    /// How many documents were skipped because of them.
    pub skipped_documents: usize,
    /// SHA-256 of the decompressed content, in hex: names the file whatever it is called or packed with.
    pub digest: String,
}

/// What to do about a malformed row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// Report it and skip its document.
    Skip,
    /// Stop.
    Stop,
}

/// Why a file cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such file, or it may not be read.
    #[error("cannot open {path}: {source}")]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It ends in the middle, or is no gzip file after all.
    #[error("line {line} cannot be read: {source}")]
    Read {
        /// Where.
        line: u64,
        /// Why.
        source: io::Error,
    },
    /// It is another kind of file.
    #[error("the first line must be {expected:?}, not {found:?}")]
    Header {
        /// The header of such a file.
        expected: String,
        /// The line that stands there.
        found: String,
    },
    /// A line that is longer than any row.
    #[error("line {line} is longer than {LINE_BYTES_MAX} bytes")]
    LineTooLong {
        /// Which line.
        line: u64,
    },
    /// More than is held in memory.
    #[error("the file has more than {CONTENT_BYTES_MAX} bytes; import it in parts of whole documents")]
    TooLarge,
    /// A malformed row, and the wish to stop at the first.
    #[error("{0}")]
    Malformed(Malformed),
}

/// Reads a file.
///
/// # Errors
/// It cannot be read or is not such a file; with [`Strictness::Stop`] also the first malformed row.
pub fn read(path: &Path, strictness: Strictness) -> Result<Contents, ReadError> {
    let file = File::open(path).map_err(|source| ReadError::Open { path: path.to_owned(), source })?;
    read_from(BufReader::new(file), strictness)
}

/// Reads a file's bytes, decompressing them if they are packed.
///
/// # Errors
/// As [`read`].
pub fn read_from(mut bytes: impl BufRead, strictness: Strictness) -> Result<Contents, ReadError> {
    let start = bytes.fill_buf().map_err(|source| ReadError::Read { line: 1, source })?;
    if start.starts_with(&GZIP_MAGIC) {
        return read_plain(BufReader::new(MultiGzDecoder::new(bytes)), strictness);
    }
    read_plain(bytes, strictness)
}

fn read_plain(bytes: impl BufRead, strictness: Strictness) -> Result<Contents, ReadError> {
    let mut lines = Lines { bytes, number: 0, total: 0, buffer: Vec::new(), digest: Sha256::new() };
    let header = lines.next_line()?.unwrap_or_default();
    let header = header.strip_prefix(BYTE_ORDER_MARK).unwrap_or(header);
    if header != COLUMNS.join(",").as_bytes() {
        let found = String::from_utf8_lossy(header).chars().take(200).collect();
        return Err(ReadError::Header { expected: COLUMNS.join(","), found });
    }
    let mut documents = Documents::default();
    let mut splitter = Splitter::new();
    while lines.next_line()?.is_some() {
        if lines.buffer.is_empty() {
            continue;
        }
        documents.rows_read += 1;
        match splitter.row(lines.number, &mut lines.buffer) {
            Ok(row) => documents.take(row),
            Err(malformed) => documents.refuse(malformed),
        }
        if strictness == Strictness::Stop
            && let Some(first) = documents.malformed.pop()
        {
            return Err(ReadError::Malformed(first));
        }
    }
    Ok(documents.finish(hex::encode(lines.digest.finalize())))
}

/// Lines of bounded length, counted and digested.
struct Lines<B> {
    bytes: B,
    number: u64,
    total: u64,
    /// The current line without its end.
    buffer: Vec<u8>,
    digest: Sha256,
}

impl<B: BufRead> Lines<B> {
    fn next_line(&mut self) -> Result<Option<&[u8]>, ReadError> {
        self.buffer.clear();
        self.number += 1;
        let mut bounded = (&mut self.bytes).take(LINE_BYTES_MAX as u64 + 1);
        let read = bounded
            .read_until(b'\n', &mut self.buffer)
            .map_err(|source| ReadError::Read { line: self.number, source })?;
        if read == 0 {
            return Ok(None);
        }
        if read > LINE_BYTES_MAX {
            return Err(ReadError::LineTooLong { line: self.number });
        }
        self.total += read as u64;
        if self.total > CONTENT_BYTES_MAX {
            return Err(ReadError::TooLarge);
        }
        self.digest.update(&self.buffer);
        if self.buffer.last() == Some(&b'\n') {
            self.buffer.pop();
        }
        if self.buffer.last() == Some(&b'\r') {
            self.buffer.pop();
        }
        Ok(Some(&self.buffer))
    }
}

/// Takes lines apart into fields.
struct Splitter {
    csv: csv_core::Reader,
    text: Vec<u8>,
    ends: [usize; FIELDS_MAX],
}

impl Splitter {
    fn new() -> Self {
        Self { csv: csv_core::Reader::new(), text: vec![0; LINE_BYTES_MAX + 1], ends: [0; FIELDS_MAX] }
    }

    fn row(&mut self, number: u64, line: &mut Vec<u8>) -> Result<Row, Malformed> {
        // The line's end makes the record complete, unless a quote is still open.
        line.push(b'\n');
        self.csv.reset();
        let (outcome, used, _, count) = self.csv.read_record(line, &mut self.text, &mut self.ends);
        let mut fields: [&[u8]; FIELDS_MAX] = [&[]; FIELDS_MAX];
        let mut start = 0;
        for (field, end) in fields.iter_mut().zip(&self.ends[..count]) {
            *field = &self.text[start..*end];
            start = *end;
        }
        let fields = &fields[..count];
        let malformed = |problem: &str| Malformed {
            line: number,
            column: count + 1,
            document: document_of(fields),
            problem: problem.to_owned(),
        };
        match outcome {
            ReadRecordResult::Record if used == line.len() => Row::parse(number, fields),
            ReadRecordResult::Record => Err(malformed("the row ends in the middle of its line")),
            ReadRecordResult::InputEmpty | ReadRecordResult::End => Err(malformed("a quote is not closed")),
            ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                Err(malformed("far more columns than there are"))
            }
        }
    }
}

/// The rows so far, and which documents are lost.
#[derive(Default)]
struct Documents {
    rows: Vec<Row>,
    rows_read: u64,
    malformed: Vec<Malformed>,
    malformed_rows: u64,
    skipped: HashSet<String>,
    /// Whom each order and return is for, by its first line.
    parties: HashMap<DocumentNumber, (Option<CustomerNumber>, Country)>,
}

impl Documents {
    fn take(&mut self, row: Row) {
        if let Some(contradiction) = self.contradiction(&row) {
            return self.refuse(row.contradicts(contradiction));
        }
        self.rows.push(row);
    }

    fn contradiction(&mut self, row: &Row) -> Option<Contradiction> {
        if matches!(row.movement, Movement::Adjusted(_)) {
            return None;
        }
        let Some((customer, country)) = self.parties.get(&row.document) else {
            self.parties.insert(row.document.clone(), (row.customer.clone(), row.country.clone()));
            return None;
        };
        if *customer != row.customer {
            return Some(Contradiction::Customer);
        }
        (*country != row.country).then_some(Contradiction::Country)
    }

    fn refuse(&mut self, malformed: Malformed) {
        self.malformed_rows += 1;
        self.skipped.extend(malformed.document.clone());
        if self.malformed.len() < MALFORMED_LISTED_MAX {
            self.malformed.push(malformed);
        }
    }

    fn finish(mut self, digest: String) -> Contents {
        self.rows.retain(|row| !self.skipped.contains(row.document.as_str()));
        Contents {
            rows: self.rows,
            rows_read: self.rows_read,
            malformed: self.malformed,
            malformed_rows: self.malformed_rows,
            skipped_documents: self.skipped.len(),
            digest,
        }
    }
}
