//! What this canister asks of the ICP ledger: blocks, refunds and burns.

use candid::{CandidType, Principal};
use serde::Deserialize;
use serde_bytes::ByteBuf;
use sha2::{Digest, Sha224};

use crate::memory::with_state;
use crate::runtime::{self, CallFailure};

/// The ICP ledger's fee, which mainnet's canister takes for granted as well.
pub const TRANSFER_FEE_E8S: u64 = 10_000;
/// A refund's answer, twenty blocks' worth and more.
const ANSWER_DECODING_QUOTA: usize = 200_000;

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tokens {
    pub e8s: u64,
}

#[derive(CandidType, Deserialize, Clone, Copy, Debug)]
pub struct TimeStamp {
    pub timestamp_nanos: u64,
}

#[derive(CandidType, Deserialize, Debug)]
pub struct GetBlocksArgs {
    pub start: u64,
    pub length: u64,
}

/// The operations that can be a payment; every other reads as none.
#[derive(CandidType, Deserialize, Clone, Debug)]
pub enum Operation {
    Transfer {
        from: ByteBuf,
        to: ByteBuf,
        amount: Tokens,
    },
}

#[derive(CandidType, Deserialize, Clone, Debug)]
pub struct Transaction {
    pub memo: u64,
    pub icrc1_memo: Option<ByteBuf>,
    pub operation: Option<Operation>,
}

#[derive(CandidType, Deserialize, Clone, Debug)]
pub struct Block {
    pub transaction: Transaction,
}

#[derive(CandidType, Deserialize, Debug)]
pub struct QueryBlocksResponse {
    pub chain_length: u64,
    pub blocks: Vec<Block>,
    pub first_block_index: u64,
    pub archived_blocks: Vec<ArchivedRange>,
}

candid::define_function!(pub QueryArchiveFn : (GetBlocksArgs) -> (QueryArchiveResult) query);

#[derive(CandidType, Deserialize, Debug)]
pub struct ArchivedRange {
    pub start: u64,
    pub length: u64,
    pub callback: QueryArchiveFn,
}

#[derive(CandidType, Deserialize, Debug)]
pub struct BlockRange {
    pub blocks: Vec<Block>,
}

#[derive(CandidType, Deserialize, Debug)]
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

#[derive(CandidType, Deserialize, Debug)]
pub struct TransferArgs {
    pub memo: u64,
    pub amount: Tokens,
    pub fee: Tokens,
    pub from_subaccount: Option<ByteBuf>,
    pub to: ByteBuf,
    pub created_at_time: Option<TimeStamp>,
}

#[derive(CandidType, Deserialize, Debug, PartialEq, Eq)]
pub enum TransferError {
    BadFee { expected_fee: Tokens },
    InsufficientFunds { balance: Tokens },
    TxTooOld { allowed_window_nanos: u64 },
    TxCreatedInFuture,
    TxDuplicate { duplicate_of: u64 },
}

#[derive(CandidType, Deserialize, Debug)]
pub struct Icrc1Account {
    pub owner: Principal,
    pub subaccount: Option<[u8; 32]>,
}

/// What became of a transfer that is made once, however often it is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Transferred {
    /// Now or at an earlier attempt.
    Done { block: u64 },
    /// It did not happen and will not.
    Refused { reason: String },
    /// It may have happened: ask again with the same arguments.
    Unknown,
}

/// Length byte, the principal's bytes, zeros.
pub fn subaccount_of(principal: Principal) -> [u8; 32] {
    let mut subaccount = [0; 32];
    let bytes = principal.as_slice();
    subaccount[0] = bytes.len() as u8;
    subaccount[1..=bytes.len()].copy_from_slice(bytes);
    subaccount
}

pub fn account_identifier(owner: Principal, subaccount: &[u8; 32]) -> [u8; 32] {
    let mut hash = Sha224::new();
    hash.update(b"\x0Aaccount-id");
    hash.update(owner.as_slice());
    hash.update(subaccount);
    let hash: [u8; 28] = hash.finalize().into();
    let mut identifier = [0; 32];
    identifier[..4].copy_from_slice(&crc32fast::hash(&hash).to_be_bytes());
    identifier[4..].copy_from_slice(&hash);
    identifier
}

fn ledger() -> Principal {
    with_state(|state| state.settings().ledger())
}

async fn ask<A: CandidType, R: CandidType + for<'a> Deserialize<'a>>(
    canister: Principal,
    method: &str,
    argument: &A,
) -> Result<R, CallFailure> {
    let bytes = candid::encode_one(argument).expect("BUG: arguments encode");
    let answer = runtime::call(canister, method, bytes).await?;
    let mut config = candid::DecoderConfig::new();
    config.set_decoding_quota(ANSWER_DECODING_QUOTA);
    candid::utils::decode_one_with_config(&answer, &config).map_err(|error| {
        // It answered, and the call had its effect; what it said is lost.
        CallFailure::new(format!("the answer of {method} does not decode: {error}"))
    })
}

/// The block, from the ledger or from the archive that it names.
pub async fn fetch_block(index: u64) -> Result<Option<Block>, CallFailure> {
    let question = GetBlocksArgs {
        start: index,
        length: 1,
    };
    let answer: QueryBlocksResponse = ask(ledger(), "query_blocks", &question).await?;
    if answer.first_block_index == index
        && let Some(block) = answer.blocks.into_iter().next()
    {
        return Ok(Some(block));
    }
    let archive = answer
        .archived_blocks
        .into_iter()
        .find(|range| index >= range.start && index - range.start < range.length);
    let Some(archive) = archive else {
        return Ok(None);
    };
    let candid::types::reference::Func { principal, method } = archive.callback.0;
    match ask::<_, QueryArchiveResult>(principal, &method, &question).await? {
        Ok(range) => Ok(range.blocks.into_iter().next()),
        Err(error) => Err(CallFailure::new(format!("{error:?}"))),
    }
}

/// Gives `amount_e8s` back from the subaccount of `canister`; the receiver gets it
/// less the ledger's fee.
pub async fn refund(
    canister: Principal,
    payer: [u8; 32],
    amount_e8s: u64,
    created_at_nanos: u64,
) -> Transferred {
    let Some(left) = amount_e8s
        .checked_sub(TRANSFER_FEE_E8S)
        .filter(|left| *left > 0)
    else {
        return Transferred::Refused {
            reason: format!("{amount_e8s} e8s do not cover the fee of a refund"),
        };
    };
    transfer(TransferArgs {
        memo: 0,
        amount: Tokens { e8s: left },
        fee: Tokens {
            e8s: TRANSFER_FEE_E8S,
        },
        from_subaccount: Some(ByteBuf::from(subaccount_of(canister))),
        to: ByteBuf::from(payer),
        created_at_time: Some(TimeStamp {
            timestamp_nanos: created_at_nanos,
        }),
    })
    .await
}

/// Burns what bought cycles. Less than a fee cannot be burned and stays.
pub async fn burn(
    canister: Principal,
    amount_e8s: u64,
    memo: u64,
    created_at_nanos: u64,
) -> Transferred {
    if amount_e8s < TRANSFER_FEE_E8S {
        return Transferred::Refused {
            reason: format!("{amount_e8s} e8s are too few to burn"),
        };
    }
    let minting: Option<Icrc1Account> = match ask(ledger(), "icrc1_minting_account", &()).await {
        Ok(minting) => minting,
        Err(_) => return Transferred::Unknown,
    };
    let Some(minting) = minting else {
        return Transferred::Refused {
            reason: "the ledger has no minting account".to_string(),
        };
    };
    let to = account_identifier(minting.owner, &minting.subaccount.unwrap_or_default());
    transfer(TransferArgs {
        memo,
        amount: Tokens { e8s: amount_e8s },
        fee: Tokens { e8s: 0 },
        from_subaccount: Some(ByteBuf::from(subaccount_of(canister))),
        to: ByteBuf::from(to),
        created_at_time: Some(TimeStamp {
            timestamp_nanos: created_at_nanos,
        }),
    })
    .await
}

async fn transfer(arguments: TransferArgs) -> Transferred {
    match ask::<_, Result<u64, TransferError>>(ledger(), "transfer", &arguments).await {
        Ok(Ok(block)) => Transferred::Done { block },
        Ok(Err(TransferError::TxDuplicate { duplicate_of })) => Transferred::Done {
            block: duplicate_of,
        },
        Ok(Err(error)) => Transferred::Refused {
            reason: format!("{error:?}"),
        },
        Err(_) => Transferred::Unknown,
    }
}
