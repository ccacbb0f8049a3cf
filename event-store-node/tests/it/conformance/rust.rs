//! The two Rust clients. They differ in some names, told in `api`; the runner is one file, compiled with each.

pub mod with_eventstore;
pub mod with_kurrentdb;

use super::{Outcome, Server, judge};
use crate::support::eventstore_first;

pub(super) async fn through_eventstore(server: &Server) {
    let given = server.cases_for("eventstore");
    let mut outcomes = Vec::new();
    for case in &given {
        let wrong = with_eventstore::runner::run(&server.address, &case.steps).await;
        outcomes.push(Outcome { case: case.name.clone(), wrong });
    }
    judge("eventstore", &given, &outcomes);
}

pub(super) async fn through_kurrentdb(server: &Server) {
    eventstore_first().await;
    let given = server.cases_for("kurrentdb");
    let mut outcomes = Vec::new();
    for case in &given {
        let wrong = with_kurrentdb::runner::run(&server.address, &case.steps).await;
        outcomes.push(Outcome { case: case.name.clone(), wrong });
    }
    judge("kurrentdb", &given, &outcomes);
}
