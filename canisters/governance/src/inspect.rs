//! What ingress is refused before it costs anything. Nothing relies on it: every
//! method guards itself, since calls from canisters pass by here.

use candid::Principal;

/// A Wasm module may come with a proposal, as long as a message may be.
const COMMAND_LENGTH_BYTES_MAX: usize = 2 * 1024 * 1024;
const QUESTION_LENGTH_BYTES_MAX: usize = 16 * 1024;

const QUESTIONS: &[&str] = &[
    "get_latest_reward_event",
    "get_metadata",
    "get_mode",
    "get_nervous_system_parameters",
    "get_neuron",
    "get_proposal",
    "get_proposal_certified",
    "get_treasury",
    "list_dao_canisters",
    "list_nervous_system_functions",
    "list_neurons",
    "list_payments",
    "list_proposals",
    "list_topics",
    "validate_add_dao_canister",
    "validate_remove_dao_canister",
    "validate_set_cycles_policy",
];

pub fn is_accepted(method: &str, caller: Principal, argument_length: usize) -> bool {
    if method == "manage_neuron" {
        return caller != Principal::anonymous() && argument_length <= COMMAND_LENGTH_BYTES_MAX;
    }
    QUESTIONS.contains(&method) && argument_length <= QUESTION_LENGTH_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_refuse_anonymous_commands_long_arguments_and_unknown_methods() {
        let somebody = Principal::from_slice(&[1]);
        assert!(is_accepted("manage_neuron", somebody, 100));
        assert!(!is_accepted("manage_neuron", Principal::anonymous(), 100));
        assert!(!is_accepted(
            "manage_neuron",
            somebody,
            COMMAND_LENGTH_BYTES_MAX + 1
        ));
        assert!(is_accepted("get_neuron", Principal::anonymous(), 100));
        assert!(!is_accepted(
            "get_neuron",
            somebody,
            QUESTION_LENGTH_BYTES_MAX + 1
        ));
        assert!(!is_accepted("set_mode", somebody, 0));
    }
}
