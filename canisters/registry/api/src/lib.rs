//! Wire types of the registry: publishers, uploads, versions and their status.

mod decisions;
mod deposits;
mod details;
mod fleet;
mod lineage;
mod models;
mod parameters;
mod publishers;
mod search;

use candid::{CandidType, Principal};
use serde::Deserialize;
use stoa_types::Sha256;
use stoa_types::manifest::Manifest;

pub use decisions::*;
pub use deposits::*;
pub use details::*;
pub use fleet::*;
pub use lineage::*;
pub use models::*;
pub use parameters::*;
pub use publishers::*;
pub use search::*;

/// The generic function under which governance admits a version (registered at genesis).
pub const ADMIT_VERSION_FUNCTION_ID: u64 = 1000;

#[derive(CandidType, Deserialize, Clone, Debug)]
pub struct InitArgs {
    pub governance: Principal,
    pub shards: Vec<Principal>,
    /// Where storage deposits are paid.
    pub icp_ledger: Principal,
    /// The ones that the code has where absent.
    pub parameters: Option<RegistryParameters>,
    /// Inference canisters that are there from the start.
    pub inference: Option<Vec<Principal>>,
}

/// Payload of the generic function that assigns a version to inference canisters.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct AssignModelArgs {
    pub version: Sha256,
    /// Registered ones; none: any may be asked.
    pub canisters: Vec<Principal>,
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum VersionStatus {
    Draft,
    Sealed,
    Proposed,
    Admitted,
    Deprecated,
    Revoked,
    Rejected,
}

impl VersionStatus {
    /// As the certified tree has it.
    pub const fn name(self) -> &'static str {
        match self {
            VersionStatus::Draft => "draft",
            VersionStatus::Sealed => "sealed",
            VersionStatus::Proposed => "proposed",
            VersionStatus::Admitted => "admitted",
            VersionStatus::Deprecated => "deprecated",
            VersionStatus::Revoked => "revoked",
            VersionStatus::Rejected => "rejected",
        }
    }
}

/// Where one chunk of a draft belongs. `missing_on` is what is still to be put.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ChunkPlacement {
    pub hash: Sha256,
    pub size_bytes: u64,
    pub shards: Vec<Principal>,
    pub missing_on: Vec<Principal>,
}

/// What `begin_upload` answers; asking again with the same manifest resumes.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct UploadPlan {
    /// The version's identifier: the manifest's canonical hash.
    pub version: Sha256,
    pub status: VersionStatus,
    /// Each distinct chunk once, in the order of the manifest.
    pub chunks: Vec<ChunkPlacement>,
    /// Absent where the DAO asked for none.
    pub deposit: Option<DepositInfo>,
    /// When the draft goes unless somebody touches it; absent once it is decided.
    pub expires_at_nanos: Option<u64>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum ClaimPublisherError {
    AnonymousCaller,
    InvalidHandle {
        reason: String,
    },
    /// Somebody else has it.
    Taken,
    TooManyHandles {
        max: u64,
    },
    /// All that this registry holds.
    TooManyPublishers {
        max: u64,
    },
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum BeginUploadError {
    AnonymousCaller,
    /// `field` is a path such as `files[2].sha256`.
    InvalidManifest {
        field: String,
        reason: String,
    },
    UnknownPublisher {
        publisher: String,
    },
    NotPublisher {
        publisher: String,
    },
    /// The same publisher/name@version exists with other content.
    VersionTaken {
        existing: Sha256,
    },
    TooManyDrafts {
        open: u64,
        max: u64,
    },
    TooManyChunks {
        given: u64,
        max: u64,
    },
    /// All that this registry holds, of every publisher.
    TooManyVersions {
        max: u64,
    },
    /// No two shards have room for a file segment of this size.
    NoRoom {
        needed_bytes: u64,
    },
    /// Lineage names versions that the registry does not know.
    UnknownParent {
        parent: Sha256,
    },
    /// Fewer than two shards are registered.
    TooFewShards {
        shards: u64,
        needed: u64,
    },
    /// A shard refused or did not answer; try again, nothing is lost.
    ShardFailed {
        shard: Principal,
        message: String,
    },
    /// The ledger did not give the storage deposit. Approve `needed_e8s` and ask again.
    DepositRefused {
        /// Deposit and ledger fee.
        needed_e8s: u64,
        refusal: DepositRefusal,
    },
    /// Whether the deposit was taken is not known yet. Asking again never takes it twice.
    DepositUnknown {
        message: String,
    },
    /// Versions of one model, of every status.
    TooManyVersionsOfModel {
        max: u64,
    },
    /// This principal has asked for as many chunks within the hour as it may.
    TooManyRequests {
        retry_after_seconds: u64,
    },
    Busy,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum SealError {
    AnonymousCaller,
    NotFound {
        version: Sha256,
    },
    NotPublisher {
        publisher: String,
    },
    WrongStatus {
        status: VersionStatus,
    },
    ChunksMissing {
        missing: u64,
        first: Sha256,
        shard: Principal,
    },
    /// The manifest is wrong about the size of a chunk; such a draft can never be sealed.
    SizeMismatch {
        chunk: Sha256,
        announced: u64,
        stored: u64,
    },
    ShardFailed {
        shard: Principal,
        message: String,
    },
    Busy,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum SubmitError {
    AnonymousCaller,
    NotFound {
        version: Sha256,
    },
    NotPublisher {
        publisher: String,
    },
    WrongStatus {
        status: VersionStatus,
    },
    /// Lineage may only name versions that stay: admitted, deprecated or revoked ones.
    ParentNotAdmitted {
        parent: Sha256,
    },
}

/// What a token holder proposes to governance, ready made.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct AdmissionProposal {
    pub function_id: u64,
    /// Candid-encoded `AdmitVersionArgs`.
    #[serde(with = "serde_bytes")]
    pub payload: Vec<u8>,
    pub title: String,
    pub summary: String,
}

/// Payload of the generic function; the validator renders it for voters.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct AdmitVersionArgs {
    pub version: Sha256,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub struct VersionInfo {
    pub version: Sha256,
    pub manifest: Manifest,
    pub status: VersionStatus,
    pub created_at_nanos: u64,
    /// Author's price for a call, in e8s of ICP.
    pub price_per_call_e8s: u64,
    /// Shards of each distinct chunk, in the order of the manifest.
    pub placement: Vec<StoredChunk>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct StoredChunk {
    pub hash: Sha256,
    pub size_bytes: u64,
    pub shards: Vec<Principal>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum GetVersionError {
    NotFound,
    InvalidReference { reason: String },
}

/// A manifest with the proof of its status. The witness is a CBOR hash tree whose root hash is the
/// registry's certified data; it reveals `["version", <digest>, "status"]` with the status in lower case.
#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub struct CertifiedVersion {
    pub version: Sha256,
    pub manifest: Manifest,
    pub status: VersionStatus,
    #[serde(with = "serde_bytes")]
    pub certificate: Vec<u8>,
    #[serde(with = "serde_bytes")]
    pub witness: Vec<u8>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum SetPriceError {
    AnonymousCaller,
    NotFound,
    NotPublisher { publisher: String },
    PriceTooHigh { given: u64, max: u64 },
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ListVersionsArgs {
    /// Continue behind this entry of an earlier page.
    pub after: Option<Sha256>,
    /// At most 100; 100 where absent.
    pub limit: Option<u32>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct VersionSummary {
    pub version: Sha256,
    pub publisher: String,
    pub name: String,
    pub semver: String,
    pub task: String,
    pub license: String,
    pub status: VersionStatus,
    pub size_bytes: u64,
    pub tags: Vec<String>,
    pub created_at_nanos: u64,
    pub price_per_call_e8s: u64,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct AuditLogArgs {
    /// Index of the first entry wanted.
    pub start: u64,
    /// At most 500; 100 where absent.
    pub limit: Option<u32>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct AuditLogPage {
    pub entries: Vec<AuditEntry>,
    /// Entries in the whole log.
    pub total: u64,
}

/// Who did what, and when. Entries are never changed.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct AuditEntry {
    pub index: u64,
    pub timestamp_nanos: u64,
    pub actor: Principal,
    pub action: AuditAction,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum AuditAction {
    Installed {
        governance: Principal,
        shards: Vec<Principal>,
    },
    ClaimedPublisher {
        handle: String,
    },
    ChangedStatus {
        version: Sha256,
        /// `None` where the version came into being.
        from: Option<VersionStatus>,
        to: VersionStatus,
        /// The governance proposal, where it is known.
        proposal_id: Option<u64>,
        /// Of a deprecation, revocation or rejection.
        reason: Option<String>,
        successor: Option<Sha256>,
    },
    /// A version that nobody decided about is gone.
    RemovedVersion {
        version: Sha256,
        cause: RemovalCause,
    },
    OfferedPublisher {
        handle: String,
        to: Option<Principal>,
    },
    TransferredPublisher {
        handle: String,
        from: Principal,
        to: Principal,
    },
    SetCoPublishers {
        handle: String,
        co_publishers: Vec<Principal>,
    },
    SetAlias {
        /// `publisher/name`
        model: String,
        alias: String,
        version: Option<Sha256>,
    },
    SetParameters {
        parameters: RegistryParameters,
    },
    /// A shard belongs to the fleet from now on.
    AddedShard {
        shard: Principal,
    },
    /// What it holds moves elsewhere.
    RetiredShard {
        shard: Principal,
    },
    SetFleetPolicy,
    /// The code of new shards.
    SetShardModule {
        module: Sha256,
    },
    /// The layout of stable memory changed with an upgrade.
    Migrated {
        from_layout: u32,
        to_layout: u32,
    },
    SetPrice {
        /// `publisher/name`
        model: String,
        price_per_call_e8s: u64,
    },
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum RemovalCause {
    Withdrawn,
    Expired,
}

pub type ClaimPublisherResult = Result<(), ClaimPublisherError>;
pub type BeginUploadResult = Result<UploadPlan, BeginUploadError>;
pub type SealResult = Result<(), SealError>;
pub type SubmitResult = Result<AdmissionProposal, SubmitError>;
pub type GetVersionResult = Result<VersionInfo, GetVersionError>;
pub type GetVersionCertifiedResult = Result<CertifiedVersion, GetVersionError>;
pub type SetPriceResult = Result<(), SetPriceError>;
/// The convention of SNS generic functions: a rendering for voters, or why it cannot be.
pub type ValidationResult = Result<String, String>;
