//! The journal of payments: what was intended is written before a call to the ledger, what came of it after.
//!
//! ```text
//! Charging --> Charged --> Earned                      a call that ended with a receipt
//!    |            |
//!    |            +--> Refunding --> Refunded          a run that failed
//!    +--> NotCharged                                   the ledger refused
//!    +--> Unresolved  <-- Refunding                    no answer within the ledger's window
//! ```
//!
//! What must hold: every payment is in exactly one state; the open ones (Charging, Charged, Refunding) are in
//! `open_payments` and end by [`crate::recovery`] if nobody else ends them; books change in the same message.

use candid::Principal;
use stoa_inference_api::{GetPaymentError, GetPaymentResult, PaymentRecord, PaymentState};
use stoa_types::Sha256;

use crate::limits::PAYMENTS_CLOSED_MAX;
use crate::state;
use crate::stored::{Payment, StoredPayment, StoredPaymentState};

/// Writes a payment down before the ledger is asked for it.
pub fn open(
    caller: Principal,
    from_subaccount: Option<Sha256>,
    version: Sha256,
    price_e8s: u64,
    fee_e8s: u64,
    now_nanos: u64,
) -> u64 {
    state::with_mut(|state| {
        // The newest entry is never pruned, so ids only grow.
        let id = state.payments.last_key_value().map_or(0, |(id, _)| id + 1);
        let payment = Payment {
            id,
            caller,
            from_subaccount,
            version,
            price_e8s,
            fee_e8s,
            created_at_nanos: now_nanos,
            state: StoredPaymentState::Charging,
            attempts: 0,
        };
        state.payments.insert(id, StoredPayment::V1(payment));
        state.open_payments.insert(id);
        id
    })
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
            .insert(payment.id, StoredPayment::V1(payment));
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
        StoredPaymentState::Charging
        | StoredPaymentState::Charged { .. }
        | StoredPaymentState::Refunding { .. } => true,
        StoredPaymentState::Earned { .. }
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
        .map(|entry| entry.value())
        .map(|StoredPayment::V1(payment)| payment)
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
        version: payment.version,
        price_e8s: payment.price_e8s,
        ledger_fee_e8s: payment.fee_e8s,
        created_at_nanos: payment.created_at_nanos,
        state: match payment.state {
            StoredPaymentState::Charging => PaymentState::Charging,
            StoredPaymentState::Charged { block } => PaymentState::Charged { block },
            StoredPaymentState::Refunding { block, .. } => PaymentState::Refunding { block },
            StoredPaymentState::Earned { block, receipt } => {
                PaymentState::Earned { block, receipt }
            }
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
