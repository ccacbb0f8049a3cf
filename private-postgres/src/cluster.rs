//! The data directory: where what stands, how a cluster comes into being, and a place for its socket.
//!
//! A new cluster is made beside its place and renamed into it, so that a kill in the middle leaves none that is half made.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::account::Account;
use crate::programs::{Programs, major_version};
use crate::server::USER;
use crate::{Config, Error};

/// A Unix socket's path has at most 107 bytes on Linux (`sun_path` of unix(7) without its end).
const SOCKET_PATH_LIMIT: usize = 107;

/// The socket's file name in its folder; the number is only a name, nothing listens on the network.
pub(crate) const SOCKET_FILE: &str = ".s.PGSQL.5432";

/// `initdb` takes about a second; a disk that is this slow is broken. Seconds.
const INITDB_DEADLINE: Duration = Duration::from_secs(180);

/// A log longer than this is put aside at the next start, bytes. One such is kept.
const LOG_LIMIT: u64 = 8 * 1024 * 1024;

/// How much of the log's end an error quotes, bytes.
const LOG_TAIL: u64 = 1_500;

/// The prefix of a folder in which a new cluster is being made.
const UNFINISHED: &str = "cluster.new-";

/// What stands in a data directory.
#[derive(Debug)]
pub(crate) struct Layout {
    root: PathBuf,
    /// What PostgreSQL calls its data directory.
    pub(crate) cluster: PathBuf,
    /// What the server says.
    pub(crate) log: PathBuf,
}

impl Layout {
    /// Makes the data directory when it is missing. The path becomes absolute, as the server runs elsewhere.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, Error> {
        if !data_dir.exists() {
            fs::create_dir_all(data_dir).map_err(Error::at(data_dir))?;
            // Whatever the umask: as root, the account of the server has to get through.
            fs::set_permissions(data_dir, fs::Permissions::from_mode(0o755)).map_err(Error::at(data_dir))?;
        }
        let root = data_dir.canonicalize().map_err(Error::at(data_dir))?;
        Ok(Self { cluster: root.join("cluster"), log: root.join("postgres.log"), root })
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Takes the directory for this process, until the lock is dropped.
    pub(crate) fn lock(&self) -> Result<Lock, Error> {
        let path = self.root.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::at(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => Err(Error::InUse { dir: self.root.clone() }),
            Err(TryLockError::Error(source)) => Err(Error::Io { path, source }),
        }
    }

    /// The major version that made the cluster, or none when there is no cluster yet.
    pub(crate) fn made_by(&self) -> Result<Option<u32>, Error> {
        if !self.cluster.exists() {
            return Ok(None);
        }
        let version = fs::read_to_string(self.cluster.join("PG_VERSION")).unwrap_or_default();
        major_version(&version).map(Some).ok_or_else(|| Error::NotACluster { dir: self.cluster.clone() })
    }

    /// Makes the cluster: UTF-8, sorted by code point, open to whoever reaches its private socket.
    pub(crate) async fn init(
        &self,
        programs: &Programs,
        account: &Account,
        config: &Config,
    ) -> Result<(), Error> {
        self.remove_unfinished()?;
        let unfinished = self.root.join(format!("{UNFINISHED}{}", std::process::id()));
        fs::create_dir(&unfinished).map_err(Error::at(&unfinished))?;
        account.own_privately(&unfinished)?;
        let initdb = programs.initdb();
        let mut command = account.command(&initdb, &self.root);
        command.arg("--pgdata").arg(&unfinished).args(["--username", USER]).args([
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-instructions",
        ]);
        if !config.fsync {
            command.arg("--no-sync");
        }
        let output = tokio::time::timeout(INITDB_DEADLINE, command.kill_on_drop(true).output())
            .await
            .map_err(|_| Error::Program { program: "initdb", reason: "it took too long".into() })?
            .map_err(Error::at(&initdb))?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Error::Program { program: "initdb", reason });
        }
        fs::rename(&unfinished, &self.cluster).map_err(Error::at(&self.cluster))?;
        File::open(&self.root).and_then(|root| root.sync_all()).map_err(Error::at(&self.root))
    }

    fn remove_unfinished(&self) -> Result<(), Error> {
        for entry in fs::read_dir(&self.root).map_err(Error::at(&self.root))?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                fs::remove_dir_all(entry.path()).map_err(Error::at(&entry.path()))?;
            }
        }
        Ok(())
    }

    /// The folder for the socket, the server's own and closed to everyone else: in the data directory, or when the
    /// path would be too long for a socket, one of this cluster under the user's runtime directory or `/tmp`.
    pub(crate) fn socket_dir(&self, account: &Account) -> Result<PathBuf, Error> {
        let inside = self.root.join("run");
        let dir = if fits(&inside) { inside } else { short_socket_dir(&self.root) };
        match fs::DirBuilder::new().mode(0o700).create(&dir) {
            Ok(()) => account.own_privately(&dir)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && account.owns(&dir) => {
                fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).map_err(Error::at(&dir))?;
            }
            // Another owner means that somebody else put it there: nothing is listened to in a foreign folder.
            Err(source) => return Err(Error::Io { path: dir, source }),
        }
        Ok(dir)
    }

    /// The log for the server to write to, with a long one put aside first.
    pub(crate) fn open_log(&self) -> Result<File, Error> {
        if fs::metadata(&self.log).is_ok_and(|data| data.len() > LOG_LIMIT) {
            fs::rename(&self.log, self.root.join("postgres.log.1")).map_err(Error::at(&self.log))?;
        }
        OpenOptions::new().create(true).append(true).open(&self.log).map_err(Error::at(&self.log))
    }

    /// The end of the log from a byte on, to say why the server did not start.
    pub(crate) fn log_from(&self, start: u64) -> String {
        let read = || -> io::Result<String> {
            let mut file = File::open(&self.log)?;
            let end = file.metadata()?.len();
            file.seek(SeekFrom::Start(start.max(end.saturating_sub(LOG_TAIL))))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
        };
        read().unwrap_or_default()
    }
}

/// The lock of a data directory. The kernel releases it with the process, however that ends.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone would not do: a process that is being forked at this moment holds the file open a little longer.
        let _ = self.0.unlock();
    }
}

fn fits(dir: &Path) -> bool {
    dir.as_os_str().len() + 1 + SOCKET_FILE.len() <= SOCKET_PATH_LIMIT
}

fn short_socket_dir(root: &Path) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    root.hash(&mut hasher);
    let name = format!("headwater-pg-{:016x}", hasher.finish());
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(|dir| PathBuf::from(dir).join(&name));
    match runtime.filter(|dir| !rustix::process::geteuid().is_root() && dir.is_absolute() && fits(dir)) {
        Some(dir) if dir.parent().is_some_and(Path::is_dir) => dir,
        _ => Path::new("/tmp").join(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_path_is_measured_with_its_file_name() {
        let longest = "/".to_owned() + &"d".repeat(SOCKET_PATH_LIMIT - SOCKET_FILE.len() - 2);
        assert!(fits(Path::new(&longest)));
        assert!(!fits(Path::new(&(longest + "d"))));
        assert!(fits(&short_socket_dir(Path::new(&"/long".repeat(50)))));
    }

    #[test]
    fn a_long_log_is_put_aside_and_a_short_one_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::open(dir.path()).unwrap();
        fs::write(&layout.log, "short").unwrap();
        assert_eq!(layout.open_log().unwrap().metadata().unwrap().len(), 5);
        layout.open_log().unwrap().set_len(LOG_LIMIT + 1).unwrap();
        assert_eq!(layout.open_log().unwrap().metadata().unwrap().len(), 0);
        assert!(layout.root().join("postgres.log.1").exists());
    }
}
