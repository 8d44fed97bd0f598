//! What became of a transfer that the ledger does not tell duplicates of any more: its
//! blocks say (ICRC-3). Statement 8: no retry past the window without reading them.
//!
//! A block's time never falls, so the first block that may be the transfer's is found by
//! halving; from there blocks are read up to the end of the window. `created_at_time`
//! and memo together name one transfer of governance. Blocks that lie in an archive, or
//! more than are read at once, leave the answer unknown rather than no.

use candid::{Nat, Principal};
use icrc_ledger_types::icrc::generic_value::ICRC3Value;
use icrc_ledger_types::icrc3::blocks::{BlockWithId, GetBlocksRequest, GetBlocksResult};

use crate::ledger::{Outcome, Transfer, TransferRefusal, WINDOW_NANOS, ask_with_quota};

const PAGE: u64 = 50;
/// 10,000 transfers of a day.
const PAGES_MAX: u64 = 200;
/// Clocks of ledger and governance agree to this.
const DRIFT_NANOS: u64 = 5 * 60 * 1_000_000_000;
/// A page of blocks with some 20 values each.
const DECODING_QUOTA: usize = 2_000_000;

pub async fn find(ledger: Principal, transfer: &Transfer) -> Outcome {
    match search(ledger, transfer).await {
        Ok(Some(block)) => Outcome::Done { block },
        Ok(None) => Outcome::Refused(TransferRefusal {
            covers_earlier_requests: true,
            temporary: false,
            too_old: true,
            message: "the ledger's blocks do not have it, and its window has passed".to_string(),
        }),
        Err(message) => Outcome::Unknown { message },
    }
}

async fn search(ledger: Principal, transfer: &Transfer) -> Result<Option<u64>, String> {
    let length = number(&page(ledger, 0, 0).await?.log_length)?;
    let from = transfer.created_at_nanos.saturating_sub(DRIFT_NANOS);
    let until = transfer
        .created_at_nanos
        .saturating_add(WINDOW_NANOS)
        .saturating_add(DRIFT_NANOS);
    // The first block that is not older than the transfer.
    let (mut low, mut high) = (0, length);
    while low < high {
        let middle = low + (high - low) / 2;
        let blocks = page(ledger, middle, 1).await?.blocks;
        let [block] = &blocks[..] else {
            return Err(format!("block {middle} is not at the ledger itself"));
        };
        if time(block)? < from {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for _ in 0..PAGES_MAX {
        if low >= length {
            return Ok(None);
        }
        let asked = PAGE.min(length - low);
        let blocks = page(ledger, low, asked).await?.blocks;
        if blocks.is_empty() {
            return Err(format!("block {low} is not at the ledger itself"));
        }
        for block in &blocks {
            if time(block)? > until {
                return Ok(None);
            }
            if is_of(block, transfer) {
                return number(&block.id).map(Some);
            }
        }
        low += blocks.len() as u64;
    }
    Err(format!("not among {} blocks", PAGES_MAX * PAGE))
}

async fn page(ledger: Principal, start: u64, length: u64) -> Result<GetBlocksResult, String> {
    let request = vec![GetBlocksRequest {
        start: start.into(),
        length: length.into(),
    }];
    ask_with_quota(ledger, "icrc3_get_blocks", (request,), DECODING_QUOTA)
        .await
        .map_err(|failure| failure.message)
}

fn number(nat: &Nat) -> Result<u64, String> {
    u64::try_from(&nat.0).map_err(|_| format!("{nat} does not fit 64 bits"))
}

fn field<'a>(value: &'a ICRC3Value, name: &str) -> Option<&'a ICRC3Value> {
    match value {
        ICRC3Value::Map(map) => map.get(name),
        _ => None,
    }
}

fn time(block: &BlockWithId) -> Result<u64, String> {
    match field(&block.block, "ts") {
        Some(ICRC3Value::Nat(nanos)) => number(nanos),
        _ => Err(format!("block {} has no time", block.id)),
    }
}

fn is_of(block: &BlockWithId, transfer: &Transfer) -> bool {
    let Some(tx) = field(&block.block, "tx") else {
        return false;
    };
    field(tx, "ts") == Some(&ICRC3Value::Nat(transfer.created_at_nanos.into()))
        && field(tx, "amt") == Some(&ICRC3Value::Nat(transfer.amount_e8s.into()))
        && matches!(field(tx, "memo"), Some(ICRC3Value::Blob(memo)) if memo[..] == transfer.memo[..])
}
