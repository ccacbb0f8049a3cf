//! Addresses to listen on, and who may be let in by them.

use std::net::SocketAddr;

use super::setting::{InForce, Setting, Source};
use crate::failure::Failure;

/// Reads an address.
pub(super) fn parse(in_force: &InForce) -> Result<SocketAddr, Failure> {
    let text = in_force.value.as_deref().unwrap_or_default();
    let resolved = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    resolved.as_deref().unwrap_or(text).parse().map_err(|_| {
        Failure::usage(format!("{} {text:?} is not an address with a port", named(in_force)))
            .hint("write it like 127.0.0.1:8080 or [::1]:8080")
    })
}

/// For an address that somebody else has to be told of: the system would choose the port, and nobody could say which.
pub(super) fn check_port(in_force: &InForce, address: SocketAddr) -> Result<(), Failure> {
    if address.port() != 0 {
        return Ok(());
    }
    Err(Failure::usage(format!("{} {address} has no port", named(in_force)))
        .hint("name one, such as 127.0.0.1:8090"))
}

/// There is no authentication: an address that other machines reach must be wanted.
pub(super) fn check_reach(in_force: &InForce, address: SocketAddr, allowed: bool) -> Result<(), Failure> {
    if allowed || address.ip().is_loopback() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{} {address} would let other machines in, and nobody has to log in here",
        named(in_force)
    ))
    .hint(format!(
        "use a loopback address such as 127.0.0.1:{}, or add --{} if only machines you trust reach this one",
        address.port(),
        Setting::AllowUnauthenticatedNetwork.name()
    )))
}

/// How a person finds the setting: by its flag, and where the value really stands.
pub(super) fn named(in_force: &InForce) -> String {
    let flag = format!("--{}", in_force.setting.name());
    match &in_force.source {
        Source::Flag(_) | Source::Default => flag,
        elsewhere => format!("{flag} (from {elsewhere})"),
    }
}
