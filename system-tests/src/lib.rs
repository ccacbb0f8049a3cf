//! Drives the shipped binary as an operator and its users would: starts it, speaks HTTP to it, kills it, starts it
//! again. The tests stand in `tests/it`; here is only what they share.

pub mod collector;
mod process;
pub mod prometheus;
mod request;
mod retail;
pub mod rotel;

pub use process::{Account, Headwater, Options, binary, free_addresses};
pub use request::{Answer, Client};
pub use retail::retail_file;

use std::time::Duration;

use anyhow::{Result, bail};

/// Asks again until the answer is there; a test that waits states its deadline and never sleeps and hopes.
///
/// # Errors
/// The deadline has passed, or asking failed.
pub async fn eventually<T>(
    what: &str,
    deadline: Duration,
    mut ask: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let give_up = tokio::time::Instant::now() + deadline;
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if tokio::time::Instant::now() > give_up {
            bail!("{what}: not within {deadline:?}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
