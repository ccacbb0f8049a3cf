//! What a benchmark tells, for people and for programs.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::print;
use crate::table::table;

/// A benchmark with its runs.
#[derive(Debug)]
pub struct Report {
    /// Its name.
    pub name: &'static str,
    /// What runs in what is measured.
    pub roles: &'static [&'static str],
    /// What the machine can do, measured at the beginning; none where each run measures it.
    pub limits: Vec<Figure>,
    /// What was measured, run by run: the same figures in each, in the order they are shown.
    pub runs: Vec<Vec<Figure>>,
}

/// One figure.
#[derive(Debug, Clone)]
pub struct Figure {
    key: String,
    label: String,
    unit: Unit,
    value: f64,
}

impl Figure {
    /// With its name in JSON, its name for people, how it is shown, and what was measured: seconds, bytes or things.
    #[must_use]
    pub fn new(key: impl Into<String>, label: impl Into<String>, unit: Unit, value: f64) -> Self {
        Self { key: key.into(), label: label.into(), unit, value }
    }

    /// What was measured.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.value
    }
}

/// How a figure is shown.
#[derive(Debug, Clone, Copy)]
pub enum Unit {
    /// A number of things.
    Count,
    /// So many a second.
    PerSecond,
    /// So many of one to one of another.
    Ratio,
    /// Seconds.
    Seconds,
    /// Milliseconds, of seconds.
    Milliseconds,
    /// Mebibytes, of bytes.
    Mebibytes,
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::Count => format!("{value:.0}"),
            Self::PerSecond => format!("{value:.0} per s"),
            Self::Ratio => format!("{value:.2}"),
            Self::Seconds => format!("{value:.2} s"),
            Self::Milliseconds => format!("{:.2} ms", value * 1000.0),
            Self::Mebibytes => format!("{:.0} MiB", value / 1_048_576.0),
        }
    }
}

impl Report {
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
        json!({
            "benchmark": self.name,
            "version": env!("CARGO_PKG_VERSION"),
            "build": build(),
            "cores": cores(),
            "roles": self.roles,
            "limits": by_key(&self.limits),
            "runs": self.runs.iter().map(|run| by_key(run)).collect::<Vec<_>>(),
            "median": by_key(&self.medians()),
        })
    }

    fn text(&self) -> String {
        let mut text = format!(
            "headwater {} bench {}: {} build, {} cores\nrunning: {}\n\n",
            env!("CARGO_PKG_VERSION"),
            self.name,
            build(),
            cores(),
            self.roles.join(", "),
        );
        if !self.limits.is_empty() {
            let limit = |figure: &Figure| [figure.label.clone(), figure.unit.show(figure.value)];
            let limits: Vec<_> = self.limits.iter().map(limit).collect();
            text += &table(["LIMITS, IN THIS RUN", " "], &limits);
            text.push('\n');
        }
        let row = |(index, figure): (usize, Figure)| {
            let values = self.values(index);
            let [median, least, most] =
                [figure.value, least(&values), most(&values)].map(|value| figure.unit.show(value));
            [figure.label, median, least, most]
        };
        let rows: Vec<_> = self.medians().into_iter().enumerate().map(row).collect();
        if let [_] = self.runs[..] {
            let single: Vec<_> =
                rows.iter().map(|[label, value, ..]| [label.clone(), value.clone()]).collect();
            return text + &table(["OF ONE RUN", " "], &single);
        }
        let runs = format!("OF {} RUNS", self.runs.len());
        text + &table([&runs, " MEDIAN", " LEAST", " MOST"], &rows)
    }

    fn values(&self, index: usize) -> Vec<f64> {
        self.runs.iter().filter_map(|run| run.get(index).map(|figure| figure.value)).collect()
    }

    /// The figures, each with its median for a value.
    fn medians(&self) -> Vec<Figure> {
        let figures = self.runs.first().cloned().unwrap_or_default();
        let with_median = |(index, figure)| Figure { value: median(self.values(index)), ..figure };
        figures.into_iter().enumerate().map(with_median).collect()
    }
}

/// How long something took, each time.
#[derive(Debug)]
pub struct Sorted(Vec<Duration>);

impl Sorted {
    /// In any order.
    #[must_use]
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// How often.
    #[must_use]
    pub fn count(&self) -> f64 {
        self.0.len() as f64
    }

    /// Seconds that this share of them does not exceed, 0 to 1; not a number when there are none.
    #[must_use]
    pub fn at(&self, share: f64) -> f64 {
        let rank = (self.0.len() as f64 * share).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).map_or(f64::NAN, Duration::as_secs_f64)
    }
}

/// Whole numbers as such.
fn by_key(figures: &[Figure]) -> Map<String, Value> {
    let number = |value: f64| {
        let whole = format!("{value:.0}").parse::<i64>().ok();
        whole.filter(|whole| *whole as f64 == value).map_or_else(|| json!(value), |whole| json!(whole))
    };
    figures.iter().map(|figure| (figure.key.clone(), number(figure.value))).collect()
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

    #[test]
    fn of_a_hundred_times_the_last_is_above_the_share_of_99() {
        let sorted = Sorted::of((1..=100).rev().map(Duration::from_secs).collect());
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|share| sorted.at(share)), [1.0, 50.0, 99.0, 100.0]);
        assert!(Sorted::of(Vec::new()).at(0.5).is_nan());
    }

    #[test]
    fn the_median_stands_between_the_least_and_the_most() {
        let limit = Figure::new("fdatasyncPerSecond", "fdatasync", Unit::PerSecond, 11_600.4);
        let run = |seconds| {
            let bytes = 3.0 * 1_048_576.0;
            vec![
                Figure::new("tookSeconds", "took", Unit::Seconds, seconds),
                Figure::new("bytes", "memory", Unit::Mebibytes, bytes),
            ]
        };
        let runs = vec![run(3.0), run(1.0), run(2.25), run(9.0)];
        let report = Report { name: "nothing", roles: &["none"], limits: vec![limit], runs };
        let text = report.text();
        assert!(text.contains("took       2.62 s  1.00 s  9.00 s"), "{text}");
        assert!(text.contains("fdatasync            11600 per s"), "{text}");
        assert_eq!(report.json()["median"], json!({ "tookSeconds": 2.625, "bytes": 3_145_728 }));
        assert_eq!(report.json()["runs"][1]["tookSeconds"], json!(1));
    }
}
