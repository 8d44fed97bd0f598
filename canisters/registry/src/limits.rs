//! Caps on what a caller may hold and on the whole, so that nothing grows without a bound.

/// Publisher handles of one principal.
pub const HANDLES_PER_CALLER_MAX: u64 = 8;
pub const PUBLISHERS_MAX: u64 = 100_000;

/// Versions of one principal that nobody has decided about: drafts, sealed and proposed ones.
pub const OPEN_DRAFTS_PER_CALLER_MAX: u64 = 32;
/// The same for all principals together. A shard walks the drafts that wait for one chunk, so this bounds that too.
pub const OPEN_DRAFTS_MAX: u64 = 2_000;
/// The certified tree is rebuilt after an upgrade: 1,000,000 leaves at about 50,000 instructions
/// each are 50 of the 300 billion that an upgrade may use.
pub const VERSIONS_MAX: u64 = 1_000_000;

pub const SHARDS_MAX: u64 = 500;
/// Copies of every file segment, on different shards.
pub const COPIES: usize = 2;
/// Chunks of a segment: 1 GiB, so that one shard can serve a segment by itself.
pub const SEGMENT_CHUNKS_MAX: usize = 1024;

/// 1,000 ICP: a slip of some digits, not a price.
pub const PRICE_E8S_MAX: u64 = 1_000 * 100_000_000;

pub const LIST_MAX: u32 = 100;
pub const AUDIT_LIST_MAX: u32 = 500;
pub const AUDIT_LIST_DEFAULT: u32 = 100;

/// An ingress message for `begin_upload`: 16,384 chunk hashes of 33 bytes, 384 KiB of texts and their framing.
pub const MANIFEST_BYTES_MAX: u64 = 1_300_000;
