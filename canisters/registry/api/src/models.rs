//! Models: the versions under one name, and the aliases that point to one of them.

use candid::CandidType;
use serde::Deserialize;
use stoa_types::Sha256;

use crate::{GetVersionError, VersionStatus, VersionSummary};

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ModelInfo {
    pub publisher: String,
    pub name: String,
    /// Author's price for a call, in e8s of ICP.
    pub price_per_call_e8s: u64,
    /// Versions of every status.
    pub versions: u64,
    /// What `publisher/name` alone means: `stable`, else `latest`, else the newest deprecated one.
    pub default_version: Option<Sha256>,
    /// The admitted version that comes last by SemVer, pre-releases included.
    pub latest: Option<Sha256>,
    /// The admitted version that comes last by SemVer, without pre-releases.
    pub stable: Option<Sha256>,
    /// The publisher's own.
    pub aliases: Vec<Alias>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Alias {
    pub alias: String,
    pub version: Sha256,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ListModelVersionsArgs {
    /// `publisher/name`
    pub model: String,
    /// Continue behind this version of an earlier page.
    pub after: Option<Sha256>,
    /// At most 100; 100 where absent.
    pub limit: Option<u32>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct SetAliasArgs {
    /// `publisher/name`
    pub model: String,
    pub alias: String,
    /// `None` takes the alias away.
    pub version: Option<Sha256>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum SetAliasError {
    AnonymousCaller,
    NotFound,
    NotPublisher {
        publisher: String,
    },
    /// Lower-case letters and digits with single hyphens, no SemVer version, neither `latest` nor `stable`.
    InvalidAlias {
        reason: String,
    },
    /// The version belongs to `model`, not to this one.
    OtherModel {
        model: String,
    },
    /// An alias points to an admitted or deprecated version.
    NotAdmitted {
        status: VersionStatus,
    },
    TooManyAliases {
        max: u64,
    },
}

pub type GetModelResult = Result<ModelInfo, GetVersionError>;
/// Newest by SemVer first.
pub type ListModelVersionsResult = Result<Vec<VersionSummary>, GetVersionError>;
pub type SetAliasResult = Result<(), SetAliasError>;
