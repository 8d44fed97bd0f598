//! How fast cycles go, and whom to ask for more when the reserve does not buy enough.
//!
//! The balance is sampled every hour along with all that came in as far as the books know; what went out between two
//! samples is the balance before, and what came in, less the balance after.

use candid::CandidType;
use serde::Deserialize;

use crate::accounts;
use crate::limits::{CYCLES_REQUEST_EVERY, CYCLES_SAMPLES_MAX};
use crate::runtime::{self, Runtime};
use crate::state;
use crate::stored::{Sample, StoredBought, StoredCyclesRequest, StoredSample, Unit};

const DAY_NANOS: u128 = 86_400_000_000_000;
/// A burn rate over less than this says nothing.
const SPAN_NANOS_MIN: u64 = 60_000_000_000;

/// The answer of governance's `request_cycles`; what the error is, is for people to read.
#[derive(CandidType, Deserialize, Clone, Debug)]
pub enum RequestCyclesResult {
    Ok,
    Err(candid::Reserved),
}

/// The timer's form.
pub fn sample<R: Runtime>(runtime: &R) {
    let sample = StoredSample::V1(now(runtime));
    let now_nanos = runtime.now_nanos();
    state::with_mut(|state| {
        state.cycles_samples.insert(now_nanos, sample);
        while state.cycles_samples.len() > CYCLES_SAMPLES_MAX {
            state.cycles_samples.pop_first();
        }
    });
}

fn now<R: Runtime>(runtime: &R) -> Sample {
    Sample {
        balance: runtime.cycle_balance(),
        gained: gained(),
    }
}

/// Attached by callers less what was sent to payees, and bought. (Cycles that anybody else deposits look like a lower
/// burn rate: the platform tells a canister nothing about them.)
fn gained() -> u128 {
    let totals = accounts::totals(Unit::Cycles);
    let StoredBought::V1(bought) = state::with(|state| *state.cycles_bought.get());
    bought.saturating_add(totals.received - totals.sent)
}

/// A top-up came through.
pub fn note_bought(cycles: u128) {
    let StoredBought::V1(before) = state::with(|state| *state.cycles_bought.get());
    let bought = StoredBought::V1(before.saturating_add(cycles));
    state::with_mut(|state| state.cycles_bought.set(bought));
}

pub fn burnt_per_day<R: Runtime>(runtime: &R) -> Option<u128> {
    let (first_at, StoredSample::V1(first)) =
        state::with(|state| state.cycles_samples.first_key_value())?;
    let span = runtime.now_nanos().saturating_sub(first_at);
    if span < SPAN_NANOS_MIN {
        return None;
    }
    let now = now(runtime);
    let came_in = now.gained.saturating_sub(first.gained);
    let burnt = first
        .balance
        .saturating_add(came_in)
        .saturating_sub(now.balance);
    Some(burnt.saturating_mul(DAY_NANOS) / u128::from(span))
}

/// At most once an hour. Whatever comes of it comes as cycles; the answer is kept for people to read.
pub async fn ask_governance<R: Runtime>(runtime: &R) {
    let now_nanos = runtime.now_nanos();
    if let StoredCyclesRequest::V1 { at_nanos, .. } =
        state::with(|state| state.cycles_request.get().clone())
    {
        let age = now_nanos.saturating_sub(at_nanos);
        if u128::from(age) < CYCLES_REQUEST_EVERY.as_nanos() {
            return;
        }
    }
    note(now_nanos, None);
    let governance = state::configuration().governance;
    let answer: Result<RequestCyclesResult, _> =
        runtime::call(runtime, governance, "request_cycles", ()).await;
    let outcome = match answer {
        Ok(RequestCyclesResult::Ok) => Ok(()),
        Ok(RequestCyclesResult::Err(_)) => Err("governance refused".to_owned()),
        Err(failure) => Err(failure.message),
    };
    note(now_nanos, Some(outcome));
}

fn note(at_nanos: u64, outcome: Option<Result<(), String>>) {
    let request = StoredCyclesRequest::V1 { at_nanos, outcome };
    state::with_mut(|state| state.cycles_request.set(request));
}
