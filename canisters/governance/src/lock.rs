//! One command in flight a neuron, and a limit on how many in all. A lock is on the
//! heap: it lives as long as the call that holds it, is given back when that call's
//! callback traps (its future is dropped then), and an upgrade leaves none behind.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::neuron::NeuronKey;
use crate::refusal::Refusal;

/// Each holds a proposal of up to 100 KiB while it waits. Half of the 500 messages
/// that may be under way to one canister.
pub const IN_FLIGHT_MAX: usize = 250;

thread_local! {
    static UNSTABLE_LOCKED: RefCell<BTreeSet<NeuronKey>> = const { RefCell::new(BTreeSet::new()) };
}

#[must_use]
#[derive(Debug)]
pub struct NeuronLock(NeuronKey);

impl NeuronLock {
    pub fn acquire(key: NeuronKey) -> Result<Self, Refusal> {
        UNSTABLE_LOCKED.with_borrow_mut(|locked| {
            if locked.contains(&key) {
                return Err(Refusal::NeuronLocked);
            }
            if locked.len() >= IN_FLIGHT_MAX {
                return Err(Refusal::TooManyInFlight { max: IN_FLIGHT_MAX });
            }
            locked.insert(key);
            Ok(Self(key))
        })
    }
}

impl Drop for NeuronLock {
    fn drop(&mut self) {
        UNSTABLE_LOCKED.with_borrow_mut(|locked| locked.remove(&self.0));
    }
}

#[cfg(test)]
pub fn forget_all() {
    UNSTABLE_LOCKED.with_borrow_mut(BTreeSet::clear);
}
