//! Wire types of an inference canister: loads, calls, prices, receipts, cycles.

use candid::{CandidType, Nat, Principal};
use serde::Deserialize;
use stoa_types::Sha256;
use stoa_types::rih::{self, Value};
use stoa_types::tensor::Tensor;

#[derive(CandidType, Deserialize, Clone, Debug)]
pub struct InitArgs {
    pub registry: Principal,
    pub governance: Principal,
    pub icp_ledger: Principal,
    pub cycles_minting: Principal,
    pub policy: Policy,
}

/// Set by the DAO.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Price of a billion instructions, in e8s of ICP.
    pub rate_e8s_per_billion_instructions: u64,
    /// Price of a billion instructions, in cycles.
    pub rate_cycles_per_billion_instructions: Nat,
    /// Author's price in e8s is converted at this rate for callers that attach cycles.
    pub cycles_per_e8: Nat,
    /// Below this balance the canister buys cycles from its own revenue.
    pub top_up_below_cycles: Nat,
    /// How much ICP one top-up converts at most, in e8s.
    pub top_up_e8s: u64,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum LoadState {
    Fetching {
        chunks_done: u64,
        chunks_total: u64,
    },
    Optimising,
    Ready {
        instructions_per_call: u64,
        memory_bytes: u64,
    },
    Failed {
        message: String,
    },
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct LoadStatus {
    pub version: Sha256,
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
    /// Only admitted versions run. `status` as the registry gives it, in lower case.
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
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum LoadStatusError {
    NotFound { version: Sha256 },
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum Payment {
    /// Cycles attached to this call; what is over is refunded.
    Cycles,
    /// An ICRC-2 allowance to this canister on the ICP ledger, from the caller's account.
    Allowance { from_subaccount: Option<Sha256> },
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct InferRequest {
    pub version: Sha256,
    pub inputs: Vec<Tensor>,
    pub payment: Payment,
    /// Refuse rather than pay more than this (e8s or cycles, as `payment` says).
    pub max_price: Option<Nat>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct InferResponse {
    pub outputs: Vec<Tensor>,
    pub receipt: Receipt,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum Price {
    IcpE8s(u64),
    Cycles(Nat),
}

/// Proof of a paid call. `hash` is the representation-independent hash of all fields but itself;
/// `previous` is the hash of the receipt before (32 zero bytes for the first), so the log is a chain.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    pub id: u64,
    pub version: Sha256,
    pub caller: Principal,
    pub input_hash: Sha256,
    pub output_hash: Sha256,
    pub instructions: u64,
    pub price: Price,
    /// Ledger block of the payment, where there is one.
    pub payment_block: Option<u64>,
    pub timestamp_nanos: u64,
    /// Name and version of the engine that ran it.
    pub engine: String,
    pub previous: Sha256,
    pub hash: Sha256,
}

impl Receipt {
    /// What `hash` must be: the representation-independent hash of the map of all other fields under their Candid names.
    /// Numbers are nat, principals and hashes blob, `price` is a map of one key (`IcpE8s` or `Cycles`) to a nat, and
    /// an absent `payment_block` leaves its key out. `input_hash` and `output_hash` are
    /// [`stoa_types::tensor::hash_tensors`] of the tensors in the order of the manifest's signature.
    pub fn compute_hash(&self) -> Sha256 {
        let (price_key, price) = match &self.price {
            Price::IcpE8s(e8s) => ("IcpE8s", u128::from(*e8s)),
            // A call's price in cycles fits 128 bits, as the platform's amounts do.
            Price::Cycles(cycles) => (
                "Cycles",
                u128::try_from(cycles.0.clone()).unwrap_or(u128::MAX),
            ),
        };
        let mut fields = vec![
            ("id", self.id.into()),
            ("version", (&self.version).into()),
            ("caller", Value::Blob(self.caller.as_slice())),
            ("input_hash", (&self.input_hash).into()),
            ("output_hash", (&self.output_hash).into()),
            ("instructions", self.instructions.into()),
            ("price", Value::Map(vec![(price_key, Value::Nat(price))])),
            ("timestamp_nanos", self.timestamp_nanos.into()),
            ("engine", (&self.engine).into()),
            ("previous", (&self.previous).into()),
        ];
        if let Some(block) = self.payment_block {
            fields.push(("payment_block", block.into()));
        }
        rih::hash(&Value::Map(fields))
    }
}

/// A receipt and the proof that the log's tip is certified. The witness reveals `["receipts", "tip"]`
/// (hash of the newest receipt) and `["receipts", "count"]` (u64 big-endian).
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct CertifiedReceipt {
    pub receipt: Receipt,
    /// The receipts after it, oldest first, up to the tip: at most 100, else the caller pages.
    pub successors: Vec<Receipt>,
    #[serde(with = "serde_bytes")]
    pub certificate: Vec<u8>,
    #[serde(with = "serde_bytes")]
    pub witness: Vec<u8>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum GetReceiptError {
    NotFound { id: u64, count: u64 },
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum InferError {
    AnonymousCaller,
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
    PriceTooHigh {
        price: Nat,
        max_price: Nat,
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
    /// The ledger answered with an error or its outcome is unknown; `journal_id` names the record.
    PaymentFailed {
        message: String,
        journal_id: Option<u64>,
    },
    /// The run failed; what was paid has been (`refunded: true`) or is being given back.
    RunFailed {
        message: String,
        refunded: bool,
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
}

/// What a call costs now, with every open dimension at 1. Charged as quoted: instructions are measured at load on
/// this version's own shapes. A larger call multiplies what is above the author's price by the product of its open
/// dimensions (a batch of 8 by 8).
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Quote {
    pub version: Sha256,
    pub price_e8s: u64,
    pub price_cycles: Nat,
    /// The part of `price_e8s` that goes to the author and does not grow with the call.
    pub author_price_e8s: u64,
    /// To be covered by the allowance besides the price.
    pub ledger_fee_e8s: u64,
    pub instructions_per_call: u64,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum QuoteError {
    NotLoaded { version: Sha256 },
    NotReady { version: Sha256 },
}

/// How far a payment by allowance got. Every path ends in one of the last four.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum PaymentState {
    /// Written down, the ledger's answer not known (yet).
    Charging,
    /// Paid at this block; the run has not been settled.
    Charged { block: u64 },
    /// The run failed and the refund is on its way.
    Refunding { block: u64 },
    /// Paid, run, receipt written.
    Earned { block: u64, receipt: u64 },
    /// The ledger refused; nothing moved.
    NotCharged { message: String },
    /// Price and ledger fee are back with the payer.
    Refunded { block: u64, refund_block: u64 },
    /// The ledger did not tell the outcome within its window of 24 hours; its blocks must be read.
    Unresolved { message: String },
}

/// A payment by allowance, as the journal has it. `PaymentFailed.journal_id` names it.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct PaymentRecord {
    pub id: u64,
    pub caller: Principal,
    pub version: Sha256,
    pub price_e8s: u64,
    pub ledger_fee_e8s: u64,
    pub created_at_nanos: u64,
    pub state: PaymentState,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum GetPaymentError {
    /// Never there, or closed so long ago that the journal has let go of it.
    NotFound { id: u64 },
}

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
    /// Own revenue does not cover a top-up and the ledger fee.
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

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct InferenceStatus {
    pub cycles: Nat,
    /// ICP earned and not yet spent, in e8s, as this canister's books say.
    pub revenue_e8s: u64,
    pub receipts: u64,
    pub loaded: Vec<LoadStatus>,
    pub top_ups: Vec<TopUp>,
    pub policy: Policy,
}

pub type LoadResult = Result<LoadStatus, LoadError>;
pub type LoadStatusResult = Result<LoadStatus, LoadStatusError>;
pub type InferResult = Result<InferResponse, InferError>;
pub type QuoteResult = Result<Quote, QuoteError>;
pub type GetReceiptResult = Result<CertifiedReceipt, GetReceiptError>;
pub type GetPaymentResult = Result<PaymentRecord, GetPaymentError>;
pub type TopUpResult = Result<TopUp, TopUpError>;
