//! States of streams that were in use lately, bounded. A state is taken out while it is worked with and put back only
//! when it is known to be right, so that forgetting it is what happens by itself.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use super::loaded::Loaded;

/// The most that one generation holds, kilobytes. Two generations are kept.
const GENERATION_WEIGHT: usize = 16_384;

/// Two generations: what is used moves to the young one; when that is full, it becomes the old one and the old one
/// goes. Not the exact least recently used, but every step is one look into a map.
pub(super) struct StateCache<S> {
    generations: Mutex<Generations<S>>,
    /// What a state takes, kilobytes.
    weigh: fn(&S) -> usize,
}

struct Generations<S> {
    young: HashMap<Uuid, Loaded<S>>,
    young_weight: usize,
    old: HashMap<Uuid, Loaded<S>>,
}

impl<S> StateCache<S> {
    pub(super) fn new(weigh: fn(&S) -> usize) -> Self {
        let generations = Generations { young: HashMap::new(), young_weight: 0, old: HashMap::new() };
        Self { generations: Mutex::new(generations), weigh }
    }

    /// Takes a state out.
    pub(super) fn take(&self, id: Uuid) -> Option<Loaded<S>> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = generations.young.remove(&id) {
            generations.young_weight -= self.weight(&loaded);
            return Some(loaded);
        }
        generations.old.remove(&id)
    }

    /// Puts a state (back) in.
    pub(super) fn put(&self, id: Uuid, loaded: Loaded<S>) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let added = self.weight(&loaded);
        if generations.young_weight + added > GENERATION_WEIGHT {
            generations.old = std::mem::take(&mut generations.young);
            generations.young_weight = 0;
        }
        generations.young_weight += added;
        if let Some(replaced) = generations.young.insert(id, loaded) {
            generations.young_weight -= self.weight(&replaced);
        }
    }

    /// Whether a state is here whose stream exists; streams do not cease to.
    pub(super) fn knows_stream(&self, id: Uuid) -> bool {
        let generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let found = generations.young.get(&id).or_else(|| generations.old.get(&id));
        found.is_some_and(|loaded| loaded.tail().is_some())
    }

    /// The state itself, and the digests of a long stream.
    fn weight(&self, loaded: &Loaded<S>) -> usize {
        (self.weigh)(&loaded.state) + loaded.events() / 256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_what_is_not_goes() {
        let cache = StateCache::<u64>::new(|_| 1);
        let id = |n: usize| Uuid::from_u128(n as u128);
        let state = |n: usize| Loaded { state: n as u64, ..Loaded::default() };
        for n in 0..4 * GENERATION_WEIGHT {
            cache.put(id(n), state(n));
            if let Some(first) = cache.take(id(0)) {
                cache.put(id(0), first);
            }
        }
        assert!(cache.take(id(0)).is_some(), "used all the time");
        assert!(cache.take(id(1)).is_none(), "not used since");
        let last = 4 * GENERATION_WEIGHT - 1;
        assert_eq!(cache.take(id(last)).map(|loaded| loaded.state), Some(last as u64));
        assert!(cache.take(id(last)).is_none(), "taken is gone");
    }

    #[test]
    fn it_never_holds_more_than_two_generations() {
        let cache = StateCache::<()>::new(|()| 1);
        for n in 0..5 * GENERATION_WEIGHT {
            cache.put(Uuid::from_u128(n as u128), Loaded::default());
        }
        let generations = cache.generations.lock().unwrap();
        assert!(generations.young.len() + generations.old.len() <= 2 * GENERATION_WEIGHT);
    }

    #[test]
    fn heavy_states_take_the_place_of_many() {
        let cache = StateCache::<usize>::new(|weight| *weight);
        for n in 0..100 {
            let loaded = Loaded { state: GENERATION_WEIGHT / 4, ..Loaded::default() };
            cache.put(Uuid::from_u128(n), loaded);
        }
        let generations = cache.generations.lock().unwrap();
        assert_eq!((generations.young.len(), generations.old.len()), (4, 4));
    }
}
