//! Free calls over HTTP: so many an hour, of all callers together, each bounded. That is all that strangers can have run
//! without paying: the DAO's number of calls times its number of instructions. What else nobody pays for is bounded by the call:
//! until it is refused, a call reads its input, whose texts and pictures `stoa_pipeline` bounds. How much that is at most is measured
//! (`benches/results/inference.md`).

use stoa_inference_api::InferError;

use crate::runtime::Runtime;
use crate::state;
use crate::stored::StoredQuota;

const HOUR_NANOS: u64 = 3_600_000_000_000;

/// Whether there is a call left in this hour. It counts none, so that what a stranger sends need not be read where there is not.
pub fn check_left<R: Runtime>(runtime: &R) -> Result<(), InferError> {
    used(runtime).map(drop)
}

/// Counts the call before its input is looked at, also if it is then refused or fails: that costs the canister as much.
pub fn take<R: Runtime>(runtime: &R, author_price_e8s: u64) -> Result<(), InferError> {
    // What its author asks for is not the DAO's to give away.
    if author_price_e8s > 0 {
        return Err(InferError::InsufficientCredit {
            credit_e8s: 0,
            needed_e8s: author_price_e8s,
        });
    }
    let (hour, used) = used(runtime)?;
    state::with_mut(|state| {
        state.free_quota.set(StoredQuota::V1 {
            hour,
            used: used + 1,
        })
    });
    Ok(())
}

pub fn check_size(instructions: u64) -> Result<(), InferError> {
    let max = state::policy().free_instructions_max;
    if instructions > max {
        return Err(InferError::TooManyInstructions {
            needed: instructions,
            max,
        });
    }
    Ok(())
}

/// This hour, and how many of its calls, where not all are used.
fn used<R: Runtime>(runtime: &R) -> Result<(u64, u32), InferError> {
    let per_hour = state::policy().free_calls_per_hour;
    let this_hour = runtime.now_nanos() / HOUR_NANOS;
    let StoredQuota::V1 { hour, used } = state::with(|state| *state.free_quota.get());
    let used = if hour == this_hour { used } else { 0 };
    if used >= per_hour {
        return Err(InferError::QuotaUsedUp { per_hour });
    }
    Ok((this_hour, used))
}
