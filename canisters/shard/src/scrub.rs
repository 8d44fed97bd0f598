//! `c2c_scrub` and `scrub_report`: the registry may have all chunks checked before their time; anyone may see what was found.

use candid::Principal;
use stoa_shard_api::{ScrubError, ScrubReport, ScrubResult};

use crate::runtime::Runtime;
use crate::store;

pub fn start(runtime: &impl Runtime, caller: Principal) -> ScrubResult {
    store::with_mut(|store| {
        let registry = store.registry();
        if caller != registry {
            return Err(ScrubError::NotRegistry { registry });
        }
        store.start_scrub(runtime.now_nanos());
        Ok(())
    })?;
    runtime.tick_soon();
    Ok(())
}

pub fn report() -> ScrubReport {
    store::with(|store| store.scrub_report())
}
