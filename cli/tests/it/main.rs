//! The binary as a person at a terminal meets it: texts, exit codes, and nothing started that cannot be.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod node;

use std::process::{Command, Output};

fn headwater(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
    command.env_clear().envs(variables.iter().copied()).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A call that must be refused with exit code 2 and a message that is no more than a sentence and a hint.
fn refused(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = headwater(arguments, variables);
    let message = text(&output.stderr).to_owned();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.lines().count() <= 2 && message.starts_with("headwater: "), "{message}");
    message
}

#[test]
fn help_tells_a_newcomer_what_there_is() {
    let help = headwater(&["--help"], &[]);
    assert!(help.status.success());
    let commands = [
        "up",
        "serve",
        "lag",
        "rebuild",
        "versions",
        "verify",
        "rollback",
        "accept",
        "drop-version",
        "sagas",
        "log",
        "node",
        "bench",
        "reset-views",
        "config",
    ];
    for command in commands {
        assert!(text(&help.stdout).lines().any(|line| line.trim_start().starts_with(command)), "{command}");
    }
    let version = headwater(&["--version"], &[]);
    assert_eq!(text(&version.stdout), format!("headwater {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(headwater(&["upp"], &[]).status.code(), Some(2));
}

#[test]
fn every_command_has_a_page_that_names_its_flags() {
    let pages = [
        (vec!["up"], "--no-sample"),
        (vec!["serve"], "--database-url"),
        (vec!["serve", "commands"], "--contexts"),
        (vec!["serve", "projections"], "--shop-timezone"),
        (vec!["serve", "sagas"], "--payment-gateway"),
        (vec!["serve", "queries"], "--listen"),
        (vec!["serve", "node"], "--node-listen"),
        (vec!["serve", "node"], "--start-standard-projections"),
        (vec!["serve", "sandbox"], "--delivery-delay"),
        (vec!["import", "retail"], "--strict"),
        (vec!["bench", "import"], "--runs"),
        (vec!["bench", "node"], "--events"),
        (vec!["bench", "projections"], "--runs"),
        (vec!["bench", "live"], "--rate"),
        (vec!["bench", "switches"], "--switches"),
        (vec!["log", "check"], "--eventstore"),
        (vec!["node", "verify"], "--json"),
        (vec!["node", "backup"], "TARGET"),
        (vec!["node", "scavenge"], "--no-wait"),
        (vec!["node", "stats"], "--node-listen"),
        (vec!["lag"], "--json"),
        (vec!["health"], "--admin-listen"),
        (vec!["reset-views"], "--data-dir"),
    ];
    for (command, flag) in pages {
        let page = headwater(&[&command[..], &["--help"]].concat(), &[]);
        assert!(page.status.success() && text(&page.stdout).contains(flag), "{command:?}");
        assert!(!text(&page.stdout).contains("--child"), "that one is for `up` alone: {command:?}");
    }
}

#[test]
fn what_is_in_force_is_shown_with_its_source() {
    let variables = [("DATABASE_URL", "postgres://ann:s3cret@db/shop"), ("OTEL_SDK_DISABLED", "true")];
    let output = headwater(&["config", "--json", "--data-dir", "/data"], &variables);
    let lines: serde_json::Value = serde_json::from_str(text(&output.stdout)).unwrap();
    let line = |setting: &str| {
        let found = lines.as_array().unwrap().iter().find(|line| line["setting"] == setting).unwrap();
        (found["value"].as_str().unwrap().to_owned(), found["from"].as_str().unwrap().to_owned())
    };
    assert_eq!(line("data-dir"), ("/data".into(), "flag --data-dir".into()));
    assert_eq!(
        line("database-url"),
        ("postgres://ann:***@db/shop".into(), "environment DATABASE_URL".into())
    );
    assert_eq!(line("OTEL_SDK_DISABLED"), ("true".into(), "environment OTEL_SDK_DISABLED".into()));
    assert!(!text(&output.stdout).contains("s3cret"));
}

#[test]
fn a_wrong_call_is_answered_by_a_sentence_and_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    std::fs::write(format!("{home}/thesis.txt"), "mine").unwrap();
    let missing = format!("{home}/missing");

    assert!(refused(&["up", "--data-dir", home], &[]).contains("holds something else already (thesis.txt)"));
    assert!(
        refused(&["up", "--listen", "0.0.0.0:1", "--data-dir", &missing], &[])
            .contains("--allow-unauthenticated-network")
    );
    assert!(refused(&["up", "--log-filter", "info,=,", "--data-dir", &missing], &[]).contains("RUST_LOG"));
    let needs = refused(&["serve", "queries", "--data-dir", &missing], &[]);
    assert!(needs.contains("needs a PostgreSQL database") && needs.contains("DATABASE_URL"), "{needs}");
    let same = ["up", "--listen", "127.0.0.1:7", "--node-listen", "127.0.0.1:7", "--data-dir", &missing];
    assert!(refused(&same, &[]).contains("--listen and --node-listen are both 127.0.0.1:7"));
    assert!(refused(&["up", "--data-dir", "/dev/null"], &[]).contains("/dev/null cannot be used"));
    for url in ["nonsense", "postgres://ann:s3cret@db:port/shop"] {
        let unreadable = refused(&["lag", "--database-url", url], &[("HOME", home)]);
        assert!(unreadable.contains("--database-url cannot be read"), "{unreadable}");
        assert!(unreadable.contains("postgresql://") && !unreadable.contains("s3cret"), "{unreadable}");
    }
    for command in ["lag", "sagas", "reset-views"] {
        assert!(refused(&[command, "--data-dir", home], &[]).contains("there are no data of headwater"));
    }
    let contexts = refused(&["serve", "commands", "--contexts", "orders,carts", "--data-dir", &missing], &[]);
    assert!(contexts.contains("\"carts\"") && contexts.contains("payments"), "{contexts}");
    let https = ["up", "--payment-gateway", "https://pay.example.org", "--data-dir", &missing];
    assert!(refused(&https, &[]).contains("--payment-gateway"));
    assert!(
        refused(&["up", "--delivery-delay", "-1", "--data-dir", &missing], &[]).contains("whole seconds")
    );
    let esdb = ["serve", "commands", "--eventstore", "http://x", "--data-dir", &missing, "--admin-listen"];
    let esdb = [&esdb[..], &["127.0.0.1:0", "--listen", "127.0.0.1:0"]].concat();
    assert!(refused(&esdb, &[]).contains("--eventstore"));
}

#[test]
fn a_database_that_is_not_there_is_all_that_is_said() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let url = "postgres://ann:s3cret@127.0.0.1:1/shop";
    let output = headwater(&["up", "--database-url", url, "--data-dir", data.to_str().unwrap()], &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let message = text(&output.stderr);
    assert!(
        message.starts_with(
            "headwater: the database postgres://ann:***@127.0.0.1:1/shop does not answer: Connection refused"
        ),
        "{message}"
    );
    assert!(message.lines().count() == 2 && output.stdout.is_empty(), "{output:?}");
    assert!(!data.exists(), "nothing was begun");
}
