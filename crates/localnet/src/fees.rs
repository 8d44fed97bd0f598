//! What things cost in cycles, as on an application subnet of 13 nodes.

use crate::limits::{INTER_CANISTER_BYTES_MAX, REPLY_BYTES_MAX, UPDATE_INSTRUCTIONS_MAX};

/// The number of nodes that the prices are those of.
pub const SUBNET_NODES: u32 = 13;

const EXECUTION_BASE: u128 = 5_000_000;
const PER_INSTRUCTION: u128 = 1;
const INGRESS_BASE: u128 = 1_200_000;
const INGRESS_BYTE: u128 = 2_000;
const CALL_BASE: u128 = 260_000;
const CALL_BYTE: u128 = 1_000;
pub const CANISTER_CREATION: u128 = 500_000_000_000;
/// For a GiB in a second.
const STORAGE: u128 = 127_000;
/// For one percent of a core in a second.
const COMPUTE_PERCENT: u128 = 10_000_000;
/// What a canister starts with when its creator names no amount.
pub const PROVISIONAL_CYCLES: u128 = 100_000_000_000_000;

const HTTP_BASE: u128 = 3_000_000;
const HTTP_NODE: u128 = 60_000;
const HTTP_REQUEST_BYTE: u128 = 400;
const HTTP_RESPONSE_BYTE: u128 = 800;
const HTTP_RESPONSE_BYTES_DEFAULT: u64 = 2_000_000;

pub fn execution(instructions: u64) -> u128 {
    EXECUTION_BASE + u128::from(instructions) * PER_INSTRUCTION
}

/// For receiving an ingress message of that many bytes, its envelope included.
pub fn ingress(bytes: usize) -> u128 {
    INGRESS_BASE + INGRESS_BYTE * bytes as u128
}

pub fn call_transmission(bytes: usize) -> u128 {
    CALL_BASE + CALL_BYTE * bytes as u128
}

/// Kept back when a call is sent: for carrying the longest response, and for
/// executing its callback to the limit.
pub fn response_reserve() -> u128 {
    CALL_BYTE * REPLY_BYTES_MAX.min(INTER_CANISTER_BYTES_MAX) as u128
        + execution(UPDATE_INSTRUCTIONS_MAX)
}

/// All that a call takes from the balance when it is sent, besides its cycles.
pub fn call(bytes: usize) -> u128 {
    call_transmission(bytes) + response_reserve()
}

/// What is used of the reserve by a response of that many bytes.
pub fn response_transmission(bytes: usize) -> u128 {
    CALL_BYTE * bytes.min(REPLY_BYTES_MAX) as u128
}

/// What a canister burns by existing, for that many seconds.
pub fn idle(memory_bytes: u64, compute_percent: u64, seconds: u64) -> u128 {
    let storage = u128::from(memory_bytes) * STORAGE * u128::from(seconds) / (1 << 30);
    storage + u128::from(compute_percent) * COMPUTE_PERCENT * u128::from(seconds)
}

pub fn http_request(request_bytes: u64, response_bytes_max: Option<u64>) -> u128 {
    let nodes = u128::from(SUBNET_NODES);
    let response = u128::from(response_bytes_max.unwrap_or(HTTP_RESPONSE_BYTES_DEFAULT));
    (HTTP_BASE
        + HTTP_NODE * nodes
        + HTTP_REQUEST_BYTE * u128::from(request_bytes)
        + HTTP_RESPONSE_BYTE * response)
        * nodes
}

/// What an HTTPS outcall uses, in the terms that its newer price is made of.
pub struct HttpUsage {
    pub request_bytes: u64,
    pub roundtrip_milliseconds: u64,
    pub response_bytes: u64,
    pub transformed_bytes: u64,
    pub transform_instructions: u64,
}

/// As `http_request_fee_v2` of the replica's `cycles_account_manager`.
pub fn http_request_v2(usage: &HttpUsage) -> u128 {
    let nodes = u128::from(SUBNET_NODES);
    let base = 1_000_000 + 140_000 * nodes + 800 * nodes * nodes;
    let each = base
        + 50 * u128::from(usage.request_bytes)
        + 50 * u128::from(usage.response_bytes)
        + 300 * u128::from(usage.roundtrip_milliseconds)
        + u128::from(usage.transform_instructions) / 13
        + (10 * nodes + 650) * u128::from(usage.transformed_bytes);
    each * nodes
}

/// Threshold signatures and key derivation, by the key's name.
pub fn threshold_key(name: &str) -> Option<u128> {
    match name {
        "key_1" => Some(26_153_846_153),
        "test_key_1" | "dfx_test_key" => Some(10_000_000_000),
        _ => None,
    }
}
