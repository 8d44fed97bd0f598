//! Receipts: what anyone needs to check a paid call, or to do it again.

use candid::{CandidType, Nat, Principal};
use serde::Deserialize;
use stoa_types::Sha256;
use stoa_types::rih::{self, Value};

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum Price {
    IcpE8s(u64),
    /// Of the governance token.
    TokenE8s(u64),
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
    /// Numbers are nat, principals and hashes blob, `price` is a map of one key (`IcpE8s`, `TokenE8s` or `Cycles`) to a nat, and
    /// an absent `payment_block` leaves its key out. `input_hash` and `output_hash` are
    /// [`stoa_types::pipeline::hash_input`] and [`hash_answer`](stoa_types::pipeline::hash_answer); tensors in the order of
    /// the manifest's signature.
    pub fn compute_hash(&self) -> Sha256 {
        let (price_key, price) = match &self.price {
            Price::IcpE8s(e8s) => ("IcpE8s", u128::from(*e8s)),
            Price::TokenE8s(e8s) => ("TokenE8s", u128::from(*e8s)),
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

pub type GetReceiptResult = Result<CertifiedReceipt, GetReceiptError>;
