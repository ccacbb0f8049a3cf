//! Unpacks and builds the crates' tests.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::super::folder;
use super::super::installed::{installed, succeed};
use super::{CRATES, SERVER};

/// A program of tests, and the crate that it belongs to.
#[derive(Debug)]
pub struct Program {
    pub of: &'static str,
    pub name: String,
    pub path: PathBuf,
    /// Where the crate is unpacked.
    pub place: PathBuf,
}

/// Every program of tests that there is.
pub fn programs() -> Vec<Program> {
    let place = workspace();
    let mut cargo = cargo();
    cargo.args(["test", "--no-run", "--quiet", "--message-format=json"]).current_dir(&place);
    // Whether their server is secured is decided when they are built.
    cargo.arg("--target-dir").arg(place.join("target")).env_remove("SECURE");
    let output = cargo.output().expect("cargo");
    assert!(output.status.success(), "the crates' tests do not build");
    let said = String::from_utf8(output.stdout).expect("text");
    let artifacts = said.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    artifacts
        .filter(|artifact| artifact["profile"]["test"] == true)
        .filter_map(|artifact| {
            let unpacked = Path::new(artifact["manifest_path"].as_str()?).parent()?;
            let of = CRATES.into_iter().map(|(name, _)| name).find(|name| unpacked.ends_with(name))?;
            let name = artifact["target"]["name"].as_str()?.to_owned();
            Some(Program {
                of,
                name,
                path: artifact["executable"].as_str()?.into(),
                place: unpacked.to_owned(),
            })
        })
        .collect()
}

fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null()).stderr(Stdio::inherit());
    cargo
}

/// Where a crate lies as it was released, and its version.
fn released(name: &str) -> (PathBuf, String) {
    let output = cargo().args(["metadata", "--format-version", "1", "--locked"]).output().expect("cargo");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let package = packages.iter().find(|package| package["name"] == name).expect("it is a dependency");
    let manifest = Path::new(package["manifest_path"].as_str().expect("a path"));
    (manifest.parent().expect("a folder").to_owned(), package["version"].as_str().expect("text").to_owned())
}

/// A workspace of the crates, with the versions of dependencies that are used here.
fn workspace() -> PathBuf {
    let members = CRATES.map(|(name, _)| name);
    let crates = members.map(|name| (name, released(name)));
    let versions = crates.iter().map(|(_, (_, version))| version.as_str()).collect::<Vec<_>>().join("-");
    let place = installed("shipped-by-crates", &versions, |place| {
        for (name, (from, _)) in &crates {
            succeed(Command::new("cp").arg("-r").arg(from).arg(place.join(name)));
            let manifest = place.join(name).join("Cargo.toml");
            let text = fs::read_to_string(&manifest).expect("its manifest");
            let each = "\n[[test]]\nname = \"each\"\npath = \"tests/each.rs\"\n";
            fs::write(manifest, text + each).expect("written");
        }
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
        fs::copy(lock, place.join("Cargo.lock")).expect("copied");
    });
    let manifest = format!(
        "[workspace]\nresolver = \"2\"\nmembers = {members:?}\n\
         [patch.crates-io]\ntestcontainers = {{ path = \"testcontainers\" }}\n\
         [profile.dev]\ndebug = false\nincremental = false\n"
    );
    put(&place.join("Cargo.toml"), &manifest);
    // Both ask for 0.23.
    let stand_in = "[package]\nname = \"testcontainers\"\nversion = \"0.23.999\"\nedition = \"2024\"\n";
    put(&place.join("testcontainers/Cargo.toml"), stand_in);
    let code = fs::read_to_string(folder().join("testcontainers.rs")).expect("the stand-in");
    put(&place.join("testcontainers/src/lib.rs"), &code);
    for name in members {
        let tests = place.join(name).join("tests");
        put(&tests.join("each.rs"), &each(name, &tests.join("api")));
    }
    place
}

/// Leaves a file alone that is as it should be, so that it is not built again.
fn put(path: &Path, text: &str) {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return;
    }
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, text).expect("written");
}

/// A test for each function `test_…` of a crate. Its files are taken in as they are.
fn each(name: &str, api: &Path) -> String {
    let mut text = format!(
        "#![allow(dead_code, unused_imports)]
mod common;
fn client() -> {name}::Client {{
    let address = std::env::var({SERVER:?}).unwrap();
    let settings = format!(\"esdb://{{address}}?tls=false&defaultDeadline=60000\").parse().unwrap();
    {name}::Client::new(settings).unwrap()
}}
"
    );
    let files = fs::read_dir(api).expect("its tests").map(|file| file.expect("a file").path());
    let mut files: Vec<_> = files.filter(|file| !file.ends_with("mod.rs")).collect();
    files.sort();
    for file in files {
        let module = file.file_stem().expect("a name").to_string_lossy();
        let code = fs::read_to_string(&file).expect("code");
        let functions = code.split("\nasync fn ").skip(1).filter(|function| function.starts_with("test_"));
        let tests: String = functions.map(|function| test(name, function)).collect();
        writeln!(text, "mod {module} {{\ninclude!({file:?});\nmod each {{{tests}}}\n}}").expect("text");
    }
    text
}

/// A test that calls a function with what its parameters ask for.
fn test(name: &str, function: &str) -> String {
    let signature = function.split('{').next().unwrap_or_default();
    let function = signature.split('(').next().unwrap_or_default();
    let client = if signature.contains("operations::Client") {
        format!("&{name}::operations::Client::from(crate::client())")
    } else {
        "&crate::client()".to_owned()
    };
    let names = if signature.contains("Generator") { ", &mut names::Generator::default()" } else { "" };
    format!(
        "
#[tokio::test(flavor = \"multi_thread\")]
async fn {function}() {{
    super::{function}({client}{names}).await.unwrap();
}}
"
    )
}
