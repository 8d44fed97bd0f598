//! What is written to stable memory. These are not the wire types: each is an enum of versions, so that a
//! later release reads what this one wrote, and conversions stand beside the state that owns them.
//! A manifest's signature and pipeline are stored as the manifest has them: its schema is itself versioned and never
//! changes.

mod money;
pub mod v1;

use std::borrow::Cow;

use candid::{CandidType, Principal};
use ic_stable_structures::Storable;
use ic_stable_structures::storable::Bound;
use serde::Deserialize;
use stoa_types::Sha256;
use stoa_types::manifest::{Pipeline, Signature};
use stoa_types::pipeline::Answer;

pub use money::*;

macro_rules! storable {
    ($($name:ident),* $(,)?) => {$(
        impl Storable for $name {
            fn to_bytes(&self) -> Cow<'_, [u8]> {
                Cow::Owned(candid::encode_one(self).expect("BUG: a stored type encodes"))
            }
            fn into_bytes(self) -> Vec<u8> {
                candid::encode_one(self).expect("BUG: a stored type encodes")
            }
            fn from_bytes(bytes: Cow<'_, [u8]>) -> Self {
                candid::decode_one(&bytes).expect(concat!("BUG: stable memory holds no ", stringify!($name)))
            }
            const BOUND: Bound = Bound::Unbounded;
        }
    )*};
}

storable!(
    StoredConfiguration,
    StoredLoad,
    StoredPayment,
    StoredBooks,
    StoredTopUp,
    StoredReceipt,
    StoredTotals,
    StoredTransfer,
    StoredKey,
    StoredJob,
    StoredAnswer,
    StoredSample,
    StoredQuota,
    StoredCyclesRequest,
    StoredBought,
);

#[derive(CandidType, Deserialize, Clone, Debug)]
pub enum StoredConfiguration {
    /// Only between the first use of the memory and `init`.
    Absent,
    V1(v1::Configuration),
    V2(Configuration),
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Configuration {
    pub registry: Principal,
    pub governance: Principal,
    pub icp_ledger: Principal,
    pub token_ledger: Option<Principal>,
    pub cycles_minting: Principal,
    pub policy: StoredPolicy,
    /// As the ledgers last told it.
    pub icp_fee_e8s: u64,
    pub token_fee_e8s: u64,
}

/// Only made from a policy that was checked.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct StoredPolicy {
    pub rate_e8s_per_billion_instructions: u64,
    pub rate_cycles_per_billion_instructions: u128,
    pub cycles_per_e8: u128,
    pub token_e8s_per_icp: Option<u64>,
    pub top_up_below_cycles: u128,
    pub top_up_e8s: u64,
    pub treasury_basis_points: u16,
    pub reserve_basis_points: u16,
    pub payout_e8s_min: u64,
    pub load_e8s_per_chunk: u64,
    pub preview_instructions_max: u64,
    pub free_calls_per_hour: u32,
    pub free_instructions_max: u64,
    pub model_memory_bytes_max: u64,
}

#[derive(CandidType, Deserialize, Clone, Debug)]
pub enum StoredLoad {
    V1(v1::Load),
    V2(Load),
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub struct Load {
    pub version: Sha256,
    pub started_at_nanos: u64,
    /// The network first, then what its pipeline reads. Their chunks lie one after the other in `chunks`.
    pub files: Vec<FileRange>,
    pub chunks: Vec<PlacedChunk>,
    pub signature: Signature,
    /// Absent where layout 1 loaded it: then tensors in, tensors out.
    pub pipeline: Option<Pipeline>,
    pub state: StoredLoadState,
    /// The measurement, which a rebuild by the same engine keeps, so that the price does not move with an upgrade.
    pub probe: Option<Probe>,
    /// Steps that were begun and did not come back, since the last that did.
    pub attempts: u32,
    /// What was paid for this load, until it is there or has failed.
    pub payment: Option<u64>,
    pub registered: Registered,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct FileRange {
    pub path: String,
    pub size_bytes: u64,
    pub sha256: Sha256,
    /// How many of the load's chunks are this file's.
    pub chunks: u32,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct PlacedChunk {
    pub hash: Sha256,
    pub size_bytes: u64,
    pub shards: Vec<Principal>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Probe {
    pub instructions_per_call: u64,
    pub memory_bytes: u64,
    pub engine: String,
}

/// What the registry said, and when.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Registered {
    /// In lower case.
    pub status: String,
    pub author_price_e8s: u64,
    pub asked_at_nanos: u64,
    /// `publisher/name`
    pub model: String,
    pub semver: String,
    /// Who shares the author's price, down the lineage. What they leave is the reserve's.
    pub payees: Vec<Payee>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Payee {
    pub owner: Principal,
    pub subaccount: Option<Sha256>,
    /// Of a billion.
    pub parts: u64,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum StoredLoadState {
    /// Every chunk that the chunk store has was verified. (`next` is what layout 1 counted.)
    Fetching {
        next: u64,
    },
    Optimising,
    Ready {
        instructions_per_call: u64,
        memory_bytes: u64,
    },
    Failed {
        message: String,
        at_nanos: u64,
    },
}

#[derive(CandidType, Deserialize, Clone, Debug)]
pub enum StoredTopUp {
    V1(TopUp),
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct TopUp {
    pub id: u64,
    pub amount_e8s: u64,
    pub fee_e8s: u64,
    pub created_at_nanos: u64,
    pub state: StoredTopUpState,
    pub attempts: u32,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum StoredTopUpState {
    Transferring,
    Notifying { block: u64 },
    Done { block: u64, cycles: u128 },
    Refunded { block: Option<u64>, reason: String },
    Failed { message: String },
}

#[derive(CandidType, Deserialize, Clone, Debug)]
pub enum StoredReceipt {
    V1(ReceiptV1),
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ReceiptV1 {
    pub version: Sha256,
    pub caller: Principal,
    pub input_hash: Sha256,
    pub output_hash: Sha256,
    pub instructions: u64,
    pub price: StoredPrice,
    pub payment_block: Option<u64>,
    pub timestamp_nanos: u64,
    pub engine: String,
    pub previous: Sha256,
    pub hash: Sha256,
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoredPrice {
    IcpE8s(u64),
    Cycles(u128),
    TokenE8s(u64),
}

#[derive(CandidType, Deserialize, Clone, Debug)]
pub enum StoredJob {
    V1(Job),
}

/// A run of several messages. Its input is in a region of its own until it ends, its answer after.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Job {
    /// Of its payment.
    pub id: u64,
    pub caller: Principal,
    pub version: Sha256,
    pub created_at_nanos: u64,
    /// Runs that were begun; each but the last was lost with the heap or trapped.
    pub starts: u32,
    pub state: StoredJobState,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum StoredJobState {
    Open,
    Done { at_nanos: u64, receipt: u64 },
    Failed { at_nanos: u64, message: String },
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub enum StoredAnswer {
    V1(Answer),
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoredSample {
    V1(Sample),
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sample {
    pub balance: u128,
    /// All cycles that ever came in as far as the books know: callers' and top-ups'.
    pub gained: u128,
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoredQuota {
    V1 { hour: u64, used: u32 },
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum StoredCyclesRequest {
    Never,
    V1 {
        at_nanos: u64,
        outcome: Option<Result<(), String>>,
    },
}

/// All cycles that top-ups ever brought.
#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoredBought {
    V1(u128),
}
