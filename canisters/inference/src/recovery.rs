//! Ends the payments that nobody works on any more: their message trapped, the canister was upgraded, or the
//! ledger's answer did not come. A charge that turns out to have happened is given back: its run is gone.

use std::time::Duration;

use crate::ledger::Transfer;
use crate::limits::{RECOVERY_BATCH, RETRY_WHILE_BUSY, retry_delay};
use crate::runtime::{Runtime, Task};
use crate::stored::StoredPaymentState;
use crate::volatile::PaymentGuard;
use crate::{journal, payment};

pub async fn recover<R: Runtime>(runtime: &R) {
    let open = journal::open_ids(RECOVERY_BATCH);
    if !open.is_empty() {
        // Should a message of this chain trap, the next timer goes on where the journal says.
        runtime.schedule(RETRY_WHILE_BUSY, Task::Payments);
    }
    let mut pause = Duration::MAX;
    for id in open {
        let delay = match PaymentGuard::lock(id) {
            Some(_guard) => {
                settle(runtime, id).await;
                let left = journal::get(id);
                if !journal::is_open(&left.state) {
                    continue;
                }
                retry_delay(left.attempts)
            }
            // A message of `infer` or another timer has it, and will end it, unless it traps.
            None => RETRY_WHILE_BUSY,
        };
        pause = pause.min(delay);
    }
    if pause < Duration::MAX {
        runtime.schedule(pause, Task::Payments);
    }
}

async fn settle<R: Runtime>(runtime: &R, id: u64) {
    if journal::get(id).state == StoredPaymentState::Charging
        && !matches!(payment::charge(runtime, id).await, Transfer::Done { .. })
    {
        return;
    }
    if matches!(
        journal::get(id).state,
        StoredPaymentState::Charged { .. } | StoredPaymentState::Refunding { .. }
    ) {
        let _is_back: bool = payment::refund(runtime, id).await;
    }
}

/// For messages that end with a payment still open.
pub fn schedule<R: Runtime>(runtime: &R, id: u64) {
    runtime.schedule(retry_delay(journal::get(id).attempts), Task::Payments);
}
