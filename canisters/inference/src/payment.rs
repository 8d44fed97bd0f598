//! One payment, step by step; each step may be taken again. Whoever calls these holds the payment's
//! [`PaymentGuard`](crate::volatile::PaymentGuard).
//!
//! A payment that fails its purpose becomes credit of the payer, in the same message and without a ledger: it cannot
//! fail and costs no fee. The fee that the charge cost the payer is set aside from the reserve before the charge, where the
//! reserve has it, and given back along with the price.

use std::time::Duration;

use crate::journal::{self, Intent};
use crate::ledger::{self, Outcome, Refusal};
use crate::limits::{LEDGER_WINDOW, shorten};
use crate::runtime::Runtime;
use crate::stored::{Funds, Holder, Load, Payment, Purpose, StoredPaymentState, Unit};
use crate::{accounts, keys, split, state};

/// What is to be paid, in which unit, from what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bill {
    pub purpose: Purpose,
    pub unit: Unit,
    pub amount: u64,
    pub author_part: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TooLittleCredit {
    pub credit: u64,
}

/// What a call may spend of the caller's credit now.
pub fn credit_for<R: Runtime>(
    runtime: &R,
    caller: candid::Principal,
    unit: Unit,
    key: Option<stoa_types::Sha256>,
) -> u64 {
    let balance = accounts::balance_e8s(unit, &Holder::Credit(caller));
    match key {
        Some(key) => balance.min(keys::left(&key, unit, runtime.now_nanos())),
        None => balance,
    }
}

/// Takes it from the caller's credit, at once. The payment is Charged.
pub fn open_from_credit<R: Runtime>(
    runtime: &R,
    caller: candid::Principal,
    bill: Bill,
    key: Option<stoa_types::Sha256>,
) -> Result<u64, TooLittleCredit> {
    let holder = Holder::Credit(caller);
    if let Some(key) = &key {
        let left = keys::left(key, bill.unit, runtime.now_nanos());
        if left < bill.amount {
            return Err(TooLittleCredit { credit: left });
        }
    }
    accounts::transfer(bill.unit, &holder, &Holder::Held, bill.amount.into()).map_err(|short| {
        TooLittleCredit {
            credit: u64::try_from(short.balance).unwrap_or(u64::MAX),
        }
    })?;
    if let Some(key) = &key {
        keys::spend(key, bill.amount);
    }
    Ok(journal::open(intent(
        runtime,
        caller,
        bill,
        Funds::Credit { key },
        0,
    )))
}

/// Writes down that a ledger will be asked. The payment is Charging.
pub fn open_by_allowance<R: Runtime>(
    runtime: &R,
    caller: candid::Principal,
    bill: Bill,
    from_subaccount: Option<stoa_types::Sha256>,
) -> u64 {
    let fee = state::ledger_fee(bill.unit);
    // A deposit is not a call that can fail: its fee is the depositor's.
    let is_backed = bill.purpose != Purpose::Deposit && set_fee_aside(bill.unit, fee);
    let backed = if is_backed { fee } else { 0 };
    let funds = Funds::Allowance { from_subaccount };
    journal::open(intent(runtime, caller, bill, funds, backed))
}

fn intent<R: Runtime>(
    runtime: &R,
    caller: candid::Principal,
    bill: Bill,
    funds: Funds,
    backed: u64,
) -> Intent {
    Intent {
        caller,
        purpose: bill.purpose,
        unit: bill.unit,
        funds,
        amount: bill.amount,
        author_part: bill.author_part,
        fee: match funds {
            Funds::Allowance { .. } => state::ledger_fee(bill.unit),
            Funds::Credit { .. } => 0,
        },
        backed,
        now_nanos: runtime.now_nanos(),
    }
}

fn set_fee_aside(unit: Unit, fee: u64) -> bool {
    accounts::transfer(unit, &Holder::Reserve, &Holder::Held, fee.into()).is_ok()
}

/// Whether the reserve would cover the fee of a call that fails.
pub fn fee_is_backed(unit: Unit) -> bool {
    accounts::balance(unit, &Holder::Reserve) >= u128::from(state::ledger_fee(unit))
}

/// Asks the ledger for the amount, or asks again. Afterwards the payment is Charged, NotCharged, Unresolved, or still
/// Charging where the outcome is not known. A deposit is Credited rather than Charged.
pub async fn charge<R: Runtime>(runtime: &R, id: u64) -> Outcome {
    let payment = journal::get(id);
    let repeated = payment.attempts > 0;
    if repeated && outside_window(runtime, payment.created_at_nanos) {
        let message = "no answer about the charge within the ledger's window".to_owned();
        leave_unresolved(&payment, message.clone());
        return Outcome::Unknown { message };
    }
    // Committed with the call: from here on this may have been executed.
    journal::put(Payment {
        attempts: payment.attempts.saturating_add(1),
        ..payment.clone()
    });
    let outcome = ledger::charge(runtime, &payment).await;
    // Read again: governance may have settled it meanwhile.
    if journal::get(id).state != StoredPaymentState::Charging {
        return outcome;
    }
    match &outcome {
        Outcome::Done { block } => charged(&payment, *block),
        // This request did nothing; what became of an earlier one it does not say.
        Outcome::Refused(refusal) if repeated && !refusal.is_about_all_requests() => {
            if *refusal == Refusal::TooOld {
                leave_unresolved(&payment, refusal.to_string());
            }
            return Outcome::Unknown {
                message: refusal.to_string(),
            };
        }
        Outcome::Refused(refusal) => {
            learn_fee(payment.unit, refusal);
            not_charged(&payment, refusal.to_string());
        }
        Outcome::Unknown { .. } => {}
    }
    outcome
}

/// The ledger moved it.
pub fn charged(payment: &Payment, block: u64) {
    let block = Some(block);
    if payment.purpose == Purpose::Deposit {
        let holder = Holder::Credit(payment.caller);
        accounts::receive(payment.unit, &holder, payment.amount.into());
        let amount = payment.amount;
        journal::set_state(payment.id, StoredPaymentState::Credited { block, amount });
    } else {
        accounts::receive(payment.unit, &Holder::Held, payment.amount.into());
        journal::set_state(payment.id, StoredPaymentState::Charged { block });
    }
}

/// The ledger did not, and will not.
pub fn not_charged(payment: &Payment, message: String) {
    release_backing(payment);
    let message = shorten(message);
    journal::set_state(payment.id, StoredPaymentState::NotCharged { message });
}

fn leave_unresolved(payment: &Payment, message: String) {
    release_backing(payment);
    let message = shorten(message);
    journal::set_state(payment.id, StoredPaymentState::Unresolved { message });
}

fn release_backing(payment: &Payment) {
    accounts::release(
        payment.unit,
        &Holder::Held,
        &Holder::Reserve,
        payment.backed.into(),
    );
    journal::put(Payment {
        backed: 0,
        ..payment.clone()
    });
}

fn block_of(payment: &Payment) -> Option<u64> {
    match payment.state {
        StoredPaymentState::Charged { block } => block,
        ref other => panic!("BUG: a payment is settled from {other:?}"),
    }
}

/// The call ended with a receipt and cost `price`, at most what is held. The rest goes back as credit.
pub fn earn(id: u64, load: &Load, price: u64, receipt: u64) {
    let payment = journal::get(id);
    let block = block_of(&payment);
    let rest = payment
        .amount
        .checked_sub(price)
        .expect("BUG: a call costs more than was quoted");
    split::share_out(
        payment.unit,
        Some(&Holder::Held),
        price.into(),
        payment.author_part.into(),
        &load.registered,
    );
    credit(&payment, rest);
    release_backing(&payment);
    journal::set_state(
        id,
        StoredPaymentState::Earned {
            block,
            receipt,
            price,
        },
    );
}

/// A load that was paid for is there: its price is the reserve's, which bears what loading costs.
pub fn earn_load(id: u64) {
    let payment = journal::get(id);
    let block = block_of(&payment);
    accounts::release(
        payment.unit,
        &Holder::Held,
        &Holder::Reserve,
        payment.amount.into(),
    );
    release_backing(&payment);
    journal::set_state(id, StoredPaymentState::Loaded { block });
}

/// What it was for failed: the payer has everything back, as credit.
pub fn give_back(id: u64) {
    let payment = journal::get(id);
    let block = block_of(&payment);
    let amount = payment
        .amount
        .checked_add(payment.backed)
        .expect("BUG: more money than there is");
    credit(&payment, amount);
    journal::put(Payment {
        state: StoredPaymentState::Credited { block, amount },
        backed: 0,
        ..payment
    });
}

fn credit(payment: &Payment, amount: u64) {
    let holder = Holder::Credit(payment.caller);
    accounts::release(payment.unit, &Holder::Held, &holder, amount.into());
    if let Funds::Credit { key: Some(key) } = &payment.funds {
        keys::unspend(key, amount);
    }
}

pub fn learn_fee(unit: Unit, refusal: &Refusal) {
    if let Refusal::BadFee { expected_e8s } = refusal {
        state::set_ledger_fee(unit, *expected_e8s);
    }
}

pub fn outside_window<R: Runtime>(runtime: &R, created_at_nanos: u64) -> bool {
    let age = Duration::from_nanos(runtime.now_nanos().saturating_sub(created_at_nanos));
    age > LEDGER_WINDOW
}
