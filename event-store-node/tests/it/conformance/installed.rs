//! Clients of other languages, installed with their own tools into a folder under target, and run by one file each.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Case, Outcome, Server, folder, judge};

/// Where a client of a version is installed.
fn place(client: &str, version: &str) -> PathBuf {
    let name = format!("{}-{version}", client.trim_start_matches('@').replace('/', "-"));
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients").join(name)
}

/// Installs what is not there yet; half an installation is made again.
pub fn installed(client: &str, version: &str, install: impl FnOnce(&Path)) -> PathBuf {
    let place = place(client, version);
    let done = place.join("installed");
    if !done.exists() {
        let _ = fs::remove_dir_all(&place);
        fs::create_dir_all(&place).expect("a folder");
        install(&place);
        fs::write(done, version).expect("written");
    }
    place
}

/// Runs a command that has to succeed.
pub fn succeed(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("python3 and npm are on the PATH");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

/// Python with a client from its registry.
pub fn python((client, version): (&str, &str)) -> Command {
    let place = installed(client, version, |place| {
        succeed(Command::new("python3").args(["-m", "venv"]).arg(place.join("venv")));
        let pip = place.join("venv/bin/pip");
        succeed(Command::new(pip).args(["install", "--quiet"]).arg(format!("{client}=={version}")));
    });
    Command::new(place.join("venv/bin/python"))
}

/// Node in the folder of a client from its registry.
pub fn node((client, version): (&str, &str)) -> Command {
    let place = installed(client, version, |place| {
        fs::write(place.join("package.json"), "{\"private\":true}").expect("written");
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund"]).arg(format!("{client}@{version}"));
        succeed(npm.current_dir(place));
    });
    let mut command = Command::new("node");
    command.current_dir(place);
    command
}

/// Runs the cases through a client for Python.
pub async fn through_python(client: (&'static str, &str)) {
    let mut command = python(client);
    command.arg(folder().join("run.py"));
    through(client.0, command).await;
}

/// Runs the cases through a client for Node.
pub async fn through_node(client: (&'static str, &str)) {
    let mut command = node(client);
    command.arg(folder().join("run.mjs"));
    through(client.0, command).await;
}

async fn through(client: &'static str, mut command: Command) {
    let server = Server::find().await;
    let given = server.cases_for(client);
    command.args([client, &server.address]);
    let cases = given.clone();
    let outcomes = tokio::task::spawn_blocking(move || run(command, &cases)).await.expect("run");
    judge(client, &given, &outcomes);
    server.stop().await;
}

fn run(mut command: Command, cases: &[Case]) -> Vec<Outcome> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a runner");
    let list = serde_json::to_vec(cases).expect("JSON");
    // It reads all of it before it says anything.
    child.stdin.take().expect("its input").write_all(&list).expect("read");
    let output = child.wait_with_output().expect("its end");
    assert!(output.status.success(), "{command:?} has ended with {}", output.status);
    let lines = String::from_utf8(output.stdout).expect("text");
    lines.lines().map(|line| serde_json::from_str(line).expect("an outcome")).collect()
}
