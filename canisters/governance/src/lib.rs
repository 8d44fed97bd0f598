//! Governance: token holders stake, propose and vote, and what they adopt happens.
//! It speaks the SNS governance interface, so that stock clients work against it and
//! a genuine SNS could take its place.
//!
//! This file holds entry points and decides nothing. What must hold:
//!
//! - A neuron votes once on a proposal, with the power it had when the proposal was
//!   made; tallies equal the sums of ballots and never exceed the total.
//! - What is adopted is executed at most once, with its outcome recorded, whatever the
//!   target does and whenever governance is upgraded.
//! - Everything durable is in stable structures; the heap holds locks alone.
//! - No message visits all neurons or all proposals.
//!
//! The last is the design's main decision; the SNS does otherwise. Three ideas carry it:
//! voting power is derived at vote time from a neuron's history instead of a ballot
//! for each neuron (`neurons`); the total comes from sums that are polynomials in time
//! (`power`); the tally grows with each ballot (`proposal`). So making a proposal,
//! voting, and an upgrade cost the same with ten neurons and with a hundred thousand.

// With `canisters/clippy.toml`: no floats where money is counted.
#![deny(clippy::float_arithmetic)]

mod actions;
mod answer;
mod ballots;
mod busy;
mod cascade;
mod cbor;
mod certification;
mod claim_or_refresh;
mod configure;
mod cycles_history;
mod dao_canisters;
mod decide;
mod disburse;
mod disburse_maturity;
mod execution;
mod follow;
mod following;
mod function;
mod housekeeping;
#[cfg(not(target_family = "wasm"))]
pub mod image;
mod inspect;
mod install;
mod ledger;
mod ledger_blocks;
mod lock;
mod make_proposal;
mod manage_neuron;
mod management;
mod memory;
mod migration;
mod movement;
mod neuron;
mod neurons;
mod own_functions;
mod parameters;
mod payment;
mod permission;
mod permissions;
mod plain_command;
mod planes;
mod power;
mod proposal;
mod query_certified;
mod query_neurons;
mod query_proposals;
mod query_system;
mod query_treasury;
mod reading;
mod refusal;
mod register_vote;
mod rewards;
mod rollout;
mod runtime;
mod self_upgrade;
mod settings;
mod split;
mod stake_maturity;
mod topic;

use candid::utils::decode_one_with_decoding_and_skipping_quota as decode;
use candid::{Principal, candid_method};
use stoa_governance_api::*;

// With `decode_with` the macros export a blob as the argument, so they stay hidden from
// the interface and `candid_method` gives the true signature. Quotas: a byte costs about
// one, a value four; skipped values (fields that an SNS client sends and we lack) cost
// against the second number.

// 150 functions with descriptions of up to 10 kB.
#[ic_cdk::init(decode_with = "decode::<2_000_000, 10_000, _>", hidden = true)]
#[candid_method(init)]
fn init(arguments: InitArgs) {
    install::install(arguments);
    answer::prepare();
    housekeeping::start();
}

#[ic_cdk::post_upgrade]
fn post_upgrade() {
    install::open_after_upgrade();
    answer::prepare();
    housekeeping::start();
    self_upgrade::go_on_after_upgrade();
}

#[ic_cdk::inspect_message]
fn inspect_message() {
    if inspect::is_accepted(
        &runtime::method_name(),
        runtime::caller(),
        runtime::argument_bytes().len(),
    ) {
        runtime::accept_message();
    }
}

/// A command without the bytes that it carries.
const COMMAND_DECODING_QUOTA: usize = 1_000_000;
const COMMAND_SKIPPING_QUOTA: usize = 50_000;
/// The reference interface has a hundred for a command.
const COMMAND_TYPES_MAX: usize = 500;

/// A byte costs one, so what is long may be decoded and what is nested may not.
fn decode_command(bytes: Vec<u8>) -> ManageNeuron {
    if let Some(command) = plain_command::read(&bytes) {
        return command;
    }
    let mut config = candid::DecoderConfig::new();
    config.set_decoding_quota(COMMAND_DECODING_QUOTA + bytes.len());
    config.set_skipping_quota(COMMAND_SKIPPING_QUOTA);
    config.set_max_type_len(COMMAND_TYPES_MAX);
    candid::utils::decode_one_with_config(&bytes, &config)
        .unwrap_or_else(|error| panic!("not a command: {error}"))
}

#[ic_cdk::update(
    decode_with = "decode_command",
    encode_with = "answer::command",
    hidden = true
)]
#[candid_method(update)]
async fn manage_neuron(request: ManageNeuron) -> ManageNeuronResponse {
    manage_neuron::manage_neuron(request).await
}

#[ic_cdk::query(
    decode_with = "decode::<10_000, 10_000, _>",
    encode_with = "answer::neuron",
    hidden = true
)]
#[candid_method(query)]
fn get_neuron(request: GetNeuron) -> GetNeuronResponse {
    query_neurons::get_neuron(request)
}

#[ic_cdk::query(
    decode_with = "decode::<10_000, 10_000, _>",
    encode_with = "answer::neurons",
    hidden = true
)]
#[candid_method(query)]
fn list_neurons(request: ListNeurons) -> ListNeuronsResponse {
    query_neurons::list_neurons(request)
}

#[ic_cdk::query(
    decode_with = "decode::<10_000, 10_000, _>",
    encode_with = "answer::proposal",
    hidden = true
)]
#[candid_method(query)]
fn get_proposal(request: GetProposal) -> GetProposalResponse {
    query_proposals::get_proposal(request)
}

// Filters are lists: a thousand entries each and more.
#[ic_cdk::query(
    decode_with = "decode::<50_000, 10_000, _>",
    encode_with = "answer::proposals",
    hidden = true
)]
#[candid_method(query)]
fn list_proposals(request: ListProposals) -> ListProposalsResponse {
    query_proposals::list_proposals(request)
}

#[ic_cdk::query(decode_with = "decode::<1_000, 1_000, _>", hidden = true)]
#[candid_method(query)]
fn get_nervous_system_parameters(_nothing: ()) -> NervousSystemParameters {
    query_system::get_nervous_system_parameters()
}

#[ic_cdk::query]
fn list_nervous_system_functions() -> ListNervousSystemFunctionsResponse {
    query_system::list_nervous_system_functions()
}

#[ic_cdk::query(decode_with = "decode::<1_000, 1_000, _>", hidden = true)]
#[candid_method(query)]
fn list_topics(_request: ListTopicsRequest) -> ListTopicsResponse {
    query_system::list_topics()
}

#[ic_cdk::query(decode_with = "decode::<1_000, 1_000, _>", hidden = true)]
#[candid_method(query)]
fn get_metadata(_request: GetMetadataRequest) -> GetMetadataResponse {
    query_system::get_metadata()
}

#[ic_cdk::query(decode_with = "decode::<1_000, 1_000, _>", hidden = true)]
#[candid_method(query)]
fn get_mode(_request: GetModeRequest) -> GetModeResponse {
    query_system::get_mode()
}

#[ic_cdk::query(decode_with = "decode::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn get_proposal_certified(request: GetProposal) -> GetProposalCertifiedResult {
    query_certified::get_proposal_certified(request)
}

#[ic_cdk::query]
fn get_latest_reward_event() -> RewardEvent {
    query_system::get_latest_reward_event()
}

// From here on Stoa's own: what an SNS's root and its community's scripts do.

#[ic_cdk::update]
async fn request_cycles() -> RequestCyclesResult {
    dao_canisters::request_cycles(runtime::caller()).await
}

#[ic_cdk::update(decode_with = "decode::<1_000, 1_000, _>", hidden = true)]
#[candid_method(update)]
async fn register_dao_canister(canister: Principal) -> RegisterCanisterResult {
    dao_canisters::register_dao_canister(runtime::caller(), canister).await
}

#[ic_cdk::query]
fn list_dao_canisters() -> Vec<Principal> {
    dao_canisters::list_dao_canisters()
}

#[ic_cdk::query(decode_with = "decode::<1_000, 1_000, _>", hidden = true)]
#[candid_method(query)]
fn get_cycles_history(canister: Principal) -> Vec<CyclesSample> {
    cycles_history::get_cycles_history(canister)
}

#[ic_cdk::query]
fn get_treasury() -> TreasuryInfo {
    query_treasury::get_treasury()
}

#[ic_cdk::query(decode_with = "decode::<1_000, 1_000, _>", hidden = true)]
#[candid_method(query)]
fn list_payments(request: ListPayments) -> Vec<PaymentInfo> {
    query_treasury::list_payments(request)
}

#[ic_cdk::query(decode_with = "decode::<1_000, 1_000, _>", hidden = true)]
#[candid_method(query)]
fn validate_set_cycles_policy(policy: CyclesPolicy) -> Result<String, String> {
    own_functions::validate_set_cycles_policy(policy)
}

#[ic_cdk::update(decode_with = "decode::<1_000, 1_000, _>", hidden = true)]
#[candid_method(update)]
fn set_cycles_policy(policy: CyclesPolicy) {
    own_functions::set_cycles_policy(runtime::caller(), policy)
}

#[ic_cdk::query(decode_with = "decode::<1_000, 1_000, _>", hidden = true)]
#[candid_method(query)]
fn validate_add_dao_canister(canister: Principal) -> Result<String, String> {
    own_functions::validate_add_dao_canister(canister)
}

#[ic_cdk::update(decode_with = "decode::<1_000, 1_000, _>", hidden = true)]
#[candid_method(update)]
async fn add_dao_canister(canister: Principal) {
    own_functions::add_dao_canister(runtime::caller(), canister).await
}

// 500 ids and 100 hashes at about 40 each, and an argument of 16 KiB.
#[ic_cdk::query(decode_with = "decode::<200_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn validate_upgrade_canisters(args: UpgradeCanistersArgs) -> Result<String, String> {
    own_functions::validate_upgrade_canisters(args)
}

#[ic_cdk::update(decode_with = "decode::<200_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
fn upgrade_canisters(args: UpgradeCanistersArgs) {
    own_functions::upgrade_canisters(runtime::caller(), args)
}

#[ic_cdk::query]
fn get_rollout() -> Option<RolloutInfo> {
    memory::with_state(|state| rollout::info(state))
}

#[ic_cdk::query(decode_with = "decode::<1_000, 1_000, _>", hidden = true)]
#[candid_method(query)]
fn validate_remove_dao_canister(canister: Principal) -> Result<String, String> {
    own_functions::validate_remove_dao_canister(canister)
}

#[ic_cdk::update(decode_with = "decode::<1_000, 1_000, _>", hidden = true)]
#[candid_method(update)]
fn remove_dao_canister(canister: Principal) {
    own_functions::remove_dao_canister(runtime::caller(), canister)
}

#[ic_cdk::update(decode_with = "decode::<1_000, 1_000, _>", hidden = true)]
#[candid_method(update)]
fn c2c_upgrade_itself(number: u8) {
    self_upgrade::step(runtime::caller(), number)
}

candid::export_service!();

/// The interface as the code has it; a test holds the committed `.did` against it.
pub fn candid_interface() -> String {
    __export_service()
}

#[cfg(test)]
mod tests;
