//! What calls would cost, told without making them.

use candid::{CandidType, DecoderConfig};
use serde::Deserialize;
use wasmtime::Linker;

use super::USUAL;
use super::context::MessageContext;
use super::entry_point::ALWAYS;
use super::guest::*;
use crate::fees;

/// Answers of the functions that take a key.
const OK: u32 = 0;
const INVALID_CURVE: u32 = 1;
const INVALID_KEY: u32 = 2;

#[derive(CandidType, Deserialize)]
struct HttpParameters {
    request_bytes: u64,
    http_roundtrip_time_ms: u64,
    raw_response_bytes: u64,
    transformed_response_bytes: u64,
    transform_instructions: u64,
}

pub fn define<P: Pointer>(linker: &mut Linker<MessageContext>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "ic0",
        "cost_call",
        |mut guest: Guest, name: u64, payload: u64, to: P| {
            let [to] = wide([to]);
            enter(&mut guest, "cost_call", ALWAYS, USUAL, 0)?;
            let bytes = usize::try_from(name.saturating_add(payload)).unwrap_or(usize::MAX);
            write_u128(&mut guest, to, fees::call(bytes))
        },
    )?;
    linker.func_wrap("ic0", "cost_create_canister", |mut guest: Guest, to: P| {
        let [to] = wide([to]);
        enter(&mut guest, "cost_create_canister", ALWAYS, USUAL, 0)?;
        write_u128(&mut guest, to, fees::CANISTER_CREATION)
    })?;
    linker.func_wrap(
        "ic0",
        "cost_http_request",
        |mut guest: Guest, request: u64, response: u64, to: P| {
            let [to] = wide([to]);
            enter(&mut guest, "cost_http_request", ALWAYS, USUAL, 0)?;
            write_u128(&mut guest, to, fees::http_request(request, Some(response)))
        },
    )?;
    linker.func_wrap(
        "ic0",
        "cost_http_request_v2",
        |mut guest: Guest, from: P, size: P, to: P| {
            let [from, size, to] = wide([from, size, to]);
            enter(&mut guest, "cost_http_request_v2", ALWAYS, USUAL, size)?;
            let bytes = read(&mut guest, from, size)?;
            // Other fields than these are not there to be skipped.
            let mut strict = DecoderConfig::new();
            strict.set_skipping_quota(0);
            match candid::decode_one_with_config::<HttpParameters>(&bytes, &strict) {
                Ok(given) => {
                    let cost = fees::http_request_v2(&fees::HttpUsage {
                        request_bytes: given.request_bytes,
                        roundtrip_milliseconds: given.http_roundtrip_time_ms,
                        response_bytes: given.raw_response_bytes,
                        transformed_bytes: given.transformed_response_bytes,
                        transform_instructions: given.transform_instructions,
                    });
                    write_u128(&mut guest, to, cost)
                }
                Err(_) => violation(
                    &mut guest,
                    "ic0_cost_http_request_v2: the parameters could not be decoded",
                ),
            }
        },
    )?;
    // The number of curves or algorithms that each knows.
    for (function, kinds) in [
        ("cost_sign_with_ecdsa", 1),
        ("cost_sign_with_schnorr", 2),
        ("cost_vetkd_derive_key", 1),
    ] {
        linker.func_wrap(
            "ic0",
            function,
            move |mut guest: Guest, from: P, size: P, kind: u32, to: P| {
                let [from, size, to] = wide([from, size, to]);
                enter(&mut guest, function, ALWAYS, USUAL, size)?;
                let name = read_text(&mut guest, from, size, function)?;
                if kind >= kinds {
                    return Ok(INVALID_CURVE);
                }
                match fees::threshold_key(&name) {
                    Some(cost) => write_u128(&mut guest, to, cost).map(|()| OK),
                    None => Ok(INVALID_KEY),
                }
            },
        )?;
    }
    Ok(())
}
