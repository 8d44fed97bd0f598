//! Wire types of a shard: bytes by hash, and nothing else.

use candid::{CandidType, Principal};
use serde::Deserialize;
use stoa_types::Sha256;
use stoa_types::manifest::FileEntry;

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
    /// The shard keeps what cycles it has for what it holds; the DAO tops it up. `balance` is what it could spend without being frozen.
    LowCycles {
        balance: candid::Nat,
        needed: candid::Nat,
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
    /// Of these, what it can spend without being frozen. Shards of before do not say it.
    pub liquid_cycles: Option<candid::Nat>,
}

impl Held {
    pub fn is_held(&self, index: usize) -> bool {
        self.bitmap
            .get(index / 8)
            .is_some_and(|byte| byte >> (index % 8) & 1 == 1)
    }
}

/// Chunks that one `get_chunks` may ask for.
pub const CHUNKS_PER_REPLY_MAX: u64 = 64;
/// A reply across subnets has 2 MiB at most; 64 KiB of them are for what is not chunks.
pub const REPLY_BYTES_DEFAULT: u64 = (2 << 20) - (64 << 10);
/// On one subnet it has 10.
pub const REPLY_BYTES_MAX: u64 = (10 << 20) - (64 << 10);

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct GetChunksArgs {
    pub hashes: Vec<Sha256>,
    /// How many bytes of chunks the caller can take; `REPLY_BYTES_DEFAULT` where absent.
    pub reply_bytes_max: Option<u64>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum GetChunksError {
    TooManyChunks { given: u64, max: u64 },
}

/// Answers for the first of the chunks asked for, as many as fit; at least one. Ask again for the rest.
pub type GetChunksResult = Result<Vec<GetChunkResult>, GetChunksError>;

/// `c2c_serve`: files of a version, whether or not the shard holds anything of them.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ServeArgs {
    pub version: Sha256,
    pub publisher: String,
    pub name: String,
    pub semver: String,
    pub files: Vec<FileToServe>,
    /// How many the version has in all. When they are known, it is served as an IPFS folder too.
    pub files_total: u64,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct FileToServe {
    pub file: FileEntry,
    /// In ascending order; the first begins with chunk 0.
    pub segments: Vec<SegmentPlace>,
}

/// A segment ends where the next begins.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct SegmentPlace {
    pub first_chunk: u64,
    /// Shards that hold it whole.
    pub shards: Vec<Principal>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum ServeError {
    NotRegistry {
        registry: Principal,
    },
    /// Files, chunks or versions.
    TooMany {
        given: u64,
        max: u64,
    },
    /// Another version is served under this publisher, name and number.
    NameTaken {
        version: Sha256,
    },
    /// The CID does not follow from the chunks and the size, or the segments are not in order.
    WrongFile {
        path: String,
    },
    OutOfMemory,
    /// The files are served; so many entries of the version's folders are certified. Call again with the same for the rest.
    Unfinished {
        done: u64,
        total: u64,
    },
}

/// `c2c_release`: a version goes, or some of its chunks.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ReleaseArgs {
    pub version: Sha256,
    /// At most `CHUNKS_PER_RELEASE_MAX`. Where absent the whole version goes, with its files; call until it is `Ok`.
    pub chunks: Option<Vec<Sha256>>,
}

pub const CHUNKS_PER_RELEASE_MAX: u64 = 999;

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum ReleaseError {
    NotRegistry {
        registry: Principal,
    },
    TooManyChunks {
        given: u64,
        max: u64,
    },
    /// So much is free by this call, and more is left: call again.
    Unfinished {
        freed_chunks: u64,
        freed_bytes: u64,
    },
}

/// Chunks in one `c2c_pull`.
pub const CHUNKS_PER_PULL_MAX: u64 = 32;

/// `c2c_pull`: fetch these chunks from another shard. Those must be announced, or be damaged here.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct PullArgs {
    pub source: Principal,
    pub hashes: Vec<Sha256>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum PullError {
    NotRegistry {
        registry: Principal,
    },
    TooManyChunks {
        given: u64,
        max: u64,
    },
    /// The source did not answer, or not with these bytes. What came before is stored.
    SourceFailed {
        hash: Sha256,
        message: String,
    },
    Refused {
        hash: Sha256,
        error: PutChunkError,
    },
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pulled {
    pub copied: u64,
    /// Held already, and whole as far as is known.
    pub held: u64,
}

/// What the check of all chunks has found.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ScrubReport {
    pub is_running: bool,
    /// Whole passes since the shard was installed.
    pub passes: u64,
    pub started_at_nanos: Option<u64>,
    pub finished_at_nanos: Option<u64>,
    /// By the pass that runs, or by the last.
    pub checked_chunks: u64,
    pub checked_bytes: u64,
    pub damaged_chunks: u64,
    /// The first 1,000 of them.
    pub damaged: Vec<Sha256>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum ScrubError {
    NotRegistry { registry: Principal },
}

/// All that the fleet wants to know of a shard.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ShardHealth {
    pub status: ShardStatus,
    pub scrub: ScrubReport,
    /// Stable memory that the canister has taken.
    pub stable_bytes: u64,
    /// Versions whose files are served.
    pub versions: u64,
}

/// The HTTP gateway protocol's request.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct HttpRequest {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
    pub certificate_version: Option<u16>,
}

/// The protocol's request for an update, which has no version.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct HttpUpdateRequest {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct HttpResponse {
    pub status_code: u16,
    pub headers: Vec<(String, String)>,
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
    /// Ask again by an update.
    pub upgrade: Option<bool>,
}

pub type ServeResult = Result<(), ServeError>;
pub type ReleaseResult = Result<(), ReleaseError>;
pub type PullResult = Result<Pulled, PullError>;
pub type ScrubResult = Result<(), ScrubError>;
pub type ExpectResult = Result<(), ExpectError>;
pub type PutChunkResult = Result<PutOutcome, PutChunkError>;
pub type GetChunkResult = Result<Chunk, GetChunkError>;
pub type ConfirmResult = Result<Held, ConfirmError>;
