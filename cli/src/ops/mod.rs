//! `/ops` on the admin server: what this process does and how it is, without any service beside it. All of it comes from
//! memory: what the process measures, looked at every two seconds, and the latest requests and log lines.

mod answers;
mod history;
mod projections;
mod roles;
mod sagas;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use axum::Router;
use observability::recent::Recent;
use observability::{Readiness, Telemetry};
use tokio::time::{MissedTickBehavior, interval};

use self::history::{EVERY, History};
use crate::scrape::Scrape;
use crate::shutdown::Parts;

/// What the page is made from. Clones share it.
#[derive(Clone)]
pub struct Ops {
    service: Arc<str>,
    began: SystemTime,
    readiness: Readiness,
    recent: Recent,
    history: Arc<Mutex<History>>,
}

impl Ops {
    /// Begins to look; none when nothing is to be remembered.
    pub fn start(
        parts: &mut Parts,
        service: &str,
        telemetry: &Telemetry,
        readiness: &Readiness,
    ) -> Option<Self> {
        let ops = Self {
            service: service.into(),
            began: SystemTime::now(),
            readiness: readiness.clone(),
            recent: telemetry.recent()?,
            history: Arc::default(),
        };
        let (looking, metrics) = (ops.clone(), telemetry.metrics());
        parts.start("the page for operators", |stop| async move {
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    _ = ticks.tick() => looking.look(&metrics.render()),
                }
            }
        });
        Some(ops)
    }

    /// `/ops` and what it asks for.
    pub fn routes(self) -> Router {
        answers::routes(self)
    }

    fn look(&self, metrics: &str) {
        let scrape = Scrape::read(metrics);
        self.history().add(scrape, SystemTime::now());
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    /// The page shows nothing where a metric that it asks for has another name by now.
    #[test]
    fn the_page_asks_for_metrics_that_there_are() {
        let known: Vec<_> =
            crate::telemetry::all_catalogues().flatten().map(|metric| metric.name.to_owned()).collect();
        let sources = [
            include_str!("history.rs"),
            include_str!("projections.rs"),
            include_str!("roles.rs"),
            include_str!("sagas.rs"),
        ];
        let mut asked = 0;
        for source in sources {
            let (source, _) = source.split_once("#[cfg(test)]").unwrap_or((source, ""));
            // What stands between quotes and is a name of several words.
            for name in source.split('"').skip(1).step_by(2).filter(|text| text.contains('_')) {
                if !name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
                    continue;
                }
                let of_histogram = name.strip_suffix("_count").unwrap_or(name);
                assert!(known.iter().any(|known| known == name || known == of_histogram), "{name}");
                asked += 1;
            }
        }
        assert!(asked > 25, "{asked}");
    }
}
