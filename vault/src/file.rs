//! The key file: lines of text, appended under a lock, replaced as a whole when a key is destroyed.
//!
//! ```text
//! headwater-vault 1
//! installation <base64 of 32 bytes> <check>
//! key <person> <base64 of 32 bytes> <check>
//! destroyed <person> <check>
//! ```
//!
//! `check` is the CRC-32 of what stands before it in its line. Everything happens under an exclusive lock on a file
//! beside it, reading too: a reader must not use a key that its writer has not yet synced.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::Disk;
use crate::error::VaultError;
use crate::keys::{Secret, random};
use crate::record::{HEADER, Parsed, Record, parse};

/// Readable by its owner only.
const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;

/// Where the keys are kept, and how they are written.
pub(crate) struct KeyFile {
    directory: PathBuf,
    path: PathBuf,
    disk: Box<dyn Disk>,
    /// Held open, so that its inode cannot stand for another file meanwhile.
    file: Arc<File>,
    /// Up to where it was read.
    read_to: u64,
    /// A failed write could not be taken back.
    unusable: bool,
}

/// Other processes wait until this is dropped.
pub(crate) struct Lock {
    _file: File,
}

/// What was new in the file.
pub(crate) enum News {
    /// Lines that were added.
    More(Vec<Record>),
    /// All there is: it is the first reading, or another file has taken the place of the one read before.
    All {
        /// The installation's secret.
        installation: Secret,
        /// Every line.
        records: Vec<Record>,
    },
}

/// Whether another file has taken this one's place: somebody destroyed a key.
pub(crate) fn is_replaced(file: &File) -> bool {
    file.metadata().map_or(true, |metadata| metadata.nlink() == 0)
}

impl KeyFile {
    /// The file in a directory; both are made if they do not exist. Nothing of it is read yet.
    pub(crate) fn open(directory: &Path, disk: Box<dyn Disk>) -> Result<Self, VaultError> {
        let made = !directory.exists();
        DirBuilder::new()
            .recursive(true)
            .mode(DIRECTORY_MODE)
            .create(directory)
            .map_err(failed("create", directory))?;
        if made && let Some(parent) = directory.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            disk.sync_directory(parent).map_err(failed("sync", parent))?;
        }
        let path = directory.join("vault.keys");
        let _lock = lock(directory)?;
        if !path.exists() {
            replace(&*disk, directory, &path, &[Record::Installation(random()?)])?;
        }
        let file = Arc::new(open_private(&path)?);
        Ok(Self { directory: directory.to_owned(), path, disk, file, read_to: 0, unusable: false })
    }

    /// Waits for every other process that is at the file.
    pub(crate) fn lock(&self) -> Result<Lock, VaultError> {
        lock(&self.directory)
    }

    /// The file that is read now.
    pub(crate) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// What was added since the last time. Nothing counts as read when this fails.
    pub(crate) fn read_on(&mut self, _lock: &Lock) -> Result<News, VaultError> {
        if is_replaced(&self.file) {
            // Whoever replaced it may have been killed before that was on disk.
            self.disk.sync_directory(&self.directory).map_err(failed("sync", &self.directory))?;
            self.file = Arc::new(open_private(&self.path)?);
            self.read_to = 0;
        }
        let from_start = self.read_to == 0;
        let bytes = self.read_from(self.read_to)?;
        if bytes.is_empty() && !from_start {
            return Ok(News::More(vec![]));
        }
        let Parsed { records, whole } = parse(&bytes, from_start).map_err(|line| self.damaged(line))?;
        let news = match (from_start, records.first()) {
            (false, _) => News::More(records),
            (true, Some(Record::Installation(secret))) => News::All { installation: *secret, records },
            // It is written with the file, right behind the header.
            (true, _) => return Err(self.damaged(2)),
        };
        let read_to = self.read_to + whole as u64;
        if whole < bytes.len() {
            // The writer was killed before it could say that the key is there, so nothing is sealed with it.
            tracing::warn!(path = %self.path.display(), bytes = bytes.len() - whole, "cut off a torn line");
            self.disk.truncate(&self.file, read_to).map_err(failed("truncate", &self.path))?;
        }
        // Its writer may have been killed between write and sync.
        self.disk.sync(&self.file).map_err(failed("sync", &self.path))?;
        self.read_to = read_to;
        Ok(news)
    }

    /// Every line up to where it was read.
    pub(crate) fn read_again(&self, _lock: &Lock) -> Result<Vec<Record>, VaultError> {
        let bytes = self.read_from(0)?;
        parse(&bytes, true).map(|parsed| parsed.records).map_err(|line| self.damaged(line))
    }

    fn read_from(&self, offset: u64) -> Result<Vec<u8>, VaultError> {
        let length = self.file.metadata().map_err(failed("read", &self.path))?.len();
        let mut bytes = vec![0; usize::try_from(length.saturating_sub(offset)).unwrap_or(usize::MAX)];
        self.file.read_exact_at(&mut bytes, offset).map_err(failed("read", &self.path))?;
        Ok(bytes)
    }

    /// Adds a line, on disk when this returns. The file must have been read to its end under the same lock.
    pub(crate) fn append(&mut self, _lock: &Lock, record: &Record) -> Result<(), VaultError> {
        if self.unusable {
            return Err(VaultError::Unusable { path: self.path.clone() });
        }
        let line = record.to_line();
        let written = self.disk.write_at(&self.file, line.as_bytes(), self.read_to);
        if let Err(error) = written.and_then(|()| self.disk.sync(&self.file)) {
            // A second sync could succeed without having written anything, so the line must go.
            let taken_back = self.disk.truncate(&self.file, self.read_to);
            self.unusable = taken_back.and_then(|()| self.disk.sync(&self.file)).is_err();
            return Err(failed("write", &self.path)(error));
        }
        self.read_to += line.len() as u64;
        Ok(())
    }

    /// Puts a file with these records in the place of the old one, on disk when this returns. What the old one held
    /// is out of the file system's reach then; what the device itself still remembers is not ours to wipe.
    pub(crate) fn replace(&mut self, _lock: &Lock, records: &[Record]) -> Result<(), VaultError> {
        replace(&*self.disk, &self.directory, &self.path, records)
    }

    /// The error for a file that is not as it was written.
    pub(crate) fn damaged(&self, line: usize) -> VaultError {
        VaultError::Damaged { path: self.path.clone(), line }
    }
}

fn lock(directory: &Path) -> Result<Lock, VaultError> {
    let path = directory.join("vault.lock");
    let file = private().create(true).truncate(false).open(&path);
    let file = file.map_err(failed("open", &path))?;
    file.lock().map_err(failed("lock", &path))?;
    Ok(Lock { _file: file })
}

fn replace(disk: &dyn Disk, directory: &Path, path: &Path, records: &[Record]) -> Result<(), VaultError> {
    let new_path = directory.join("vault.keys.new");
    let text: String = records.iter().map(Record::to_line).collect();
    write_new(disk, &new_path, &text).map_err(failed("write", &new_path))?;
    disk.rename(&new_path, path).map_err(failed("replace", path))?;
    disk.sync_directory(directory).map_err(failed("sync", directory))
}

fn write_new(disk: &dyn Disk, path: &Path, records: &str) -> io::Result<()> {
    let mut file = private().create(true).truncate(true).open(path)?;
    file.write_all(HEADER.as_bytes())?;
    file.write_all(records.as_bytes())?;
    disk.sync(&file)
}

fn open_private(path: &Path) -> Result<File, VaultError> {
    private().open(path).map_err(failed("open", path))
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(FILE_MODE);
    options
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> VaultError + 'a {
    move |source| VaultError::Io { action, path: path.to_owned(), source }
}
