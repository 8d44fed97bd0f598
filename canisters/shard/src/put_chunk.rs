//! `put_chunk`: bytes come in. They are hashed before anything is believed about them.

use candid::Principal;
use stoa_shard_api::{PutChunkError, PutChunkResult};

use crate::runtime::Runtime;
use crate::{certification, store};

/// A shard with less takes nothing more in, so that growing never eats what keeps it from being frozen. Half a gibibyte of
/// stable memory costs about this much for a month.
pub const CYCLES_MIN: u128 = 200_000_000_000;

pub fn put_chunk(runtime: &impl Runtime, caller: Principal, data: &[u8]) -> PutChunkResult {
    if caller == Principal::anonymous() {
        return Err(PutChunkError::AnonymousCaller);
    }
    check_cycles(runtime)?;
    let outcome = store::with_mut(|store| store.put(caller, data))?;
    certification::publish(runtime);
    Ok(outcome)
}

pub fn check_cycles(runtime: &impl Runtime) -> Result<(), PutChunkError> {
    let balance = runtime.cycle_balance();
    if balance < CYCLES_MIN {
        return Err(PutChunkError::LowCycles {
            balance: balance.into(),
            needed: CYCLES_MIN.into(),
        });
    }
    Ok(())
}
