//! The README's first command and query are run as they stand there, and must answer what it shows.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use system_tests::{Headwater, Options};

use crate::home;

/// Where the README's system listens; the test's own listens elsewhere.
const ADDRESS: &str = "127.0.0.1:8080";

/// Stands for what differs from run to run, such as a position.
const ANYTHING: char = '…';

/// A command as a reader would type it, and what the README says it prints.
#[derive(Debug, PartialEq)]
struct Step {
    command: String,
    output: String,
}

/// The steps of every `console` block; a line that ends in a backslash goes on in the next.
fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut inside, mut goes_on) = (false, false);
    for line in text.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
            goes_on = false;
        } else if inside && (goes_on || line.starts_with("$ ")) {
            if !goes_on {
                steps.push(Step { command: String::new(), output: String::new() });
            }
            let step = steps.last_mut().expect("a first line begins a step");
            step.command.push_str(line.strip_prefix("$ ").unwrap_or(line));
            step.command.push('\n');
            goes_on = line.ends_with('\\');
        } else if inside && let Some(step) = steps.last_mut() {
            step.output.push_str(line.trim());
        }
    }
    steps
}

/// Whether `actual` is `expected`, where [`ANYTHING`] in the latter stands for any text.
fn fits(expected: &str, actual: &str) -> bool {
    let mut pieces = expected.split(ANYTHING);
    let Some(mut rest) = pieces.next().and_then(|first| actual.strip_prefix(first)) else { return false };
    let mut last = "";
    for piece in pieces {
        let Some((_, behind)) = rest.split_once(piece) else { return false };
        (rest, last) = (behind, piece);
    }
    rest.is_empty() || (last.is_empty() && expected.ends_with(ANYTHING))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_command_and_query_answer_what_the_readme_shows() -> Result<()> {
    let text = include_str!("../../../README.md");
    let home = home()?;
    let running = Headwater::start(&Options::at(&home.path().join("data"))).await?;
    let mut run = 0;
    for step in steps(text).into_iter().filter(|step| step.command.starts_with("curl ")) {
        let command = step.command.replace(ADDRESS, &running.public.to_string());
        let output = Command::new("sh").arg("-c").arg(&command).output().context("cannot run sh")?;
        let printed: String = String::from_utf8(output.stdout)?.lines().map(str::trim).collect();
        ensure!(
            output.status.success() && fits(&step.output, &printed),
            "the README shows\n{}\nfor\n{command}\nbut it prints\n{printed}\n{}",
            step.output,
            String::from_utf8_lossy(&output.stderr)
        );
        run += 1;
    }
    ensure!(run >= 3, "the README has only {run} commands to try");
    assert!(running.stop().await?.success());
    Ok(())
}

#[test]
fn blocks_are_told_apart_and_wildcards_fit() {
    let text =
        "a\n```console\n$ curl \\\n  -X POST\n{\"a\":1,\n \"b\":2}\n$ true\n```\n$ no\n```json\n$ no\n```\n";
    let step = |command: &str, output: &str| Step { command: command.into(), output: output.into() };
    assert_eq!(steps(text), [step("curl \\\n  -X POST\n", "{\"a\":1,\"b\":2}"), step("true\n", "")]);
    assert!(fits("a…c", "abbc") && fits("a…", "ab") && fits("ab", "ab") && fits("…", ""));
    assert!(!fits("a…c", "abbd") && !fits("ab", "abc") && !fits("b…", "ab") && !fits("a…c", "acd"));
}
