//! What an import did: counts by kind, and the first of what was refused.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::client::{Ending, Outcome, Refusal, Traffic};
use super::reader::Contents;
use super::request::{Kind, Request};
use super::row::Malformed;
use crate::table::table;

/// How many rejections are listed; the others are counted.
const REJECTIONS_LISTED_MAX: usize = 100;

/// How far one kind has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// How many the file asks for.
    pub planned: u64,
    /// How many the server has taken.
    pub sent: u64,
    /// How many were there already.
    pub already_there: u64,
    /// How many the server refused.
    pub rejected: u64,
}

/// A request that the server refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// What it would have brought in.
    pub subject: String,
    /// Why not.
    #[serde(flatten)]
    pub refusal: Refusal,
}

/// The answers so far.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// By kind, in the order of sending.
    pub kinds: BTreeMap<Kind, Counts>,
    /// The first of the rejections; all are counted in [`Counts::rejected`].
    pub rejections: Vec<Rejection>,
}

impl Tally {
    /// Takes a request into the plan.
    pub fn plan(&mut self, kind: Kind, count: usize) {
        self.kinds.entry(kind).or_default().planned += count as u64;
    }

    /// Notes an answer.
    pub fn note(&mut self, request: &Request, outcome: Outcome) {
        let counts = self.kinds.entry(request.kind).or_default();
        match outcome {
            Outcome::Sent => counts.sent += 1,
            Outcome::AlreadyThere => counts.already_there += 1,
            Outcome::Rejected(refusal) => {
                counts.rejected += 1;
                if self.rejections.len() < REJECTIONS_LISTED_MAX {
                    self.rejections.push(Rejection { subject: request.subject.clone(), refusal });
                }
            }
        }
    }

    /// How many requests there are in all.
    #[must_use]
    pub fn planned(&self) -> u64 {
        self.kinds.values().map(|counts| counts.planned).sum()
    }

    /// How many of them have no answer yet.
    #[must_use]
    pub fn unanswered(&self) -> u64 {
        let answered = |counts: &Counts| counts.sent + counts.already_there + counts.rejected;
        self.planned() - self.kinds.values().map(answered).sum::<u64>()
    }

    /// How many the server refused.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.kinds.values().map(|counts| counts.rejected).sum()
    }
}

/// What the file held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileSummary {
    /// SHA-256 of its content, in hex.
    pub digest: String,
    /// Rows, the malformed ones included.
    pub rows: u64,
    /// Rows that could not be read.
    pub malformed_rows: u64,
    /// Documents that were skipped because of them.
    pub skipped_documents: usize,
    /// The first of those rows.
    pub malformed: Vec<Malformed>,
}

impl From<&Contents> for FileSummary {
    fn from(contents: &Contents) -> Self {
        Self {
            digest: contents.digest.clone(),
            rows: contents.rows_read,
            malformed_rows: contents.malformed_rows,
            skipped_documents: contents.skipped_documents,
            malformed: contents.malformed.clone(),
        }
    }
}

/// An import from its first request to its end.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// What the file held.
    pub file: FileSummary,
    /// What became of it.
    #[serde(flatten)]
    pub tally: Tally,
    /// Every try over the wire.
    pub requests: u64,
    /// How many of them were repetitions.
    pub retries: u64,
    /// How often others kept changing the same thing.
    pub conflicts: u64,
    /// From the first request to the last answer.
    pub elapsed_seconds: f64,
    /// Tries a second.
    pub requests_per_second: f64,
    /// Why it ended before its time; nothing when it did not.
    #[serde(serialize_with = "as_text")]
    pub ended_early: Option<Ending>,
}

impl Summary {
    /// Puts together what was counted.
    #[must_use]
    pub fn new(
        file: FileSummary,
        tally: Tally,
        traffic: &Traffic,
        elapsed: Duration,
        ended_early: Option<Ending>,
    ) -> Self {
        let (requests, seconds) = (traffic.requests(), elapsed.as_secs_f64());
        Self {
            file,
            tally,
            requests,
            retries: traffic.retries(),
            conflicts: traffic.conflicts(),
            elapsed_seconds: seconds,
            requests_per_second: if seconds > 0.0 { requests as f64 / seconds } else { 0.0 },
            ended_early,
        }
    }
}

fn as_text<S: serde::Serializer>(ending: &Option<Ending>, serializer: S) -> Result<S::Ok, S::Error> {
    ending.as_ref().map(ToString::to_string).serialize(serializer)
}

fn row(kind: Kind, counts: Counts) -> [String; 5] {
    let Counts { planned, sent, already_there, rejected } = counts;
    let [planned, sent, already_there, rejected] =
        [planned, sent, already_there, rejected].map(|n| n.to_string());
    [kind.label().to_owned(), planned, sent, already_there, rejected]
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = &self.file;
        write!(f, "{} rows", file.rows)?;
        if file.malformed_rows > 0 {
            write!(
                f,
                ", {} of them malformed: {} documents skipped",
                file.malformed_rows, file.skipped_documents
            )?;
        }
        let rows: Vec<_> = self.tally.kinds.iter().map(|(kind, counts)| row(*kind, *counts)).collect();
        writeln!(f, "\n\n{}", table(["", " PLANNED", " SENT", " ALREADY THERE", " REJECTED"], &rows))?;
        writeln!(
            f,
            "{} requests in {:.1} s, {:.0} a second; {} retries, {} conflicts",
            self.requests, self.elapsed_seconds, self.requests_per_second, self.retries, self.conflicts
        )?;
        for Rejection { subject, refusal: Refusal { status, code, message } } in &self.tally.rejections {
            writeln!(f, "rejected: {subject}: {status} {code}: {message}")?;
        }
        let unlisted = self.tally.rejected() - self.tally.rejections.len() as u64;
        if unlisted > 0 {
            writeln!(f, "and {unlisted} more rejections")?;
        }
        Ok(())
    }
}
