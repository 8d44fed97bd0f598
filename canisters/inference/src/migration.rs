//! What `post_upgrade` does with the layout that it finds: its own is taken as it is, layout 1 is taken over, anything
//! else traps, which undoes the upgrade.
//!
//! Layout 1 had two counters of ICP (earned, spent) and refunds on their way in the journal of payments. Their sums go
//! into accounts; records that only change their form are converted where they are read. All of it is bounded by the open
//! payments of that moment.

use crate::accounts;
use crate::limits::PAYMENTS_CLOSED_MAX;
use crate::memory::LAYOUT_VERSION;
use crate::state;
use crate::stored::v1::PaymentStateV1;
use crate::stored::{
    Holder, Payment, StoredBooks, StoredPayment, StoredPaymentState, StoredTopUpState,
    StoredTransferState, Transfer, Unit,
};
use crate::{journal, ledger, transfers};

pub fn migrate() -> Result<(), String> {
    let found = state::with(|state| *state.layout.get());
    match found {
        LAYOUT_VERSION => Ok(()),
        1 => {
            from_1();
            state::with_mut(|state| state.layout.set(LAYOUT_VERSION));
            Ok(())
        }
        other => Err(format!(
            "stable memory has layout {other}, this code reads 1 and {LAYOUT_VERSION}"
        )),
    }
}

fn from_1() {
    // Written again in today's form.
    state::put_configuration(state::configuration());
    let books = state::with(|state| {
        let StoredBooks::V1(books) = state.retired_books.get();
        *books
    });
    // What was spent in advance of any income was owed to nobody: the floor.
    let revenue = books.earned_e8s.saturating_sub(books.spent_e8s);
    accounts::receive(Unit::Icp, &Holder::Reserve, revenue.into());

    for id in journal::open_ids(PAYMENTS_CLOSED_MAX as usize) {
        let stored = state::with(|state| state.payments.get(&id));
        let Some(StoredPayment::V1(old)) = stored else {
            continue;
        };
        let mut payment = Payment::from(old.clone());
        match old.state {
            PaymentStateV1::Charged { .. } => {
                accounts::receive(Unit::Icp, &Holder::Held, payment.amount.into());
            }
            // The refund goes on as the transfer that it was: the same memo, time and amounts.
            PaymentStateV1::Refunding { block, refund } => {
                let amount = old.price_e8s.saturating_add(old.fee_e8s);
                let transfer = Transfer {
                    id: transfers::next_id(),
                    unit: Unit::Icp,
                    from: Holder::Credit(old.caller),
                    to: old.caller,
                    to_subaccount: old.from_subaccount,
                    amount,
                    fee: refund.fee_e8s,
                    memo: ledger::memo(b"stoa-ref", id),
                    created_at_nanos: refund.created_at_nanos,
                    state: StoredTransferState::Sending,
                    attempts: old.attempts,
                };
                accounts::receive(Unit::Icp, &Holder::Sending, transfer.gross().into());
                transfers::put(transfer);
                payment.state = StoredPaymentState::Credited {
                    block: Some(block),
                    amount,
                };
            }
            _ => {}
        }
        journal::put(payment);
    }

    // At most one is open, the newest.
    for top_up in state::top_ups_newest_first(1) {
        if top_up.state == StoredTopUpState::Transferring {
            let gross = u128::from(top_up.amount_e8s) + u128::from(top_up.fee_e8s);
            accounts::receive(Unit::Icp, &Holder::Sending, gross);
        }
    }
}
