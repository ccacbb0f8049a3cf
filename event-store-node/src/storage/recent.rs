//! The ids written lately, bounded: what idempotency has to go by when an append names no revision. Not kept over a
//! restart.

use std::collections::{HashMap, VecDeque};

use uuid::Uuid;

use super::StreamKey;

/// How many ids are remembered: some 7 MiB.
const MAX_IDS: usize = 65_536;

/// Ids by stream, the oldest forgotten first.
#[derive(Debug, Default)]
pub(crate) struct RecentIds {
    places: HashMap<(StreamKey, Uuid), (u64, u64)>,
    order: VecDeque<(StreamKey, Uuid, u64)>,
}

impl RecentIds {
    /// Remembers under which revision and at which position an id was written.
    pub(crate) fn insert(&mut self, key: StreamKey, id: Uuid, revision: u64, position: u64) {
        if self.order.len() == MAX_IDS
            && let Some((key, id, revision)) = self.order.pop_front()
            // An id that was written again since then stays known.
            && self.places.get(&(key, id)).is_some_and(|(newest, _)| *newest == revision)
        {
            self.places.remove(&(key, id));
        }
        self.order.push_back((key, id, revision));
        self.places.insert((key, id), (revision, position));
    }

    /// Revision and position under which an id was last written to a stream, if that was lately.
    pub(crate) fn place(&self, key: StreamKey, id: Uuid) -> Option<(u64, u64)> {
        self.places.get(&(key, id)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_ids_are_forgotten_and_the_newest_kept() {
        let mut recent = RecentIds::default();
        let ids = MAX_IDS as u128 + 10;
        for id in 0..ids {
            recent.insert(StreamKey(1), Uuid::from_u128(id), id as u64, 7 * id as u64);
        }
        assert_eq!(recent.place(StreamKey(1), Uuid::from_u128(9)), None);
        assert_eq!(recent.place(StreamKey(1), Uuid::from_u128(10)), Some((10, 70)));
        assert_eq!(recent.place(StreamKey(2), Uuid::from_u128(10)), None, "ids count per stream");
        assert_eq!(recent.places.len(), MAX_IDS);
    }

    #[test]
    fn an_id_that_was_written_again_is_as_new_as_the_last_time() {
        let mut recent = RecentIds::default();
        recent.insert(StreamKey(1), Uuid::from_u128(0), 0, 0);
        for id in 0..MAX_IDS as u128 {
            recent.insert(StreamKey(1), Uuid::from_u128(id), 1 + id as u64, 9);
        }
        assert_eq!(recent.place(StreamKey(1), Uuid::from_u128(0)), Some((1, 9)));
    }
}
