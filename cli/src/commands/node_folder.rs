//! What the commands on a node's folder have in common.

use std::path::{Path, PathBuf};
use std::time::Duration;

use event_store_node::storage::StorageError;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::data_dir::DataDir;
use crate::failure::Failure;
use crate::print;

/// How often the bar moves at most.
const TICK: Duration = Duration::from_millis(100);

/// The folder of a node: the one named, or the node's in a data directory.
pub fn node_folder(named: &Path) -> PathBuf {
    DataDir::existing(named).map_or_else(|_| named.to_owned(), |data| data.node())
}

/// How far a bar over bytes is, as indicatif fills it in.
pub const OF_BYTES: &str = "{bytes} of {total_bytes}";

/// A bar with how far it is in words; it hides itself when standard error is no terminal.
pub fn bar(doing: &'static str, so_far: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(&format!("{{msg}} {{wide_bar}} {so_far}  {{eta}} left"))
        .expect("the template is well formed");
    let bar = ProgressBar::no_length().with_style(style).with_message(doing);
    bar.enable_steady_tick(TICK);
    bar
}

/// Moves the bar.
pub fn advance(bar: &ProgressBar) -> impl FnMut(u64, u64) {
    let bar = bar.clone();
    move |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    }
}

/// A failure of the storage: what was named wrongly is a matter of how it was called.
pub fn failed(error: &StorageError) -> Failure {
    match error {
        StorageError::NoLog(_) | StorageError::TargetExists(_) | StorageError::TargetInside(_) => {
            Failure::usage(error.to_string())
        }
        _ => Failure::of(error),
    }
}

/// Prints what was found, as JSON or as text.
pub fn tell(found: &impl Serialize, json: bool, text: impl FnOnce() -> String) -> Result<(), Failure> {
    if json {
        let text = serde_json::to_string_pretty(found).map_err(|error| Failure::of(&error))?;
        return print(&(text + "\n"));
    }
    print(&text())
}
