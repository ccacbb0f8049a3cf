//! `headwater import retail`: brings a file in and says what became of it.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::import::client::{Ending, Patience};
use crate::import::flags::RetailFlags;
use crate::import::reader::Strictness;
use crate::import::run::{ImportError, Options, Sending, retail};
use crate::print;

/// What a process that was stopped by Ctrl-C ends with, by the convention of shells.
const INTERRUPTED: i32 = 130;

/// Imports, and prints the summary, also of an import that ended early.
pub async fn run(flags: RetailFlags) -> Result<(), Failure> {
    let stop = CancellationToken::new();
    let listening = tokio::spawn(stop_on_signal(stop.clone()));
    let options = Options {
        file: flags.file,
        strictness: if flags.strict { Strictness::Stop } else { Strictness::Skip },
        sending: Sending {
            url: flags.url,
            concurrency: usize::from(flags.concurrency),
            patience: Patience::default(),
        },
    };
    let outcome = retail(&options, stop).await;
    listening.abort();
    let summary = outcome.map_err(|error| match error {
        ImportError::File(error) => Failure::run(error.to_string()),
        ImportError::Client(error) => Failure::usage(error.to_string()),
    })?;
    if flags.json {
        let text = serde_json::to_string_pretty(&summary).map_err(|error| Failure::of(&error))?;
        print(&(text + "\n"))?;
    } else {
        print(&summary.to_string())?;
    }
    match summary.ended_early {
        None => Ok(()),
        Some(ending @ Ending::Interrupted) => {
            eprintln!("headwater: {ending}");
            std::process::exit(INTERRUPTED)
        }
        Some(ending) => Err(Failure::run(ending.to_string())),
    }
}

/// The first signal lets what is in flight come to its end, the second does not.
async fn stop_on_signal(stop: CancellationToken) {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Then a signal ends the process as it always does.
        return;
    };
    for is_first in [true, false] {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if is_first {
            eprintln!("waiting for the requests in flight; once more to stop at once");
            stop.cancel();
        }
    }
    std::process::exit(INTERRUPTED)
}
