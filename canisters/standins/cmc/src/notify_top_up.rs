//! `notify_top_up`: a payment in the ledger becomes cycles, once.

use stoa_cmc_api::{FaultKind, MEMO_TOP_UP_CANISTER, NotifyTopUpArg, NotifyTopUpResult};

use crate::journal::Stage;
use crate::payment::{self, Begin};
use crate::recovery::InFlight;
use crate::{faults, runtime};

pub async fn notify_top_up(arguments: NotifyTopUpArg) -> NotifyTopUpResult {
    let NotifyTopUpArg {
        block_index,
        canister_id,
    } = arguments;
    let fault = faults::take();
    if let Some(error) = faults::before(&fault).await {
        return Err(error);
    }
    let paid = payment::read(block_index, canister_id, MEMO_TOP_UP_CANISTER).await?;
    let cycles = payment::cycles_of(paid.amount_e8s);
    if let Begin::Known(stage) = payment::begin(block_index, canister_id, paid)? {
        faults::after(&fault).await;
        return stage.answer();
    }

    let in_flight = InFlight::enter(block_index).expect("BUG: a new payment is in flight already");
    let deposited = if fault == Some(FaultKind::Undeliverable) {
        Err(faults::undeliverable())
    } else {
        runtime::deposit_cycles(canister_id, cycles).await
    };
    let next = match deposited {
        Ok(()) => Stage::Burning {
            cycles: cycles.into(),
            created_at_nanos: runtime::time_nanos(),
        },
        // Cycles attached to a call that was not answered with a reply come back.
        Err(failure) => Stage::Refunding {
            reason: failure.message,
            created_at_nanos: runtime::time_nanos(),
        },
    };
    payment::set_stage(block_index, next);
    payment::finish(block_index).await;
    drop(in_flight);
    faults::after(&fault).await;
    payment::stage(block_index).answer()
}
