//! How an inference canister keeps itself alive.

use candid::{CandidType, Nat};
use serde::Deserialize;

use crate::{AllBooks, LoadStatus, Policy};

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum TopUpState {
    /// Written down, the transfer not yet known to have happened.
    Transferring,
    /// ICP is in the minting canister's subaccount at this block.
    Notifying {
        block: u64,
    },
    Done {
        block: u64,
        cycles: Nat,
    },
    Refunded {
        block: Option<u64>,
        reason: String,
    },
    Failed {
        message: String,
    },
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct TopUp {
    pub id: u64,
    pub amount_e8s: u64,
    pub created_at_nanos: u64,
    pub state: TopUpState,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum TopUpError {
    /// The balance is above the threshold: nothing to do.
    NotNeeded {
        balance: Nat,
        top_up_below: Nat,
    },
    /// The reserve does not cover a top-up and the ledger fee; governance was or will be asked.
    NotEnoughRevenue {
        revenue_e8s: u64,
        needed_e8s: u64,
    },
    /// One is under way.
    Busy {
        id: u64,
    },
    LedgerFailed {
        message: String,
    },
}

/// The last question to governance for cycles.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct CyclesRequest {
    pub at_nanos: u64,
    /// What came back; absent while there is no answer.
    pub outcome: Option<Result<(), String>>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct InferenceStatus {
    pub cycles: Nat,
    /// What can be spent before the canister refuses work.
    pub spendable_cycles: Nat,
    /// Over the last samples (hourly, two days at most), without what came in; absent before there are two.
    pub cycles_burnt_per_day: Option<Nat>,
    pub cycles_request: Option<CyclesRequest>,
    /// The reserve: ICP earned and not yet spent, in e8s, as this canister's books say.
    pub revenue_e8s: u64,
    pub books: AllBooks,
    pub receipts: u64,
    pub loaded: Vec<LoadStatus>,
    /// Of compiled models in the heap.
    pub model_memory_bytes: u64,
    pub jobs_open: u64,
    pub top_ups: Vec<TopUp>,
    pub policy: Policy,
    pub engine: String,
}

pub type TopUpResult = Result<TopUp, TopUpError>;
