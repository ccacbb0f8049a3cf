//! Readiness: what must have happened before a process should get requests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a process still waits for. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    waiting: Arc<Mutex<Vec<String>>>,
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
        self.lock().push(name.clone());
        Latch { name, readiness: self.clone() }
    }

    /// Not ready any more, for good: the process is going to stop.
    pub fn stopping(&self) {
        self.lock().push("the process is stopping".to_owned());
    }

    /// What is still waited for; nothing means ready.
    #[must_use]
    pub fn waiting_for(&self) -> Vec<String> {
        self.lock().clone()
    }

    /// Whether every latch is open.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        // A list of names cannot be left half changed, so a panic elsewhere does no harm to it.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Latch {
    /// It has happened.
    pub fn open(self) {
        let mut waiting = self.readiness.lock();
        if let Some(at) = waiting.iter().position(|name| *name == self.name) {
            waiting.remove(at);
        }
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

    #[test]
    fn a_latch_that_is_dropped_stays_closed() {
        let readiness = Readiness::new();
        drop(readiness.latch("postgres"));
        assert!(!readiness.is_ready());
    }
}
