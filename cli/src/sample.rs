//! The sample shop: whole documents of a real shop's month, brought into a new log through the REST API.
//!
//! A file in the data directory says how far it is. It is written before the log is made, so a start that was killed
//! in between, or in the middle of the sample, is made up for by the next one; nothing of it is brought in twice.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::failure::Failure;
use crate::import::client::{Ending, Patience};
use crate::import::plan::Plan;
use crate::import::progress::Progress;
use crate::import::reader::{Strictness, read_from};
use crate::import::run::{Sending, bring_in};
use crate::import::summary::FileSummary;

/// The documents; `cli/sample/README.md` names their source and licence.
const ROWS: &[u8] = include_bytes!("../sample/online-retail-sample.csv");

/// Whose data it is, as its licence asks to be told.
pub const SOURCE: &str = "Online Retail, UCI (D. Chen, 2015), CC BY 4.0";

/// What the file says.
const WANTED: &str = "wanted\n";
const LOADED: &str = "loaded\n";

/// How many requests are on their way at once, as for `headwater import retail`.
const CONCURRENCY: usize = 32;

/// Of every product there is so much more than the documents need, so that something can be ordered.
const SPARE_UNITS: i64 = 25;

/// How a shop stands to the sample.
#[derive(Debug)]
pub enum Sample {
    /// It is not in it, and shall not be.
    None,
    /// It has to be brought in.
    Wanted(Wanted),
    /// It was brought in.
    Loaded,
}

/// A sample that has to be brought in.
#[derive(Debug)]
pub struct Wanted {
    file: PathBuf,
}

impl Sample {
    /// Finds out before the log is made: a log of our own that is new gets the sample unless that is not wanted.
    ///
    /// # Errors
    /// The data directory cannot be read or written.
    pub fn of(data: &DataDir, config: &Config) -> Result<Self, Failure> {
        let file = data.sample();
        let said = match fs::read_to_string(&file) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(Failure::of(&error)),
        };
        match said.as_deref() {
            Some(LOADED) => Ok(Self::Loaded),
            // Somebody else's log is not for us to fill.
            _ if config.no_sample || config.eventstore.is_some() => {
                if said.is_some() {
                    fs::remove_file(&file).map_err(|error| Failure::of(&error))?;
                }
                Ok(Self::None)
            }
            None if data.node().exists() => Ok(Self::None),
            _ => {
                fs::write(&file, WANTED).map_err(|error| Failure::of(&error))?;
                Ok(Self::Wanted(Wanted { file }))
            }
        }
    }
}

impl Sample {
    /// Brings it in through the command service at `url` if that is wanted, and says whether it is in the shop. What
    /// goes wrong is no reason not to run: the next start tries again.
    pub async fn load(&self, url: &str, stop: CancellationToken) -> bool {
        match self {
            Self::None => false,
            Self::Loaded => true,
            Self::Wanted(wanted) => match wanted.load(url, stop).await {
                Ok(is_in) => is_in,
                Err(failure) => {
                    tracing::warn!(%failure, "the sample shop is not there, or not all of it; the next start tries again");
                    false
                }
            },
        }
    }
}

impl Wanted {
    /// Whether all of it is in the shop.
    async fn load(&self, url: &str, stop: CancellationToken) -> Result<bool, Failure> {
        let contents = read_from(ROWS, Strictness::Stop).map_err(|error| Failure::of(&error))?;
        let file = FileSummary::from(&contents);
        let mut plan = Plan::from_rows(contents.rows);
        for product in &mut plan.products {
            product.opening += SPARE_UNITS;
        }
        let sending =
            Sending { url: url.to_owned(), concurrency: CONCURRENCY, patience: Patience::default() };
        let summary = bring_in(file, &plan, &sending, Progress::unseen, stop)
            .await
            .map_err(|error| Failure::of(&error))?;
        match summary.ended_early {
            // The process stops, and there will be time at the next start.
            Some(Ending::Interrupted) => return Ok(false),
            Some(ending) => return Err(Failure::of(&ending)),
            None => {}
        }
        if let Some(first) = summary.tally.rejections.first() {
            let (subject, message) = (&first.subject, &first.refusal.message);
            let rejected = summary.tally.rejected();
            return Err(Failure::run(format!(
                "{rejected} requests were refused, first {subject}: {message}"
            )));
        }
        fs::write(&self.file, LOADED).map_err(|error| Failure::of(&error))?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use crate::import::request::Kind;
    use crate::import::run::planned;

    use super::*;

    #[test]
    fn every_row_is_whole_and_of_the_kinds_that_its_readme_counts() {
        let contents = read_from(ROWS, Strictness::Stop).unwrap();
        assert_eq!(contents.rows_read, 375);
        let tally = planned(&Plan::from_rows(contents.rows));
        let counts = Kind::ALL.map(|kind| tally.kinds[&kind].planned);
        assert_eq!(counts, [46, 267, 267, 45, 6, 5]);
    }
}
