//! An inference canister: loads admitted models from the shards, runs them for whoever pays, writes receipts
//! and buys its own cycles. This file has the entry points and decides nothing.
//!
//! Each has a decoding quota, as much as its largest legal argument needs. (The CDK describes a method with a decoder of
//! its own as one that takes a blob; so it is hidden from the CDK's description and described by `candid_method`.)

// With `canisters/clippy.toml`: no floats where money is counted.
#![deny(clippy::float_arithmetic)]

mod accounts;
mod chunk_store;
mod claims;
mod cycles;
mod decisions;
mod http;
mod infer;
mod ingress;
mod jobs;
mod journal;
mod keys;
mod ledger;
mod limits;
mod load;
mod load_job;
mod memory;
mod migration;
mod money;
mod names;
mod payment;
mod policy;
mod price;
mod queries;
mod quota;
mod receipts;
mod recovery;
mod registration;
mod run;
mod runner;
mod runtime;
mod split;
mod state;
mod stored;
mod tasks;
mod top_up;
mod transfers;
mod volatile;

#[cfg(test)]
mod tests;

use candid::utils::{
    decode_args_with_decoding_and_skipping_quota as decode_args,
    decode_one_with_decoding_and_skipping_quota as decode_one,
};
use candid::{Principal, candid_method};
use ic_cdk::api::{canister_self, data_certificate, msg_caller};
use ic_cdk::{init, inspect_message, post_upgrade, query, update};
use stoa_inference_api::{
    AddKeyArgs, Balances, ClaimArgs, ClaimCyclesArgs, ClaimCyclesResult, DepositArgs,
    DepositResult, GetJobResult, GetPaymentResult, GetReceiptResult, GetTransferResult,
    HttpRequest, HttpResponse, InferRequest, InferResult, InferenceStatus, InitArgs, Key,
    KeyResult, LoadResult, LoadStatusResult, ModelArgs, Payment, Policy, PreviewRequest,
    PreviewResult, QuoteCallResult, QuoteResult, SettleArgs, SubmitResult, TopUpResult,
    ValidationResult, VersionStatusArgs, WithdrawArgs, WithdrawResult,
};
use stoa_types::Sha256;

use runtime::Canister;

#[init]
fn init(arguments: InitArgs) {
    or_trap(state::initialise(arguments));
    receipts::certify(&Canister);
    runtime::arm_timers();
}

#[post_upgrade]
fn post_upgrade() {
    or_trap(migration::migrate());
    receipts::certify(&Canister);
    runtime::arm_timers();
}

/// What only governance or the registry may call refuses by rejecting, as SNS generic functions do.
fn or_trap<T>(result: Result<T, String>) -> T {
    result.unwrap_or_else(|message| ic_cdk::trap(message))
}

#[inspect_message]
fn inspect_message() {
    let method = ic_cdk::api::msg_method_name();
    if ingress::is_welcome(msg_caller(), &method, ic_cdk::api::msg_arg_data().len()) {
        ic_cdk::api::accept_message();
    }
}

#[update(decode_with = "decode_args::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn load(version: Sha256, payment: Option<Payment>) -> LoadResult {
    load::load(&Canister, msg_caller(), version, payment).await
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

// As `infer`.
#[query(decode_with = "decode_one::<4_000_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn quote_call(request: PreviewRequest) -> QuoteCallResult {
    queries::quote_call(request)
}

// 1.9 MB of tensors at a unit a byte, and their names and shapes; a test measures the largest legal request.
#[update(decode_with = "decode_one::<4_000_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn infer(request: InferRequest) -> InferResult {
    infer::infer(&Canister, msg_caller(), request).await
}

// As `infer`.
#[query(decode_with = "decode_one::<4_000_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn infer_query(request: PreviewRequest) -> PreviewResult {
    queries::infer_query(&Canister, request)
}

// As `infer`.
#[update(decode_with = "decode_one::<4_000_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn submit(request: InferRequest) -> SubmitResult {
    infer::submit(&Canister, msg_caller(), request).await
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn get_job(id: u64) -> GetJobResult {
    jobs::get_job(msg_caller(), id)
}

#[query]
fn list_jobs() -> Vec<u64> {
    jobs::list_jobs(msg_caller())
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn deposit(arguments: DepositArgs) -> DepositResult {
    money::deposit(&Canister, msg_caller(), arguments).await
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn withdraw(arguments: WithdrawArgs) -> WithdrawResult {
    money::withdraw(&Canister, msg_caller(), arguments).await
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn claim(arguments: ClaimArgs) -> WithdrawResult {
    money::claim(&Canister, msg_caller(), arguments).await
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn claim_cycles(arguments: ClaimCyclesArgs) -> ClaimCyclesResult {
    claims::claim_cycles(&Canister, msg_caller(), arguments).await
}

/// Credit and royalties of anybody: balances on a ledger are public as well.
#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn balances_of(owner: Principal) -> Balances {
    accounts::balances_of(owner)
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn get_payment(id: u64) -> GetPaymentResult {
    journal::get_payment(id)
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn get_transfer(id: u64) -> GetTransferResult {
    transfers::get_transfer(id)
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
fn add_key(arguments: AddKeyArgs) -> KeyResult {
    keys::add(msg_caller(), arguments)
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
fn remove_key(hash: Sha256) -> bool {
    keys::remove(msg_caller(), hash)
}

#[query]
fn list_keys() -> Vec<Key> {
    keys::of(msg_caller())
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn get_receipt(id: u64) -> GetReceiptResult {
    receipts::get_receipt(id, data_certificate())
}

#[update]
async fn top_up() -> TopUpResult {
    top_up::top_up(&Canister).await
}

#[query]
fn status() -> InferenceStatus {
    queries::status(&Canister)
}

// 2 MB of body at a unit a byte, and headers.
#[query(decode_with = "decode_one::<4_000_000, 100_000, _>", hidden = true)]
#[candid_method(query)]
fn http_request(request: HttpRequest) -> HttpResponse {
    http::query(&Canister, &request, data_certificate())
}

#[update(decode_with = "decode_one::<4_000_000, 100_000, _>", hidden = true)]
#[candid_method(update)]
async fn http_request_update(request: HttpRequest) -> HttpResponse {
    http::update(&Canister, request).await
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn validate_set_policy(policy: Policy) -> ValidationResult {
    policy::validate_set_policy(&policy)
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
fn set_policy(policy: Policy) {
    or_trap(policy::set_policy(msg_caller(), &policy));
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn validate_load_model(arguments: ModelArgs) -> ValidationResult {
    decisions::validate_load_model(&arguments)
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn load_model(arguments: ModelArgs) {
    let begun = or_trap(decisions::load_model(&Canister, msg_caller(), &arguments).await);
    or_trap(begun.map_err(|error| format!("{error:?}")));
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn validate_unload_model(arguments: ModelArgs) -> ValidationResult {
    decisions::validate_unload_model(&arguments)
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
fn unload_model(arguments: ModelArgs) {
    or_trap(decisions::unload_model(msg_caller(), &arguments));
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn validate_settle_payment(arguments: SettleArgs) -> ValidationResult {
    decisions::validate_settle_payment(&arguments)
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
fn settle_payment(arguments: SettleArgs) {
    or_trap(decisions::settle_payment(msg_caller(), &arguments));
}

/// From the registry: a version is not what it was.
#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
fn c2c_version_status(arguments: VersionStatusArgs) {
    or_trap(registration::note_status(
        &Canister,
        msg_caller(),
        arguments,
    ));
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

/// One slice of a run, in a message of its own.
#[update(
    hidden = true,
    guard = "is_self",
    decode_with = "decode_one::<10_000, 10_000, _>"
)]
fn c2c_run(run: u64) {
    run::execute(&Canister, run);
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
