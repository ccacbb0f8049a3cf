//! As whom the server runs. It refuses root, so root gives it to `postgres`, else `nobody`; anyone else runs it as
//! themselves.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::Error;

/// An account for root to run the server as, in order of preference.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// The account that the server and `initdb` run as.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    name: String,
    /// Set when we are root and have to become this user; otherwise we are it already.
    become_user: Option<(u32, u32)>,
}

impl Account {
    /// Chooses the account. As root, an existing cluster keeps its owner.
    pub(crate) fn choose(cluster: &Path) -> Result<Self, Error> {
        let me = rustix::process::geteuid().as_raw();
        let owner = fs::metadata(cluster).ok().map(|data| (data.uid(), data.gid()));
        if me != 0 {
            return match owner {
                Some((uid, _)) if uid != me => {
                    Err(Error::ForeignOwner { dir: cluster.to_owned(), owner: uid })
                }
                _ => Ok(Self { name: format!("uid {me}"), become_user: None }),
            };
        }
        if let Some((uid, gid)) = owner.filter(|(uid, _)| *uid != 0) {
            return Ok(Self { name: format!("uid {uid}"), become_user: Some((uid, gid)) });
        }
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        CANDIDATES
            .iter()
            .find_map(|name| {
                let ids = ids_of(&passwd, name)?;
                Some(Self { name: (*name).to_owned(), become_user: Some(ids) })
            })
            .ok_or(Error::NoAccount)
    }

    /// A command that runs as this account, in a folder that it can enter, without settings of ours leaking in.
    pub(crate) fn command(&self, program: &Path, work_dir: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        command.env("LC_ALL", "C").current_dir(work_dir);
        if let Some((uid, gid)) = self.become_user {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Gives a folder to the account and closes it to everyone else.
    pub(crate) fn own_privately(&self, dir: &Path) -> Result<(), Error> {
        if let Some((uid, gid)) = self.become_user {
            chown(dir, Some(uid), Some(gid)).map_err(Error::at(dir))?;
        }
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(Error::at(dir))
    }

    /// Whether a folder belongs to the account.
    pub(crate) fn owns(&self, dir: &Path) -> bool {
        let uid = self.become_user.map_or_else(|| rustix::process::geteuid().as_raw(), |(uid, _)| uid);
        fs::symlink_metadata(dir).is_ok_and(|data| data.is_dir() && data.uid() == uid)
    }

    /// Checks that the account can enter a folder; the kernel decides, as access lists may allow what mode bits do not.
    pub(crate) async fn check_reach(&self, dir: &Path) -> Result<(), Error> {
        let Some((uid, gid)) = self.become_user else { return Ok(()) };
        let status = self
            .command(Path::new("/bin/sh"), Path::new("/"))
            .args(["-c", r#"cd -- "$1""#, "sh"])
            .arg(dir)
            .stderr(std::process::Stdio::null())
            .status()
            .await
            .map_err(Error::at(Path::new("/bin/sh")))?;
        if status.success() {
            return Ok(());
        }
        let blocker = first_closed_folder(dir, uid, gid).unwrap_or_else(|| dir.to_owned());
        Err(Error::Unreachable { account: self.name.clone(), blocker, dir: dir.to_owned() })
    }
}

/// The first folder from the root down that mode bits close to a user who is in no further group.
fn first_closed_folder(dir: &Path, uid: u32, gid: u32) -> Option<PathBuf> {
    let mut ancestors: Vec<_> = dir.ancestors().collect();
    ancestors.reverse();
    ancestors
        .into_iter()
        .find(|folder| {
            fs::metadata(folder).is_ok_and(|data| {
                let enter = match () {
                    () if data.uid() == uid => 0o100,
                    () if data.gid() == gid => 0o010,
                    () => 0o001,
                };
                data.mode() & enter == 0
            })
        })
        .map(Path::to_owned)
}

/// The user and group id of an account, from the text of `/etc/passwd`.
fn ids_of(passwd: &str, name: &str) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let fields: Vec<_> = line.split(':').collect();
        match fields[..] {
            [account, _, uid, gid, ..] if account == name => Some((uid.parse().ok()?, gid.parse().ok()?)),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_from_the_line_of_that_very_name() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\npostgres2:x:7:8::/:\npostgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\n";
        assert_eq!(ids_of(passwd, "postgres"), Some((101, 104)));
        assert_eq!(ids_of(passwd, "nobody"), None);
    }

    #[test]
    fn the_folder_that_closes_the_way_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(first_closed_folder(&inner, 65533, 65533).as_deref(), Some(dir.path()));
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o701)).unwrap();
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(first_closed_folder(&inner, 65533, 65533), None);
    }
}
