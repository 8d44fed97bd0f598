//! The log of receipts: a chain of hashes whose tip is certified, so nobody, not even this canister, can take
//! one back without breaking every later one.
//!
//! ```text
//! certified data = root of -+- http_expr: what HTTP answers that are not certified say of themselves (`http/skip.rs`)
//!                           +- receipts -+- count: u64 big-endian
//!                                        +- tip:   hash of the newest receipt (32 zeros where there is none)
//! ```

use ic_certification::hash_tree::{HashTree, fork, label, leaf, pruned};
use stoa_inference_api::{CertifiedReceipt, GetReceiptError, GetReceiptResult, Price, Receipt};
use stoa_types::Sha256;

use crate::http::skip;
use crate::limits::SUCCESSORS_MAX;
use crate::runtime::Runtime;
use crate::state;
use crate::stored::{ReceiptV1, StoredPrice, StoredReceipt};

/// A receipt but for what follows from its place in the log.
pub struct Entry {
    pub version: Sha256,
    pub caller: candid::Principal,
    pub input_hash: Sha256,
    pub output_hash: Sha256,
    pub instructions: u64,
    pub price: StoredPrice,
    pub payment_block: Option<u64>,
}

pub fn append<R: Runtime>(runtime: &R, entry: Entry) -> Receipt {
    let id = count();
    let mut receipt = Receipt {
        id,
        version: entry.version,
        caller: entry.caller,
        input_hash: entry.input_hash,
        output_hash: entry.output_hash,
        instructions: entry.instructions,
        price: to_wire(entry.price),
        payment_block: entry.payment_block,
        timestamp_nanos: runtime.now_nanos(),
        engine: stoa_engine::ENGINE.to_owned(),
        previous: tip(),
        hash: Sha256::default(),
    };
    receipt.hash = receipt.compute_hash();
    let stored = StoredReceipt::V1(ReceiptV1 {
        version: receipt.version,
        caller: receipt.caller,
        input_hash: receipt.input_hash,
        output_hash: receipt.output_hash,
        instructions: receipt.instructions,
        price: entry.price,
        payment_block: receipt.payment_block,
        timestamp_nanos: receipt.timestamp_nanos,
        engine: receipt.engine.clone(),
        previous: receipt.previous,
        hash: receipt.hash,
    });
    let appended = state::with(|state| state.receipts.append(&stored));
    // Full stable memory: the message traps, so nothing was earned, and the payment goes back.
    assert_eq!(
        appended.ok(),
        Some(id),
        "there is no stable memory left for receipts"
    );
    certify(runtime);
    receipt
}

/// Sets the certified data to what the log says; also after an upgrade, which keeps none.
pub fn certify<R: Runtime>(runtime: &R) {
    runtime.certify(fork(skip::tree(), tree()).digest());
}

pub fn count() -> u64 {
    state::with(|state| state.receipts.len())
}

/// `certificate` is the system's, which only a query that is not replicated gets.
pub fn get_receipt(id: u64, certificate: Option<Vec<u8>>) -> GetReceiptResult {
    let count = count();
    let receipt = read(id).ok_or(GetReceiptError::NotFound { id, count })?;
    let last = count.min(id.saturating_add(1).saturating_add(SUCCESSORS_MAX));
    let mut witness = Vec::new();
    let revealed: HashTree<Vec<u8>> = fork(pruned(skip::tree().digest()), tree());
    ciborium::into_writer(&revealed, &mut witness).expect("BUG: a tree of two leaves encodes");
    Ok(CertifiedReceipt {
        receipt,
        successors: (id + 1..last).filter_map(read).collect(),
        certificate: certificate.unwrap_or_default(),
        witness,
    })
}

/// The part about receipts.
pub fn tree() -> HashTree<Vec<u8>> {
    label(
        "receipts",
        fork(
            label("count", leaf(count().to_be_bytes())),
            label("tip", leaf(tip().0)),
        ),
    )
}

fn tip() -> Sha256 {
    let count = count();
    count
        .checked_sub(1)
        .and_then(read)
        .map_or(Sha256::default(), |receipt| receipt.hash)
}

pub fn read(id: u64) -> Option<Receipt> {
    let StoredReceipt::V1(receipt) = state::with(|state| state.receipts.get(id))?;
    Some(Receipt {
        id,
        version: receipt.version,
        caller: receipt.caller,
        input_hash: receipt.input_hash,
        output_hash: receipt.output_hash,
        instructions: receipt.instructions,
        price: to_wire(receipt.price),
        payment_block: receipt.payment_block,
        timestamp_nanos: receipt.timestamp_nanos,
        engine: receipt.engine,
        previous: receipt.previous,
        hash: receipt.hash,
    })
}

fn to_wire(price: StoredPrice) -> Price {
    match price {
        StoredPrice::IcpE8s(e8s) => Price::IcpE8s(e8s),
        StoredPrice::TokenE8s(e8s) => Price::TokenE8s(e8s),
        StoredPrice::Cycles(cycles) => Price::Cycles(cycles.into()),
    }
}
