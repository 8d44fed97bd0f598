//! Buying cycles with own revenue, so that the canister lives without anybody's help: ICP to the cycles
//! minting canister's account for this canister, then `notify_top_up`. The reserve pays first, then the DAO's share that
//! is still here, and then governance is asked.
//!
//! ```text
//! Transferring --> Notifying --> Done | Refunded
//!      +-------------+---------> Failed
//! ```
//!
//! What must hold: the books fall before the transfer is sent, and rise again only if it definitely did not
//! happen. Every step may be taken again: the transfer repeats its time and memo, and the minting canister
//! credits a block once.

use stoa_cmc_api::{NotifyError, NotifyTopUpArg, NotifyTopUpResult};
use stoa_inference_api::{TopUpError, TopUpResult, TopUpState};

use crate::accounts;
use crate::cycles;
use crate::ledger::{self, Outcome, Refusal};
use crate::limits::{FEES_KEPT, RETRY_WHILE_BUSY, TOP_UPS_KEPT_MAX, retry_delay};
use crate::payment::{learn_fee, outside_window};
use crate::runtime::{self, Runtime, Task};
use crate::state;
use crate::stored::{Holder, StoredTopUp, StoredTopUpState, TopUp, Unit};
use crate::volatile::TopUpGuard;

/// The timer's form: does what there is to do, and comes again where something is left.
pub async fn run<R: Runtime>(runtime: &R) {
    match top_up(runtime).await {
        Ok(top_up) if is_open(&state_of(top_up.id)) => {
            runtime.schedule(retry_delay(attempts_of(top_up.id)), Task::TopUp);
        }
        // Then the DAO is asked, whose answer comes as cycles.
        Err(TopUpError::NotEnoughRevenue { .. }) => cycles::ask_governance(runtime).await,
        // Whoever is at it may trap.
        Err(TopUpError::Busy { .. }) => runtime.schedule(RETRY_WHILE_BUSY, Task::TopUp),
        // Done; or not needed, refused: the hour will come again.
        Ok(_) | Err(_) => {}
    }
}

/// Goes on with the top-up under way, or begins one if the balance is below the threshold. Anybody may poke.
pub async fn top_up<R: Runtime>(runtime: &R) -> TopUpResult {
    let open = open_id();
    let Some(_guard) = TopUpGuard::lock(()) else {
        return Err(TopUpError::Busy {
            id: open.unwrap_or_default(),
        });
    };
    let id = match open {
        Some(id) => id,
        None => begin(runtime)?,
    };
    // Should the continuation trap, the timer goes on where the record says.
    runtime.schedule(retry_delay(attempts_of(id)), Task::TopUp);
    if state_of(id) == StoredTopUpState::Transferring {
        transfer(runtime, id).await;
    }
    if let StoredTopUpState::Notifying { block } = state_of(id) {
        notify(runtime, id, block).await;
    }
    let top_up = get(id);
    match top_up.state {
        StoredTopUpState::Failed { message } => Err(TopUpError::LedgerFailed { message }),
        _ => Ok(to_wire(top_up)),
    }
}

/// What this canister earned for the DAO and has not sent yet pays for its cycles where the reserve is too small: the DAO
/// would be asked for them otherwise.
fn draw_on_treasury_share(wanted_e8s: u64) {
    let missing = wanted_e8s.saturating_sub(accounts::balance_e8s(Unit::Icp, &Holder::Reserve));
    let share = accounts::balance_e8s(Unit::Icp, &Holder::Treasury);
    accounts::release(
        Unit::Icp,
        &Holder::Treasury,
        &Holder::Reserve,
        missing.min(share).into(),
    );
}

fn begin<R: Runtime>(runtime: &R) -> Result<u64, TopUpError> {
    let policy = state::policy();
    let balance = runtime.liquid_cycles();
    if balance >= policy.top_up_below_cycles {
        return Err(TopUpError::NotNeeded {
            balance: balance.into(),
            top_up_below: policy.top_up_below_cycles.into(),
        });
    }
    let fee_e8s = state::ledger_fee(Unit::Icp);
    // The fees of some calls that fail stay, so that those who paid by allowance have everything back.
    let kept_e8s = fee_e8s.saturating_mul(FEES_KEPT);
    let wanted_e8s = policy
        .top_up_e8s
        .saturating_add(fee_e8s)
        .saturating_add(kept_e8s);
    draw_on_treasury_share(wanted_e8s);
    let revenue_e8s = accounts::balance_e8s(Unit::Icp, &Holder::Reserve).saturating_sub(kept_e8s);
    let amount_e8s = policy.top_up_e8s.min(revenue_e8s.saturating_sub(fee_e8s));
    // Less than the fee would burn more than it buys.
    if amount_e8s < fee_e8s {
        return Err(TopUpError::NotEnoughRevenue {
            revenue_e8s,
            needed_e8s: fee_e8s.saturating_mul(2),
        });
    }
    accounts::transfer(
        Unit::Icp,
        &Holder::Reserve,
        &Holder::Sending,
        u128::from(amount_e8s) + u128::from(fee_e8s),
    )
    .expect("BUG: the reserve was checked");
    let id = state::with_mut(|state| {
        let id = state.top_ups.last_key_value().map_or(0, |(id, _)| id + 1);
        if state.top_ups.len() >= TOP_UPS_KEPT_MAX {
            // All but the newest are closed.
            state.top_ups.pop_first();
        }
        id
    });
    put(TopUp {
        id,
        amount_e8s,
        fee_e8s,
        created_at_nanos: runtime.now_nanos(),
        state: StoredTopUpState::Transferring,
        attempts: 0,
    });
    Ok(id)
}

async fn transfer<R: Runtime>(runtime: &R, id: u64) {
    let top_up = get(id);
    let repeated = top_up.attempts > 0;
    if repeated && outside_window(runtime, top_up.created_at_nanos) {
        // Whether it went through stands in the ledger's blocks; the books keep it as sent.
        accounts::send(Unit::Icp, &Holder::Sending, gross(&top_up));
        fail(
            id,
            "no answer about the transfer within the ledger's window".to_owned(),
        );
        return;
    }
    put(TopUp {
        attempts: top_up.attempts.saturating_add(1),
        ..top_up.clone()
    });
    match ledger::pay_minting(
        runtime,
        top_up.amount_e8s,
        top_up.fee_e8s,
        top_up.created_at_nanos,
    )
    .await
    {
        Outcome::Done { block } => {
            accounts::send(Unit::Icp, &Holder::Sending, gross(&top_up));
            set_state(id, StoredTopUpState::Notifying { block });
        }
        // This request did nothing; what became of an earlier one it does not say, so the books stay as they are.
        Outcome::Refused(refusal) if repeated && !refusal.is_about_all_requests() => {
            if refusal == Refusal::TooOld {
                accounts::send(Unit::Icp, &Holder::Sending, gross(&top_up));
                fail(id, refusal.to_string());
            }
        }
        Outcome::Refused(refusal) => {
            learn_fee(Unit::Icp, &refusal);
            accounts::release(
                Unit::Icp,
                &Holder::Sending,
                &Holder::Reserve,
                gross(&top_up),
            );
            fail(id, refusal.to_string());
        }
        Outcome::Unknown { .. } => {}
    }
}

async fn notify<R: Runtime>(runtime: &R, id: u64, block: u64) {
    let top_up = get(id);
    put(TopUp {
        attempts: top_up.attempts.saturating_add(1),
        ..top_up
    });
    let argument = NotifyTopUpArg {
        block_index: block,
        canister_id: runtime.own_id(),
    };
    let minting = state::configuration().cycles_minting;
    let answer: Result<NotifyTopUpResult, _> =
        runtime::call(runtime, minting, "notify_top_up", (argument,)).await;
    match answer {
        Ok(Ok(cycles)) => {
            let cycles = u128::try_from(cycles.0).unwrap_or(u128::MAX);
            cycles::note_bought(cycles);
            set_state(id, StoredTopUpState::Done { block, cycles });
        }
        // What came back, less fees that we do not know, is not booked: the books may be too low, never too high.
        Ok(Err(NotifyError::Refunded {
            block_index,
            reason,
        })) => {
            set_state(
                id,
                StoredTopUpState::Refunded {
                    block: block_index,
                    reason,
                },
            );
        }
        Ok(Err(NotifyError::InvalidTransaction(message))) => fail(id, message),
        Ok(Err(NotifyError::TransactionTooOld(oldest))) => {
            fail(
                id,
                format!("block {block} is too old, the oldest that counts is {oldest}"),
            );
        }
        // Asking again is safe: a block is credited once.
        Ok(Err(NotifyError::Processing | NotifyError::Other { .. })) | Err(_) => {}
    }
}

fn gross(top_up: &TopUp) -> u128 {
    u128::from(top_up.amount_e8s) + u128::from(top_up.fee_e8s)
}

pub fn is_open(state: &StoredTopUpState) -> bool {
    match state {
        StoredTopUpState::Transferring | StoredTopUpState::Notifying { .. } => true,
        StoredTopUpState::Done { .. }
        | StoredTopUpState::Refunded { .. }
        | StoredTopUpState::Failed { .. } => false,
    }
}

/// One at a time, so only the newest can be open.
fn open_id() -> Option<u64> {
    state::top_ups_newest_first(1)
        .first()
        .filter(|top_up| is_open(&top_up.state))
        .map(|top_up| top_up.id)
}

fn get(id: u64) -> TopUp {
    let StoredTopUp::V1(top_up) = state::with(|state| state.top_ups.get(&id))
        .expect("BUG: the newest top-up is in the journal");
    top_up
}

pub fn put(top_up: TopUp) {
    state::with_mut(|state| state.top_ups.insert(top_up.id, StoredTopUp::V1(top_up)));
}

fn state_of(id: u64) -> StoredTopUpState {
    get(id).state
}

fn attempts_of(id: u64) -> u32 {
    get(id).attempts
}

fn set_state(id: u64, new: StoredTopUpState) {
    put(TopUp {
        state: new,
        ..get(id)
    });
}

fn fail(id: u64, message: String) {
    set_state(id, StoredTopUpState::Failed { message });
}

pub fn to_wire(top_up: TopUp) -> stoa_inference_api::TopUp {
    stoa_inference_api::TopUp {
        id: top_up.id,
        amount_e8s: top_up.amount_e8s,
        created_at_nanos: top_up.created_at_nanos,
        state: match top_up.state {
            StoredTopUpState::Transferring => TopUpState::Transferring,
            StoredTopUpState::Notifying { block } => TopUpState::Notifying { block },
            StoredTopUpState::Done { block, cycles } => TopUpState::Done {
                block,
                cycles: cycles.into(),
            },
            StoredTopUpState::Refunded { block, reason } => TopUpState::Refunded { block, reason },
            StoredTopUpState::Failed { message } => TopUpState::Failed { message },
        },
    }
}
