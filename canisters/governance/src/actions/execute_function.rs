//! `ExecuteGenericNervousSystemFunction`: calls a method of another canister with a
//! payload that its validator rendered for the voters.
//!
//! The call is not repeated: an answer that is lost leaves an outcome that is not
//! known, and is recorded as that.

use stoa_governance_api as api;

use super::{Action, Performed, invalid};
use crate::execution::{self, external};
use crate::memory::{State, with_state};
use crate::refusal::Refusal;
use crate::runtime;

/// The SNS's limit is 70,000; a multiple of the page size reads better in errors.
pub const PAYLOAD_LENGTH_BYTES_MAX: usize = 64 * 1024;
/// What a validator may answer; longer renderings would crowd out listings.
pub const RENDERING_LENGTH_BYTES_MAX: usize = 30_000;
const VALIDATOR_TIMEOUT_SECONDS: u32 = 60;
/// Twice the longest rendering, a byte costing one.
const VALIDATOR_DECODING_QUOTA: usize = 100_000;
/// The system's longest for a best-effort call.
const TARGET_TIMEOUT_SECONDS: u32 = 300;

pub fn parse(wire: api::ExecuteGenericNervousSystemFunction) -> Result<Action, Refusal> {
    let length = wire.payload.len();
    if length > PAYLOAD_LENGTH_BYTES_MAX {
        return invalid(format!(
            "the payload has {length} bytes, at most {PAYLOAD_LENGTH_BYTES_MAX} are allowed"
        ));
    }
    Ok(Action::ExecuteFunction {
        id: wire.function_id,
        payload: wire.payload,
    })
}

pub fn check(id: u64, state: &State) -> Result<(), Refusal> {
    state.generic_function(id).map(|_| ())
}

/// Asks the validator, which may refuse.
pub async fn render(id: u64, payload: &[u8]) -> Result<String, Refusal> {
    let function = with_state(|state| state.generic_function(id))?;
    let who = format!(
        "`{}` of {}",
        function.validator_method, function.validator_canister
    );
    let answer = runtime::call(
        function.validator_canister,
        &function.validator_method,
        payload,
        VALIDATOR_TIMEOUT_SECONDS,
    )
    .await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(failure) => {
            return invalid(format!(
                "the validator {who} did not answer: {}",
                failure.message
            ));
        }
    };
    let mut config = candid::DecoderConfig::new();
    config.set_decoding_quota(VALIDATOR_DECODING_QUOTA);
    match candid::utils::decode_one_with_config::<Result<String, String>>(&answer, &config) {
        Ok(Ok(rendering)) if rendering.len() > RENDERING_LENGTH_BYTES_MAX => invalid(format!(
            "the validator {who} rendered {} bytes, at most {RENDERING_LENGTH_BYTES_MAX} are allowed",
            rendering.len()
        )),
        Ok(Ok(rendering)) => Ok(rendering),
        Ok(Err(reason)) => invalid(format!("the validator {who} refused: {reason}")),
        Err(error) => invalid(format!(
            "the validator {who} did not answer a variant of Ok and Err text: {error}"
        )),
    }
}

pub async fn execute(proposal: u64, id: u64, payload: &[u8]) -> Performed {
    let function = match with_state(|state| {
        let function = state.generic_function(id)?;
        execution::begin(state, proposal);
        Ok(function)
    }) {
        Ok(function) => function,
        Err(refusal) => return Err::<(), Refusal>(refusal).into(),
    };
    // Any reply is success, as the SNS has it: a target refuses by rejecting.
    let answer = runtime::call(
        function.target_canister,
        &function.target_method,
        payload,
        TARGET_TIMEOUT_SECONDS,
    )
    .await;
    Performed::Finished(answer.map(|_reply| ()).map_err(|failure| {
        let certainty = if failure.refused {
            "was not executed"
        } else {
            "failed, possibly after a part of its effect"
        };
        external(format!(
            "`{}` of {} {certainty}: {}",
            function.target_method, function.target_canister, failure.message
        ))
    }))
}
