//! Cycles of callers that attached them, to a canister of the payee's choice.
//!
//! ```text
//! (the balance falls, the claim is written down) --answered--> gone: they arrived, or are the payee's again
//!                                               +--trapped--> stays written down until governance says which
//! ```
//!
//! Cycles travel with the call, and only its answer tells how many came back. So a claim whose answer was lost with its
//! message is never decided by this canister: unknown means unknown.

use candid::Principal;
use stoa_inference_api::{ClaimCyclesArgs, ClaimCyclesResult, MoneyError};

use crate::limits::CYCLES_CLAIMS_OPEN_MAX;
use crate::runtime::Runtime;
use crate::stored::{CyclesClaim, Holder, StoredCyclesClaim, Unit};
use crate::volatile::{CallerGuard, ClaimGuard};
use crate::{accounts, state};

pub async fn claim_cycles<R: Runtime>(
    runtime: &R,
    caller: Principal,
    arguments: ClaimCyclesArgs,
) -> ClaimCyclesResult {
    if caller == Principal::anonymous() {
        return Err(MoneyError::AnonymousCaller);
    }
    let Some(_guard) = CallerGuard::lock(caller) else {
        return Err(MoneyError::Busy);
    };
    let holder = Holder::Royalty {
        owner: caller,
        subaccount: arguments.subaccount,
    };
    let amount = accounts::balance(Unit::Cycles, &holder);
    if amount == 0 {
        return Err(MoneyError::InsufficientBalance {
            balance: 0_u8.into(),
            needed: 1_u8.into(),
        });
    }
    if state::with(|state| state.cycles_claims.len()) >= CYCLES_CLAIMS_OPEN_MAX {
        return Err(MoneyError::Busy);
    }
    // They leave the balance with the call, in this message; nothing can be charged to them twice.
    accounts::send(Unit::Cycles, &holder, amount);
    let claim = CyclesClaim {
        id: next_id(runtime.now_nanos()),
        owner: caller,
        subaccount: arguments.subaccount,
        to: arguments.to,
        amount,
    };
    put(&claim);
    let _claim = ClaimGuard::lock(claim.id).expect("BUG: a new claim is locked");
    let refunded = runtime.deposit_cycles(arguments.to, amount).await;
    close(&claim, refunded);
    match amount.checked_sub(refunded) {
        Some(0) | None => Err(MoneyError::Refused {
            message: format!("{} did not take the cycles", arguments.to),
        }),
        Some(arrived) => Ok(arrived.into()),
    }
}

/// By time, so that a number that voters saw never means another claim.
fn next_id(now_nanos: u64) -> u64 {
    let last = state::with(|state| state.cycles_claims.last_key_value());
    last.map_or(now_nanos, |(last, _)| now_nanos.max(last + 1))
}

fn put(claim: &CyclesClaim) {
    let stored = StoredCyclesClaim::V1(claim.clone());
    state::with_mut(|state| state.cycles_claims.insert(claim.id, stored));
}

fn close(claim: &CyclesClaim, refunded: u128) {
    state::with_mut(|state| state.cycles_claims.remove(&claim.id));
    let holder = Holder::Royalty {
        owner: claim.owner,
        subaccount: claim.subaccount,
    };
    if refunded > 0 {
        accounts::receive(Unit::Cycles, &holder, refunded);
    }
}

/// Whose answer was lost.
pub fn unanswered(id: u64) -> Result<CyclesClaim, String> {
    let found = state::with(|state| state.cycles_claims.get(&id));
    let free = ClaimGuard::lock(id);
    match (found, free) {
        (Some(StoredCyclesClaim::V1(claim)), Some(_)) => Ok(claim),
        _ => Err(format!(
            "there is no claim of cycles {id} without an answer"
        )),
    }
}

/// What governance found out.
pub fn settle(id: u64, arrived: bool) -> Result<(), String> {
    let claim = unanswered(id)?;
    close(&claim, if arrived { 0 } else { claim.amount });
    Ok(())
}

/// At most `CYCLES_CLAIMS_OPEN_MAX`.
pub fn open() -> Vec<stoa_inference_api::CyclesClaim> {
    state::with(|state| {
        let claims = state.cycles_claims.values();
        claims
            .map(
                |StoredCyclesClaim::V1(claim)| stoa_inference_api::CyclesClaim {
                    id: claim.id,
                    owner: claim.owner,
                    to: claim.to,
                    amount: claim.amount.into(),
                },
            )
            .collect()
    })
}
