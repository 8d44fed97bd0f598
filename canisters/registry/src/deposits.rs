//! Storage deposits. What was intended is written before the ledger is asked, what came of it after; each deposit has an
//! account of its own on the ledger.
//!
//! ```text
//! Charging --> Held --> Returning  --> Returned      withdrawn, expired, rejected, or no draft came of it
//!    |           +----> Forwarding --> Forwarded     admitted: to the treasury
//!    +--> NotTaken                                   the ledger refused
//! ```
//!
//! What must hold:
//! - a deposit is in exactly one state; one that is not settled and not held for a version is in `open_deposits`, and the
//!   timer ends it if nobody else does;
//! - a held deposit is named by exactly one undecided version, or is `claimable` by a draft that is still to come. Where none
//!   comes within an hour, it goes back;
//! - a transfer is asked for again with the same arguments until its outcome is known, within the ledger's window; behind it
//!   the balance of the deposit's own account tells. So no outcome stays unknown, and none is paid twice: a second transfer
//!   could only take what the account still holds.

use std::cell::Cell;
use std::time::Duration;

use candid::Principal;
use icrc_ledger_types::icrc1::account::Account;
use stoa_registry_api::{DepositInfo, DepositQuote, DepositRefusal, ListDepositsArgs};
use stoa_types::Sha256;

use crate::guard::DepositGuard;
use crate::ledger::{self, Refusal, Transfer};
use crate::limits::{DEPOSITS_SETTLED_MAX, LIST_MAX};
use crate::runtime::{Runtime, Task};
use crate::state::records::{DepositRecord, DepositState, TransferRecord};
use crate::state::{State, with, with_mut};

/// The ledger remembers transfers for 24 hours; nearer to the end than this nothing is asked again.
const RETRY_WINDOW: Duration = Duration::from_secs(24 * 3_600 - 600);
/// The ledger's window, its tolerance and the longest wait for an answer: behind this nothing is under way any more.
const SETTLED_AFTER: Duration = Duration::from_secs(24 * 3_600 + 900);
/// For whoever asked for an upload to ask again after an answer was lost.
const CLAIM_WINDOW: Duration = Duration::from_secs(3_600);
/// Deposits that one run of the timer's task looks at, each with one call.
const PER_RUN: usize = 20;
const SOON: Duration = Duration::from_secs(60);

/// What came of asking for a deposit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Charge {
    Held,
    Refused {
        needed_e8s: u64,
        refusal: DepositRefusal,
    },
    Unknown {
        message: String,
    },
}

/// Deposit for a version of this size: for every MiB begun, but not less than the least.
pub fn amount_e8s(state: &State, size_bytes: u64) -> u64 {
    let parameters = state.parameters.get();
    if state.settings.get().icp_ledger.is_none() || parameters.deposit_e8s_min == 0 {
        return 0;
    }
    let mebibytes = size_bytes.div_ceil(1 << 20);
    parameters
        .deposit_e8s_per_mib
        .saturating_mul(mebibytes)
        .max(parameters.deposit_e8s_min)
}

pub fn quote_deposit(state: &State, runtime: &impl Runtime, size_bytes: u64) -> DepositQuote {
    let settings = state.settings.get();
    DepositQuote {
        amount_e8s: amount_e8s(state, size_bytes),
        ledger_fee_e8s: settings.ledger_fee_e8s,
        ledger: settings
            .icp_ledger
            .unwrap_or_else(Principal::management_canister),
        spender: Account::from(runtime.own_id()),
    }
}

/// Writes a deposit down before the ledger is asked for it.
fn open(
    state: &mut State,
    runtime: &impl Runtime,
    payer: Principal,
    version: Sha256,
    amount_e8s: u64,
) -> u64 {
    let id = state.settings.get().next_deposit;
    state.change_settings(|settings| settings.next_deposit += 1);
    let record = DepositRecord {
        version,
        payer,
        amount_e8s,
        created_at_nanos: runtime.now_nanos(),
        state: DepositState::Charging,
        transfer: new_transfer(state, runtime),
    };
    state.deposits_of.insert((payer, id), ());
    state.claimable.insert(version.0, id);
    put(state, id, record);
    prune(state);
    id
}

fn new_transfer(state: &State, runtime: &impl Runtime) -> TransferRecord {
    TransferRecord {
        created_at_nanos: runtime.now_nanos(),
        fee_e8s: state.settings.get().ledger_fee_e8s,
        attempts: 0,
    }
}

fn get(state: &State, id: u64) -> DepositRecord {
    state
        .deposits
        .get(&id)
        .expect("BUG: an open deposit is not in the journal")
}

/// The one way in which a deposit is written, so that the set of the open ones agrees.
fn put(state: &mut State, id: u64, record: DepositRecord) {
    let is_open = match record.state {
        DepositState::Charging | DepositState::Returning | DepositState::Forwarding => true,
        // Waiting to be claimed.
        DepositState::Held { .. } => state.claimable.get(&record.version.0) == Some(id),
        DepositState::NotTaken { .. }
        | DepositState::Returned { .. }
        | DepositState::Forwarded { .. } => false,
    };
    if is_open {
        state.open_deposits.insert(id);
    } else {
        state.open_deposits.remove(&id);
    }
    state.deposits.insert(id, record);
}

fn set_state(state: &mut State, id: u64, new: DepositState) {
    let record = get(state, id);
    put(
        state,
        id,
        DepositRecord {
            state: new,
            ..record
        },
    );
}

/// Lets go of the oldest settled one where there are too many.
fn prune(state: &mut State) {
    if state.deposits.len() <= DEPOSITS_SETTLED_MAX {
        return;
    }
    // Few of the oldest are open or held; where the oldest hundred all are, the next call prunes further.
    let settled = state
        .deposits
        .iter()
        .take(100)
        .map(|entry| (*entry.key(), entry.value()))
        .find(|(_, record)| is_settled(&record.state));
    if let Some((id, record)) = settled {
        state.deposits.remove(&id);
        state.deposits_of.remove(&(record.payer, id));
    }
}

fn is_settled(state: &DepositState) -> bool {
    matches!(
        state,
        DepositState::NotTaken { .. }
            | DepositState::Returned { .. }
            | DepositState::Forwarded { .. }
    )
}

/// Takes the deposit for a version that has no draft yet, or learns what became of an earlier request for it. Whoever calls
/// this holds the version's guard.
pub async fn charge(
    runtime: &impl Runtime,
    payer: Principal,
    version: Sha256,
    amount_e8s: u64,
) -> Charge {
    let unknown = |message: &str| Charge::Unknown {
        message: message.to_owned(),
    };
    // An earlier request that turns out to be refused makes room for a new one; a changed fee is learnt once.
    for _ in 0..3 {
        let id = with_mut(|state| match state.claimable.get(&version.0) {
            Some(id) => id,
            None => open(state, runtime, payer, version, amount_e8s),
        });
        let Some(guard) = DepositGuard::lock(id) else {
            return unknown("an earlier request is still under way");
        };
        let before = with(|state| get(state, id));
        if matches!(before.state, DepositState::Held { .. }) {
            return Charge::Held;
        }
        let is_new = before.transfer.attempts == 0;
        let refusal = step(runtime, id).await;
        drop(guard);
        match (with(|state| get(state, id)).state, refusal) {
            (DepositState::Held { .. }, _) => return Charge::Held,
            (DepositState::NotTaken { .. }, Some(Refusal::BadFee { .. })) => {}
            (DepositState::NotTaken { .. }, Some(refusal)) if is_new => {
                let fee_e8s = with(|state| state.settings.get().ledger_fee_e8s);
                return Charge::Refused {
                    needed_e8s: amount_e8s.saturating_add(fee_e8s),
                    refusal: refused(refusal),
                };
            }
            (DepositState::NotTaken { .. }, _) => {}
            _ => return unknown("the ledger has not answered"),
        }
    }
    unknown("the ledger keeps changing its fee")
}

fn refused(refusal: Refusal) -> DepositRefusal {
    match refusal {
        Refusal::InsufficientAllowance { allowance_e8s } => {
            DepositRefusal::InsufficientAllowance { allowance_e8s }
        }
        Refusal::InsufficientFunds { balance_e8s } => {
            DepositRefusal::InsufficientFunds { balance_e8s }
        }
        other => DepositRefusal::Other {
            message: other.to_string(),
        },
    }
}

/// A version has the deposit that waited for it.
pub fn claim(state: &mut State, version: Sha256) -> Option<u64> {
    let id = state.claimable.remove(&version.0)?;
    let record = get(state, id);
    put(state, id, record);
    Some(id)
}

/// No draft came of it.
pub fn abandon(state: &mut State, runtime: &impl Runtime, version: Sha256) {
    let Some(id) = state.claimable.get(&version.0) else {
        return;
    };
    if matches!(get(state, id).state, DepositState::Held { .. }) {
        state.claimable.remove(&version.0);
        give_back(state, runtime, id);
    }
}

/// Sends a held deposit back; the timer does it.
pub fn give_back(state: &mut State, runtime: &impl Runtime, id: u64) {
    begin_sending(state, runtime, id, DepositState::Returning);
}

/// Sends a held deposit to the treasury; the timer does it.
pub fn forward(state: &mut State, runtime: &impl Runtime, id: u64) {
    begin_sending(state, runtime, id, DepositState::Forwarding);
}

fn begin_sending(state: &mut State, runtime: &impl Runtime, id: u64, new: DepositState) {
    let Some(record) = state.deposits.get(&id) else {
        return;
    };
    assert!(
        matches!(record.state, DepositState::Held { .. }),
        "BUG: the deposit of a version is {:?}",
        record.state
    );
    let transfer = new_transfer(state, runtime);
    let record = DepositRecord {
        state: new,
        transfer,
        ..record
    };
    put(state, id, record);
    runtime.schedule(Duration::ZERO, Task::Deposits);
}

thread_local! {
    /// Where the last run of the timer's task ended, so that deposits that cannot move do not keep others waiting.
    static UNSTABLE_NEXT: Cell<u64> = const { Cell::new(0) };
}

fn next_ids() -> Vec<u64> {
    let start = UNSTABLE_NEXT.get();
    let ids: Vec<u64> = with(|state| state.open_deposits.range(start..).take(PER_RUN).collect());
    let is_end = ids.len() < PER_RUN;
    UNSTABLE_NEXT.set(match ids.last() {
        Some(last) if !is_end => last + 1,
        _ => 0,
    });
    ids
}

/// What the timer does: one step for each deposit that is on its way.
pub async fn run(runtime: &impl Runtime) {
    for id in next_ids() {
        let Some(guard) = DepositGuard::lock(id) else {
            continue;
        };
        if with(|state| state.open_deposits.contains(&id)) {
            step(runtime, id).await;
        }
        drop(guard);
    }
    if !with(|state| state.open_deposits.is_empty()) {
        runtime.schedule(SOON, Task::Deposits);
    }
}

/// Brings one deposit as far as one call does, and says what the ledger refused. The caller holds the deposit's guard.
async fn step(runtime: &impl Runtime, id: u64) -> Option<Refusal> {
    let (record, ledger) = with(|state| (get(state, id), state.settings.get().icp_ledger));
    let ledger = ledger.expect("BUG: a deposit without a ledger");
    if matches!(record.state, DepositState::Held { .. }) {
        return_unclaimed(runtime, id, &record);
        return None;
    }
    let age = since(runtime, record.transfer.created_at_nanos);
    if record.transfer.attempts > 0 && age > RETRY_WINDOW {
        if age > SETTLED_AFTER {
            learn_from_balance(runtime, ledger, id).await;
        }
        return None;
    }
    // Committed with the call: from here on it may have been executed.
    with_mut(|state| {
        let mut record = get(state, id);
        record.transfer.attempts = record.transfer.attempts.saturating_add(1);
        put(state, id, record);
    });
    let transfer = match record.state {
        DepositState::Charging => {
            ledger::pull(
                runtime,
                ledger,
                id,
                record.payer,
                record.amount_e8s,
                record.transfer,
            )
            .await
        }
        _ => {
            let to = receiver(&record);
            ledger::push(runtime, ledger, id, to, record.amount_e8s, record.transfer).await
        }
    };
    with_mut(|state| settle(state, runtime, id, transfer))
}

fn receiver(record: &DepositRecord) -> Principal {
    match record.state {
        DepositState::Forwarding => with(State::governance),
        _ => record.payer,
    }
}

fn since(runtime: &impl Runtime, then_nanos: u64) -> Duration {
    Duration::from_nanos(runtime.now_nanos().saturating_sub(then_nanos))
}

fn return_unclaimed(runtime: &impl Runtime, id: u64, record: &DepositRecord) {
    if since(runtime, record.created_at_nanos) <= CLAIM_WINDOW
        || crate::guard::is_locked(record.version)
    {
        return;
    }
    with_mut(|state| {
        state.claimable.remove(&record.version.0);
        give_back(state, runtime, id);
    });
}

fn settle(
    state: &mut State,
    runtime: &impl Runtime,
    id: u64,
    transfer: Transfer,
) -> Option<Refusal> {
    match transfer {
        Transfer::Done { block } => {
            finish(state, id, block);
            None
        }
        Transfer::Unknown { .. } => None,
        Transfer::Refused(refusal) => {
            if let Refusal::BadFee { expected_e8s } = refusal {
                state.change_settings(|settings| settings.ledger_fee_e8s = expected_e8s);
            }
            // This request did nothing; what became of an earlier one it does not say.
            let is_first = get(state, id).transfer.attempts <= 1;
            if is_first || refusal.is_about_all_requests() {
                not_done(state, runtime, id, &refusal);
            }
            Some(refusal)
        }
    }
}

fn finish(state: &mut State, id: u64, block: Option<u64>) {
    let new = match get(state, id).state {
        DepositState::Charging => DepositState::Held { block },
        DepositState::Returning => DepositState::Returned { block },
        DepositState::Forwarding => DepositState::Forwarded { block },
        other => panic!("BUG: a transfer of a deposit that is {other:?}"),
    };
    set_state(state, id, new);
}

/// No request of this transfer moved anything.
fn not_done(state: &mut State, runtime: &impl Runtime, id: u64, refusal: &Refusal) {
    let record = get(state, id);
    if record.state == DepositState::Charging {
        let reason = refusal.to_string();
        state.claimable.remove(&record.version.0);
        set_state(state, id, DepositState::NotTaken { reason });
    } else {
        // Another transfer, at another time, with the fee as it is now.
        let transfer = new_transfer(state, runtime);
        put(state, id, DepositRecord { transfer, ..record });
    }
}

/// Behind the ledger's window it does not recognise a repeated transfer. The deposit's own account tells what happened.
async fn learn_from_balance(runtime: &impl Runtime, ledger: Principal, id: u64) {
    let Ok(balance_e8s) = ledger::balance_e8s(runtime, ledger, id).await else {
        return;
    };
    with_mut(|state| {
        let record = get(state, id);
        let has_money = balance_e8s >= record.amount_e8s;
        let is_charge = record.state == DepositState::Charging;
        if has_money == is_charge {
            finish(state, id, None);
        } else {
            let message = "the ledger did not execute it within its window".to_owned();
            not_done(state, runtime, id, &Refusal::Other { message });
        }
    });
}

pub fn info(id: u64, record: DepositRecord) -> DepositInfo {
    use stoa_registry_api::DepositState as Wire;
    DepositInfo {
        id,
        version: record.version,
        payer: record.payer,
        amount_e8s: record.amount_e8s,
        created_at_nanos: record.created_at_nanos,
        state: match record.state {
            DepositState::Charging => Wire::Charging,
            DepositState::NotTaken { reason } => Wire::NotTaken { reason },
            DepositState::Held { block } => Wire::Held { block },
            DepositState::Returning => Wire::Returning,
            DepositState::Returned { block } => Wire::Returned { block },
            DepositState::Forwarding => Wire::Forwarding,
            DepositState::Forwarded { block } => Wire::Forwarded { block },
        },
    }
}

pub fn get_deposit(state: &State, id: u64) -> Option<DepositInfo> {
    state.deposits.get(&id).map(|record| info(id, record))
}

/// Newest first.
pub fn list_deposits(state: &State, args: &ListDepositsArgs) -> Vec<DepositInfo> {
    let limit = args.limit.unwrap_or(LIST_MAX).min(LIST_MAX);
    let end = args.before.unwrap_or(u64::MAX);
    state
        .deposits_of
        .range((args.payer, 0)..(args.payer, end))
        .rev()
        .take(limit as usize)
        .filter_map(|entry| get_deposit(state, entry.key().1))
        .collect()
}
