//! The last minutes, for charts: a few numbers every two seconds.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::scrape::Scrape;

/// How often it is looked.
pub const EVERY: Duration = Duration::from_secs(2);

/// How many looks are kept: five minutes.
pub const POINTS: usize = 150;

/// Numbers that only grow, and the lag, as they were at one moment.
#[derive(Debug, Clone, Default)]
struct Point {
    at: f64,
    commands: Option<f64>,
    queries: Option<f64>,
    failures: Option<f64>,
    /// By projection: events so far, and the lag in seconds.
    projections: BTreeMap<String, (f64, Option<f64>)>,
}

/// What was seen lately.
#[derive(Debug, Default)]
pub struct History {
    points: VecDeque<Point>,
    /// All of the last look.
    pub latest: Scrape,
}

/// A number a second at each of the last looks, the newest last; none where there was nothing to compare.
type Rates = Vec<Option<f64>>;

/// How much was asked of the process, a second.
#[derive(Debug, Serialize)]
pub struct Traffic {
    commands: Rates,
    queries: Rates,
    failures: Rates,
}

impl History {
    /// Takes in a look at this moment.
    pub fn add(&mut self, scrape: Scrape, now: SystemTime) {
        let failed = |status: &str| status.starts_with('5') || status == "429";
        let answered = |name| scrape.sum(name, &[]);
        let projections = scrape.values_of("projection_state", "projection").into_iter().map(|name| {
            let of = [("projection", name.as_str())];
            let events = scrape.sum("projection_events_total", &of).unwrap_or_default();
            let lag = scrape.sum("projection_lag_seconds", &of);
            (name, (events, lag))
        });
        self.points.push_back(Point {
            at: now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
            commands: answered("command_duration_seconds_count"),
            queries: answered("graphql_operation_duration_seconds_count"),
            failures: answered("http_server_request_duration_seconds_count").map(|_| {
                scrape.sum_where("http_server_request_duration_seconds_count", "status", failed)
                    + answered("graphql_failed_answers_total").unwrap_or_default()
            }),
            projections: projections.collect(),
        });
        // One more than is shown, for the first rate.
        if self.points.len() > POINTS + 1 {
            self.points.pop_front();
        }
        self.latest = scrape;
    }

    pub fn traffic(&self) -> Traffic {
        Traffic {
            commands: self.rates(|point| point.commands),
            queries: self.rates(|point| point.queries),
            failures: self.rates(|point| point.failures),
        }
    }

    /// Events that a projection has folded, a second.
    pub fn events(&self, projection: &str) -> Rates {
        self.rates(|point| point.projections.get(projection).map(|(events, _)| *events))
    }

    /// The lag of a projection, seconds.
    pub fn lag(&self, projection: &str) -> Rates {
        let lag = |point: &Point| point.projections.get(projection).and_then(|(_, lag)| *lag);
        self.points.iter().skip(1).map(lag).collect()
    }

    /// What is not measured before its first time counts from 0 as soon as there was a look without it.
    fn rates(&self, of: impl Fn(&Point) -> Option<f64>) -> Rates {
        let pairs = self.points.iter().zip(self.points.iter().skip(1));
        pairs
            .map(|(before, after)| {
                let grown = (of(after)? - of(before).unwrap_or_default()).max(0.0);
                let seconds = after.at - before.at;
                (seconds > 0.0).then(|| grown / seconds)
            })
            .collect()
    }
}

/// The last of a series that is there.
pub fn last(series: &[Option<f64>]) -> f64 {
    series.last().copied().flatten().unwrap_or_default()
}

impl Traffic {
    /// The latest rates: commands, queries, failures.
    pub fn now(&self) -> (f64, f64, f64) {
        (last(&self.commands), last(&self.queries), last(&self.failures))
    }

    /// Whether anything failed in the last minute.
    pub fn failed_lately(&self) -> bool {
        let looks = usize::try_from(60 / EVERY.as_secs()).unwrap_or(POINTS);
        self.failures.iter().rev().take(looks).flatten().any(|failed| *failed > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(history: &mut History, seconds: u64, text: &str) {
        history.add(Scrape::read(text), UNIX_EPOCH + Duration::from_secs(seconds));
    }

    #[test]
    fn rates_are_the_growth_between_two_looks() {
        let mut history = History::default();
        look(&mut history, 0, "");
        look(&mut history, 2, "command_duration_seconds_count{outcome=\"accepted\"} 10\n");
        look(&mut history, 4, "command_duration_seconds_count{outcome=\"accepted\"} 30\n");
        look(&mut history, 6, "command_duration_seconds_count{outcome=\"accepted\"} 30\n");
        let traffic = history.traffic();
        assert_eq!(traffic.commands, [Some(5.0), Some(10.0), Some(0.0)]);
        assert_eq!((traffic.queries.as_slice(), traffic.now()), (&[None, None, None][..], (0.0, 0.0, 0.0)));
    }

    #[test]
    fn projections_have_rate_and_lag_and_the_oldest_looks_go() {
        let mut history = History::default();
        for second in 0..1_000_u64 {
            let text = format!(
                "projection_state{{projection=\"shop\",state=\"live\"}} 1\nprojection_lag_seconds{{projection=\"shop\"}} 3\n\
                 projection_events_total{{projection=\"shop\",event_type=\"a\",result=\"applied\"}} {}\n",
                second * 7
            );
            look(&mut history, second * 2, &text);
        }
        let (events, lag) = (history.events("shop"), history.lag("shop"));
        assert_eq!((events.len(), lag.len()), (POINTS, POINTS));
        assert!(events.iter().all(|rate| *rate == Some(3.5)) && lag.iter().all(|lag| *lag == Some(3.0)));
        assert_eq!(history.events("other"), vec![None; POINTS]);
    }

    #[test]
    fn a_failure_counts_for_a_minute() {
        let mut history = History::default();
        let failed = |count: u64| {
            format!("http_server_request_duration_seconds_count{{route=\"/a\",status=\"503\"}} {count}\n")
        };
        look(&mut history, 0, &failed(0));
        look(&mut history, 2, &failed(1));
        assert!(history.traffic().failed_lately());
        for second in 2..40 {
            look(&mut history, second * 2, &failed(1));
        }
        assert!(!history.traffic().failed_lately());
    }
}
