//! One lock a key, there only while somebody holds or awaits it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;
use uuid::Uuid;

type Locks = Mutex<HashMap<Uuid, Arc<tokio::sync::Mutex<()>>>>;

/// Serialises work by key, first come, first served.
#[derive(Default)]
pub(super) struct KeyedLocks {
    locks: Arc<Locks>,
}

/// The right to work on a key, until it is dropped.
pub(super) struct KeyedGuard {
    key: Uuid,
    locks: Arc<Locks>,
    /// Always there until `drop`, which lets go of it first.
    guard: Option<OwnedMutexGuard<()>>,
}

impl KeyedLocks {
    pub(super) async fn lock(&self, key: Uuid) -> KeyedGuard {
        let lock = {
            let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(locks.entry(key).or_default())
        };
        // Made before waiting, so that a caller that stops waiting tidies up too.
        let mut waiting = KeyedGuard { key, locks: Arc::clone(&self.locks), guard: None };
        waiting.guard = Some(lock.lock_owned().await);
        waiting
    }
}

impl Drop for KeyedGuard {
    fn drop(&mut self) {
        drop(self.guard.take());
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        // Only the map itself holds it: nobody works on the key or waits for it.
        if locks.get(&self.key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            locks.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn one_key_is_worked_on_by_one_at_a_time_and_nothing_stays_behind() {
        let locks = Arc::new(KeyedLocks::default());
        let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks = (0..50_u128).map(|n| {
            let (locks, inside, most) = (Arc::clone(&locks), Arc::clone(&inside), Arc::clone(&most));
            tokio::spawn(async move {
                let _guard = locks.lock(Uuid::from_u128(n % 2)).await;
                most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                inside.fetch_sub(1, Ordering::SeqCst);
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), 2, "two keys at once, one each");
        assert!(locks.locks.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn who_stops_waiting_leaves_nothing_behind() {
        let locks = KeyedLocks::default();
        let key = Uuid::from_u128(1);
        let held = locks.lock(key).await;
        let waited = tokio::time::timeout(std::time::Duration::from_millis(5), locks.lock(key)).await;
        assert!(waited.is_err());
        drop(held);
        assert!(locks.locks.lock().unwrap().is_empty());
    }
}
