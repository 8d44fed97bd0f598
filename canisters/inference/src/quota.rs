//! Free calls over HTTP: so many an hour, of all callers together, each bounded. That is all that strangers can make this
//! canister burn without paying: the DAO's number of calls times its number of instructions.

use stoa_inference_api::InferError;

use crate::runtime::Runtime;
use crate::state;
use crate::stored::StoredQuota;

const HOUR_NANOS: u64 = 3_600_000_000_000;

/// Counts the call before it runs, also if it then fails: a failure costs the canister as much.
pub fn take<R: Runtime>(
    runtime: &R,
    author_price_e8s: u64,
    instructions: u64,
) -> Result<(), InferError> {
    let policy = state::policy();
    let per_hour = policy.free_calls_per_hour;
    let used_up = InferError::QuotaUsedUp { per_hour };
    // What its author asks for is not the DAO's to give away.
    if author_price_e8s > 0 {
        return Err(InferError::InsufficientCredit {
            credit_e8s: 0,
            needed_e8s: author_price_e8s,
        });
    }
    if instructions > policy.free_instructions_max {
        return Err(InferError::TooManyInstructions {
            needed: instructions,
            max: policy.free_instructions_max,
        });
    }
    let this_hour = runtime.now_nanos() / HOUR_NANOS;
    let StoredQuota::V1 { hour, used } = state::with(|state| *state.free_quota.get());
    let used = if hour == this_hour { used } else { 0 };
    if used >= per_hour {
        return Err(used_up);
    }
    state::with_mut(|state| {
        state.free_quota.set(StoredQuota::V1 {
            hour: this_hour,
            used: used + 1,
        })
    });
    Ok(())
}
