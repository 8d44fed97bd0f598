//! Wire types of the cycles minting canister, as mainnet's speaks them.

use candid::{CandidType, Nat, Principal};
use ic_management_canister_types::CanisterSettings;
use serde::Deserialize;

/// `TPUP` as the ICP ledger's 64-bit memo: little-endian ASCII.
pub const MEMO_TOP_UP_CANISTER: u64 = 0x5055_5054;
/// `CREA`, written as the other.
pub const MEMO_CREATE_CANISTER: u64 = 0x4145_5243;
/// `MINT`, written as the others.
pub const MEMO_MINT_CYCLES: u64 = 0x544e_494d;

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

/// What a new canister is created for. Whoever asks must be `controller`.
#[derive(CandidType, Deserialize, Clone, Debug)]
pub struct NotifyCreateCanisterArg {
    pub block_index: u64,
    /// Whose payment it is, and who controls the canister where `settings` say nothing.
    pub controller: Principal,
    pub subnet_type: Option<String>,
    pub subnet_selection: Option<SubnetSelection>,
    pub settings: Option<CanisterSettings>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum SubnetSelection {
    Subnet { subnet: Principal },
    Filter(SubnetFilter),
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct SubnetFilter {
    pub subnet_type: Option<String>,
}

/// Cycles for the caller's account at the cycles ledger.
#[derive(CandidType, Deserialize, Clone, Debug)]
pub struct NotifyMintCyclesArg {
    pub block_index: u64,
    pub to_subaccount: Option<[u8; 32]>,
    pub deposit_memo: Option<serde_bytes::ByteBuf>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct NotifyMintCyclesSuccess {
    /// Of the deposit in the cycles ledger.
    pub block_index: Nat,
    /// What was deposited, the cycles ledger's fee with it.
    pub minted: Nat,
    pub balance: Nat,
}

pub type NotifyMintCyclesResult = Result<NotifyMintCyclesSuccess, NotifyError>;

/// The canister that was created.
pub type NotifyCreateCanisterResult = Result<Principal, NotifyError>;

/// Cycles that were credited.
pub type NotifyTopUpResult = Result<Nat, NotifyError>;

/// `NotifyError::Other::error_code`: the ledger did not answer with the block. Try again.
pub const ERROR_CODE_FAILED_TO_FETCH_BLOCK: u64 = 2;
/// `NotifyError::Other::error_code`: `subnet_type` and `subnet_selection` are both given.
pub const ERROR_CODE_BAD_SUBNET_SELECTION: u64 = 4;
/// `NotifyError::Other::error_code`: a memo of more than 32 bytes.
pub const ERROR_CODE_MEMO_TOO_LONG: u64 = 6;
/// `NotifyError::Other::error_code`: somebody else's payment.
pub const ERROR_CODE_UNAUTHORIZED: u64 = 5;
/// `NotifyError::Other::error_code`: this stand-in, which cannot mint, has not enough
/// cycles of its own. Try again once it was given some.
pub const ERROR_CODE_OUT_OF_CYCLES: u64 = 1_000;
/// `NotifyError::Other::error_code`: it was upgraded in the middle of the deposit, which
/// is not repeated. Final.
pub const ERROR_CODE_OUTCOME_UNKNOWN: u64 = 1_001;

/// `NotifyError::Other::error_code`: this stand-in was installed without a cycles ledger.
pub const ERROR_CODE_NO_CYCLES_LEDGER: u64 = 1_002;

/// Of the stand-in only: mainnet's takes its rate from exchanges.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct InitArgs {
    /// The ICP ledger.
    pub ledger: Principal,
    /// Ten-thousandths of an XDR that one ICP is worth; one XDR buys a trillion cycles.
    pub xdr_permyriad_per_icp: u64,
    /// Where `notify_mint_cycles` deposits.
    pub cycles_ledger: Option<Principal>,
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

/// What the stand-in does wrong on demand, for tests of those who call it.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum FaultKind {
    /// Rejected before anything happened.
    Reject,
    /// Done, and then rejected: the caller cannot tell that it was done.
    LoseAnswer,
    /// Done, and answered so many seconds later.
    AnswerLate { seconds: u64 },
    /// This answer, and nothing done.
    Answer(NotifyError),
    /// The cycles cannot be delivered, so the payment goes back.
    Undeliverable,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    pub kind: FaultKind,
    /// So many notifications go well before.
    pub after_calls: u32,
    /// So many notifications meet it.
    pub calls: u32,
}
