//! Who is at work on what, on the heap: the one command of a neuron, the one call that
//! settles a payment, and so on. A guard gives its place back when it is dropped, which
//! the platform also lets happen (in the cleanup callback) after a callback has trapped.
//! An upgrade leaves no places taken.
//!
//! What must hold: no place is taken for ever. A cleanup that itself traps drops nothing,
//! so a place is free again once its holder cannot be alive any more: each call of
//! governance is answered within `runtime::CALL_SECONDS_MAX`, and nobody who holds a place
//! makes more than `CALLS_OF_A_HOLDER_MAX` of them one after the other. A holder that were
//! alive after all would find its journal entry settled, as one does after an upgrade.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::thread::LocalKey;

use crate::runtime;

/// New code for a canister: state, store, stop, install, start and twice the store again.
const CALLS_OF_A_HOLDER_MAX: u64 = 7;
const HOLDER_SECONDS_MAX: u64 = CALLS_OF_A_HOLDER_MAX * runtime::CALL_SECONDS_MAX;

#[derive(Clone, Copy)]
struct Holder {
    number: u64,
    since_seconds: u64,
}

impl Holder {
    fn is_gone(self, now: u64) -> bool {
        self.since_seconds.saturating_add(HOLDER_SECONDS_MAX) < now
    }
}

pub struct Places<K> {
    taken: RefCell<BTreeMap<K, Holder>>,
    holders: Cell<u64>,
}

pub enum Refused {
    /// By somebody else.
    Taken,
    Full,
}

impl<K: Ord + Copy> Places<K> {
    pub const fn new() -> Self {
        Self {
            taken: RefCell::new(BTreeMap::new()),
            holders: Cell::new(0),
        }
    }

    pub fn is_taken(&self, key: &K) -> bool {
        let now = runtime::now_seconds();
        self.taken
            .borrow()
            .get(key)
            .is_some_and(|holder| !holder.is_gone(now))
    }

    pub fn count(&self) -> usize {
        let now = runtime::now_seconds();
        let mut taken = self.taken.borrow_mut();
        taken.retain(|_, holder| !holder.is_gone(now));
        taken.len()
    }

    #[cfg(test)]
    pub fn free_all(&self) {
        self.taken.borrow_mut().clear();
    }
}

/// Holds a place.
#[must_use]
pub struct Place<K: Ord + Copy + 'static> {
    places: &'static LocalKey<Places<K>>,
    key: K,
    number: u64,
}

impl<K: Ord + Copy + 'static> Place<K> {
    pub fn take(
        places: &'static LocalKey<Places<K>>,
        key: K,
        at_most: usize,
    ) -> Result<Self, Refused> {
        places.with(|table| {
            if table.is_taken(&key) {
                return Err(Refused::Taken);
            }
            if table.count() >= at_most {
                return Err(Refused::Full);
            }
            let number = table.holders.get() + 1;
            table.holders.set(number);
            let holder = Holder {
                number,
                since_seconds: runtime::now_seconds(),
            };
            table.taken.borrow_mut().insert(key, holder);
            Ok(Self {
                places,
                key,
                number,
            })
        })
    }
}

impl<K: Ord + Copy + 'static> Drop for Place<K> {
    fn drop(&mut self) {
        self.places.with(|table| {
            let mut taken = table.taken.borrow_mut();
            // It may be another's by now.
            if taken
                .get(&self.key)
                .is_some_and(|holder| holder.number == self.number)
            {
                taken.remove(&self.key);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    thread_local! {
        static PLACES: Places<u8> = const { Places::new() };
    }

    fn take(key: u8) -> Option<Place<u8>> {
        Place::take(&PLACES, key, 2).ok()
    }

    /// Statements 3 and 4: what a cleanup that trapped did not give back is free again once
    /// its holder cannot be alive.
    #[test]
    fn should_give_a_place_back_with_its_guard_and_in_the_end_without_it() {
        runtime::set_time_seconds(1_000);
        let held = take(1).unwrap();
        assert!(take(1).is_none());
        drop(held);
        // The guard is lost, as where the cleanup traps.
        std::mem::forget(take(1).unwrap());
        runtime::set_time_seconds(1_000 + HOLDER_SECONDS_MAX);
        assert!(take(1).is_none());
        runtime::set_time_seconds(1_001 + HOLDER_SECONDS_MAX);
        assert!(take(1).is_some());
    }

    #[test]
    fn should_not_free_a_place_that_another_has_taken_meanwhile() {
        runtime::set_time_seconds(1_000);
        let late = take(1).unwrap();
        runtime::set_time_seconds(1_001 + HOLDER_SECONDS_MAX);
        let _other = take(1).unwrap();
        drop(late);
        assert!(take(1).is_none());
    }

    #[test]
    fn should_bound_how_many_places_are_taken_and_not_count_lost_ones() {
        runtime::set_time_seconds(1_000);
        std::mem::forget(take(1).unwrap());
        let _second = take(2).unwrap();
        assert!(take(3).is_none());
        runtime::set_time_seconds(1_001 + HOLDER_SECONDS_MAX);
        assert!(take(3).is_some());
    }
}
