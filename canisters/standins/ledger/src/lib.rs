//! Stands in for three official canisters on local networks: the ICRC-1/2/3 ledger of
//! the governance token, the ICP ledger and, told so when it is installed, the cycles
//! ledger. One Wasm, installed once for each; on mainnet the official ones take its
//! place and no caller knows the difference.
//!
//! This file holds entry points and decides nothing. What must hold: balances sum
//! to the supply, a refused request changes nothing, and the block log is a hash
//! chain that only grows.
//!
//! The methods `standin_*` make it fail on demand, for tests of its callers.
//!
//! As on the official ledgers the anonymous principal owns accounts like any other,
//! so no method refuses it.

// With `canisters/clippy.toml`: no floats where money is counted.
#![deny(clippy::float_arithmetic)]

mod account;
mod approve;
mod block;
mod consent;
mod cycles;
mod faults;
mod icp;
mod icrc3;
mod init;
mod ledger;
mod memory;
mod metadata;
mod query_blocks;
mod refusal;
mod runtime;
mod transfer;
mod upgrade;

use candid::{Nat, candid_method};
use icrc_ledger_types::icrc::generic_metadata_value::MetadataValue;
use icrc_ledger_types::icrc1::account::Account;
use icrc_ledger_types::icrc1::transfer::{TransferArg, TransferError as Icrc1TransferError};
use icrc_ledger_types::icrc2::allowance::{Allowance, AllowanceArgs};
use icrc_ledger_types::icrc2::approve::{ApproveArgs, ApproveError};
use icrc_ledger_types::icrc2::transfer_from::{TransferFromArgs, TransferFromError};
use icrc_ledger_types::icrc3::archive::{GetArchivesArgs, ICRC3ArchiveInfo};
use icrc_ledger_types::icrc3::blocks::{
    GetBlocksRequest, GetBlocksResult, ICRC3DataCertificate, SupportedBlockType,
};
use icrc_ledger_types::icrc21::errors::Icrc21Error;
use icrc_ledger_types::icrc21::requests::ConsentMessageRequest;
use icrc_ledger_types::icrc21::responses::ConsentInfo;

pub use cycles::{
    CreateCanisterArgs, CreateCanisterError, CreateCanisterSuccess, CreationArgs, DepositArgs,
    DepositResult, RejectionCode, WithdrawArgs, WithdrawError,
};
pub use faults::{Fault, FaultKind};
pub use icp::*;
pub use init::InitArgs;
pub use metadata::StandardRecord;
pub use upgrade::{LedgerArgument, UpgradeArgs};

/// The largest question is a transfer: under 1 KiB of values and a type table.
/// Candid counts roughly four for a byte read and fifty for a value skipped.
const DECODING_QUOTA: usize = 200_000;
const SKIPPING_QUOTA: usize = 10_000;
/// Genesis lists may be long; only a controller sends them.
const INIT_DECODING_QUOTA: usize = 100_000_000;
/// A logo may be long.
const UPGRADE_DECODING_QUOTA: usize = 2_000_000;

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

/// The same where a refusal is to be an answer and not a trap.
fn decode<T>(bytes: &[u8]) -> candid::Result<T>
where
    T: for<'a> serde::Deserialize<'a> + candid::CandidType,
{
    let mut config = candid::DecoderConfig::new();
    config.set_decoding_quota(DECODING_QUOTA);
    config.set_skipping_quota(SKIPPING_QUOTA);
    candid::utils::decode_one_with_config(bytes, &config)
}

fn init_argument(bytes: Vec<u8>) -> InitArgs {
    candid::utils::decode_one_with_decoding_and_skipping_quota::<
        INIT_DECODING_QUOTA,
        SKIPPING_QUOTA,
        InitArgs,
    >(bytes)
}

#[ic_cdk::init(decode_with = "init_argument", hidden = true)]
#[candid_method(init)]
fn init(arguments: InitArgs) {
    init::init(arguments)
}

/// As on the official ledgers: nothing, or what changes with the code. The type is not in
/// the interface, where an argument of `init` alone has its place.
fn upgrade_argument(bytes: Vec<u8>) -> Option<LedgerArgument> {
    const NOTHING: &[u8] = b"DIDL\0\0";
    if bytes.is_empty() || bytes == NOTHING {
        return None;
    }
    // Candid would take for `null` what it cannot read as a change.
    let mut config = candid::DecoderConfig::new();
    config.set_decoding_quota(UPGRADE_DECODING_QUOTA);
    config.set_skipping_quota(SKIPPING_QUOTA);
    match candid::utils::decode_one_with_config(&bytes, &config) {
        Ok(Some(argument)) => Some(argument),
        Ok(None) => panic!("the argument of the upgrade is not one of this ledger"),
        Err(error) => panic!("the argument of the upgrade does not decode: {error}"),
    }
}

#[ic_cdk::post_upgrade(decode_with = "upgrade_argument")]
fn post_upgrade(argument: Option<LedgerArgument>) {
    upgrade::after_upgrade(argument)
}

#[ic_cdk::update(decode_with = "argument", hidden = true)]
#[candid_method(update)]
async fn transfer(arguments: TransferArgs) -> Result<u64, TransferError> {
    transfer::transfer(arguments).await
}

#[ic_cdk::update(decode_with = "argument", hidden = true)]
#[candid_method(update)]
async fn icrc1_transfer(arguments: TransferArg) -> Result<Nat, Icrc1TransferError> {
    transfer::icrc1_transfer(arguments).await
}

#[ic_cdk::update(decode_with = "argument", hidden = true)]
#[candid_method(update)]
async fn icrc2_transfer_from(arguments: TransferFromArgs) -> Result<Nat, TransferFromError> {
    transfer::icrc2_transfer_from(arguments).await
}

#[ic_cdk::update(decode_with = "argument", hidden = true)]
#[candid_method(update)]
async fn icrc2_approve(arguments: ApproveArgs) -> Result<Nat, ApproveError> {
    approve::icrc2_approve(arguments).await
}

#[ic_cdk::query(decode_with = "argument", hidden = true)]
#[candid_method(query)]
fn icrc2_allowance(arguments: AllowanceArgs) -> Allowance {
    approve::icrc2_allowance(arguments)
}

#[ic_cdk::query(decode_with = "argument", hidden = true)]
#[candid_method(query)]
fn account_balance(arguments: AccountBalanceArgs) -> Tokens {
    query_blocks::account_balance(arguments)
}

#[ic_cdk::query(decode_with = "argument", hidden = true)]
#[candid_method(query)]
fn account_identifier(account: Account) -> AccountIdentifierBytes {
    account::AccountIdentifier::from(account).into()
}

#[ic_cdk::query(decode_with = "argument", hidden = true)]
#[candid_method(query)]
fn query_blocks(arguments: GetBlocksArgs) -> QueryBlocksResponse {
    query_blocks::query_blocks(arguments)
}

#[ic_cdk::query(decode_with = "argument", hidden = true)]
#[candid_method(query)]
fn transfer_fee(_arguments: TransferFeeArg) -> TransferFee {
    metadata::transfer_fee()
}

#[ic_cdk::query]
fn archives() -> Archives {
    // Nothing is archived: the whole log stays in this canister.
    Archives { archives: vec![] }
}

#[ic_cdk::query]
fn decimals() -> Decimals {
    metadata::decimals()
}

#[ic_cdk::query]
fn symbol() -> Symbol {
    metadata::symbol()
}

#[ic_cdk::query]
fn name() -> Name {
    metadata::name()
}

#[ic_cdk::query]
fn icrc1_name() -> String {
    metadata::name().name
}

#[ic_cdk::query]
fn icrc1_symbol() -> String {
    metadata::symbol().symbol
}

#[ic_cdk::query]
fn icrc1_decimals() -> u8 {
    metadata::icrc1_decimals()
}

#[ic_cdk::query]
fn icrc1_fee() -> Nat {
    metadata::icrc1_fee()
}

#[ic_cdk::query]
fn icrc1_metadata() -> Vec<(String, MetadataValue)> {
    metadata::icrc1_metadata()
}

#[ic_cdk::query]
fn icrc1_total_supply() -> Nat {
    metadata::icrc1_total_supply()
}

#[ic_cdk::query]
fn icrc1_minting_account() -> Option<Account> {
    metadata::icrc1_minting_account()
}

#[ic_cdk::query(decode_with = "argument", hidden = true)]
#[candid_method(query)]
fn icrc1_balance_of(account: Account) -> Nat {
    query_blocks::icrc1_balance_of(account)
}

#[ic_cdk::query]
fn icrc1_supported_standards() -> Vec<StandardRecord> {
    metadata::supported_standards()
}

#[ic_cdk::query]
fn icrc10_supported_standards() -> Vec<StandardRecord> {
    metadata::supported_standards()
}

#[ic_cdk::query(decode_with = "argument", hidden = true)]
#[candid_method(query)]
fn icrc3_get_blocks(ranges: Vec<GetBlocksRequest>) -> GetBlocksResult {
    icrc3::get_blocks(ranges)
}

#[ic_cdk::query(decode_with = "argument", hidden = true)]
#[candid_method(query)]
fn icrc3_get_archives(arguments: GetArchivesArgs) -> Vec<ICRC3ArchiveInfo> {
    icrc3::get_archives(arguments)
}

#[ic_cdk::query]
fn icrc3_get_tip_certificate() -> Option<ICRC3DataCertificate> {
    icrc3::tip_certificate()
}

#[ic_cdk::query]
fn icrc3_supported_block_types() -> Vec<SupportedBlockType> {
    icrc3::supported_block_types()
}

// An update on the official ledgers too, so that the answer can be certified.
#[ic_cdk::update(decode_with = "argument", hidden = true)]
#[candid_method(update)]
fn icrc21_canister_call_consent_message(
    request: ConsentMessageRequest,
) -> Result<ConsentInfo, Icrc21Error> {
    consent::canister_call_consent_message(request)
}

#[ic_cdk::update(decode_with = "argument", hidden = true)]
#[candid_method(update)]
fn deposit(arguments: DepositArgs) -> DepositResult {
    cycles::deposit(arguments)
}

#[ic_cdk::update(decode_with = "argument", hidden = true)]
#[candid_method(update)]
async fn withdraw(arguments: WithdrawArgs) -> Result<Nat, WithdrawError> {
    cycles::withdraw(arguments).await
}

#[ic_cdk::update(decode_with = "argument", hidden = true)]
#[candid_method(update)]
async fn create_canister(
    arguments: CreateCanisterArgs,
) -> Result<CreateCanisterSuccess, CreateCanisterError> {
    cycles::create_canister(arguments).await
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

candid::export_service!();

/// The interface as the code has it; a test holds the committed `.did` against it.
pub fn candid_interface() -> String {
    __export_service()
}

#[cfg(test)]
mod cycles_tests;
#[cfg(test)]
mod edge_tests;
#[cfg(test)]
mod standards_tests;
