//! The projections of the process, sagas among them, as the page shows them.

use serde::Serialize;

use super::history::{History, last};

/// One of them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Projection {
    name: String,
    state: String,
    lag_seconds: Option<f64>,
    lag_bytes: Option<f64>,
    events_per_second: f64,
    parked: f64,
    beat_seconds_ago: Option<f64>,
    build: Option<Build>,
    rate: Vec<Option<f64>>,
    lag: Vec<Option<f64>>,
}

/// A version that is being built.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Build {
    share: Option<f64>,
    events: f64,
    events_per_second: Option<f64>,
    eta_seconds: Option<f64>,
}

/// What is parked of one projection.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Parked {
    projection: String,
    pub rows: f64,
    oldest_seconds: f64,
}

impl Projection {
    pub fn is_live(&self) -> bool {
        self.state == "LIVE"
    }

    /// It will not go on by itself.
    pub fn has_stopped(&self) -> bool {
        matches!(self.state.as_str(), "FAILED" | "NEEDS_UPGRADE" | "STOPPED")
    }

    pub fn lag_seconds(&self) -> Option<f64> {
        self.lag_seconds
    }
}

/// All that this process folds; `now` in seconds of Unix time.
pub fn all(history: &History, now: f64) -> Vec<Projection> {
    let names = history.latest.values_of("projection_state", "projection");
    names.into_iter().map(|name| one(history, name, now)).collect()
}

fn one(history: &History, name: String, now: f64) -> Projection {
    let of = [("projection", name.as_str())];
    let value = |metric: &str| history.latest.sum(metric, &of);
    let state = history.latest.which("projection_state", &of, "state").unwrap_or("starting");
    let rate = history.events(&name);
    let beat = value("projection_heartbeat_timestamp_seconds").filter(|beat| *beat > 0.0);
    Projection {
        state: state.to_uppercase(),
        lag_seconds: value("projection_lag_seconds"),
        lag_bytes: value("projection_lag_bytes"),
        events_per_second: last(&rate),
        parked: value("projection_parked_keys").unwrap_or_default(),
        beat_seconds_ago: beat.map(|beat| (now - beat).max(0.0)),
        build: build(history, &of, now),
        lag: history.lag(&name),
        rate,
        name,
    }
}

/// The build under way, if there is one.
fn build(history: &History, of: &[(&str, &str)], now: f64) -> Option<Build> {
    let value = |metric: &str| history.latest.sum(metric, of);
    let building = [of[0], ("stage", "building")];
    history.latest.sum("projection_versions", &building).filter(|versions| *versions > 0.0)?;
    let began = value("projection_rebuild_start_timestamp_seconds").filter(|began| *began > 0.0);
    let seconds = began.map(|began| now - began).filter(|seconds| *seconds > 0.0);
    let events = value("projection_rebuild_events").unwrap_or_default();
    let target = value("projection_rebuild_target_position").filter(|target| *target > 0.0);
    let share = target
        .map(|target| (value("projection_rebuild_position").unwrap_or_default() / target).clamp(0.0, 1.0));
    let eta = seconds.zip(share).filter(|(_, share)| *share > 0.0);
    Some(Build {
        share,
        events,
        events_per_second: seconds.map(|seconds| events / seconds),
        eta_seconds: eta.map(|(seconds, share)| seconds * (1.0 - share) / share),
    })
}

/// What is parked, for those where something is.
pub fn parked(history: &History) -> Vec<Parked> {
    let names = history.latest.values_of("projection_parked_keys", "projection");
    let of_one = |name: String| {
        let of = [("projection", name.as_str())];
        let rows = history.latest.sum("projection_parked_keys", &of).filter(|rows| *rows > 0.0)?;
        let oldest_seconds = history.latest.sum("projection_parked_oldest_seconds", &of).unwrap_or_default();
        Some(Parked { projection: name, rows, oldest_seconds })
    };
    names.into_iter().filter_map(of_one).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::scrape::Scrape;

    #[test]
    fn a_projection_that_is_built_anew_shows_how_far_it_is() {
        let mut history = History::default();
        let text = "projection_state{projection=\"shop\",state=\"live\"} 1\n\
                    projection_state{projection=\"shop\",state=\"failed\"} 0\n\
                    projection_versions{projection=\"shop\",stage=\"building\"} 1\n\
                    projection_rebuild_start_timestamp_seconds{projection=\"shop\"} 100\n\
                    projection_rebuild_position{projection=\"shop\"} 250\n\
                    projection_rebuild_target_position{projection=\"shop\"} 1000\n\
                    projection_rebuild_events{projection=\"shop\"} 500\n\
                    projection_heartbeat_timestamp_seconds{projection=\"shop\"} 109\n\
                    projection_parked_keys{projection=\"shop\"} 2\n\
                    projection_parked_keys{projection=\"catalogue\"} 0\n\
                    projection_parked_oldest_seconds{projection=\"shop\"} 7\n";
        history.add(Scrape::read(text), UNIX_EPOCH + Duration::from_secs(110));
        let shown = all(&history, 110.0);
        assert_eq!((shown.len(), shown[0].is_live(), shown[0].beat_seconds_ago), (1, true, Some(1.0)));
        let build = shown[0].build.as_ref().unwrap();
        assert_eq!((build.share, build.events, build.events_per_second), (Some(0.25), 500.0, Some(50.0)));
        assert_eq!(build.eta_seconds, Some(30.0));
        let parked = parked(&history);
        assert_eq!((parked.len(), parked[0].rows, parked[0].oldest_seconds), (1, 2.0, 7.0));
    }
}
