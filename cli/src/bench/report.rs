//! What a benchmark tells, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value, json};

use super::limits::Limits;
use crate::failure::Failure;
use crate::print;
use crate::table::table;

/// What runs in a system that is measured.
const ROLES: &[&str] =
    &["commands", "sagas", "projections", "queries", "node", "sandbox", "private PostgreSQL"];

/// A benchmark with its runs.
#[derive(Debug)]
pub struct Report<R> {
    /// Its name.
    pub name: &'static str,
    /// What the machine can do.
    pub limits: Limits,
    /// What was measured, run by run.
    pub runs: Vec<R>,
}

/// What was measured in one run: the same figures in each.
pub trait Run: Serialize {
    /// The figures, in the order they are shown.
    fn figures(&self) -> Vec<Figure>;
}

/// One figure of a run.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// Its name in JSON.
    pub key: &'static str,
    /// Its name for people.
    pub label: &'static str,
    /// How it is shown.
    pub unit: Unit,
    /// What was measured, in seconds, bytes or things.
    pub value: f64,
}

/// How a figure is shown.
#[derive(Debug, Clone, Copy)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Seconds.
    Seconds,
    /// Mebibytes, of bytes.
    Mebibytes,
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::Count => format!("{value:.0}"),
            Self::Seconds => format!("{value:.2} s"),
            Self::Mebibytes => format!("{:.0} MiB", value / 1_048_576.0),
        }
    }
}

impl<R: Run> Report<R> {
    /// Prints it.
    ///
    /// # Errors
    /// Nobody takes the output.
    pub fn print(&self, as_json: bool) -> Result<(), Failure> {
        if !as_json {
            return print(&self.text());
        }
        let text = serde_json::to_string_pretty(&self.json()).map_err(|error| Failure::of(&error))?;
        print(&(text + "\n"))
    }

    fn json(&self) -> Value {
        let medians: serde_json::Map<String, Value> =
            self.medians().into_iter().map(|figure| (figure.key.to_owned(), json!(figure.value))).collect();
        json!({
            "benchmark": self.name,
            "version": env!("CARGO_PKG_VERSION"),
            "build": build(),
            "cores": cores(),
            "roles": ROLES,
            "limits": self.limits,
            "runs": self.runs,
            "median": medians,
        })
    }

    fn text(&self) -> String {
        let mut text = format!(
            "headwater {} bench {}: {} build, {} cores\nrunning: {}\n\nlimits, measured in this run\n",
            env!("CARGO_PKG_VERSION"),
            self.name,
            build(),
            cores(),
            ROLES.join(", "),
        );
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  fdatasync of 4 KiB overwrites  {:>9.0} per s",
            self.limits.fdatasync_per_second
        );
        let _ = writeln!(
            text,
            "  COPY into a keyed table        {:>9.0} rows/s",
            self.limits.copy_rows_per_second
        );
        text.push('\n');
        let row = |(index, figure): (usize, Figure)| {
            let values = self.values(index);
            let [median, least, most] =
                [figure.value, least(&values), most(&values)].map(|value| figure.unit.show(value));
            [figure.label.to_owned(), median, least, most]
        };
        let rows: Vec<_> = self.medians().into_iter().enumerate().map(row).collect();
        let runs = format!("OF {} RUNS", self.runs.len());
        text + &table([&runs, " MEDIAN", " LEAST", " MOST"], &rows)
    }

    fn values(&self, index: usize) -> Vec<f64> {
        self.runs.iter().filter_map(|run| run.figures().get(index).map(|figure| figure.value)).collect()
    }

    /// The figures, each with its median for a value.
    fn medians(&self) -> Vec<Figure> {
        let figures = self.runs.first().map(Run::figures).unwrap_or_default();
        let with_median = |(index, figure)| Figure { value: median(self.values(index)), ..figure };
        figures.into_iter().enumerate().map(with_median).collect()
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn most(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// Figures of a build that is not a release say little.
const fn build() -> &'static str {
    if cfg!(debug_assertions) { "development" } else { "release" }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Took(f64);

    impl Run for Took {
        fn figures(&self) -> Vec<Figure> {
            let bytes = 3.0 * 1_048_576.0;
            vec![
                Figure { key: "tookSeconds", label: "took", unit: Unit::Seconds, value: self.0 },
                Figure { key: "bytes", label: "memory", unit: Unit::Mebibytes, value: bytes },
            ]
        }
    }

    #[test]
    fn the_median_stands_between_the_least_and_the_most() {
        let limits = Limits { fdatasync_per_second: 11_600.4, copy_rows_per_second: 342_000.0 };
        let report =
            Report { name: "nothing", limits, runs: vec![Took(3.0), Took(1.0), Took(2.25), Took(9.0)] };
        let text = report.text();
        assert!(text.contains("took       2.62 s  1.00 s  9.00 s"), "{text}");
        assert!(text.contains("11600 per s") && text.contains("342000 rows/s"), "{text}");
        assert_eq!(report.json()["median"], json!({ "tookSeconds": 2.625, "bytes": 3_145_728.0 }));
    }
}
