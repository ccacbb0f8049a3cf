//! The committed files.

use std::collections::BTreeSet;
use std::fs;

use dashboards::alert::{CAUSES, runbook};
use dashboards::slo::SLOS;

use crate::root;

/// Set to write the files anew instead of comparing them.
const UPDATE: &str = "UPDATE_DASHBOARDS";

/// The folders in which nothing else may stand.
const FOLDERS: &[&str] = &["dashboards/grafana", "observability/pipeline/prometheus/rules"];

#[test]
fn the_committed_files_are_those_that_the_code_writes() {
    let files = dashboards::files();
    if std::env::var_os(UPDATE).is_some() {
        for file in &files {
            let path = root().join(&file.path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &file.text).unwrap();
        }
    }
    for file in &files {
        let committed = fs::read_to_string(root().join(&file.path)).unwrap_or_default();
        assert!(
            committed == file.text,
            "{} is not what the code says; {UPDATE}=1 cargo test -p dashboards writes it",
            file.path
        );
    }
    let expected: BTreeSet<_> = files.into_iter().map(|file| file.path).collect();
    for folder in FOLDERS {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = format!("{folder}/{}", entry.unwrap().file_name().into_string().unwrap());
            assert!(expected.contains(&path), "{path} is written from nowhere");
        }
    }
}

#[test]
fn every_alert_has_a_runbook_with_its_three_parts_and_every_runbook_an_alert() {
    let alerts = SLOS.iter().map(|slo| slo.alert).chain(CAUSES.iter().map(|alert| alert.name));
    let mut pages = BTreeSet::from(["docs/runbooks/README.md".to_owned()]);
    for alert in alerts {
        let page = runbook(alert);
        let text = fs::read_to_string(root().join(&page)).unwrap_or_default();
        assert!(text.starts_with(&format!("# {alert}\n")), "{page} is not there, or of another alert");
        for part in ["## What it means", "## What to look at", "## What to do"] {
            let body = text.split_once(part).map(|(_, rest)| rest.split("\n## ").next().unwrap().trim());
            assert!(body.is_some_and(|body| body.len() > 40), "{page} does not say much under `{part}`");
        }
        pages.insert(page);
    }
    for entry in fs::read_dir(root().join("docs/runbooks")).unwrap() {
        let page = format!("docs/runbooks/{}", entry.unwrap().file_name().into_string().unwrap());
        assert!(pages.contains(&page), "{page} is of no alert");
    }
}

#[test]
fn alerts_and_panels_lead_to_what_exists() {
    let boards = dashboards::boards::all();
    let boards: BTreeSet<_> = boards.iter().map(|board| board.uid).collect();
    let leads = CAUSES.iter().map(|alert| alert.dashboard).chain(SLOS.iter().map(|slo| slo.dashboard));
    for dashboard in leads {
        assert!(boards.contains(dashboard), "no dashboard {dashboard}");
    }
    for file in dashboards::files().iter().filter(|file| file.path.ends_with(".json")) {
        let pages = file.text.split("docs/runbooks/").skip(1);
        for page in pages.map(|rest| rest.split('"').next().unwrap()) {
            assert!(root().join("docs/runbooks").join(page).exists(), "{}: no {page}", file.path);
        }
    }
}
