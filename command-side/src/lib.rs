//! REST: route, command, decision, append. One file a use case under `routes`, all routes on the page `router.rs`;
//! `executor` carries out the commands of every aggregate the same way.

mod aggregates;
mod commands;
mod contexts;
pub mod executor;
mod http;
pub mod metrics;
mod openapi;
mod router;
mod routes;

pub use commands::{CommandDeps, Commands, IN_FLIGHT_MAX};
pub use contexts::{Context, Contexts, UnknownContext};
pub use http::route_not_found;
pub use openapi::openapi;
pub use router::{BODY_BYTES_MAX, router, router_of};
