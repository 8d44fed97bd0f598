//! Payments that a trap, an upgrade or a silent ledger left in the middle.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::journal::Stage;
use crate::memory::with_state;
use crate::payment::{finish, set_stage, stage};

pub const INTERVAL: Duration = Duration::from_secs(60);
/// Each needs up to two ledger calls; the rest waits for the next run.
const FINISHED_AT_ONCE_MAX: usize = 10;

thread_local! {
    /// Payments that a call of this very run of the canister is working on.
    static UNSTABLE_IN_FLIGHT: RefCell<BTreeSet<u64>> = const { RefCell::new(BTreeSet::new()) };
}

/// Held while a call works on a payment; also a trap in a callback releases it.
#[must_use]
pub struct InFlight(u64);

impl InFlight {
    pub fn enter(block_index: u64) -> Option<Self> {
        UNSTABLE_IN_FLIGHT
            .with_borrow_mut(|blocks| blocks.insert(block_index))
            .then(|| Self(block_index))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        UNSTABLE_IN_FLIGHT.with_borrow_mut(|blocks| blocks.remove(&self.0));
    }
}

fn unfinished(at_most: usize) -> Vec<u64> {
    with_state(|state| state.unfinished.keys().take(at_most).collect())
}

/// Burns and refunds whose outcome is not known yet, and deposits that were cut off.
pub async fn finish_open_payments() {
    for block_index in unfinished(FINISHED_AT_ONCE_MAX) {
        if let Some(in_flight) = InFlight::enter(block_index) {
            // No call works on it, so its deposit will never be answered here. It is
            // not repeated, since it may have arrived.
            if stage(block_index) == Stage::Depositing {
                set_stage(block_index, Stage::Unknown);
            }
            finish(block_index).await;
            drop(in_flight);
        }
    }
}

/// What an upgrade does to the heap.
#[cfg(test)]
pub fn forget_in_flight() {
    UNSTABLE_IN_FLIGHT.with_borrow_mut(BTreeSet::clear);
}
