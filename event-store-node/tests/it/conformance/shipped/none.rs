//! The packages that ship no tests: looked at, so that those of a later version are not overlooked.

use std::path::Path;
use std::process::Command;

use super::super::installed::{installed, succeed};
use super::super::{DB_CLIENT, ESDBCLIENT, KURRENTDB_CLIENT, KURRENTDBCLIENT};

/// The files of the one archive in a folder.
fn files(place: &Path, ending: &str) -> Vec<String> {
    let mut archives =
        std::fs::read_dir(place).expect("a folder").map(|entry| entry.expect("an entry").path());
    let archive = archives.find(|path| path.to_string_lossy().ends_with(ending)).expect("an archive");
    let output = Command::new("tar").arg("tzf").arg(archive).output().expect("tar");
    assert!(output.status.success(), "the archive cannot be read");
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}

/// Whether a path is called as tests are in Python or Node: `tests/…`, `test_….py`, `….test.js`, `….spec.js`.
fn is_called_a_test(path: &str) -> bool {
    let is_test = |word| ["test", "tests"].contains(&word);
    path.split('/').any(|part| part.split(['.', '_', '-']).any(is_test) || part.contains(".spec."))
}

fn ships_none(client: &str, files: &[String]) {
    assert!(files.len() > 10, "{client}: {files:?}");
    let tests: Vec<_> = files.iter().filter(|path| is_called_a_test(path)).collect();
    assert!(tests.is_empty(), "{client} ships tests, which are to be run: {tests:#?}");
}

#[test]
fn tests_are_known_by_their_names() {
    for test in
        ["a/tests/b.py", "a/test_b.py", "a/b_test.py", "a/dist/b.test.js", "a/__tests__/b.js", "a/b.spec.ts"]
    {
        assert!(is_called_a_test(test), "{test}");
    }
    for other in ["a/dist/streams/deleteStream.js", "a/connection_spec.py", "a/latest.js"] {
        assert!(!is_called_a_test(other), "{other}");
    }
}

#[test]
#[ignore = "fetches the packages: ./hw test --long runs it"]
fn the_python_clients_ship_no_tests() {
    for (client, version) in [ESDBCLIENT, KURRENTDBCLIENT] {
        // The installed form has no tests by custom; the form with the sources may.
        let place = installed(&format!("sources-of-{client}"), version, |place| {
            succeed(Command::new("python3").args(["-m", "venv"]).arg(place.join("venv")));
            let mut pip = Command::new(place.join("venv/bin/pip"));
            pip.args(["download", "--quiet", "--no-deps", "--no-binary", client, "--dest"]).arg(place);
            succeed(pip.arg(format!("{client}=={version}")));
        });
        ships_none(client, &files(&place, ".tar.gz"));
    }
}

#[test]
#[ignore = "fetches the packages: ./hw test --long runs it"]
fn the_node_clients_ship_no_tests() {
    for (client, version) in [DB_CLIENT, KURRENTDB_CLIENT] {
        let place = installed(&format!("package-of-{client}"), version, |place| {
            let mut npm = Command::new("npm");
            npm.args(["pack", "--silent"]).arg(format!("{client}@{version}"));
            succeed(npm.current_dir(place));
        });
        ships_none(client, &files(&place, ".tgz"));
    }
}
