//! The registry: who publishes what, which versions there are and which are
//! admitted, and on which shards their bytes are.
//!
//! This file has the entry points and no logic. Each has a decoding quota: as much as its largest legal argument needs.
//! (The CDK describes a method with a decoder of its own as one that takes a blob; so it is hidden from the CDK's
//! description and described by `candid_method`.)

mod admit_version;
mod audit_log;
mod begin_upload;
mod certification;
mod claim_publisher;
mod get_version;
mod get_version_certified;
mod guard;
mod inspect;
mod lifecycle;
mod limits;
mod list_shards;
mod list_versions;
mod memory;
mod placement;
mod rendering;
mod resolve;
mod runtime;
mod seal;
mod set_price;
mod shards;
mod state;
mod submit;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use candid::utils::{
    decode_args_with_decoding_and_skipping_quota as decode_args,
    decode_one_with_decoding_and_skipping_quota as decode_one,
};
use candid::{Principal, candid_method};
use ic_cdk::{init, inspect_message, post_upgrade, query, update};
use stoa_registry_api::{
    AdmitVersionArgs, AuditLogArgs, AuditLogPage, BeginUploadResult, ClaimPublisherResult,
    GetVersionCertifiedResult, GetVersionError, GetVersionResult, InitArgs, ListVersionsArgs,
    SealResult, SetPriceResult, SubmitResult, ValidationResult, VersionSummary,
};
use stoa_types::Sha256;
use stoa_types::manifest::Manifest;

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
fn admit_version(args: AdmitVersionArgs) {
    let admitted =
        state::with_mut(|state| admit_version::admit_version(state, &Ic, caller(), &args));
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

#[cfg(test)]
mod interface {
    use super::*;

    candid::export_service!();

    #[test]
    fn should_have_the_interface_that_its_did_file_says() {
        use candid_parser::utils::{CandidSource, service_equal};
        let declared = CandidSource::File(std::path::Path::new("registry.did"));
        let code = __export_service();
        service_equal(CandidSource::Text(&code), declared)
            .unwrap_or_else(|error| panic!("{error}\nthe code has:\n{code}"));
    }
}
