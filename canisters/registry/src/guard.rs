//! One long operation on a version, one transfer of a deposit and one run of a task at a time. A guard gives its place back when
//! it is dropped, which happens too where the operation's callback traps: the call's future is dropped then.
//!
//! What must hold: no place is taken for ever. A cleanup that traps itself drops nothing; so a place is free again once
//! `HOLDER_SECONDS_MAX` have passed. Whoever were alive behind that checks everything again after each of its calls, and a
//! transfer that two ask for is one to the ledger.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::thread::LocalKey;

use stoa_types::Sha256;

use crate::runtime::{Runtime, Task};

/// Each call of the registry is answered within five minutes; the most that one operation makes one after the other, where not a
/// single shard answers, is a few dozen.
const HOLDER_SECONDS_MAX: u64 = 6 * 3_600;

/// Lost in an upgrade, as are the operations that hold its places.
struct Places<K> {
    /// The number of each holder, and since when.
    taken: BTreeMap<K, (u64, u64)>,
    holders: u64,
}

impl<K: Ord> Places<K> {
    const fn new() -> Self {
        Self {
            taken: BTreeMap::new(),
            holders: 0,
        }
    }

    fn is_taken(&self, key: &K, now_nanos: u64) -> bool {
        let max_nanos = HOLDER_SECONDS_MAX * 1_000_000_000;
        self.taken
            .get(key)
            .is_some_and(|(_, since)| now_nanos.saturating_sub(*since) <= max_nanos)
    }
}

type Table<K> = LocalKey<RefCell<Places<K>>>;

thread_local! {
    static UNSTABLE_VERSIONS: RefCell<Places<Sha256>> = const { RefCell::new(Places::new()) };
    static UNSTABLE_TASKS: RefCell<Places<Task>> = const { RefCell::new(Places::new()) };
    static UNSTABLE_DEPOSITS: RefCell<Places<u64>> = const { RefCell::new(Places::new()) };
}

/// Holds a place.
#[must_use]
pub struct Guard<K: Ord + Copy + 'static> {
    table: &'static Table<K>,
    key: K,
    number: u64,
}

impl<K: Ord + Copy> Guard<K> {
    fn take(table: &'static Table<K>, runtime: &impl Runtime, key: K) -> Option<Self> {
        let now_nanos = runtime.now_nanos();
        table.with_borrow_mut(|places| {
            if places.is_taken(&key, now_nanos) {
                return None;
            }
            places.holders += 1;
            let number = places.holders;
            places.taken.insert(key, (number, now_nanos));
            Some(Self { table, key, number })
        })
    }
}

impl<K: Ord + Copy> Drop for Guard<K> {
    fn drop(&mut self) {
        self.table.with_borrow_mut(|places| {
            // It may be another's by now.
            if places.taken.get(&self.key).map(|(number, _)| *number) == Some(self.number) {
                places.taken.remove(&self.key);
            }
        });
    }
}

/// `None` while another operation on this version runs.
pub fn lock_version(runtime: &impl Runtime, version: Sha256) -> Option<Guard<Sha256>> {
    Guard::take(&UNSTABLE_VERSIONS, runtime, version)
}

/// Whether an operation on this version is under way.
pub fn is_locked(runtime: &impl Runtime, version: Sha256) -> bool {
    let now_nanos = runtime.now_nanos();
    UNSTABLE_VERSIONS.with_borrow(|places| places.is_taken(&version, now_nanos))
}

/// `None` while another step of this deposit is under way.
pub fn lock_deposit(runtime: &impl Runtime, id: u64) -> Option<Guard<u64>> {
    Guard::take(&UNSTABLE_DEPOSITS, runtime, id)
}

/// `None` while an earlier run of this task is under way.
pub fn lock_task(runtime: &impl Runtime, task: Task) -> Option<Guard<Task>> {
    Guard::take(&UNSTABLE_TASKS, runtime, task)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::TestRuntime;

    #[test]
    fn should_hold_one_version_and_no_other_until_it_is_dropped() {
        let runtime = TestRuntime::new();
        let version = Sha256([1; 32]);
        let guard = lock_version(&runtime, version).unwrap();
        assert!(lock_version(&runtime, version).is_none());
        assert!(is_locked(&runtime, version));
        assert!(lock_version(&runtime, Sha256([2; 32])).is_some());
        drop(guard);
        assert!(lock_version(&runtime, version).is_some());
    }

    /// Statement 3.
    #[test]
    fn should_be_released_by_an_operation_that_panics() {
        let runtime = TestRuntime::new();
        let version = Sha256([3; 32]);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let guard = lock_version(&runtime, version).unwrap();
            assert!(
                lock_version(&runtime, guard.key).is_some(),
                "the callback traps"
            );
        }));
        assert!(outcome.is_err());
        assert!(lock_version(&runtime, version).is_some());
    }

    /// Statement 4: a guard that is lost, as where the cleanup itself traps.
    #[test]
    fn should_be_free_again_in_the_end_where_the_guard_was_lost() {
        let runtime = TestRuntime::new();
        let version = Sha256([4; 32]);
        std::mem::forget(lock_version(&runtime, version).unwrap());
        runtime.pass(Duration::from_secs(HOLDER_SECONDS_MAX));
        assert!(lock_version(&runtime, version).is_none());
        runtime.pass(Duration::from_secs(1));
        let late = lock_version(&runtime, version).unwrap();
        runtime.pass(Duration::from_secs(HOLDER_SECONDS_MAX + 1));
        let other = lock_version(&runtime, version).unwrap();
        drop(late);
        assert!(is_locked(&runtime, version), "it is another's by now");
        drop(other);
        assert!(!is_locked(&runtime, version));
    }
}
