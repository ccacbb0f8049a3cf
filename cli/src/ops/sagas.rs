//! The sagas of the process, by what their pieces of work are at.

use serde::Serialize;

use crate::scrape::Scrape;

/// One of them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Saga {
    name: String,
    pub running: f64,
    pub stuck: f64,
    over: f64,
    outbox: f64,
    in_flight: f64,
}

/// All of them.
pub fn all(scrape: &Scrape) -> Vec<Saga> {
    let of_one = |name: String| {
        let of = |metric: &str| scrape.sum(metric, &[("saga", &name)]).unwrap_or_default();
        let instances = |state: &str| {
            scrape.sum("saga_instances", &[("saga", &name), ("state", state)]).unwrap_or_default()
        };
        Saga {
            running: instances("running"),
            stuck: instances("stuck"),
            over: instances("over"),
            outbox: of("saga_outbox_commands"),
            in_flight: of("saga_commands_in_flight"),
            name,
        }
    };
    scrape.values_of("saga_instances", "saga").into_iter().map(of_one).collect()
}
