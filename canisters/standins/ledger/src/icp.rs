//! Wire types of the ICP ledger's own methods, as its published interface has them.

use candid::{CandidType, define_function};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::account::AccountIdentifier;

#[derive(CandidType, Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tokens {
    pub e8s: u64,
}

#[derive(CandidType, Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeStamp {
    pub timestamp_nanos: u64,
}

/// A `blob` that has not been checked yet.
pub type AccountIdentifierBytes = ByteBuf;

impl From<AccountIdentifier> for AccountIdentifierBytes {
    fn from(identifier: AccountIdentifier) -> Self {
        ByteBuf::from(identifier.0.to_vec())
    }
}

#[derive(CandidType, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct TransferArgs {
    pub memo: u64,
    pub amount: Tokens,
    pub fee: Tokens,
    pub from_subaccount: Option<[u8; 32]>,
    pub to: AccountIdentifierBytes,
    pub created_at_time: Option<TimeStamp>,
}

#[derive(CandidType, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum TransferError {
    BadFee { expected_fee: Tokens },
    InsufficientFunds { balance: Tokens },
    TxTooOld { allowed_window_nanos: u64 },
    TxCreatedInFuture,
    TxDuplicate { duplicate_of: u64 },
}

#[derive(CandidType, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct AccountBalanceArgs {
    pub account: AccountIdentifierBytes,
}

#[derive(CandidType, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct TransferFeeArg {}

#[derive(CandidType, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct TransferFee {
    pub transfer_fee: Tokens,
}

#[derive(CandidType, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Decimals {
    pub decimals: u32,
}

#[derive(CandidType, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Symbol {
    pub symbol: String,
}

#[derive(CandidType, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Name {
    pub name: String,
}

#[derive(CandidType, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Archive {
    pub canister_id: candid::Principal,
}

#[derive(CandidType, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Archives {
    pub archives: Vec<Archive>,
}

#[derive(CandidType, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct GetBlocksArgs {
    pub start: u64,
    pub length: u64,
}

#[derive(CandidType, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum Operation {
    Mint {
        to: AccountIdentifierBytes,
        amount: Tokens,
    },
    Burn {
        from: AccountIdentifierBytes,
        spender: Option<AccountIdentifierBytes>,
        amount: Tokens,
    },
    Transfer {
        from: AccountIdentifierBytes,
        to: AccountIdentifierBytes,
        amount: Tokens,
        fee: Tokens,
        spender: Option<ByteBuf>,
    },
    Approve {
        from: AccountIdentifierBytes,
        spender: AccountIdentifierBytes,
        /// Deprecated by the official interface, and there because it is.
        allowance_e8s: candid::Int,
        allowance: Tokens,
        fee: Tokens,
        expires_at: Option<TimeStamp>,
        expected_allowance: Option<Tokens>,
    },
}

#[derive(CandidType, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Transaction {
    pub memo: u64,
    pub icrc1_memo: Option<ByteBuf>,
    pub operation: Option<Operation>,
    pub created_at_time: TimeStamp,
}

#[derive(CandidType, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Block {
    pub parent_hash: Option<ByteBuf>,
    pub transaction: Transaction,
    pub timestamp: TimeStamp,
}

#[derive(CandidType, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct BlockRange {
    pub blocks: Vec<Block>,
}

#[derive(CandidType, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum QueryArchiveError {
    BadFirstBlockIndex {
        requested_index: u64,
        first_valid_index: u64,
    },
    Other {
        error_code: u64,
        error_message: String,
    },
}

pub type QueryArchiveResult = Result<BlockRange, QueryArchiveError>;

define_function!(pub QueryArchiveFn : (GetBlocksArgs) -> (QueryArchiveResult) query);

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ArchivedBlocksRange {
    pub start: u64,
    pub length: u64,
    pub callback: QueryArchiveFn,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct QueryBlocksResponse {
    pub chain_length: u64,
    pub certificate: Option<ByteBuf>,
    pub blocks: Vec<Block>,
    pub first_block_index: u64,
    pub archived_blocks: Vec<ArchivedBlocksRange>,
}
