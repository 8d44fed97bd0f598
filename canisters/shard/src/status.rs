//! `status`: how full the shard is.

use stoa_shard_api::ShardStatus;

use crate::{registry, runtime, store};

pub fn status() -> ShardStatus {
    let usage = store::with(|store| store.usage());
    ShardStatus {
        registry: registry(),
        chunks: usage.chunks,
        used_bytes: usage.used_bytes,
        reserved_bytes: usage.reserved_bytes,
        capacity_bytes: usage.capacity_bytes,
        cycles: runtime::cycle_balance().into(),
    }
}
