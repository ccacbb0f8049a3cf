//! How a process ends: on SIGINT or SIGTERM, or when one of its parts fails, every part is stopped in the reverse of
//! the order they were started in. A second signal, or a deadline, ends what does not stop by itself.

use std::future::Future;
use std::time::Duration;

use futures::future::select_all;
use observability::Readiness;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::failure::Failure;

/// How long all parts together may take to stop.
const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// How long each part may take at least, also when those before it have used the time up.
const PART_GRACE: Duration = Duration::from_secs(2);

/// The parts of a running process, in the order they were started.
#[derive(Default)]
pub struct Parts {
    parts: Vec<Part>,
}

struct Part {
    name: &'static str,
    stop: CancellationToken,
    task: AbortOnDropHandle<Result<(), Failure>>,
}

impl Parts {
    /// Starts a part. It runs until its token is cancelled, cleans up, and then ends; one that ends before ends the
    /// process.
    pub fn start<F>(&mut self, name: &'static str, run: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let task = AbortOnDropHandle::new(tokio::spawn(run(stop.clone())));
        self.parts.push(Part { name, stop, task });
    }

    /// Waits until a part ends by itself, and says why.
    async fn first_end(&mut self) -> Failure {
        let (ended, at, _) = select_all(self.parts.iter_mut().map(|part| &mut part.task)).await;
        let name = self.parts.remove(at).name;
        match ended {
            Ok(Ok(())) => Failure::run(format!("{name} ended by itself")),
            Ok(Err(failure)) => failure,
            Err(_) => Failure::run(format!("{name} ended by a bug; the log says where")),
        }
    }

    /// Stops everything, last started first.
    async fn stop(mut self, patience: Duration, grace: Duration) {
        let deadline = Instant::now() + patience;
        while let Some(Part { name, stop, task }) = self.parts.pop() {
            tracing::debug!(part = name, "stopping");
            stop.cancel();
            match timeout_at(deadline.max(Instant::now() + grace), task).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(failure))) => tracing::warn!(part = name, %failure, "did not stop cleanly"),
                Ok(Err(error)) => tracing::error!(part = name, %error, "did not stop cleanly"),
                Err(_) => tracing::warn!(part = name, "did not stop in time and was ended"),
            }
        }
    }
}

/// Runs a process: `start` starts its parts one after the other and returns when all are started, then they run until
/// something ends them.
///
/// # Errors
/// What kept it from starting, or the part that failed. A signal is a good end.
pub async fn run(
    readiness: Readiness,
    start: impl AsyncFnOnce(&mut Parts) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let mut parts = Parts::default();
    let outcome = tokio::select! {
        failure = async {
            match start(&mut parts).await {
                Ok(()) => parts.first_end().await,
                Err(failure) => failure,
            }
        } => Err(failure),
        name = signals.next() => {
            tracing::info!(signal = name, "stopping; once more to stop at once");
            Ok(())
        }
    };
    readiness.stopping();
    tokio::select! {
        () = parts.stop(STOP_DEADLINE, PART_GRACE) => outcome,
        _ = signals.next() => outcome.and(Err(Failure::run("stopped at once, as asked by a second signal"))),
    }
}

/// What people and service managers ask a process to stop with.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::of(&error));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn a_part_that_fails_ends_the_others_in_reverse_order() {
        let stopped = Arc::new(Mutex::new(Vec::new()));
        let readiness = Readiness::new();
        let outcome = run(readiness.clone(), async |parts| {
            for name in ["first", "second"] {
                let stopped = stopped.clone();
                parts.start(name, |stop| async move {
                    stop.cancelled().await;
                    stopped.lock().unwrap().push(name);
                    Ok(())
                });
            }
            parts.start("third", async |_| Err(Failure::run("it broke")));
            Ok(())
        })
        .await;
        assert_eq!(outcome, Err(Failure::run("it broke")));
        assert_eq!(*stopped.lock().unwrap(), ["second", "first"]);
        assert!(!readiness.is_ready());
    }

    #[tokio::test]
    async fn what_was_started_before_a_failed_start_is_stopped() {
        let stopped = CancellationToken::new();
        let outcome = run(Readiness::new(), async |parts| {
            let stopped = stopped.clone();
            parts.start("first", |stop| async move {
                stop.cancelled().await;
                stopped.cancel();
                Ok(())
            });
            Err(Failure::run("no database"))
        })
        .await;
        assert_eq!(outcome, Err(Failure::run("no database")));
        assert!(stopped.is_cancelled());
    }

    #[tokio::test]
    async fn a_part_that_does_not_stop_is_ended_and_the_next_one_stopped() {
        let stopped = CancellationToken::new();
        let mut parts = Parts::default();
        let seen = stopped.clone();
        parts.start("first", |stop| async move {
            stop.cancelled().await;
            seen.cancel();
            Ok(())
        });
        parts.start("stubborn", |_| std::future::pending());
        parts.stop(Duration::ZERO, Duration::from_millis(20)).await;
        assert!(stopped.is_cancelled());
    }
}
