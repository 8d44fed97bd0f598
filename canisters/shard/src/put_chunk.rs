//! `put_chunk`: bytes come in. They are hashed before anything is believed about them.

use candid::Principal;
use stoa_shard_api::{PutChunkError, PutChunkResult};

use crate::runtime::Runtime;
use crate::{certification, store};

/// A shard that can spend less than this without being frozen takes nothing more in. To grow for a chunk is to take 16 MiB for it and
/// 24 MiB for books at most, which raises the freezing limit by 13 billion (30 days at 127,000 cycles for a GiB and second); a callback
/// may grow memory beyond the limit, so that asking here is what keeps a pull from freezing the shard.
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
    let liquid = runtime.liquid_cycles();
    if liquid < CYCLES_MIN {
        return Err(PutChunkError::LowCycles {
            balance: liquid.into(),
            needed: CYCLES_MIN.into(),
        });
    }
    Ok(())
}
