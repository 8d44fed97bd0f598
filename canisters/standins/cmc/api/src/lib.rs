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

/// `NotifyError::Other::error_code`: the ledger did not answer with the block. Try again.
pub const ERROR_CODE_FAILED_TO_FETCH_BLOCK: u64 = 1;
/// `NotifyError::Other::error_code`: this stand-in, which cannot mint, has not enough
/// cycles of its own. Try again once it was given some.
pub const ERROR_CODE_OUT_OF_CYCLES: u64 = 1_000;
/// `NotifyError::Other::error_code`: it was upgraded in the middle of the deposit, which
/// is not repeated. Final.
pub const ERROR_CODE_OUTCOME_UNKNOWN: u64 = 1_001;

/// Of the stand-in only: mainnet's takes its rate from exchanges.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct InitArgs {
    /// The ICP ledger.
    pub ledger: Principal,
    /// Ten-thousandths of an XDR that one ICP is worth; one XDR buys a trillion cycles.
    pub xdr_permyriad_per_icp: u64,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct IcpXdrConversionRate {
    pub timestamp_seconds: u64,
    pub xdr_permyriad_per_icp: u64,
}

/// The rate and its proof: a CBOR hash tree with the Candid-encoded rate at
/// `ICP_XDR_CONVERSION_RATE`, whose root hash is the canister's certified data.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct IcpXdrConversionRateResponse {
    pub data: IcpXdrConversionRate,
    #[serde(with = "serde_bytes")]
    pub hash_tree: Vec<u8>,
    #[serde(with = "serde_bytes")]
    pub certificate: Vec<u8>,
}
