//! The ids written lately, bounded: what idempotency has to go by when an append names no revision. Not kept over a
//! restart.

use std::collections::{HashMap, VecDeque};

use uuid::Uuid;

use super::StreamKey;

/// How many ids are remembered: some 6 MiB.
const MAX_IDS: usize = 65_536;

/// Ids by stream, the oldest forgotten first.
#[derive(Debug, Default)]
pub(crate) struct RecentIds {
    revisions: HashMap<(StreamKey, Uuid), u64>,
    order: VecDeque<(StreamKey, Uuid, u64)>,
}

impl RecentIds {
    /// Remembers under which revision an id was written.
    pub(crate) fn insert(&mut self, key: StreamKey, id: Uuid, revision: u64) {
        if self.order.len() == MAX_IDS
            && let Some((key, id, revision)) = self.order.pop_front()
            // An id that was written again since then stays known.
            && self.revisions.get(&(key, id)) == Some(&revision)
        {
            self.revisions.remove(&(key, id));
        }
        self.order.push_back((key, id, revision));
        self.revisions.insert((key, id), revision);
    }

    /// The revision under which an id was last written to a stream, if that was lately.
    pub(crate) fn revision(&self, key: StreamKey, id: Uuid) -> Option<u64> {
        self.revisions.get(&(key, id)).copied()
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
            recent.insert(StreamKey(1), Uuid::from_u128(id), id as u64);
        }
        assert_eq!(recent.revision(StreamKey(1), Uuid::from_u128(9)), None);
        assert_eq!(recent.revision(StreamKey(1), Uuid::from_u128(10)), Some(10));
        assert_eq!(recent.revision(StreamKey(2), Uuid::from_u128(10)), None, "ids count per stream");
        assert_eq!(recent.revisions.len(), MAX_IDS);
    }

    #[test]
    fn an_id_that_was_written_again_is_as_new_as_the_last_time() {
        let mut recent = RecentIds::default();
        recent.insert(StreamKey(1), Uuid::from_u128(0), 0);
        for id in 0..MAX_IDS as u128 {
            recent.insert(StreamKey(1), Uuid::from_u128(id), 1 + id as u64);
        }
        assert_eq!(recent.revision(StreamKey(1), Uuid::from_u128(0)), Some(1));
    }
}
