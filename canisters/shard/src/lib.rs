//! A shard holds chunks by their SHA-256 and decides nothing: it stores what the
//! registry announced, from whom the registry named, and gives back only bytes that hash to their name.
//!
//! This file has the entry points and no logic. Each has a decoding quota: as much as its largest legal argument needs.
//! (The CDK describes a method with a decoder of its own as one that takes a blob; so it is hidden from the CDK's
//! description and described by `candid_method`.)

// With `canisters/clippy.toml`: no floats where money is counted.
#![deny(clippy::float_arithmetic)]

mod certification;
mod certified;
mod confirm_chunks;
mod expect;
mod get_chunk;
mod get_chunks;
mod http;
mod http_request;
mod inspect;
mod jobs;
mod lifecycle;
mod memory;
mod pull;
mod put_chunk;
mod release;
mod runtime;
mod scrub;
mod serve;
mod status;
mod store;

use candid::candid_method;
use candid::utils::{
    decode_args_with_decoding_and_skipping_quota as decode_args,
    decode_one_with_decoding_and_skipping_quota as decode_one,
};
use ic_cdk::{init, inspect_message, post_upgrade, query, update};
use serde_bytes::ByteBuf;
use stoa_shard_api::{
    ConfirmResult, ExpectArgs, ExpectResult, GetChunkResult, GetChunksArgs, GetChunksResult,
    HttpRequest, HttpResponse, HttpUpdateRequest, InitArgs, PullArgs, PullResult, PutChunkResult,
    ReleaseArgs, ReleaseResult, ScrubReport, ScrubResult, ServeArgs, ServeResult, ShardHealth,
    ShardStatus,
};
use stoa_types::Sha256;

use runtime::{Ic, caller};

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
        caller(),
        ic_cdk::api::msg_arg_data().len() as u64,
        || http_request::has_allowance(&Ic),
    ) {
        ic_cdk::api::accept_message();
    }
}

// A chunk of 1 MiB costs one a byte; twice that, so that a larger one is answered with its limit.
#[update(decode_with = "decode_one::<2_200_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
fn put_chunk(data: ByteBuf) -> PutChunkResult {
    put_chunk::put_chunk(&Ic, caller(), &data)
}

// 4,096 chunks at about 120 each, and room to answer one too many with the limit.
#[update(decode_with = "decode_one::<1_000_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
fn c2c_expect(args: ExpectArgs) -> ExpectResult {
    expect::expect(&Ic, caller(), &args)
}

// A version of 16,384 chunks at about 40 each and 1,000 files with paths of 512 bytes.
#[update(decode_with = "decode_one::<4_000_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
fn c2c_serve(args: ServeArgs) -> ServeResult {
    serve::serve(&Ic, runtime::own_id(), caller(), &args)
}

#[update(decode_with = "decode_one::<400_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
fn c2c_release(args: ReleaseArgs) -> ReleaseResult {
    release::release(&Ic, caller(), &args)
}

#[update(decode_with = "decode_one::<20_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
async fn c2c_pull(args: PullArgs) -> PullResult {
    pull::pull(&Ic, caller(), args).await
}

#[update(decode_with = "decode_args::<1_000, 1_000, _>", hidden = true)]
#[candid_method(update)]
fn c2c_scrub() -> ScrubResult {
    scrub::start(&Ic, caller())
}

#[query(decode_with = "decode_one::<10_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn get_chunk(hash: Sha256) -> GetChunkResult {
    get_chunk::get_chunk(hash)
}

// 4,096 hashes at about 40 each, and room to answer one too many with the limit.
#[query(decode_with = "decode_one::<400_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn confirm_chunks(hashes: Vec<Sha256>) -> ConfirmResult {
    confirm_chunks::confirm_chunks(&hashes)
}

#[query(decode_with = "decode_one::<20_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn get_chunks(args: GetChunksArgs) -> GetChunksResult {
    get_chunks::get_chunks(&args)
}

#[query(decode_with = "decode_args::<1_000, 1_000, _>", hidden = true)]
#[candid_method(query)]
fn status() -> ShardStatus {
    status::status(&Ic)
}

#[query(decode_with = "decode_args::<1_000, 1_000, _>", hidden = true)]
#[candid_method(query)]
fn health() -> ShardHealth {
    status::health(&Ic)
}

#[query(decode_with = "decode_args::<1_000, 1_000, _>", hidden = true)]
#[candid_method(query)]
fn scrub_report() -> ScrubReport {
    scrub::report()
}

// Headers and URL as large as gateways let through.
#[query(decode_with = "decode_one::<200_000, 10_000, _>", hidden = true)]
#[candid_method(query)]
fn http_request(request: HttpRequest) -> HttpResponse {
    http_request::http_request(&request)
}

#[update(decode_with = "decode_one::<50_000, 10_000, _>", hidden = true)]
#[candid_method(update)]
fn http_request_update(request: HttpUpdateRequest) -> HttpResponse {
    http_request::http_request_update(&Ic, request)
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

    /// With the quotas of the attributes above.
    #[test]
    fn should_decode_the_largest_legal_arguments_and_one_too_many() {
        use stoa_shard_api::{CHUNK_SIZE_BYTES_MAX, CHUNKS_PER_CALL_MAX, ExpectedChunk};

        let count = CHUNKS_PER_CALL_MAX as usize + 1;
        let chunk = ExpectedChunk {
            hash: Sha256([255; 32]),
            size_bytes: u64::MAX,
        };
        let expected = ExpectArgs {
            version: chunk.hash,
            uploader: candid::Principal::from_slice(&[255; 29]),
            chunks: vec![chunk; count],
        };
        let bytes = candid::encode_one(&expected).unwrap();
        let decoded: ExpectArgs = decode_one::<1_000_000, 10_000, _>(bytes);
        assert_eq!(decoded.chunks.len(), count);

        let bytes = candid::encode_one(vec![Sha256([255; 32]); count]).unwrap();
        let decoded: Vec<Sha256> = decode_one::<400_000, 10_000, _>(bytes);
        assert_eq!(decoded.len(), count);

        let bytes = candid::encode_one(vec![0_u8; CHUNK_SIZE_BYTES_MAX as usize + 1]).unwrap();
        let decoded: ByteBuf = decode_one::<2_200_000, 10_000, _>(bytes);
        assert_eq!(decoded.len() as u64, CHUNK_SIZE_BYTES_MAX + 1);
    }

    /// A message of a few bytes with an argument too many: a vector of 2^27 nulls, to be skipped one by one (statement 25).
    #[test]
    #[should_panic(expected = "cost exceeds the limit")]
    fn should_refuse_a_candid_bomb_cheaply() {
        let types = b"DIDL\x03\x6d\x7b\x6d\x00\x6d\x7f";
        let values = b"\x02\x01\x02\x00\x80\x80\x80\x40";
        let bomb = [&types[..], values].concat();
        let _hashes: Vec<Sha256> = decode_one::<400_000, 10_000, _>(bomb);
    }
}
