//! `AddGenericNervousSystemFunction`: a method of another canister that proposals can
//! call from then on.

use crate::function::GenericFunction;
use crate::memory::{State, with_state};
use crate::refusal::Refusal;
use crate::runtime;
use crate::topic::Topic;

use super::Performed;

pub fn check(function: &GenericFunction, state: &State) -> Result<(), Refusal> {
    state.check_addable(function, runtime::canister_self())
}

pub fn render(function: &GenericFunction) -> String {
    format!(
        "# Add generic function {}\n\n## Name\n\n{}\n\n## Description\n\n{}\n\n\
         ## Validator\n\n`{}` of {}\n\n## Target\n\n`{}` of {}\n\n## Topic\n\n{}",
        function.id,
        function.name,
        function.description.as_deref().unwrap_or("(none)"),
        function.validator_method,
        function.validator_canister,
        function.target_method,
        function.target_canister,
        function.topic.map_or("(none)", Topic::name),
    )
}

pub fn execute(function: GenericFunction) -> Performed {
    with_state(|state| state.add_function(function, runtime::canister_self())).into()
}
