//! The bars of long work.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often it moves at most.
const TICK: Duration = Duration::from_millis(100);

/// A bar over positions, which are distances in bytes or near enough; its length is set once that is known. It hides
/// itself when standard error is no terminal.
pub fn log_bar(doing: impl Into<String>) -> ProgressBar {
    styled(ProgressBar::no_length(), doing)
}

/// A bar over so many things.
pub fn count_bar(things: u64, doing: impl Into<String>) -> ProgressBar {
    styled(ProgressBar::new(things), doing)
}

fn styled(bar: ProgressBar, doing: impl Into<String>) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {percent} %  {eta} left")
        .expect("the template is well formed");
    let bar = bar.with_style(style).with_message(doing.into());
    bar.enable_steady_tick(TICK);
    bar
}
