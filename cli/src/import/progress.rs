//! What a person watching sees on standard error: a bar on a terminal, and a line whenever the server goes away.

use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const TEMPLATE: &str = "{msg:<24} {wide_bar} {pos}/{len}  {per_sec}  {eta} left";

/// The progress of an import; the bar hides itself when standard error is no terminal.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    away: AtomicBool,
}

impl Progress {
    /// Begins with so many requests to send.
    #[must_use]
    pub fn begin(requests: u64) -> Self {
        Self::on(requests, ProgressDrawTarget::stderr())
    }

    /// The same for what nobody watches.
    #[must_use]
    pub fn unseen(requests: u64) -> Self {
        Self::on(requests, ProgressDrawTarget::hidden())
    }

    fn on(requests: u64, target: ProgressDrawTarget) -> Self {
        let style = ProgressStyle::with_template(TEMPLATE).expect("the template is well formed");
        let bar = ProgressBar::with_draw_target(Some(requests), target).with_style(style);
        Self { bar, away: AtomicBool::new(false) }
    }

    /// Names what is being sent now.
    pub fn phase(&self, name: &'static str) {
        self.bar.set_message(name);
    }

    /// One request has its answer.
    pub fn answered(&self) {
        self.bar.inc(1);
    }

    /// The server cannot be reached; said once until it is [back](Self::server_is_back).
    pub fn server_is_away(&self, reason: &str) {
        if !self.away.swap(true, Ordering::Relaxed) {
            self.say(&format!("the server does not answer, trying again: {reason}"));
        }
    }

    /// The server has answered.
    pub fn server_is_back(&self) {
        if self.away.swap(false, Ordering::Relaxed) {
            self.say("the server answers again");
        }
    }

    /// Takes the bar away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }

    fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }
}
