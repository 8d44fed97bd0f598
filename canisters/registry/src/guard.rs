//! One long operation on a version, one transfer of a deposit and one run of a task at a time. A guard is released when it is
//! dropped, which happens too where the operation's callback traps: the call's future is dropped then.

use std::cell::RefCell;
use std::collections::BTreeSet;

use stoa_types::Sha256;

use crate::runtime::Task;

thread_local! {
    /// Lost in an upgrade, as are the operations that hold it.
    static UNSTABLE_BUSY: RefCell<BTreeSet<Sha256>> = const { RefCell::new(BTreeSet::new()) };
    static UNSTABLE_RUNNING: RefCell<BTreeSet<Task>> = const { RefCell::new(BTreeSet::new()) };
    static UNSTABLE_BUSY_DEPOSITS: RefCell<BTreeSet<u64>> = const { RefCell::new(BTreeSet::new()) };
}

/// Whether an operation on this version is under way.
pub fn is_locked(version: Sha256) -> bool {
    UNSTABLE_BUSY.with_borrow(|busy| busy.contains(&version))
}

#[must_use]
#[derive(Debug)]
pub struct VersionGuard(Sha256);

impl VersionGuard {
    /// `None` while another operation on this version runs.
    pub fn lock(version: Sha256) -> Option<Self> {
        UNSTABLE_BUSY
            .with_borrow_mut(|busy| busy.insert(version))
            .then(|| Self(version))
    }
}

impl Drop for VersionGuard {
    fn drop(&mut self) {
        UNSTABLE_BUSY.with_borrow_mut(|busy| busy.remove(&self.0));
    }
}

#[must_use]
#[derive(Debug)]
pub struct DepositGuard(u64);

impl DepositGuard {
    /// `None` while another step of this deposit is under way.
    pub fn lock(id: u64) -> Option<Self> {
        UNSTABLE_BUSY_DEPOSITS
            .with_borrow_mut(|busy| busy.insert(id))
            .then(|| Self(id))
    }
}

impl Drop for DepositGuard {
    fn drop(&mut self) {
        UNSTABLE_BUSY_DEPOSITS.with_borrow_mut(|busy| busy.remove(&self.0));
    }
}

#[must_use]
#[derive(Debug)]
pub struct TaskGuard(Task);

impl TaskGuard {
    /// `None` while an earlier run of this task is under way.
    pub fn lock(task: Task) -> Option<Self> {
        UNSTABLE_RUNNING
            .with_borrow_mut(|running| running.insert(task))
            .then(|| Self(task))
    }
}

impl Drop for TaskGuard {
    fn drop(&mut self) {
        UNSTABLE_RUNNING.with_borrow_mut(|running| running.remove(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_hold_one_version_and_no_other_until_it_is_dropped() {
        let version = Sha256([1; 32]);
        let guard = VersionGuard::lock(version).unwrap();
        assert!(VersionGuard::lock(version).is_none());
        assert!(VersionGuard::lock(Sha256([2; 32])).is_some());
        drop(guard);
        assert!(VersionGuard::lock(version).is_some());
    }

    #[test]
    fn should_be_released_by_an_operation_that_panics() {
        let version = Sha256([3; 32]);
        let outcome = std::panic::catch_unwind(|| {
            let guard = VersionGuard::lock(version).unwrap();
            assert!(VersionGuard::lock(guard.0).is_some(), "the callback traps");
        });
        assert!(outcome.is_err());
        assert!(VersionGuard::lock(version).is_some());
    }
}
