//! Stands in for mainnet's cycles minting canister on local networks: ICP sent to
//! it buys cycles for a canister, cycles at the cycles ledger, or a new canister.
//!
//! It cannot mint, which only the real one may; it pays from its own balance by
//! `deposit_cycles` and so works on every endpoint. Everything that a payer sees
//! follows mainnet's rules. What must hold: a block of the ledger buys cycles once;
//! who asks again about a block gets the same answer; ICP that bought nothing goes
//! back, less the fees.
//!
//! The methods `standin_*` make it fail on demand, for tests of its callers.
//!
//! This file holds entry points and decides nothing.

// With `canisters/clippy.toml`: no floats where money is counted.
#![deny(clippy::float_arithmetic)]

mod conversion_rate;
mod faults;
mod journal;
mod ledger;
mod memory;
mod notify_create_canister;
mod notify_mint_cycles;
mod notify_top_up;
mod payment;
mod recovery;
mod runtime;

use candid::{Principal, candid_method};
use stoa_cmc_api::{
    Fault, IcpXdrConversionRateResponse, InitArgs, NotifyCreateCanisterArg,
    NotifyCreateCanisterResult, NotifyMintCyclesArg, NotifyMintCyclesResult, NotifyTopUpArg,
    NotifyTopUpResult,
};

/// A question is two short fields; the type table of mainnet's clients is longer.
const DECODING_QUOTA: usize = 50_000;
const SKIPPING_QUOTA: usize = 5_000;

// With `decode_with` the macros export a blob as the argument, so they stay hidden from
// the interface and `candid_method` gives the true signature.
fn argument<T>(bytes: Vec<u8>) -> T
where
    T: for<'a> serde::Deserialize<'a> + candid::CandidType,
{
    candid::utils::decode_one_with_decoding_and_skipping_quota::<DECODING_QUOTA, SKIPPING_QUOTA, T>(
        bytes,
    )
}

#[ic_cdk::init(decode_with = "argument", hidden = true)]
#[candid_method(init)]
fn init(arguments: InitArgs) {
    memory::install(arguments);
    start();
}

#[ic_cdk::post_upgrade]
fn post_upgrade() {
    memory::open_after_upgrade();
    start();
}

fn start() {
    conversion_rate::certify();
    runtime::start_timer(recovery::INTERVAL, recovery::finish_open_payments);
}

#[ic_cdk::update(decode_with = "argument", hidden = true)]
#[candid_method(update)]
async fn notify_top_up(arguments: NotifyTopUpArg) -> NotifyTopUpResult {
    notify_top_up::notify_top_up(arguments).await
}

#[ic_cdk::update(decode_with = "argument", hidden = true)]
#[candid_method(update)]
async fn notify_create_canister(arguments: NotifyCreateCanisterArg) -> NotifyCreateCanisterResult {
    notify_create_canister::notify_create_canister(arguments).await
}

#[ic_cdk::update(decode_with = "argument", hidden = true)]
#[candid_method(update)]
async fn notify_mint_cycles(arguments: NotifyMintCyclesArg) -> NotifyMintCyclesResult {
    notify_mint_cycles::notify_mint_cycles(arguments).await
}

/// Where a canister may be created: a local network has one subnet.
#[ic_cdk::query]
fn get_default_subnets() -> Vec<Principal> {
    vec![runtime::subnet_self()]
}

#[ic_cdk::update(decode_with = "argument", hidden = true)]
#[candid_method(update)]
fn standin_set_faults(faults: Vec<Fault>) {
    faults::set(runtime::caller(), faults)
}

#[ic_cdk::query]
fn standin_faults() -> Vec<Fault> {
    faults::pending()
}

#[ic_cdk::query]
fn get_icp_xdr_conversion_rate() -> IcpXdrConversionRateResponse {
    conversion_rate::get_icp_xdr_conversion_rate()
}

candid::export_service!();

/// The interface as the code has it; a test holds the committed `.did` against it.
pub fn candid_interface() -> String {
    __export_service()
}

#[cfg(test)]
mod tests;
