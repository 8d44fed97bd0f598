//! The journal of payments: what was intended is written before a call to a ledger, what came of it after.
//!
//! ```text
//! Charging --> Charged --> Earned                       a call that ended with a receipt
//!    |            +------> Loaded                       a load that is there
//!    |            +------> Credited                     a deposit; what it was for failed, so it is the payer's again
//!    +--> NotCharged                                    the ledger refused
//!    +--> Unresolved                                    no answer within the ledger's window; governance may settle it
//! ```
//!
//! What must hold: every payment is in exactly one state; the open ones (Charging, Charged) are in `open_payments` and
//! end by [`crate::recovery`] if nobody else ends them; accounts change in the same message as states.

use candid::Principal;
use stoa_inference_api::{
    GetPaymentError, GetPaymentResult, PaymentPurpose, PaymentRecord, PaymentState,
};

use crate::limits::PAYMENTS_CLOSED_MAX;
use crate::money::to_token;
use crate::state;
use crate::stored::{Funds, Payment, Purpose, StoredPayment, StoredPaymentState, Unit};

/// A payment but for what the journal adds.
#[derive(Clone, Copy, Debug)]
pub struct Intent {
    pub caller: Principal,
    pub purpose: Purpose,
    pub unit: Unit,
    pub funds: Funds,
    pub amount: u64,
    pub author_part: u64,
    pub fee: u64,
    pub backed: u64,
    pub now_nanos: u64,
}

/// Writes a payment down before the ledger is asked for it; one from credit has been taken already.
pub fn open(intent: Intent) -> u64 {
    let state = match intent.funds {
        Funds::Allowance { .. } => StoredPaymentState::Charging,
        Funds::Credit { .. } => StoredPaymentState::Charged { block: None },
    };
    // The newest entry is never pruned, so ids only grow.
    let id = state::with(|state| state.payments.last_key_value().map_or(0, |(id, _)| id + 1));
    put(Payment {
        id,
        caller: intent.caller,
        purpose: intent.purpose,
        unit: intent.unit,
        funds: intent.funds,
        amount: intent.amount,
        author_part: intent.author_part,
        fee: intent.fee,
        backed: intent.backed,
        created_at_nanos: intent.now_nanos,
        state,
        attempts: 0,
    });
    id
}

pub fn get(id: u64) -> Payment {
    state::payment(id).expect("BUG: an open payment is in the journal")
}

pub fn put(payment: Payment) {
    state::with_mut(|state| {
        if is_open(&payment.state) {
            state.open_payments.insert(payment.id);
        } else {
            state.open_payments.remove(&payment.id);
        }
        state
            .payments
            .insert(payment.id, StoredPayment::V2(payment));
        prune(state);
    });
}

pub fn set_state(id: u64, new: StoredPaymentState) {
    put(Payment {
        state: new,
        ..get(id)
    });
}

pub fn is_open(state: &StoredPaymentState) -> bool {
    match state {
        StoredPaymentState::Charging | StoredPaymentState::Charged { .. } => true,
        StoredPaymentState::Earned { .. }
        | StoredPaymentState::Loaded { .. }
        | StoredPaymentState::Credited { .. }
        | StoredPaymentState::NotCharged { .. }
        | StoredPaymentState::Refunded { .. }
        | StoredPaymentState::Unresolved { .. } => false,
    }
}

/// Lets go of the oldest settled payment where there are too many. One with an unknown outcome stays.
fn prune(state: &mut state::State) {
    let closed = state.payments.len() - state.open_payments.len();
    if closed <= PAYMENTS_CLOSED_MAX {
        return;
    }
    // Few are open or unresolved; where the oldest hundred all are, the next call prunes further.
    let settled = state
        .payments
        .iter()
        .take(100)
        .map(|entry| Payment::from(entry.value()))
        .find(|payment| {
            !is_open(&payment.state)
                && !matches!(payment.state, StoredPaymentState::Unresolved { .. })
        });
    if let Some(payment) = settled {
        state.payments.remove(&payment.id);
    }
}

/// Open payments, oldest first.
pub fn open_ids(max: usize) -> Vec<u64> {
    state::with(|state| state.open_payments.iter().take(max).collect())
}

pub fn get_payment(id: u64) -> GetPaymentResult {
    state::payment(id)
        .map(record)
        .ok_or(GetPaymentError::NotFound { id })
}

fn record(payment: Payment) -> PaymentRecord {
    PaymentRecord {
        id: payment.id,
        caller: payment.caller,
        purpose: match payment.purpose {
            Purpose::Call { version } => PaymentPurpose::Call { version },
            Purpose::Job { version } => PaymentPurpose::Job { version },
            Purpose::Load { version } => PaymentPurpose::Load { version },
            Purpose::Deposit => PaymentPurpose::Deposit,
        },
        token: to_token(payment.unit),
        amount_e8s: payment.amount,
        ledger_fee_e8s: payment.fee,
        created_at_nanos: payment.created_at_nanos,
        state: match payment.state {
            StoredPaymentState::Charging => PaymentState::Charging,
            StoredPaymentState::Charged { block } => PaymentState::Charged { block },
            StoredPaymentState::Earned {
                block,
                receipt,
                price,
            } => PaymentState::Earned {
                block,
                receipt,
                price: price.into(),
            },
            StoredPaymentState::Loaded { block } => PaymentState::Loaded { block },
            StoredPaymentState::Credited { block, amount } => PaymentState::Credited {
                block,
                amount: amount.into(),
            },
            StoredPaymentState::NotCharged { message } => PaymentState::NotCharged { message },
            StoredPaymentState::Refunded {
                block,
                refund_block,
            } => PaymentState::Refunded {
                block,
                refund_block,
            },
            StoredPaymentState::Unresolved { message } => PaymentState::Unresolved { message },
        },
    }
}
