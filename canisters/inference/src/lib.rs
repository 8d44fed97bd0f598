//! An inference canister: loads admitted models from the shards, runs them for whoever pays, writes receipts
//! and buys its own cycles. This file has the entry points and decides nothing.
//!
//! Each has a decoding quota, as much as its largest legal argument needs. (The CDK describes a method with a decoder of
//! its own as one that takes a blob; so it is hidden from the CDK's description and described by `candid_method`.)

mod chunk_store;
mod infer;
mod ingress;
mod journal;
mod ledger;
mod limits;
mod load;
mod load_job;
mod memory;
mod payment;
mod price;
mod queries;
mod receipts;
mod recovery;
mod registration;
mod runtime;
mod state;
mod stored;
mod tasks;
mod top_up;
mod volatile;

#[cfg(test)]
mod tests;

use candid::candid_method;
use candid::utils::decode_one_with_decoding_and_skipping_quota as decode_one;
use ic_cdk::api::{canister_self, data_certificate, msg_caller};
use ic_cdk::{init, inspect_message, post_upgrade, query, update};
use stoa_inference_api::{
    GetPaymentResult, GetReceiptResult, InferRequest, InferResult, InferenceStatus, InitArgs,
    LoadResult, LoadStatusResult, QuoteResult, TopUpResult,
};
use stoa_types::Sha256;

use runtime::Canister;

#[init]
fn init(arguments: InitArgs) {
    state::initialise(arguments);
    receipts::certify(&Canister);
    runtime::arm_timers();
}

#[post_upgrade]
fn post_upgrade() {
    state::check_layout();
    receipts::certify(&Canister);
    runtime::arm_timers();
}

#[inspect_message]
fn inspect_message() {
    let method = ic_cdk::api::msg_method_name();
    if ingress::is_welcome(msg_caller(), &method, ic_cdk::api::msg_arg_data().len()) {
        ic_cdk::api::accept_message();
    }
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn load(version: Sha256) -> LoadResult {
    load::load(&Canister, msg_caller(), version).await
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn load_status(version: Sha256) -> LoadStatusResult {
    queries::load_status(version)
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn quote(version: Sha256) -> QuoteResult {
    queries::quote(version)
}

// 1.9 MB of tensors at a unit a byte, and their names and shapes; a test measures the largest legal request.
#[update(decode_with = "decode_one::<4_000_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn infer(request: InferRequest) -> InferResult {
    infer::infer(&Canister, msg_caller(), request).await
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn get_receipt(id: u64) -> GetReceiptResult {
    receipts::get_receipt(id, data_certificate())
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn get_payment(id: u64) -> GetPaymentResult {
    journal::get_payment(id)
}

#[update]
async fn top_up() -> TopUpResult {
    top_up::top_up(&Canister).await
}

#[query]
fn status() -> InferenceStatus {
    queries::status(&Canister)
}

/// One stage of a load, in a message of its own.
#[update(
    hidden = true,
    guard = "is_self",
    decode_with = "decode_one::<10_000, 10_000, _>"
)]
fn c2c_load_step(version: Sha256) {
    load_job::step(&Canister, version);
}

/// One paid run, in a message of its own.
#[update(
    hidden = true,
    guard = "is_self",
    decode_with = "decode_one::<10_000, 10_000, _>"
)]
fn c2c_run(run: u64) {
    infer::execute(&Canister, run);
}

fn is_self() -> Result<(), String> {
    if msg_caller() == canister_self() {
        Ok(())
    } else {
        Err("only this canister may call this".to_owned())
    }
}

candid::export_service!();

/// The interface as this code has it.
pub fn interface() -> String {
    __export_service()
}
