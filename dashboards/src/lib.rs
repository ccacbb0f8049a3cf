//! What operators look at and what wakes them: dashboards, objectives and alerts, each said once in Rust. The files that
//! Grafana and Prometheus read are written from here and committed; a test holds them equal, and
//! `UPDATE_DASHBOARDS=1 cargo test -p dashboards` writes them anew.
//!
//! Adding a panel is a line in one of the [`boards`]; adding an alert is an entry in [`alert::CAUSES`] and a page in
//! `docs/runbooks/`.

pub mod alert;
pub mod board;
pub mod boards;
pub mod panel;
pub mod rules;
pub mod slo;
pub mod sources;
pub mod window;

use window::Windows;

/// A file that is written from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where it stands, from the top of the repository.
    pub path: String,
    /// All of it.
    pub text: String,
}

/// Every file, as committed.
#[must_use]
pub fn files() -> Vec<File> {
    let mut files: Vec<_> = boards::all()
        .iter()
        .map(|board| File {
            path: format!("dashboards/grafana/{}.json", board.uid),
            text: format!("{:#}\n", board.to_json()),
        })
        .collect();
    files.extend(
        rules::files(Windows::REAL).into_iter().map(|file| File {
            path: format!("observability/pipeline/prometheus/rules/{}", file.path),
            ..file
        }),
    );
    files
}
