//! `RemoveGenericNervousSystemFunction`: proposals cannot call it any more; its id is
//! not given again.

use crate::memory::{State, with_state};
use crate::refusal::Refusal;

use super::Performed;

pub fn check(id: u64, state: &State) -> Result<(), Refusal> {
    state.generic_function(id).map(|_| ())
}

pub fn render(id: u64, state: &State) -> Result<String, Refusal> {
    let function = state.generic_function(id)?;
    Ok(format!(
        "# Remove generic function {id}\n\n## Name\n\n{}\n\n## Target\n\n`{}` of {}",
        function.name, function.target_method, function.target_canister
    ))
}

pub fn execute(id: u64) -> Performed {
    with_state(|state| state.remove_function(id)).into()
}
