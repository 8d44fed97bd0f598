//! The registry: who publishes what, which versions there are and which are
//! admitted, and on which shards their bytes are.
//!
//! This file has the entry points and no logic. Each has a decoding quota: as much as its largest legal argument needs.
//! (The CDK describes a method with a decoder of its own as one that takes a blob; so it is hidden from the CDK's
//! description and described by `candid_method`.)

// With `canisters/clippy.toml`: no floats where money is counted.
#![deny(clippy::float_arithmetic)]

mod admit_version;
mod audit_log;
mod authority;
mod begin_upload;
mod blocks;
mod budget;
mod certification;
mod certified_maps;
mod claim_publisher;
mod cycles;
mod deposits;
mod details;
mod fleet;
mod get_version;
mod get_version_certified;
mod guard;
mod hand_over_publisher;
#[cfg(not(target_arch = "wasm32"))]
pub mod image;
mod inspect;
mod ledger;
mod lifecycle;
mod limits;
mod lineage;
mod list_publishers;
mod list_shards;
mod list_versions;
mod memory;
mod models;
mod notices;
mod parameters;
mod placement;
mod proposals;
mod release;
mod rendering;
mod resolve;
mod retire_version;
mod route;
mod runtime;
mod seal;
mod search;
mod set_alias;
mod set_co_publishers;
mod set_price;
mod shards;
mod state;
mod stored;
mod submit;
mod summary;
mod sweep;
mod tasks;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod withdraw;

use candid::utils::{
    decode_args_with_decoding_and_skipping_quota as decode_args,
    decode_one_with_decoding_and_skipping_quota as decode_one,
};
use candid::{Principal, candid_method};
use ic_cdk::{init, inspect_message, post_upgrade, query, update};
use icrc_ledger_types::icrc3::archive::{GetArchivesArgs, GetArchivesResult};
use icrc_ledger_types::icrc3::blocks::{
    GetBlocksRequest, GetBlocksResult, ICRC3DataCertificate, SupportedBlockType,
};
use stoa_registry_api::*;
use stoa_types::Sha256;
use stoa_types::manifest::Manifest;

use authority::Mandate;
use runtime::{Ic, caller};

#[init]
fn init(args: InitArgs) {
    lifecycle::init(&args, caller());
}

#[post_upgrade]
fn post_upgrade() {
    lifecycle::post_upgrade();
}

#[inspect_message]
fn inspect_message() {
    if inspect::is_acceptable(
        &ic_cdk::api::msg_method_name(),
        caller(),
        ic_cdk::api::msg_arg_data().len() as u64,
        state::with(|state| state.governance()),
    ) {
        ic_cdk::api::accept_message();
    }
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
fn claim_publisher(handle: String) -> ClaimPublisherResult {
    state::with_mut(|state| claim_publisher::claim_publisher(state, &Ic, caller(), handle))
}

// 16,384 chunks at about 40 each and 384 KiB of texts; a test measures the largest legal manifest.
#[update(decode_with = "decode_one::<4_000_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn begin_upload(manifest: Manifest) -> BeginUploadResult {
    begin_upload::begin_upload(&Ic, caller(), manifest).await
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn seal(version: Sha256) -> SealResult {
    seal::seal(&Ic, caller(), version).await
}

#[query]
fn list_inference() -> Vec<Principal> {
    state::with(route::inference_canisters)
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn route(version: Sha256) -> Vec<Principal> {
    state::with(|state| route::route(state, version))
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn validate_add_inference(canister: Principal) -> ValidationResult {
    state::with(|state| route::validate_add_inference(state, canister))
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn add_inference(canister: Principal) {
    let by = mandate(route::ADD_INFERENCE_FUNCTION_ID).await;
    let added = state::with_mut(|state| route::add_inference(state, &Ic, by, canister));
    added.unwrap_or_else(|reason| runtime::trap(&reason));
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn validate_remove_inference(canister: Principal) -> ValidationResult {
    state::with(|state| route::validate_remove_inference(state, canister))
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn remove_inference(canister: Principal) {
    let by = mandate(route::REMOVE_INFERENCE_FUNCTION_ID).await;
    let removed = state::with_mut(|state| route::remove_inference(state, &Ic, by, canister));
    removed.unwrap_or_else(|reason| runtime::trap(&reason));
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn validate_assign_model(args: AssignModelArgs) -> ValidationResult {
    state::with(|state| route::validate_assign_model(state, &args))
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn assign_model(args: AssignModelArgs) {
    let by = mandate(route::ASSIGN_MODEL_FUNCTION_ID).await;
    let assigned = state::with_mut(|state| route::assign_model(state, &Ic, by, &args));
    assigned.unwrap_or_else(|reason| runtime::trap(&reason));
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
fn submit(version: Sha256) -> SubmitResult {
    state::with_mut(|state| submit::submit(state, &Ic, caller(), version))
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn validate_admit_version(args: AdmitVersionArgs) -> ValidationResult {
    state::with(|state| admit_version::validate_admit_version(state, &args))
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn admit_version(args: AdmitVersionArgs) {
    let by = mandate(ADMIT_VERSION_FUNCTION_ID).await;
    let admitted = state::with_mut(|state| admit_version::admit_version(state, &Ic, by, &args));
    if let Err(error) = admitted {
        runtime::trap(&error.to_string());
    }
}

#[update(decode_with = "decode_args::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
fn set_price(model: String, price_per_call_e8s: u64) -> SetPriceResult {
    state::with_mut(|state| set_price::set_price(state, &Ic, caller(), model, price_per_call_e8s))
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn get_version(version: Sha256) -> GetVersionResult {
    state::with(|state| get_version::get_version(state, version))
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn get_version_certified(version: Sha256) -> GetVersionCertifiedResult {
    state::with(|state| get_version_certified::get_version_certified(state, &Ic, version))
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn resolve(reference: String) -> Result<Sha256, GetVersionError> {
    state::with(|state| resolve::resolve(state, &reference))
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn list_versions(args: ListVersionsArgs) -> Vec<VersionSummary> {
    state::with(|state| list_versions::list_versions(state, &args))
}

#[query]
fn list_shards() -> Vec<Principal> {
    state::with(list_shards::list_shards)
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn audit_log(args: AuditLogArgs) -> AuditLogPage {
    state::with(|state| audit_log::audit_log(state, &args))
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
fn offer_publisher(args: OfferPublisherArgs) -> OfferPublisherResult {
    state::with_mut(|state| hand_over_publisher::offer_publisher(state, &Ic, caller(), args))
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
fn accept_publisher(handle: String) -> AcceptPublisherResult {
    state::with_mut(|state| hand_over_publisher::accept_publisher(state, &Ic, caller(), handle))
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
fn set_co_publishers(args: SetCoPublishersArgs) -> SetCoPublishersResult {
    state::with_mut(|state| set_co_publishers::set_co_publishers(state, &Ic, caller(), args))
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn get_publisher(handle: String) -> Option<PublisherInfo> {
    state::with(|state| list_publishers::get_publisher(state, handle))
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn list_publishers(args: ListPublishersArgs) -> Vec<PublisherInfo> {
    state::with(|state| list_publishers::list_publishers(state, args))
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn publishers_of(owner: Principal) -> Vec<PublisherInfo> {
    state::with(|state| list_publishers::publishers_of(state, owner))
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn get_model(model: String) -> GetModelResult {
    state::with(|state| models::get_model(state, &model))
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn list_model_versions(args: ListModelVersionsArgs) -> ListModelVersionsResult {
    state::with(|state| models::list_model_versions(state, &args))
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
fn set_alias(args: SetAliasArgs) -> SetAliasResult {
    state::with_mut(|state| set_alias::set_alias(state, &Ic, caller(), args))
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn search(args: SearchArgs) -> SearchResult {
    state::with(|state| search::search(state, &args))
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn list_lineage(args: LineageArgs) -> LineageResult {
    state::with(|state| lineage::list_lineage(state, &args))
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn list_open_versions(account: Principal) -> Vec<VersionSummary> {
    state::with(|state| list_versions::list_open_versions(state, account))
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn describe_version(version: Sha256) -> DescribeVersionResult {
    state::with(|state| details::describe_version(state, version))
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn get_status_certified(version: Sha256) -> CertifiedStatus {
    state::with(|state| details::get_status_certified(state, &Ic, version))
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn resolve_certified(name: String) -> ResolveCertifiedResult {
    state::with(|state| details::resolve_certified(state, &Ic, name))
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn quote_deposit(size_bytes: u64) -> DepositQuote {
    state::with(|state| deposits::quote_deposit(state, &Ic, size_bytes))
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn get_deposit(id: u64) -> Option<DepositInfo> {
    state::with(|state| deposits::get_deposit(state, id))
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn list_deposits(args: ListDepositsArgs) -> Vec<DepositInfo> {
    state::with(|state| deposits::list_deposits(state, &args))
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
fn withdraw(version: Sha256) -> WithdrawResult {
    state::with_mut(|state| withdraw::withdraw(state, &Ic, caller(), version))
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn note_proposal(args: NoteProposalArgs) -> NoteProposalResult {
    proposals::note_proposal(&Ic, caller(), args).await
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn validate_deprecate_version(args: DeprecateVersionArgs) -> ValidationResult {
    state::with(|state| retire_version::validate_deprecate_version(state, &args))
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn deprecate_version(args: DeprecateVersionArgs) {
    let by = mandate(DEPRECATE_VERSION_FUNCTION_ID).await;
    let done = state::with_mut(|state| retire_version::deprecate_version(state, &Ic, by, args));
    if let Err(error) = done {
        runtime::trap(&error.to_string());
    }
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn validate_revoke_version(args: RevokeVersionArgs) -> ValidationResult {
    state::with(|state| retire_version::validate_revoke_version(state, &args))
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn revoke_version(args: RevokeVersionArgs) {
    let by = mandate(REVOKE_VERSION_FUNCTION_ID).await;
    let done = state::with_mut(|state| retire_version::revoke_version(state, &Ic, by, args));
    if let Err(error) = done {
        runtime::trap(&error.to_string());
    }
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn validate_set_parameters(args: RegistryParameters) -> ValidationResult {
    state::with(|state| parameters::validate_set_parameters(state, &args))
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn set_parameters(args: RegistryParameters) {
    let by = mandate(SET_REGISTRY_PARAMETERS_FUNCTION_ID).await;
    let done = state::with_mut(|state| parameters::set_parameters(state, &Ic, by, args));
    if let Err(error) = done {
        runtime::trap(&error.to_string());
    }
}

#[query]
fn get_parameters() -> RegistryParameters {
    state::with(parameters::get_parameters)
}

#[query]
fn status() -> RegistryStatus {
    state::with(|state| details::status(state, &Ic, runtime::stable_memory_bytes()))
}

// A hundred ranges at about 30 each.
#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn icrc3_get_blocks(ranges: Vec<GetBlocksRequest>) -> GetBlocksResult {
    state::with(|state| blocks::icrc3_get_blocks(state, &ranges))
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn icrc3_get_archives(args: GetArchivesArgs) -> GetArchivesResult {
    blocks::icrc3_get_archives(&args)
}

#[query]
fn icrc3_get_tip_certificate() -> Option<ICRC3DataCertificate> {
    state::with(|state| blocks::icrc3_get_tip_certificate(state, &Ic))
}

#[query]
fn icrc3_supported_block_types() -> Vec<SupportedBlockType> {
    blocks::icrc3_supported_block_types()
}

// The fleet. Targets of generic functions trap where they refuse, as governance understands it.

#[query(decode_with = "decode_args::<1_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn fleet_status() -> FleetStatus {
    state::with(fleet::status::fleet_status)
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn list_jobs(args: ListJobsArgs) -> Vec<FleetJob> {
    state::with(|state| fleet::status::list_jobs(state, &args))
}

// A chunk of 1 MiB costs one a byte.
#[update(decode_with = "decode_one::<2_200_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
fn put_shard_module_chunk(bytes: serde_bytes::ByteBuf) -> PutModuleChunkResult {
    state::with_mut(|state| fleet::module::put_chunk(state, caller(), bytes.into_vec()))
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn validate_add_shard(args: ShardArgs) -> ValidationResult {
    state::with(|state| fleet::functions::validate_add_shard(state, &args))
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn add_shard(args: ShardArgs) {
    let by = mandate(ADD_SHARD_FUNCTION_ID).await;
    trap_on_refusal(fleet::functions::add_shard(&Ic, by, args).await);
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn validate_retire_shard(args: ShardArgs) -> ValidationResult {
    state::with(|state| fleet::functions::validate_retire_shard(state, &args))
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn retire_shard(args: ShardArgs) {
    let by = mandate(RETIRE_SHARD_FUNCTION_ID).await;
    trap_on_refusal(state::with_mut(|state| {
        fleet::functions::retire_shard(state, &Ic, by, &args)
    }));
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn validate_set_fleet_policy(policy: FleetPolicy) -> ValidationResult {
    state::with(|state| fleet::functions::validate_set_fleet_policy(state, &policy))
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn set_fleet_policy(policy: FleetPolicy) {
    let by = mandate(SET_FLEET_POLICY_FUNCTION_ID).await;
    trap_on_refusal(state::with_mut(|state| {
        fleet::functions::set_fleet_policy(state, &Ic, by, &policy)
    }));
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn validate_set_shard_module(module: ShardModule) -> ValidationResult {
    fleet::functions::validate_set_shard_module(&module)
}

#[update(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn set_shard_module(module: ShardModule) {
    let by = mandate(SET_SHARD_MODULE_FUNCTION_ID).await;
    trap_on_refusal(state::with_mut(|state| {
        fleet::functions::set_shard_module(state, &Ic, by, &module)
    }));
}

#[query(decode_with = "decode_args::<1_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn validate_scrub_shards() -> ValidationResult {
    state::with(fleet::functions::validate_scrub_shards)
}

#[update(decode_with = "decode_args::<1_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn scrub_shards() {
    trap_on_refusal(fleet::functions::scrub_shards(&Ic, caller()).await);
}

#[query(decode_with = "decode_args::<1_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn validate_grow_fleet() -> ValidationResult {
    state::with(fleet::functions::validate_grow_fleet)
}

#[update(decode_with = "decode_args::<1_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
fn grow_fleet() {
    trap_on_refusal(state::with_mut(|state| {
        fleet::functions::grow_fleet(state, &Ic, caller())
    }));
}

/// Asked in the first message of a call: later ones have no argument.
async fn mandate(function_id: u64) -> Mandate {
    proposals::mandate(&Ic, caller(), function_id, runtime::argument_bytes()).await
}

fn trap_on_refusal(outcome: Result<(), String>) {
    if let Err(refusal) = outcome {
        runtime::trap(&refusal);
    }
}

#[cfg(test)]
mod interface {
    use candid_parser::utils::{CandidSource, service_compatible, service_equal};

    use super::*;

    candid::export_service!();

    #[test]
    fn should_have_the_interface_that_its_did_file_says() {
        let declared = CandidSource::File(std::path::Path::new("registry.did"));
        let code = __export_service();
        service_equal(CandidSource::Text(&code), declared)
            .unwrap_or_else(|error| panic!("{error}\nthe code has:\n{code}"));
    }

    /// ICRC-3 as the standard has it.
    const ICRC3: &str = "
        type Value = variant {
            Blob : blob; Text : text; Nat : nat; Int : int;
            Array : vec Value; Map : vec record { text; Value };
        };
        type GetBlocksArgs = vec record { start : nat; length : nat };
        type GetBlocksResult = record {
            log_length : nat;
            blocks : vec record { id : nat; block : Value };
            archived_blocks : vec record {
                args : GetBlocksArgs;
                callback : func (GetBlocksArgs) -> (GetBlocksResult) query;
            };
        };
        type GetArchivesArgs = record { from : opt principal };
        type GetArchivesResult = vec record { canister_id : principal; start : nat; end : nat };
        type DataCertificate = record { certificate : blob; hash_tree : blob };
        service : {
            icrc3_get_archives : (GetArchivesArgs) -> (GetArchivesResult) query;
            icrc3_get_blocks : (GetBlocksArgs) -> (GetBlocksResult) query;
            icrc3_get_tip_certificate : () -> (opt DataCertificate) query;
            icrc3_supported_block_types : () -> (vec record { block_type : text; url : text }) query;
        }";

    #[test]
    fn should_serve_whoever_speaks_icrc_3() {
        let ours = __export_service();
        service_compatible(CandidSource::Text(&ours), CandidSource::Text(ICRC3))
            .unwrap_or_else(|error| panic!("{error}"));
    }
}
