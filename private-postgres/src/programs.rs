//! Finds the server's programs: `HEADWATER_PG_BIN`, else the `PATH`, else where Debian's packages put each version.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::Error;

/// The environment variable that names the folder of `initdb` and `postgres`, and then no other is looked at.
const BIN_VARIABLE: &str = "HEADWATER_PG_BIN";

/// Where Debian's and Ubuntu's packages keep one folder a version.
const PACKAGED: &str = "/usr/lib/postgresql";

/// The oldest major version that is still maintained.
const LEAST_VERSION: u32 = 14;

/// A folder with `initdb` and `postgres`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Programs {
    bin: PathBuf,
    /// The major version.
    pub(crate) version: u32,
}

impl Programs {
    pub(crate) fn initdb(&self) -> PathBuf {
        self.bin.join("initdb")
    }

    pub(crate) fn postgres(&self) -> PathBuf {
        self.bin.join("postgres")
    }

    /// Chooses an installation: the one that made the existing cluster, or without one the first that is found.
    pub(crate) async fn find(cluster: &Path, made_by: Option<u32>) -> Result<Self, Error> {
        let mut installed = Vec::new();
        let candidates = candidates();
        for bin in
            candidates.iter().filter(|bin| bin.join("initdb").is_file() && bin.join("postgres").is_file())
        {
            if let Some(version) = version_of(bin).await? {
                installed.push(Self { bin: bin.clone(), version });
            }
        }
        choose(installed, cluster, made_by, || {
            candidates.iter().map(|bin| bin.display().to_string()).collect::<Vec<_>>().join(", ")
        })
    }
}

fn choose(
    installed: Vec<Programs>,
    cluster: &Path,
    made_by: Option<u32>,
    searched: impl FnOnce() -> String,
) -> Result<Programs, Error> {
    let Some(first) = installed.first().cloned() else {
        return Err(Error::ProgramsMissing { searched: searched() });
    };
    let Some(wanted) = made_by else {
        return match installed.into_iter().find(|programs| programs.version >= LEAST_VERSION) {
            Some(programs) => Ok(programs),
            None => Err(Error::TooOld { found: first.version, least: LEAST_VERSION, bin: first.bin }),
        };
    };
    let versions: Vec<_> = installed.iter().map(|programs| programs.version.to_string()).collect();
    installed.into_iter().find(|programs| programs.version == wanted).ok_or_else(|| Error::VersionMismatch {
        dir: cluster.to_owned(),
        cluster: wanted,
        installed: versions.join(", "),
    })
}

fn candidates() -> Vec<PathBuf> {
    if let Some(bin) = std::env::var_os(BIN_VARIABLE) {
        return vec![PathBuf::from(bin)];
    }
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let mut packaged: Vec<(u32, PathBuf)> = std::fs::read_dir(PACKAGED)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    packaged.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    std::env::split_paths(&on_path).chain(packaged.into_iter().map(|(_, bin)| bin)).collect()
}

/// The major version of the programs in a folder, or none when they do not say.
async fn version_of(bin: &Path) -> Result<Option<u32>, Error> {
    let postgres = bin.join("postgres");
    let output = Command::new(&postgres).arg("--version").output().await.map_err(Error::at(&postgres))?;
    Ok(major_version(&String::from_utf8_lossy(&output.stdout)))
}

/// Reads `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)` and `PG_VERSION`'s plain `15`.
pub(crate) fn major_version(text: &str) -> Option<u32> {
    let number = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn programs(version: u32) -> Programs {
        Programs { bin: format!("/pg/{version}/bin").into(), version }
    }

    fn chosen(installed: &[u32], made_by: Option<u32>) -> Result<u32, Error> {
        let installed = installed.iter().map(|version| programs(*version)).collect();
        choose(installed, Path::new("/data"), made_by, || "/searched".into()).map(|programs| programs.version)
    }

    #[test]
    fn versions_are_read_from_releases_betas_and_cluster_files() {
        assert_eq!(major_version("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)"), Some(15));
        assert_eq!(major_version("postgres (PostgreSQL) 18beta2"), Some(18));
        assert_eq!(major_version("15\n"), Some(15));
        assert_eq!(major_version("postgres"), None);
    }

    #[test]
    fn a_cluster_gets_the_version_that_made_it_and_a_new_one_the_first_that_is_new_enough() {
        assert_eq!(chosen(&[17, 15], Some(15)).unwrap(), 15);
        assert_eq!(chosen(&[13, 17, 15], None).unwrap(), 17);
    }

    #[test]
    fn what_is_wrong_says_what_to_do() {
        let missing = chosen(&[], None).unwrap_err().to_string();
        assert!(missing.contains("apt-get install") && missing.contains("/searched"), "{missing}");
        let mismatch = chosen(&[17], Some(15)).unwrap_err().to_string();
        assert!(
            mismatch.contains("apt-get install postgresql-15") && mismatch.contains("/data"),
            "{mismatch}"
        );
        assert!(chosen(&[13], None).unwrap_err().to_string().contains("14 or newer"));
    }
}
