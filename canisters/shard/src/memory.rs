//! Stable memory: who owns which part. An id is never used for anything else again.
//!
//! ```text
//! page 0                the memory manager's header
//! then buckets of 256 pages (16 MiB), each owned by one of:
//!   0 LAYOUT    cell: version tag of this whole arrangement
//!   1 SETTINGS  cell: registry, capacity, counters
//!   2 CHUNKS    map: hash -> where it is, or that it is expected
//!   3 CLAIMS    set: version · hash
//!   4 EXPECTED  map: hash · version -> uploader, for chunks that have not come yet
//!   5 DATA      the chunks' bytes, one behind the other
//! ```
//! 6 and 7 are meant for the free extents of DATA, by offset and by size, once chunks are released.

use ic_stable_structures::memory_manager::{MemoryId, MemoryManager, VirtualMemory};
use ic_stable_structures::{DefaultMemoryImpl, Memory};

pub const LAYOUT: MemoryId = MemoryId::new(0);
pub const SETTINGS: MemoryId = MemoryId::new(1);
pub const CHUNKS: MemoryId = MemoryId::new(2);
pub const CLAIMS: MemoryId = MemoryId::new(3);
pub const EXPECTED: MemoryId = MemoryId::new(4);
pub const DATA: MemoryId = MemoryId::new(5);

const ALL: [MemoryId; 6] = [LAYOUT, SETTINGS, CHUNKS, CLAIMS, EXPECTED, DATA];

pub const PAGE_BYTES: u64 = 65_536;

/// The manager counts at most 32,768 buckets: 512 GiB of this size, above the platform's 500 GiB.
pub const BUCKET_PAGES: u16 = 256;

/// 500 GiB of stable memory, less 20 for the maps and unfilled buckets: an index entry of each map is below
/// 150 bytes, so that even chunks of 16 KiB on the average leave room.
pub const CAPACITY_BYTES_MAX: u64 = 480 << 30;

pub type RawMemory = DefaultMemoryImpl;

pub struct Memories<M: Memory> {
    raw: M,
    manager: MemoryManager<M>,
    bucket_pages: u64,
}

/// The platform gave no more stable memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GrowRefused;

impl<M: Memory + Clone> Memories<M> {
    pub fn new(raw: M, bucket_pages: u16) -> Self {
        Self {
            manager: MemoryManager::init_with_bucket_size(raw.clone(), bucket_pages),
            raw,
            bucket_pages: bucket_pages.into(),
        }
    }

    pub fn get(&self, id: MemoryId) -> VirtualMemory<M> {
        self.manager.get(id)
    }

    /// Makes sure that `bytes` of DATA and a bucket for each map can still be had, growing the raw memory now.
    /// The manager itself would trap where that fails; asked first, a shard that is full can say so.
    pub fn ensure_room(&self, bytes: u64) -> Result<(), GrowRefused> {
        let allocated: u64 = ALL
            .iter()
            .map(|id| self.get(*id).size().div_ceil(self.bucket_pages))
            .sum();
        let bucket_bytes = self.bucket_pages * PAGE_BYTES;
        let spare = bytes.div_ceil(bucket_bytes) + ALL.len() as u64;
        let pages = 1 + (allocated + spare) * self.bucket_pages;
        let missing = pages.saturating_sub(self.raw.size());
        if missing > 0 && self.raw.grow(missing) == -1 {
            return Err(GrowRefused);
        }
        Ok(())
    }
}
