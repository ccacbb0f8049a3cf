//! Readiness: what must have happened before a process should get requests.

use std::sync::Arc;

use tokio::sync::watch;

/// What a process still waits for. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    waiting: Arc<watch::Sender<Vec<String>>>,
}

/// One thing that must happen first. Dropping a latch does not open it: what failed stays not ready.
#[derive(Debug)]
pub struct Latch {
    name: String,
    readiness: Readiness,
}

impl Readiness {
    /// Nothing is waited for yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits for one more thing, named for people.
    #[must_use = "the process is not ready until the latch is opened"]
    pub fn latch(&self, name: impl Into<String>) -> Latch {
        let name = name.into();
        self.waiting.send_modify(|waiting| waiting.push(name.clone()));
        Latch { name, readiness: self.clone() }
    }

    /// Not ready any more, for good: the process is going to stop.
    pub fn stopping(&self) {
        self.waiting.send_modify(|waiting| waiting.push("the process is stopping".to_owned()));
    }

    /// What is still waited for; nothing means ready.
    #[must_use]
    pub fn waiting_for(&self) -> Vec<String> {
        self.waiting.borrow().clone()
    }

    /// Whether every latch is open.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.waiting.borrow().is_empty()
    }

    /// Waits until every latch is open.
    pub async fn ready(&self) {
        let mut waiting = self.waiting.subscribe();
        // It ends early only when all senders are gone, and this is one of them.
        let _ = waiting.wait_for(Vec::is_empty).await;
    }
}

impl Latch {
    /// It has happened.
    pub fn open(self) {
        self.readiness.waiting.send_modify(|waiting| {
            if let Some(at) = waiting.iter().position(|name| *name == self.name) {
                waiting.remove(at);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ready_when_every_latch_is_open() {
        let readiness = Readiness::new();
        assert!(readiness.is_ready());
        let (first, second) = (readiness.latch("postgres"), readiness.latch("projection catalogue"));
        assert_eq!(readiness.waiting_for(), ["postgres", "projection catalogue"]);
        first.open();
        assert_eq!(readiness.waiting_for(), ["projection catalogue"]);
        second.open();
        assert!(readiness.is_ready());
        readiness.stopping();
        assert!(!readiness.is_ready());
    }

    #[tokio::test]
    async fn waiting_ends_when_the_last_latch_opens() {
        let readiness = Readiness::new();
        let latch = readiness.latch("postgres");
        let waiter = tokio::spawn({
            let readiness = readiness.clone();
            async move { readiness.ready().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        latch.open();
        waiter.await.unwrap();
    }

    #[test]
    fn a_latch_that_is_dropped_stays_closed() {
        let readiness = Readiness::new();
        drop(readiness.latch("postgres"));
        assert!(!readiness.is_ready());
    }
}
