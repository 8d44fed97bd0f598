//! More about a version than its manifest, and answers with proof.

use candid::{CandidType, Principal};
use serde::Deserialize;
use stoa_types::Sha256;

use crate::{DepositInfo, GetVersionError, VersionStatus, VersionSummary};

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct VersionDetails {
    pub summary: VersionSummary,
    pub created_by: Principal,
    /// When it goes unless somebody acts; only of undecided versions.
    pub expires_at_nanos: Option<u64>,
    pub deposit: Option<DepositInfo>,
    /// The admission proposal, where somebody noted it.
    pub proposal_id: Option<u64>,
    /// Why it was deprecated, revoked or rejected.
    pub reason: Option<String>,
    /// What takes the place of a deprecated version.
    pub successor: Option<Sha256>,
    /// Whether its shards still have to keep the bytes.
    pub is_stored: bool,
}

/// A status, or that there is none, with proof. The witness reveals or excludes `["version", <digest>, "status"]`.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct CertifiedStatus {
    pub version: Sha256,
    pub status: Option<VersionStatus>,
    #[serde(with = "serde_bytes")]
    pub certificate: Vec<u8>,
    #[serde(with = "serde_bytes")]
    pub witness: Vec<u8>,
}

/// What a name means now, with proof. The witness reveals or excludes `["alias", <name>]`, whose leaf is the
/// digest; `name` is `publisher/name` or `publisher/name@alias`.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct CertifiedResolution {
    pub name: String,
    pub version: Option<Sha256>,
    #[serde(with = "serde_bytes")]
    pub certificate: Vec<u8>,
    #[serde(with = "serde_bytes")]
    pub witness: Vec<u8>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct RegistryStatus {
    pub governance: Principal,
    pub icp_ledger: Option<Principal>,
    pub publishers: u64,
    pub models: u64,
    pub versions: u64,
    pub open_versions: u64,
    pub open_deposits: u64,
    /// Inference canisters that have not confirmed a revocation or deprecation.
    pub pending_notices: u64,
    /// Shards that have not confirmed that they let go of a version.
    pub pending_releases: u64,
    pub audit_entries: u64,
    /// The search index is being made anew; until it is whole, answers lack versions.
    pub is_indexing: bool,
    pub stable_memory_bytes: u64,
    pub cycles: candid::Nat,
}

pub type DescribeVersionResult = Result<VersionDetails, GetVersionError>;
pub type ResolveCertifiedResult = Result<CertifiedResolution, GetVersionError>;
