//! ICRC-3: the block log as anybody can check it. Each block names the hash of the one
//! before, and the hash of the newest is certified, so a reader needs to trust nobody.
//!
//! Nothing is archived: the whole log stays in this canister. A block of the ICP
//! `transfer` shows its receiver as the 32 bytes of the account identifier, since the
//! account behind them is not known; every other block follows the standard's schema.

use candid::Nat;
use ic_certification::{HashTree, empty, fork, label, leaf};
use icrc_ledger_types::icrc3::archive::{GetArchivesArgs, ICRC3ArchiveInfo};
use icrc_ledger_types::icrc3::blocks::{
    BlockWithId, GetBlocksRequest, GetBlocksResult, ICRC3DataCertificate, SupportedBlockType,
};
use serde_bytes::ByteBuf;

use crate::ledger::Totals;
use crate::memory::with_ledger;
use crate::runtime;
use crate::transfer::fitting;

/// The official number. A block's value is under 700 bytes in an answer, so the worst
/// answer is 1.4 MB of the 2 MiB that fit.
const BLOCKS_IN_ANSWER_MAX: u64 = 2_000;
/// CBOR's mark of self-description, tag 55799, which readers of trees expect.
const SELF_DESCRIBED: [u8; 3] = [0xd9, 0xd9, 0xf7];

const BLOCK_TYPES: [(&str, &str); 5] = [
    ("1burn", "ICRC-1"),
    ("1mint", "ICRC-1"),
    ("1xfer", "ICRC-1"),
    ("2approve", "ICRC-2"),
    ("2xfer", "ICRC-2"),
];

/// The blocks of the ranges in their order, until the answer is full.
pub fn get_blocks(ranges: Vec<GetBlocksRequest>) -> GetBlocksResult {
    with_ledger(|ledger| {
        let log_length = ledger.blocks.len();
        let mut blocks = Vec::new();
        for range in ranges {
            let room = BLOCKS_IN_ANSWER_MAX - blocks.len() as u64;
            // Past 64 bits there are no blocks, and a length past them is all there are.
            let start = fitting(&range.start).unwrap_or(u64::MAX).min(log_length);
            let length = fitting(&range.length).unwrap_or(u64::MAX).min(room);
            let end = start.saturating_add(length).min(log_length);
            blocks.extend((start..end).map(|index| {
                let block = ledger
                    .blocks
                    .get(index)
                    .expect("BUG: a block below the log's length is missing");
                BlockWithId {
                    id: Nat::from(index),
                    block: block.to_icrc3_value(),
                }
            }));
        }
        GetBlocksResult {
            log_length: Nat::from(log_length),
            blocks,
            archived_blocks: vec![],
        }
    })
}

pub fn get_archives(_arguments: GetArchivesArgs) -> Vec<ICRC3ArchiveInfo> {
    vec![]
}

pub fn supported_block_types() -> Vec<SupportedBlockType> {
    BLOCK_TYPES
        .iter()
        .map(|(block_type, standard)| SupportedBlockType {
            block_type: block_type.to_string(),
            url: format!("https://github.com/dfinity/ICRC-1/tree/main/standards/{standard}"),
        })
        .collect()
}

/// `last_block_index` in unsigned LEB128 and `last_block_hash`; empty without blocks.
fn tree(length: u64, totals: &Totals) -> HashTree {
    let (Some(index), Some(hash)) = (length.checked_sub(1), totals.tip_hash) else {
        return empty();
    };
    let mut encoded_index = Vec::new();
    leb128::write::unsigned(&mut encoded_index, index).expect("BUG: writing to memory cannot fail");
    fork(
        label("last_block_hash", leaf(hash)),
        label("last_block_index", leaf(encoded_index)),
    )
}

/// To be called with every new block, and after every install and upgrade, which
/// certified data does not survive.
pub fn certify(length: u64, totals: &Totals) {
    runtime::set_certified_data(tree(length, totals).digest());
}

/// `None` in a replicated call, which has no certificate, and while there are no blocks.
pub fn tip_certificate() -> Option<ICRC3DataCertificate> {
    let certificate = runtime::data_certificate()?;
    let tree = with_ledger(|ledger| {
        (!ledger.blocks.is_empty()).then(|| tree(ledger.blocks.len(), &ledger.totals.get().0))
    })?;
    let mut hash_tree = SELF_DESCRIBED.to_vec();
    ciborium::into_writer(&tree, &mut hash_tree).expect("BUG: writing to memory cannot fail");
    Some(ICRC3DataCertificate {
        certificate: ByteBuf::from(certificate),
        hash_tree: ByteBuf::from(hash_tree),
    })
}
