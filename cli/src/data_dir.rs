//! The data directory: a marker says that it is ours, a lock that nobody else is at it.
//!
//! In it: `node/` (the log), `vault/` (the keys of personal data), `postgres/` (the private database), `search/` (the
//! search index), `sandbox/` (the ledger of the sandbox), `sample` (how far the sample shop is brought in).

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::failure::Failure;

const MARKER: &str = "HEADWATER";
const MARKER_TEXT: &str = "This directory holds the data of headwater; format 1.\n";
const LOCK: &str = "headwater.lock";
const DATABASE_URL: &str = "database-url";

/// What may stand in a directory before it becomes ours: our own file, and what a fresh file system has.
const HARMLESS: [&str; 2] = ["headwater.toml", "lost+found"];

/// A directory that is ours.
#[derive(Debug, Clone)]
pub struct DataDir {
    path: PathBuf,
}

/// While it lives, no other process runs the node or the private database of the directory.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // By hand: a child process that is just being started may hold a copy of the file for a moment longer.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

impl DataDir {
    /// Opens the directory, and makes it ours if it is empty or missing.
    ///
    /// # Errors
    /// It cannot be used, or holds something else.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let marker = path.join(MARKER);
        match fs::read_to_string(&marker) {
            Ok(text) if text == MARKER_TEXT => return Ok(Self { path: path.to_owned() }),
            Ok(_) => {
                return Err(Failure::usage(format!(
                    "the data directory {} was made by another version of headwater",
                    path.display()
                ))
                .hint("start that version, or choose another directory with --data-dir"));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(unusable(path, &error)),
        }
        if !path.exists() {
            create(path).map_err(|error| unusable(path, &error))?;
        }
        if let Some(found) = first_foreign(path).map_err(|error| unusable(path, &error))? {
            return Err(Failure::usage(format!(
                "the data directory {} holds something else already ({found})",
                path.display()
            ))
            .hint("choose an empty or a new directory with --data-dir"));
        }
        fs::write(&marker, MARKER_TEXT).map_err(|error| unusable(path, &error))?;
        Ok(Self { path: path.to_owned() })
    }

    /// Opens a directory that is ours already.
    ///
    /// # Errors
    /// It is not.
    pub fn existing(path: &Path) -> Result<Self, Failure> {
        if path.join(MARKER).exists() {
            return Self::open(path);
        }
        Err(Failure::usage(format!("there are no data of headwater in {}", path.display()))
            .hint("name the right directory with --data-dir, or run `headwater up` first"))
    }

    /// Takes the directory for this process alone, or answers `None` when another one has it.
    ///
    /// # Errors
    /// The lock file cannot be used.
    pub fn try_lock(&self) -> Result<Option<Lock>, Failure> {
        let lock = || {
            let file = File::options().create(true).write(true).truncate(false).open(self.path.join(LOCK))?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => Ok(Some(Lock { file })),
                Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
                Err(error) => Err(io::Error::from(error)),
            }
        };
        lock().map_err(|error| unusable(&self.path, &error))
    }

    /// Takes the directory for this process alone.
    ///
    /// # Errors
    /// Another process has it.
    pub fn lock(&self) -> Result<Lock, Failure> {
        self.try_lock()?.ok_or_else(|| {
            Failure::run(format!("the data directory {} is in use by another headwater", self.path.display()))
                .hint("stop that one, or choose another directory with --data-dir")
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The log.
    #[must_use]
    pub fn node(&self) -> PathBuf {
        self.path.join("node")
    }

    /// The keys of personal data.
    #[must_use]
    pub fn vault(&self) -> PathBuf {
        self.path.join("vault")
    }

    /// The private database.
    #[must_use]
    pub fn postgres(&self) -> PathBuf {
        self.path.join("postgres")
    }

    /// The ledger of the sandbox.
    #[must_use]
    pub fn sandbox(&self) -> PathBuf {
        self.path.join("sandbox")
    }

    /// The search index.
    #[must_use]
    pub fn search(&self) -> PathBuf {
        self.path.join("search")
    }

    /// How far the sample shop is brought in.
    #[must_use]
    pub fn sample(&self) -> PathBuf {
        self.path.join("sample")
    }

    /// Tells other commands how to reach the private database while it runs.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn publish_database_url(&self, url: &str) -> Result<(), Failure> {
        let write = || {
            let mut file = OpenOptions::new()
                .create(true)
                .write(true)
                .truncate(true)
                .mode(0o600)
                .open(self.database_url_file())?;
            file.write_all(url.as_bytes())
        };
        write().map_err(|error| unusable(&self.path, &error))
    }

    /// Takes that back. What stays after a crash is told from the truth by the lock.
    pub fn withdraw_database_url(&self) {
        if let Err(error) = fs::remove_file(self.database_url_file()) {
            tracing::debug!(%error, "the file with the database URL could not be removed");
        }
    }

    /// The private database of the process that holds the lock, once it runs.
    #[must_use]
    pub fn published_database_url(&self) -> Option<String> {
        fs::read_to_string(self.database_url_file()).ok()
    }

    fn database_url_file(&self) -> PathBuf {
        self.path.join(DATABASE_URL)
    }
}

/// Others may pass through: as root the database runs as another user, and its folder lies inside. What is inside is
/// closed to them by its own permissions.
fn create(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o755))
}

fn first_foreign(path: &Path) -> io::Result<Option<String>> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !HARMLESS.contains(&name.as_str()) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("the data directory {} cannot be used: {error}", path.display()))
        .hint("choose a directory that you may write to with --data-dir")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_or_empty_directory_becomes_ours_and_stays_it() {
        let home = tempfile::tempdir().unwrap();
        let (new, empty) = (home.path().join("a/b"), home.path().join("empty"));
        fs::create_dir(&empty).unwrap();
        fs::write(empty.join("headwater.toml"), "").unwrap();
        for path in [new, empty] {
            DataDir::open(&path).unwrap();
            fs::write(path.join("node"), "data").unwrap();
            DataDir::open(&path).unwrap();
        }
    }

    #[test]
    fn a_directory_with_something_else_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("thesis.txt"), "mine").unwrap();
        let refused = DataDir::open(home.path()).unwrap_err().to_string();
        assert!(refused.contains("thesis.txt") && refused.contains("--data-dir"), "{refused}");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_directory_of_another_format_and_a_file_are_refused() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(MARKER), "format 2").unwrap();
        assert!(DataDir::open(home.path()).unwrap_err().to_string().contains("another version"));
        let file = home.path().join(MARKER);
        assert!(DataDir::open(&file).unwrap_err().to_string().contains("cannot be used"));
    }

    #[test]
    fn one_process_at_a_time_has_the_directory() {
        let home = tempfile::tempdir().unwrap();
        let dir = DataDir::open(home.path()).unwrap();
        let lock = dir.lock().unwrap();
        assert!(dir.lock().unwrap_err().to_string().contains("in use"));
        drop(lock);
        assert!(dir.lock().is_ok());
    }
}
