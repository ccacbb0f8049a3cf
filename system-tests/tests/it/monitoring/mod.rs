//! Metrics, dashboards, rules and alerts, through the programs that use them.

mod cases;
mod catalogue;
mod contract;
mod faults;
mod live;
mod rules;

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate stands in the workspace").to_owned()
}
