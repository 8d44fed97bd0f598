//! Wire types of a shard: bytes by hash, and nothing else.

use candid::{CandidType, Principal};
use serde::Deserialize;
use stoa_types::Sha256;

/// 1 MiB: the leaf size of the `unixfs-v1-2025` profile.
pub const CHUNK_SIZE_BYTES_MAX: u64 = 1 << 20;

#[derive(CandidType, Deserialize, Clone, Debug)]
pub struct InitArgs {
    /// The one canister that decides what this shard may store.
    pub registry: Principal,
    /// How many bytes of chunks it holds at most.
    pub capacity_bytes: u64,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ExpectedChunk {
    pub hash: Sha256,
    pub size_bytes: u64,
}

/// Chunks in one `c2c_expect` or `confirm_chunks`; a version with more takes several calls.
pub const CHUNKS_PER_CALL_MAX: u64 = 4096;

/// `c2c_expect`: the registry announces chunks that `uploader` may put.
#[derive(CandidType, Deserialize, Clone, Debug)]
pub struct ExpectArgs {
    /// Digest of the draft's manifest; the claim that later releases refer to.
    pub version: Sha256,
    pub uploader: Principal,
    pub chunks: Vec<ExpectedChunk>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum ExpectError {
    NotRegistry {
        registry: Principal,
    },
    ChunkTooLarge {
        given: u64,
        max: u64,
    },
    TooManyChunks {
        given: u64,
        max: u64,
    },
    CapacityExceeded {
        needed_bytes: u64,
        free_bytes: u64,
    },
    /// The chunk is held and has another size, so the manifest that names it is wrong.
    SizeMismatch {
        hash: Sha256,
        announced: u64,
        stored: u64,
    },
    /// Stable memory cannot grow further, whatever the capacity says.
    OutOfMemory,
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum PutOutcome {
    Stored,
    AlreadyStored,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum PutChunkError {
    AnonymousCaller,
    /// No draft asks for these bytes on this shard: they hash to `hash`.
    NotExpected {
        hash: Sha256,
    },
    /// Another principal began this upload.
    NotUploader {
        uploader: Principal,
    },
    ChunkTooLarge {
        given: u64,
        max: u64,
    },
    OutOfSpace {
        needed_bytes: u64,
        free_bytes: u64,
    },
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Chunk {
    #[serde(with = "serde_bytes")]
    pub data: Vec<u8>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum GetChunkError {
    NotFound {
        hash: Sha256,
    },
    /// The stored bytes no longer hash to their name; the copy on another shard may.
    Corrupt {
        hash: Sha256,
    },
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum ConfirmError {
    TooManyChunks { given: u64, max: u64 },
}

/// Bit `i` (least significant first within a byte) is 1 where chunk `i` of the question is held.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Held {
    #[serde(with = "serde_bytes")]
    pub bitmap: Vec<u8>,
    /// Size of chunk `i` in bytes; 0 where it is not held (and for the empty chunk).
    pub sizes_bytes: Vec<u32>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ShardStatus {
    pub registry: Principal,
    pub chunks: u64,
    /// Bytes of the chunks held.
    pub used_bytes: u64,
    /// Bytes of announced chunks that have not come yet; they are kept free.
    pub reserved_bytes: u64,
    pub capacity_bytes: u64,
    pub cycles: candid::Nat,
}

impl Held {
    pub fn is_held(&self, index: usize) -> bool {
        self.bitmap
            .get(index / 8)
            .is_some_and(|byte| byte >> (index % 8) & 1 == 1)
    }
}

pub type ExpectResult = Result<(), ExpectError>;
pub type PutChunkResult = Result<PutOutcome, PutChunkError>;
pub type GetChunkResult = Result<Chunk, GetChunkError>;
pub type ConfirmResult = Result<Held, ConfirmError>;
