//! What goes wrong, as the person at the terminal reads it: one plain sentence, what to do, and an exit code.

use std::fmt;
use std::process::ExitCode;

/// An end that is not a good one. Printed as it stands; no backtrace follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    sentence: String,
    hint: Option<String>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// How it was called or configured: nothing was tried.
    Usage,
    /// What happened while it ran.
    Run,
}

impl Failure {
    /// The command line, the environment or the configuration is wrong (exit code 2).
    pub fn usage(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), hint: None, kind: Kind::Usage }
    }

    /// Something did not work (exit code 1).
    pub fn run(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), hint: None, kind: Kind::Run }
    }

    /// An error of another crate, with its causes in one sentence (exit code 1).
    pub fn of(error: &dyn std::error::Error) -> Self {
        let mut sentence = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !sentence.contains(&text) {
                sentence = format!("{sentence}: {text}");
            }
            cause = error.source();
        }
        Self::run(sentence)
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What the process ends with.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self.kind {
            Kind::Usage => ExitCode::from(2),
            Kind::Run => ExitCode::from(1),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "headwater: {}", self.sentence)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}
