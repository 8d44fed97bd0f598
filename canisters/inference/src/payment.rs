//! Charging and giving back, each a journaled step that may be taken again. Whoever calls these holds the
//! payment's [`PaymentGuard`](crate::volatile::PaymentGuard).

use std::time::Duration;

use crate::journal;
use crate::ledger::{self, Refusal, Transfer};
use crate::limits::LEDGER_WINDOW;
use crate::runtime::Runtime;
use crate::state;
use crate::stored::{Payment, Refund, StoredPaymentState};

/// Asks the ledger for the price, or asks again. Afterwards the payment is Charged, NotCharged, Unresolved, or still
/// Charging where the outcome is not known.
pub async fn charge<R: Runtime>(runtime: &R, id: u64) -> Transfer {
    let payment = journal::get(id);
    let repeated = payment.attempts > 0;
    if repeated && outside_window(runtime, payment.created_at_nanos) {
        let message = "no answer about the charge within the ledger's window".to_owned();
        journal::set_state(
            id,
            StoredPaymentState::Unresolved {
                message: message.clone(),
            },
        );
        return Transfer::Unknown { message };
    }
    // Committed with the call: from here on this may have been executed.
    journal::put(Payment {
        attempts: payment.attempts.saturating_add(1),
        ..payment.clone()
    });
    let transfer = ledger::charge(runtime, &payment).await;
    match &transfer {
        Transfer::Done { block } => {
            journal::set_state(id, StoredPaymentState::Charged { block: *block });
        }
        // This request did nothing; what became of an earlier one it does not say.
        Transfer::Refused(refusal) if repeated && !refusal.is_about_all_requests() => {
            if *refusal == Refusal::TooOld {
                let message = refusal.to_string();
                journal::set_state(id, StoredPaymentState::Unresolved { message });
            }
            return Transfer::Unknown {
                message: refusal.to_string(),
            };
        }
        Transfer::Refused(refusal) => {
            learn_fee(refusal);
            journal::set_state(
                id,
                StoredPaymentState::NotCharged {
                    message: refusal.to_string(),
                },
            );
        }
        Transfer::Unknown { .. } => {}
    }
    transfer
}

/// Gives a charged payment back, or asks again. `true` when it is back with the payer.
pub async fn refund<R: Runtime>(runtime: &R, id: u64) -> bool {
    // A changed fee is learnt from the first refusal.
    for _ in 0..2 {
        let (block, refund) = begin_refund(runtime, id);
        let payment = journal::get(id);
        if outside_window(runtime, refund.created_at_nanos) {
            let message = "no answer about the refund within the ledger's window".to_owned();
            journal::set_state(id, StoredPaymentState::Unresolved { message });
            return false;
        }
        let repeated = payment.attempts > 0;
        journal::put(Payment {
            attempts: payment.attempts.saturating_add(1),
            ..payment.clone()
        });
        match ledger::refund(runtime, &payment, &refund).await {
            Transfer::Done {
                block: refund_block,
            } => {
                journal::set_state(
                    id,
                    StoredPaymentState::Refunded {
                        block,
                        refund_block,
                    },
                );
                return true;
            }
            Transfer::Refused(refusal) if repeated && !refusal.is_about_all_requests() => {
                if refusal == Refusal::TooOld {
                    let message = refusal.to_string();
                    journal::set_state(id, StoredPaymentState::Unresolved { message });
                }
                return false;
            }
            Transfer::Refused(refusal) => {
                // It definitely did not happen: as before, and the next attempt is a new transfer.
                learn_fee(&refusal);
                state::change_books(|books| books.unspend(refund_cost(&payment, &refund)));
                journal::set_state(id, StoredPaymentState::Charged { block });
                if !matches!(refusal, Refusal::BadFee { .. }) {
                    return false;
                }
            }
            Transfer::Unknown { .. } => return false,
        }
    }
    false
}

/// Writes the refund's transfer down, unless it already is. Both fees are this canister's loss, so the books fall
/// before the transfer.
fn begin_refund<R: Runtime>(runtime: &R, id: u64) -> (u64, Refund) {
    let payment = journal::get(id);
    match payment.state {
        StoredPaymentState::Charged { block } => {
            let refund = Refund {
                created_at_nanos: runtime.now_nanos(),
                fee_e8s: state::configuration().ledger_fee_e8s,
            };
            state::change_books(|books| books.spend(refund_cost(&payment, &refund)));
            journal::put(Payment {
                state: StoredPaymentState::Refunding { block, refund },
                attempts: 0,
                ..payment
            });
            (block, refund)
        }
        StoredPaymentState::Refunding { block, refund } => (block, refund),
        other => panic!("BUG: a refund of {other:?}"),
    }
}

/// What a refund costs beyond what the charge brought in.
fn refund_cost(payment: &Payment, refund: &Refund) -> u64 {
    payment.fee_e8s.saturating_add(refund.fee_e8s)
}

pub fn learn_fee(refusal: &Refusal) {
    if let Refusal::BadFee { expected_e8s } = refusal {
        state::set_ledger_fee(*expected_e8s);
    }
}

pub fn outside_window<R: Runtime>(runtime: &R, created_at_nanos: u64) -> bool {
    let age = Duration::from_nanos(runtime.now_nanos().saturating_sub(created_at_nanos));
    age > LEDGER_WINDOW
}
