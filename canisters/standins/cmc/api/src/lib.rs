//! Wire types of the cycles minting canister, as mainnet's speaks them.

use candid::{CandidType, Nat, Principal};
use serde::Deserialize;

/// `TPUP` as the ICP ledger's 64-bit memo: little-endian ASCII.
pub const MEMO_TOP_UP_CANISTER: u64 = 0x5055_5054;

#[derive(CandidType, Deserialize, Clone, Debug)]
pub struct NotifyTopUpArg {
    pub block_index: u64,
    pub canister_id: Principal,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum NotifyError {
    Refunded {
        block_index: Option<u64>,
        reason: String,
    },
    InvalidTransaction(String),
    TransactionTooOld(u64),
    Processing,
    Other {
        error_code: u64,
        error_message: String,
    },
}

/// Cycles that were credited.
pub type NotifyTopUpResult = Result<Nat, NotifyError>;
