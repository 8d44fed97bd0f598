//! Calls: paid ones, free previews, and those that take several messages.

use candid::{CandidType, Nat};
use serde::Deserialize;
use stoa_types::Sha256;
use stoa_types::pipeline::{Answer, Input};

use crate::{Payment, Receipt, Token};

/// Which version to run.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum ModelReference {
    Digest(Sha256),
    /// `publisher/name@version`, `publisher/name@alias` or `publisher/name`, as the registry resolves it.
    Name(String),
}

impl From<Sha256> for ModelReference {
    fn from(version: Sha256) -> Self {
        ModelReference::Digest(version)
    }
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub struct InferRequest {
    pub model: ModelReference,
    pub input: Input,
    pub payment: Payment,
    /// Refuse rather than pay more than this (e8s or cycles, as `payment` says).
    pub max_price: Option<Nat>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub struct InferResponse {
    pub answer: Answer,
    pub receipt: Receipt,
}

/// Argument of `infer_query` and `quote_call`.
#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub struct PreviewRequest {
    pub model: ModelReference,
    pub input: Input,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub struct Preview {
    pub version: Sha256,
    pub answer: Answer,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum InferError {
    AnonymousCaller,
    /// The registry knows no version of this name.
    UnknownModel {
        name: String,
    },
    NotLoaded {
        version: Sha256,
    },
    /// It is being loaded or rebuilt; ask `load_status` and try again.
    NotReady {
        version: Sha256,
    },
    /// Not admitted any more.
    NotAdmitted {
        version: Sha256,
        status: String,
    },
    /// Inputs do not fit the signature; nothing was charged.
    InvalidInput {
        input: String,
        reason: String,
    },
    InputTooLarge {
        given_bytes: u64,
        max_bytes: u64,
    },
    /// More than this canister runs for one call, or than the DAO allows a free one.
    TooManyInstructions {
        needed: u64,
        max: u64,
    },
    PriceTooHigh {
        price: Nat,
        max_price: Nat,
    },
    /// The DAO does not take this token.
    TokenNotTaken {
        token: Token,
    },
    InsufficientCycles {
        attached: Nat,
        price: Nat,
    },
    /// Allowance or balance does not cover price and ledger fee; nothing was charged.
    InsufficientAllowance {
        allowance_e8s: Nat,
        needed_e8s: Nat,
    },
    InsufficientFunds {
        balance_e8s: Nat,
        needed_e8s: Nat,
    },
    /// The prepaid credit, or what the key may still spend, does not cover the price.
    InsufficientCredit {
        credit_e8s: u64,
        needed_e8s: u64,
    },
    /// The ledger answered with an error or its outcome is unknown; `journal_id` names the record.
    PaymentFailed {
        message: String,
        journal_id: Option<u64>,
    },
    /// The run failed. `refunded`: what was paid is back, as credit of the payer or as cycles.
    RunFailed {
        message: String,
        refunded: bool,
    },
    /// It is paid and takes longer than this call could wait: `get_job` has the answer when it is there.
    GoesOn {
        job: u64,
    },
    /// Free calls of this hour are used up.
    QuotaUsedUp {
        per_hour: u32,
    },
    /// The canister is low on cycles and refuses work until it is topped up.
    OutOfCycles {
        balance: Nat,
        needed: Nat,
    },
    /// A call of this caller is in flight, or the canister has as many calls in flight as it takes.
    Busy,
    /// Whether the version is still admitted could not be learnt; nothing was charged.
    RegistryFailed {
        message: String,
    },
    /// A free preview is a query; called through consensus it would cost the canister.
    QueryOnly,
    /// Cycles are attached to `infer`, which waits; a job outlives the call that they came with.
    NotWithCycles,
}

/// What a call costs at most. Instructions are expected from a measurement at load on this version's own shapes; what a
/// call turns out to need less is not charged. A larger call multiplies what is above the author's price by the product of its
/// open dimensions (a batch of 8 by 8).
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Quote {
    pub version: Sha256,
    pub price_e8s: u64,
    pub price_cycles: Nat,
    /// In e8s of the governance token, where that is taken.
    pub price_token_e8s: Option<u64>,
    /// The part of `price_e8s` that goes to the author and does not grow with the call.
    pub author_price_e8s: u64,
    /// To be covered by the allowance besides the price.
    pub ledger_fee_e8s: u64,
    /// Whether the reserve covers the ledger fee of a call that fails, so that it comes back as well.
    pub ledger_fee_is_backed: bool,
    pub instructions_per_call: u64,
    /// Messages that the call is expected to take; `submit` does not have to wait for them.
    pub messages: u64,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum QuoteError {
    NotLoaded { version: Sha256 },
    NotReady { version: Sha256 },
}

/// A call that was submitted, or that `infer` began and an upgrade interrupted. It is kept for a day after its end.
#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub struct Job {
    /// Also the payment's in `get_payment`.
    pub id: u64,
    pub version: Sha256,
    pub created_at_nanos: u64,
    pub state: JobState,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub enum JobState {
    /// The ledger has not answered yet.
    Paying,
    /// `restarts`: an upgrade loses what was computed, and it is begun again from the stored input.
    Running {
        instructions_so_far: u64,
        restarts: u32,
    },
    Done {
        answer: Answer,
        receipt: Receipt,
    },
    /// What was paid is back as credit.
    Failed {
        message: String,
    },
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum GetJobError {
    /// Never there, somebody else's, or ended more than a day ago.
    NotFound { id: u64 },
}

pub type InferResult = Result<InferResponse, InferError>;
pub type PreviewResult = Result<Preview, InferError>;
pub type SubmitResult = Result<u64, InferError>;
pub type GetJobResult = Result<Job, GetJobError>;
pub type QuoteResult = Result<Quote, QuoteError>;
pub type QuoteCallResult = Result<Quote, InferError>;
