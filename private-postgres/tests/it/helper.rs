//! Another process that starts a server, so that a test may kill it, run it as another user or give it other variables.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use private_postgres::{PrivatePostgres, test_database};

use crate::lifetime::quick;

const DATA_DIR: &str = "HELPER_DATA_DIR";
const TEST_DATABASE: &str = "HELPER_TEST_DATABASE";

/// What the process does when it is started as a helper; otherwise nothing.
#[tokio::test]
async fn act_as_helper() {
    if std::env::var_os(TEST_DATABASE).is_some() {
        println!("\nURL {}", test_database().await.url());
    } else if let Some(dir) = std::env::var_os(DATA_DIR) {
        match PrivatePostgres::start(quick(Path::new(&dir))).await {
            Ok(server) => {
                println!("\nURL {}", server.url());
                std::mem::forget(server);
            }
            Err(error) => {
                println!("\nERROR {}", error.to_string().replace('\n', " "));
                return;
            }
        }
    } else {
        return;
    }
    // Until the test closes our input or kills us.
    let _ = std::io::stdin().read_line(&mut String::new());
}

/// A running helper.
pub struct Helper {
    child: Child,
    /// The URL of its database, or what kept the server from starting.
    pub outcome: Result<String, String>,
}

impl Helper {
    /// Starts a server in another process and waits for the outcome.
    pub fn start(dir: &Path) -> Self {
        Self::run(Self::command().env(DATA_DIR, dir))
    }

    /// The same as another user; the binary is copied to where that user can reach it.
    pub fn start_as(uid: u32, gid: u32, dir: &Path, reachable: &Path) -> Self {
        let exe = reachable.join("helper");
        std::fs::copy(std::env::current_exe().unwrap(), &exe).unwrap();
        let mut command = Command::new(exe);
        Self::run(arguments(&mut command).env(DATA_DIR, dir).current_dir("/").uid(uid).gid(gid))
    }

    /// The same with another folder of programs.
    pub fn start_with_programs(bin: &Path, dir: &Path) -> Self {
        Self::run(Self::command().env(DATA_DIR, dir).env("HEADWATER_PG_BIN", bin))
    }

    /// A process that uses a test database.
    pub fn with_test_database(temp_dir: &Path) -> Self {
        Self::run(Self::command().env(TEST_DATABASE, "1").env("TMPDIR", temp_dir))
    }

    fn command() -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        arguments(&mut command);
        command
    }

    fn run(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let outcome = lines
            .by_ref()
            .filter_map(|line| match line.split_once(' ') {
                Some(("URL", url)) => Some(Ok(url.to_owned())),
                Some(("ERROR", error)) => Some(Err(error.to_owned())),
                _ => None,
            })
            .next()
            .expect("the helper says what became of it");
        // Read on, so that what it prints at its end does not make it fail.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, outcome }
    }

    /// SIGKILL: nothing of it runs any more, its server does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The process ends as any does.
    pub fn end(mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

fn arguments(command: &mut Command) -> &mut Command {
    command.args(["--exact", "helper::act_as_helper", "--nocapture"])
}
