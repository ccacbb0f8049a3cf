//! The folder that is measured in.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// `f_type` of a file system in memory (statfs(2)).
const TMPFS_MAGIC: i64 = 0x0102_1994;

/// A folder of this process's own, removed in the end.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
}

impl Place {
    /// Makes it.
    ///
    /// # Errors
    /// It cannot be made, or lies in memory, where syncing costs nothing.
    pub fn make(parent: Option<&Path>) -> Result<Self, Failure> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_owned);
        let at = |error: &dyn std::error::Error| Failure::run(format!("{}: {error}", parent.display()));
        let kind = rustix::fs::statfs(&parent).map_err(|error| at(&error))?.f_type;
        if kind == TMPFS_MAGIC {
            return Err(Failure::usage(format!(
                "{} is in memory, where nothing can be measured",
                parent.display()
            ))
            .hint("name a folder on a disk with --dir"));
        }
        let path = parent.join(format!("headwater-bench-{}", std::process::id()));
        // The private database may run as another account, and must get through whatever the umask says.
        fs::DirBuilder::new().mode(0o755).create(&path).map_err(|error| at(&error))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(|error| at(&error))?;
        Ok(Self { path })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("headwater: {} could not be removed: {error}", self.path.display());
        }
    }
}
