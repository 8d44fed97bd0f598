//! What governance asks the management canister: how its canisters stand, and to change
//! their code.

use candid::{CandidType, Principal};
use ic_management_canister_types::{CanisterIdRecord, CanisterStatusResult};
use serde::de::DeserializeOwned;

use crate::runtime::{self, CallFailure};

const TIMEOUT_SECONDS: u32 = 60;
/// Statuses list a canister's settings, of which it can have some kilobytes.
const DECODING_QUOTA: usize = 500_000;

pub async fn ask<A: CandidType, T: CandidType + DeserializeOwned>(
    method: &str,
    argument: &A,
) -> Result<T, CallFailure> {
    let argument = candid::encode_one(argument).expect("BUG: arguments encode");
    let answer = tell(method, &argument, TIMEOUT_SECONDS).await?;
    let mut config = candid::DecoderConfig::new();
    config.set_decoding_quota(DECODING_QUOTA);
    candid::utils::decode_one_with_config(&answer, &config).map_err(|error| CallFailure {
        refused: false,
        message: format!("the answer of {method} does not decode: {error}"),
    })
}

/// Of methods that answer nothing.
pub async fn tell(
    method: &str,
    argument: &[u8],
    timeout_seconds: u32,
) -> Result<Vec<u8>, CallFailure> {
    let management = Principal::management_canister();
    runtime::call(management, method, argument, timeout_seconds).await
}

pub fn record(canister: Principal) -> Vec<u8> {
    candid::encode_one(CanisterIdRecord {
        canister_id: canister,
    })
    .expect("BUG: a principal encodes")
}

/// The hash of the code that the canister runs; `None` where it has none.
pub async fn module_hash(canister: Principal) -> Result<Option<Vec<u8>>, CallFailure> {
    let question = CanisterIdRecord {
        canister_id: canister,
    };
    let status: CanisterStatusResult = ask("canister_status", &question).await?;
    Ok(status.module_hash)
}
