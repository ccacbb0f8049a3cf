//! The image of our own binary.

use super::containers::{parts, version};
use super::{COMPOSE, text};
use crate::root;

/// The data directory in the image, which volumes are mounted on.
pub(super) const DATA: &str = "/var/lib/headwater";

/// The instructions of the Dockerfile, each on one line.
fn instructions() -> Vec<(String, String)> {
    let text = text("Dockerfile").replace("\\\n", " ");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.split_once(' ').unwrap())
        .map(|(word, rest)| (word.to_owned(), rest.to_owned()))
        .collect()
}

/// What the last stage says with an instruction.
fn said(word: &str) -> Vec<String> {
    let all = instructions();
    let last = all.iter().rposition(|(word, _)| word == "FROM").unwrap();
    all[last..].iter().filter(|(found, _)| found == word).map(|(_, rest)| rest.clone()).collect()
}

#[test]
fn it_is_built_from_releases_and_with_a_toolchain_that_the_workspace_takes() {
    let bases: Vec<_> =
        instructions().into_iter().filter(|(word, _)| word == "FROM").map(|(_, rest)| rest).collect();
    assert_eq!(bases.len(), 2, "{bases:?}");
    let (rust, tag) = parts(bases[0].split(' ').next().unwrap());
    assert_eq!((rust, version(tag).len()), ("rust", 3), "{tag} is another image tomorrow");
    let cargo = text("Cargo.toml");
    let needed = cargo.split("rust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    assert!(version(tag) >= version(needed), "{tag} is older than {needed}");
    let (debian, runs) = parts(&bases[1]);
    assert_eq!((debian, version(runs).len()), ("debian", 2), "{runs} is another image tomorrow");
    assert!(
        tag.ends_with("-bookworm") && runs.starts_with("12."),
        "built for another libc than it runs with"
    );
}

#[test]
fn it_runs_without_rights_and_asks_itself_how_it_is() {
    let user = said("USER");
    let uid: u32 = user[0].split(':').next().unwrap().parse().expect("a number, which Kubernetes can check");
    assert!(uid >= 1000, "{uid}");
    assert!(said("RUN")[0].contains(&format!("--uid {uid} ")), "there is no user {uid}");
    assert!(said("RUN")[0].contains(DATA), "a volume would belong to root");
    assert_eq!(said("ENV"), [format!("HEADWATER_DATA_DIR={DATA}")]);
    assert_eq!(said("ENTRYPOINT"), [r#"["headwater"]"#]);
    let copied = said("COPY");
    assert_eq!(copied.len(), 1, "only the binary: {copied:?}");
    let health = said("HEALTHCHECK").remove(0);
    assert!(health.ends_with(r#"CMD ["headwater", "health"]"#), "{health}");
    assert!(text("cli/src/args.rs").contains("    Health("), "the binary cannot be asked");
    assert!(text(COMPOSE).contains(r#"test: ["CMD", "headwater", "health"]"#));
    let exposed = said("EXPOSE").remove(0);
    for port in ["8080", "2113", "9464", "8090"] {
        assert!(exposed.split(' ').any(|found| found == port), "{port}");
    }
}

#[test]
fn what_the_build_reads_is_sent_to_it_and_what_is_large_is_not() {
    let ignored: Vec<_> =
        text(".dockerignore").lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    for large in [".git", "target"] {
        assert!(ignored.iter().any(|path| path == large), "{large} is sent");
    }
    let cargo = text("Cargo.toml");
    let members = cargo.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    for member in members.split('"').skip(1).step_by(2) {
        for path in [format!("{member}/Cargo.toml"), format!("{member}/src")] {
            assert!(root().join(&path).exists(), "{path}: the reading is broken");
            let is_left_out =
                ignored.iter().any(|left| path == *left || path.starts_with(&format!("{left}/")));
            assert!(!is_left_out, "{path} is not sent");
        }
    }
}
