//! Caps on what a caller may hold and on the whole, so that nothing grows without a bound. What the DAO may change is in
//! `parameters.rs`; these bound what it may change them to.

/// Publisher handles of one principal.
pub const HANDLES_PER_CALLER_MAX: u64 = 8;
pub const PUBLISHERS_MAX: u64 = 100_000;
pub const CO_PUBLISHERS_MAX: u64 = 16;

/// Versions of one principal that nobody has decided about. One answer lists them all: 256 summaries of at
/// most 5 KiB (64 tags of 64 bytes) are 1.3 MiB.
pub const OPEN_VERSIONS_PER_CALLER_CEILING: u64 = 256;
/// A shard walks the drafts that wait for one chunk, so this bounds that too.
pub const OPEN_VERSIONS_CEILING: u64 = 10_000;
/// A bound on stable memory, 10 KiB of it a version; nothing that a message does grows with them but by a logarithm.
pub const VERSIONS_MAX: u64 = 1_000_000;
/// What a name stands for is chosen anew from all versions of the model whenever one changes: 1,000 records at about
/// 100,000 instructions each are 100 million.
pub const VERSIONS_PER_MODEL_MAX: u64 = 1_000;
pub const ALIASES_PER_MODEL_MAX: u64 = 32;

pub const SHARDS_MAX: u64 = 500;
/// Copies of every file segment, on different shards.
pub const COPIES: usize = 2;
/// Chunks of a segment: 1 GiB, so that one shard can serve a segment by itself.
pub const SEGMENT_CHUNKS_MAX: usize = 1024;

/// 1,000 ICP: a slip of some digits, not a price.
pub const PRICE_E8S_MAX: u64 = 1_000 * 100_000_000;

pub const LIST_MAX: u32 = 100;
pub const SEARCH_LIST_DEFAULT: u32 = 20;
pub const AUDIT_LIST_MAX: u32 = 500;
pub const AUDIT_LIST_DEFAULT: u32 = 100;
/// An audit block is at most about 4 KiB (a list of co-publishers or a reason), so that 200 are below 1 MiB.
pub const BLOCKS_PER_CALL_MAX: u64 = 200;
pub const BLOCK_RANGES_PER_CALL_MAX: usize = 100;

/// Why a version was deprecated or revoked.
pub const REASON_BYTES_MAX: u64 = 1_000;

/// What a search is asked by: the longest term that there is (an SPDX expression).
pub const SEARCH_FIELD_BYTES_MAX: u64 = 256;
pub const SEARCH_WORDS_MAX: u64 = 8;

/// Versions that one lineage query walks: each takes about 100,000 instructions, so that all are 1 of 5 billion.
pub const LINEAGE_WALK_MAX: usize = 10_000;

/// Settled deposits that the journal keeps; the ledger keeps them all.
pub const DEPOSITS_SETTLED_MAX: u64 = 200_000;

/// An ingress message for `begin_upload`: 16,384 chunk hashes of 33 bytes, 384 KiB of texts and their framing.
pub const MANIFEST_BYTES_MAX: u64 = 1_300_000;

/// Chunks that a call of `begin_upload` counts for besides those it lists.
pub const CHUNKS_PER_CALL_BASE: u64 = 64;
/// Places for principals whose calls are counted within an hour (`budget.rs`).
pub const COUNTED_CALLERS_MAX: usize = 10_000;
