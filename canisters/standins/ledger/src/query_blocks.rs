//! Reading: balances under both kinds of account name, and blocks as the ICP
//! ledger shows them.

use candid::{Int, Nat};
use icrc_ledger_types::icrc1::account::Account;
use serde_bytes::ByteBuf;

use crate::account::{AccountIdentifier, Party};
use crate::block::{Block, Memo, Operation};
use crate::faults;
use crate::icp;
use crate::memory::with_ledger;

/// The official number. A block is under 400 bytes in an answer, so the worst
/// answer is 0.8 MB of the 2 MiB that fit.
const BLOCKS_IN_ANSWER_MAX: u64 = 2_000;

pub fn account_balance(arguments: icp::AccountBalanceArgs) -> icp::Tokens {
    // As officially, an account that cannot exist holds nothing.
    let e8s = AccountIdentifier::try_from(arguments.account.as_slice())
        .map_or(0, |account| with_ledger(|ledger| ledger.balance(&account)));
    icp::Tokens { e8s }
}

pub fn icrc1_balance_of(account: Account) -> Nat {
    faults::answer_query("icrc1_balance_of");
    Nat::from(with_ledger(|ledger| ledger.balance(&account.into())))
}

pub fn query_blocks(arguments: icp::GetBlocksArgs) -> icp::QueryBlocksResponse {
    faults::answer_query("query_blocks");
    with_ledger(|ledger| {
        let chain_length = ledger.blocks.len();
        let start = arguments.start.min(chain_length);
        let end = start
            .saturating_add(arguments.length.min(BLOCKS_IN_ANSWER_MAX))
            .min(chain_length);
        let blocks = (start..end)
            .map(|index| {
                ledger
                    .blocks
                    .get(index)
                    .expect("BUG: a block below the chain's length is missing")
                    .into()
            })
            .collect();
        icp::QueryBlocksResponse {
            chain_length,
            certificate: None,
            blocks,
            first_block_index: start,
            archived_blocks: vec![],
        }
    })
}

fn identifier(party: Party) -> ByteBuf {
    party.identifier.into()
}

fn tokens(e8s: u64) -> icp::Tokens {
    icp::Tokens { e8s }
}

fn timestamp(timestamp_nanos: u64) -> icp::TimeStamp {
    icp::TimeStamp { timestamp_nanos }
}

impl From<Operation> for icp::Operation {
    fn from(operation: Operation) -> Self {
        match operation {
            Operation::Mint { to, amount } => Self::Mint {
                to: identifier(to),
                amount: tokens(amount),
            },
            Operation::Burn {
                from,
                spender,
                amount,
                fee: _,
            } => Self::Burn {
                from: identifier(from),
                spender: spender.map(identifier),
                amount: tokens(amount),
            },
            Operation::Transfer {
                from,
                to,
                spender,
                amount,
                fee,
            } => Self::Transfer {
                from: identifier(from),
                to: identifier(to),
                amount: tokens(amount),
                fee: tokens(fee),
                spender: spender.map(identifier),
            },
            Operation::Approve {
                from,
                spender,
                allowance,
                expected_allowance,
                expires_at,
                fee,
            } => Self::Approve {
                from: identifier(from),
                spender: identifier(spender),
                allowance_e8s: Int::from(allowance),
                allowance: tokens(allowance),
                fee: tokens(fee),
                expires_at: expires_at.map(timestamp),
                expected_allowance: expected_allowance.map(tokens),
            },
        }
    }
}

impl From<Block> for icp::Block {
    fn from(block: Block) -> Self {
        let transaction = block.transaction;
        let (memo, icrc1_memo) = match transaction.memo {
            Memo::None => (0, None),
            Memo::Number(number) => (number, None),
            Memo::Bytes(bytes) => (0, Some(ByteBuf::from(bytes))),
        };
        Self {
            parent_hash: block.parent_hash.map(|hash| ByteBuf::from(hash.to_vec())),
            transaction: icp::Transaction {
                memo,
                icrc1_memo,
                operation: Some(transaction.operation.into()),
                created_at_time: timestamp(
                    transaction.created_at_time.unwrap_or(block.timestamp_nanos),
                ),
            },
            timestamp: timestamp(block.timestamp_nanos),
        }
    }
}
