//! What ingress is refused before it costs anything. Nothing relies on it: every
//! method guards itself, since calls from canisters pass by here.
//!
//! A message that is accepted is paid for by governance: some thousand cycles a byte, and
//! what decoding costs, which the quotas in `lib.rs` bound by its length. So whoever has no
//! neuron, and so nothing at stake, may send what a claim needs and no more: with the
//! dearest 16 KiB that decode (`benches/results/governance.md`) a trillion cycles last for
//! some 15,000 such messages.

use candid::Principal;

use crate::memory::with_state;

/// A Wasm module may come with a proposal, as long as a message may be.
const COMMAND_LENGTH_BYTES_MAX: usize = 2 * 1024 * 1024;
/// A claim has 100 bytes, and the types of all commands, which clients send along, 4 KiB.
const STRANGERS_COMMAND_LENGTH_BYTES_MAX: usize = 16 * 1024;
const QUESTION_LENGTH_BYTES_MAX: usize = 16 * 1024;

const QUESTIONS: &[&str] = &[
    "get_cycles_history",
    "get_latest_reward_event",
    "get_metadata",
    "get_mode",
    "get_nervous_system_parameters",
    "get_neuron",
    "get_proposal",
    "get_proposal_certified",
    "get_rollout",
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
    "validate_upgrade_canisters",
];

pub fn is_accepted(method: &str, caller: Principal, argument_length: usize) -> bool {
    if method == "manage_neuron" {
        let is_holder = || with_state(|state| !state.neurons_of(&caller, None, 1).is_empty());
        return caller != Principal::anonymous()
            && (argument_length <= STRANGERS_COMMAND_LENGTH_BYTES_MAX
                || argument_length <= COMMAND_LENGTH_BYTES_MAX && is_holder());
    }
    QUESTIONS.contains(&method) && argument_length <= QUESTION_LENGTH_BYTES_MAX
}
