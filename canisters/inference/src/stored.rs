//! What is written to stable memory. These are not the wire types: each is an enum of versions, so that a
//! later release reads what this one wrote, and conversions stand beside the state that owns them.
//! A manifest's signature is stored as the manifest has it: its schema is itself versioned and never changes.

use std::borrow::Cow;

use candid::{CandidType, Principal};
use ic_stable_structures::Storable;
use ic_stable_structures::storable::Bound;
use serde::Deserialize;
use stoa_types::Sha256;
use stoa_types::manifest::Signature;

macro_rules! storable {
    ($($name:ident),*) => {$(
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
    StoredReceipt
);

#[derive(CandidType, Deserialize, Clone, Debug)]
pub enum StoredConfiguration {
    /// Only between the first use of the memory and `init`.
    Absent,
    V1(Configuration),
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Configuration {
    pub registry: Principal,
    pub governance: Principal,
    pub icp_ledger: Principal,
    pub cycles_minting: Principal,
    pub rate_e8s_per_billion_instructions: u64,
    pub rate_cycles_per_billion_instructions: u128,
    pub cycles_per_e8: u128,
    pub top_up_below_cycles: u128,
    pub top_up_e8s: u64,
    /// As the ledger last told it.
    pub ledger_fee_e8s: u64,
}

#[derive(CandidType, Deserialize, Clone, Debug)]
pub enum StoredLoad {
    V1(Load),
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub struct Load {
    pub version: Sha256,
    pub started_at_nanos: u64,
    pub file: ModelFile,
    pub signature: Signature,
    pub state: StoredLoadState,
    /// Steps that were begun and did not come back, since the last that did.
    pub attempts: u32,
    pub registered: Registered,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ModelFile {
    pub size_bytes: u64,
    pub sha256: Sha256,
    pub chunks: Vec<PlacedChunk>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct PlacedChunk {
    pub hash: Sha256,
    pub size_bytes: u64,
    pub shards: Vec<Principal>,
}

/// What the registry said, and when.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Registered {
    /// In lower case; only `admitted` runs.
    pub status: String,
    pub author_price_e8s: u64,
    pub asked_at_nanos: u64,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum StoredLoadState {
    /// Chunks before `next` are held and were verified.
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
pub enum StoredPayment {
    V1(Payment),
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Payment {
    pub id: u64,
    pub caller: Principal,
    pub from_subaccount: Option<Sha256>,
    pub version: Sha256,
    pub price_e8s: u64,
    /// What the payer bears besides the price.
    pub fee_e8s: u64,
    /// Also the ledger's key against double execution, so a retry repeats it.
    pub created_at_nanos: u64,
    pub state: StoredPaymentState,
    /// Retries so far, for the pause before the next.
    pub attempts: u32,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum StoredPaymentState {
    Charging,
    Charged { block: u64 },
    Refunding { block: u64, refund: Refund },
    Earned { block: u64, receipt: u64 },
    NotCharged { message: String },
    Refunded { block: u64, refund_block: u64 },
    Unresolved { message: String },
}

/// The transfer that gives a payment back, exactly as it was or will be sent.
#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refund {
    pub created_at_nanos: u64,
    /// Fee of the refund's own transfer, which this canister bears.
    pub fee_e8s: u64,
}

#[derive(CandidType, Deserialize, Clone, Debug)]
pub enum StoredBooks {
    V1(Books),
}

/// Own ICP in two counters that only grow, but for a transfer that definitely did not happen.
#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Books {
    /// Prices of calls that ended with a receipt.
    pub earned_e8s: u64,
    /// Top-ups with their fees, and both fees of each refund.
    pub spent_e8s: u64,
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
}
