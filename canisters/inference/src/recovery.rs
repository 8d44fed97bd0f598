//! Ends the payments that nobody works on any more: their message trapped, the canister was upgraded, or the
//! ledger's answer did not come. A charge that turns out to have happened is given back, unless a job or a load goes
//! on with it.

use std::time::Duration;

use crate::limits::{RECOVERY_BATCH, RETRY_WHILE_BUSY, retry_delay};
use crate::runtime::{Runtime, Task};
use crate::stored::{Purpose, StoredPaymentState};
use crate::volatile::PaymentGuard;
use crate::{jobs, journal, payment, state};

pub async fn recover<R: Runtime>(runtime: &R) {
    let open = journal::open_ids(RECOVERY_BATCH);
    if open.iter().any(|id| !somebody_goes_on(*id)) {
        // Should a message of this chain trap, the next timer goes on where the journal says.
        runtime.schedule(RETRY_WHILE_BUSY, Task::Payments);
    }
    let mut pause = Duration::MAX;
    for id in open {
        if somebody_goes_on(id) {
            continue;
        }
        let delay = match PaymentGuard::lock(id) {
            Some(_guard) => {
                settle(runtime, id).await;
                let left = journal::get(id);
                if !journal::is_open(&left.state) || somebody_goes_on(id) {
                    continue;
                }
                retry_delay(left.attempts)
            }
            // A message or another timer has it, and will end it, unless it traps.
            None => RETRY_WHILE_BUSY,
        };
        pause = pause.min(delay);
    }
    if pause < Duration::MAX {
        runtime.schedule(pause, Task::Payments);
    }
}

async fn settle<R: Runtime>(runtime: &R, id: u64) {
    if journal::get(id).state == StoredPaymentState::Charging {
        let _ends_in_the_journal = payment::charge(runtime, id).await;
        jobs::after_charge(runtime, id);
    }
    let is_charged = matches!(journal::get(id).state, StoredPaymentState::Charged { .. });
    if is_charged && !somebody_goes_on(id) {
        payment::give_back(id);
    }
}

/// Whether what was charged is still of use: a job runs again from its stored input, a load goes on.
fn somebody_goes_on(id: u64) -> bool {
    let Some(payment) = state::payment(id) else {
        return false;
    };
    if payment.state == StoredPaymentState::Charging {
        return false;
    }
    match payment.purpose {
        Purpose::Job { .. } => jobs::is_open(id),
        Purpose::Load { version } => {
            state::load(&version).is_some_and(|load| load.payment == Some(id))
        }
        Purpose::Call { .. } | Purpose::Deposit => false,
    }
}

/// For messages that end with a payment still open.
pub fn schedule<R: Runtime>(runtime: &R, id: u64) {
    runtime.schedule(retry_delay(journal::get(id).attempts), Task::Payments);
}
