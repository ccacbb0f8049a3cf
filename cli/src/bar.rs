//! The bar of work that goes through the event log.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often it moves at most.
const TICK: Duration = Duration::from_millis(100);

/// A bar over positions, which are distances in bytes or near enough; its length is set once that is known. It hides
/// itself when standard error is no terminal.
pub fn log_bar(doing: impl Into<String>) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {percent} %  {eta} left")
        .expect("the template is well formed");
    let bar = ProgressBar::no_length().with_style(style).with_message(doing.into());
    bar.enable_steady_tick(TICK);
    bar
}
