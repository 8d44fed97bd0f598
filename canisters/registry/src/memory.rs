//! Stable memory: who owns which part. An id is never used for anything else again.
//!
//! ```text
//!   0 LAYOUT        cell: version tag of this whole arrangement
//!   1 SETTINGS      cell: governance, counters
//!   2 SHARDS        map: shard number -> principal, capacity, what was assigned to it
//!   3 PUBLISHERS    map: handle -> owner
//!   4 ACCOUNTS      map: principal -> handles, open drafts
//!   5 MODELS        map: publisher/name -> price, newest admitted version
//!   6 REFERENCES    map: publisher/name@version -> digest
//!   7 VERSIONS      map: digest -> status and what a listing shows
//!   8 MANIFESTS     map: digest -> manifest
//!   9 PLACEMENTS    map: digest -> shards of each file segment
//!  10 CHUNK_PLACES  set: chunk hash · shard number, of sealed versions
//!  11 AUDIT_INDEX   log of what was changed: where entries end
//!  12 AUDIT_DATA    log of what was changed: the entries
//! ```

use ic_stable_structures::DefaultMemoryImpl;
use ic_stable_structures::memory_manager::{MemoryId, MemoryManager, VirtualMemory};

pub const LAYOUT: MemoryId = MemoryId::new(0);
pub const SETTINGS: MemoryId = MemoryId::new(1);
pub const SHARDS: MemoryId = MemoryId::new(2);
pub const PUBLISHERS: MemoryId = MemoryId::new(3);
pub const ACCOUNTS: MemoryId = MemoryId::new(4);
pub const MODELS: MemoryId = MemoryId::new(5);
pub const REFERENCES: MemoryId = MemoryId::new(6);
pub const VERSIONS: MemoryId = MemoryId::new(7);
pub const MANIFESTS: MemoryId = MemoryId::new(8);
pub const PLACEMENTS: MemoryId = MemoryId::new(9);
pub const CHUNK_PLACES: MemoryId = MemoryId::new(10);
pub const AUDIT_INDEX: MemoryId = MemoryId::new(11);
pub const AUDIT_DATA: MemoryId = MemoryId::new(12);

pub type RawMemory = DefaultMemoryImpl;
pub type Stable = VirtualMemory<RawMemory>;

/// Pages of a bucket: 2 MiB each, so that 13 small structures start at 26 MiB and the manager's
/// 32,768 buckets reach 64 GiB (a million versions of 30 kB).
#[cfg(not(test))]
const BUCKET_PAGES: u16 = 32;
/// Tests make many registries.
#[cfg(test)]
const BUCKET_PAGES: u16 = 1;

pub fn manager(raw: RawMemory) -> MemoryManager<RawMemory> {
    MemoryManager::init_with_bucket_size(raw, BUCKET_PAGES)
}
