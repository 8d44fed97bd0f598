//! The registry's own cycles: when they run low it asks governance, which pays from the treasury. Looked at every hour.

use candid::Reserved;

use crate::runtime::{self, Runtime};
use crate::state::with;

pub async fn run(runtime: &impl Runtime) {
    let (governance, cycles_min) =
        with(|state| (state.governance(), state.parameters.get().cycles_min));
    if runtime.liquid_cycles() >= u128::from(cycles_min) {
        return;
    }
    // Whatever the answer, the balance tells in an hour; until then this canister goes on.
    let answer: Result<Reserved, _> =
        runtime::call(runtime, governance, "request_cycles", ()).await;
    if let Err(failure) = answer {
        runtime.log(&format!(
            "governance did not answer a request for cycles: {}",
            failure.message
        ));
    }
}
