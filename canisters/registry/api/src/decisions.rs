//! What governance decides about versions and parameters, and how a vote's outcome comes to the registry.

use candid::CandidType;
use serde::Deserialize;
use stoa_types::Sha256;

use crate::{DepositInfo, VersionStatus};

/// The generic functions under which governance calls the registry (1000 is in the root).
pub const DEPRECATE_VERSION_FUNCTION_ID: u64 = 1001;
pub const REVOKE_VERSION_FUNCTION_ID: u64 = 1002;
pub const SET_REGISTRY_PARAMETERS_FUNCTION_ID: u64 = 1003;

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct DeprecateVersionArgs {
    pub version: Sha256,
    /// An admitted version that takes its place.
    pub successor: Option<Sha256>,
    /// One line, up to 1,000 bytes.
    pub reason: String,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct RevokeVersionArgs {
    pub version: Sha256,
    /// One line, up to 1,000 bytes.
    pub reason: String,
    /// Whether the shards let go of the bytes as well. The manifest stays in any case.
    pub delete_bytes: bool,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct NoteProposalArgs {
    pub version: Sha256,
    /// Of governance: a proposal of function 1000 with this version as its payload.
    pub proposal_id: u64,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum NoteProposalError {
    AnonymousCaller,
    NotFound {
        version: Sha256,
    },
    WrongStatus {
        status: VersionStatus,
    },
    /// Governance has no such proposal, or it is about something else.
    OtherProposal {
        reason: String,
    },
    /// No usable answer; try again.
    GovernanceFailed {
        message: String,
    },
    Busy,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum WithdrawError {
    AnonymousCaller,
    NotFound { version: Sha256 },
    NotPublisher { publisher: String },
    WrongStatus { status: VersionStatus },
    Busy,
}

/// The version is gone; its deposit is on its way back.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Withdrawn {
    pub deposit: Option<DepositInfo>,
}

/// The version's status after the proposal was looked up: `Rejected` where it was.
pub type NoteProposalResult = Result<VersionStatus, NoteProposalError>;
pub type WithdrawResult = Result<Withdrawn, WithdrawError>;
