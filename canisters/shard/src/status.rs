//! `status` and `health`: how full the shard is, and how well.

use stoa_shard_api::{ShardHealth, ShardStatus};

use crate::runtime::Runtime;
use crate::store;

pub fn status(runtime: &impl Runtime) -> ShardStatus {
    let (registry, usage) = store::with(|store| (store.registry(), store.usage()));
    ShardStatus {
        registry,
        chunks: usage.chunks,
        used_bytes: usage.used_bytes,
        reserved_bytes: usage.reserved_bytes,
        capacity_bytes: usage.capacity_bytes,
        cycles: runtime.cycle_balance().into(),
        liquid_cycles: Some(runtime.liquid_cycles().into()),
    }
}

pub fn health(runtime: &impl Runtime) -> ShardHealth {
    let (usage, scrub) = store::with(|store| (store.usage(), store.scrub_report()));
    ShardHealth {
        status: status(runtime),
        scrub,
        stable_bytes: usage.stable_bytes,
        versions: usage.versions,
    }
}
