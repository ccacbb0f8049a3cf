//! How many events go into one transaction: few when live, for freshness, because no more are waiting; as many as
//! possible when behind, since a row that many events change is written once a batch, however large it is; fewer when a
//! batch takes long or is refused.

use std::time::Duration;

use crate::source::feed::READ_AHEAD;

/// Bounds of a batch, events.
pub(crate) const BATCH_EVENTS_MAX: usize = READ_AHEAD;
const BATCH_EVENTS_FIRST: usize = 256;

/// A full batch quicker than this is followed by a larger one.
const QUICK: Duration = Duration::from_secs(2);

/// A batch slower than this is followed by a smaller one: well before its worker counts as silent.
const SLOW: Duration = Duration::from_secs(4);

/// The most events of the next batch.
#[derive(Debug)]
pub(crate) struct BatchSize(usize);

impl BatchSize {
    pub(crate) fn new() -> Self {
        Self(BATCH_EVENTS_FIRST)
    }

    pub(crate) fn get(&self) -> usize {
        self.0
    }

    /// A batch of so many events was written.
    pub(crate) fn written(&mut self, events: usize, took: Duration) {
        if took > SLOW {
            self.0 = (self.0 / 2).max(1);
        } else if events >= self.0 && took < QUICK {
            self.0 = (self.0 * 2).min(BATCH_EVENTS_MAX);
        }
    }

    /// A batch of so many events was refused: half of it goes next, down to the one event that is the reason.
    pub(crate) fn refused(&mut self, events: usize) {
        self.0 = (events / 2).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_while_batches_are_full_and_quick_and_halves_down_to_one_event() {
        let mut size = BatchSize::new();
        size.written(3, Duration::from_millis(1));
        assert_eq!(size.get(), BATCH_EVENTS_FIRST, "a small live batch changes nothing");
        for _ in 0..20 {
            size.written(size.get(), Duration::from_millis(1));
        }
        assert_eq!(size.get(), BATCH_EVENTS_MAX);
        size.written(size.get(), SLOW + QUICK);
        assert_eq!(size.get(), BATCH_EVENTS_MAX / 2);
        size.refused(5);
        assert_eq!(size.get(), 2);
        size.refused(2);
        size.refused(1);
        assert_eq!(size.get(), 1);
    }
}
