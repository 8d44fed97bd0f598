//! Loading: from an admitted version to a model that can be called.

use candid::{CandidType, Nat};
use serde::Deserialize;
use stoa_types::Sha256;

use crate::Token;

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum LoadState {
    Fetching {
        chunks_done: u64,
        chunks_total: u64,
    },
    Optimising,
    /// `instructions_per_call` is measured with every open dimension at 1.
    Ready {
        instructions_per_call: u64,
        memory_bytes: u64,
    },
    /// Measured and stored, but its compiled form left the heap for another; the next call or `load` brings it back.
    Evicted {
        instructions_per_call: u64,
    },
    Failed {
        message: String,
    },
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct LoadStatus {
    pub version: Sha256,
    /// `publisher/name@version`
    pub name: String,
    pub state: LoadState,
    pub started_at_nanos: u64,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum LoadError {
    AnonymousCaller,
    /// The registry does not know it.
    NotFound {
        version: Sha256,
    },
    /// Only admitted versions are loaded. `status` as the registry gives it, in lower case.
    NotAdmitted {
        version: Sha256,
        status: String,
    },
    TooLarge {
        given_bytes: u64,
        max_bytes: u64,
    },
    TooManyLoads {
        open: u64,
        max: u64,
    },
    RegistryFailed {
        message: String,
    },
    /// A load costs this; nothing was charged.
    PaymentNeeded {
        price_e8s: u64,
    },
    /// A load goes on after the call that cycles come with: pay from credit or an allowance.
    NotWithCycles,
    TokenNotTaken {
        token: Token,
    },
    PaymentFailed {
        message: String,
        journal_id: Option<u64>,
    },
    OutOfCycles {
        balance: Nat,
        needed: Nat,
    },
    Busy,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum LoadStatusError {
    NotFound { version: Sha256 },
}

/// Argument of `c2c_version_status`, by which the registry says that a version is not what it was.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct VersionStatusArgs {
    pub version: Sha256,
    /// In lower case, as the registry's certified tree has it.
    pub status: String,
}

pub type LoadResult = Result<LoadStatus, LoadError>;
pub type LoadStatusResult = Result<LoadStatus, LoadStatusError>;
