//! A shard holds chunks by their SHA-256 and decides nothing: it stores what the
//! registry announced, from whom the registry named, and gives back only bytes that hash to their name.
//!
//! This file has the entry points and no logic. Each has a decoding quota: as much as its largest legal argument needs.

mod confirm_chunks;
mod expect;
mod get_chunk;
mod inspect;
mod lifecycle;
mod memory;
mod put_chunk;
mod runtime;
mod status;
mod store;

use candid::Principal;
use candid::utils::decode_one_with_decoding_and_skipping_quota as decode_one;
use ic_cdk::{init, inspect_message, post_upgrade, query, update};
use serde_bytes::ByteBuf;
use stoa_shard_api::{
    ConfirmResult, ExpectArgs, ExpectResult, GetChunkResult, InitArgs, PutChunkResult, ShardStatus,
};
use stoa_types::Sha256;

#[init]
fn init(args: InitArgs) {
    lifecycle::init(args);
}

#[post_upgrade]
fn post_upgrade() {
    lifecycle::post_upgrade();
}

#[inspect_message]
fn inspect_message() {
    if inspect::is_acceptable(
        &ic_cdk::api::msg_method_name(),
        runtime::caller(),
        ic_cdk::api::msg_arg_data().len() as u64,
    ) {
        ic_cdk::api::accept_message();
    }
}

// A chunk of 1 MiB costs one a byte; twice that, so that a larger one is answered with its limit.
#[update(decode_with = "decode_one::<2_200_000, 10_000, _>")]
fn put_chunk(data: ByteBuf) -> PutChunkResult {
    put_chunk::put_chunk(runtime::caller(), &data)
}

// 4,096 chunks at about 120 each, and room to answer one too many with the limit.
#[update(decode_with = "decode_one::<1_000_000, 10_000, _>")]
fn c2c_expect(args: ExpectArgs) -> ExpectResult {
    expect::expect(runtime::caller(), &args)
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>")]
fn get_chunk(hash: Sha256) -> GetChunkResult {
    get_chunk::get_chunk(hash)
}

// 4,096 hashes at about 40 each, and room to answer one too many with the limit.
#[query(decode_with = "decode_one::<400_000, 10_000, _>")]
fn confirm_chunks(hashes: Vec<Sha256>) -> ConfirmResult {
    confirm_chunks::confirm_chunks(&hashes)
}

#[query]
fn status() -> ShardStatus {
    status::status()
}

/// Who may announce chunks.
fn registry() -> Principal {
    store::with(|store| store.registry())
}

#[cfg(test)]
mod tests {
    use super::*;

    candid::export_service!();

    #[test]
    fn should_have_the_interface_that_its_did_file_says() {
        let declared = candid_parser::utils::CandidSource::File(std::path::Path::new("shard.did"));
        let code = __export_service();
        candid_parser::utils::service_equal(
            candid_parser::utils::CandidSource::Text(&code),
            declared,
        )
        .unwrap_or_else(|error| panic!("{error}\nthe code has:\n{code}"));
    }
}
