//! Each function of `ic0` in each entry point: allowed where the interface
//! specification says so, and refused everywhere else.

use std::collections::BTreeMap;

use super::Net;
use crate::error::ExecutionError;
use crate::execution::{CanisterMemory, Entry, Execution, StableImage};
use crate::network::Limits;
use crate::system_api::{EntryPoint, Message};
use crate::wasm::import_declarations;

/// The specification's own table: functions, and the letters of the entry points.
const TABLE: &[(&str, &str)] = &[
    (
        "msg_arg_data_size msg_arg_data_copy",
        "I U RQ NRQ TQ CQ Ry CRy F",
    ),
    ("msg_caller_size msg_caller_copy", "*"),
    (
        "msg_caller_info_data_size msg_caller_info_data_copy msg_caller_info_signer_size msg_caller_info_signer_copy",
        "U RQ NRQ CQ Ry Rt CRy CRt C CC F",
    ),
    // The specification has `C` here as well; the replica does not allow it.
    ("msg_reject_code", "Ry Rt CRy CRt"),
    ("msg_reject_msg_size msg_reject_msg_copy", "Rt CRt"),
    ("msg_deadline", "U RQ NRQ CQ Ry Rt CRy CRt"),
    (
        "msg_reply_data_append msg_reply msg_reject",
        "U RQ NRQ TQ CQ Ry Rt CRy CRt",
    ),
    (
        "msg_cycles_available msg_cycles_available128 msg_cycles_accept msg_cycles_accept128",
        "U RQ Rt Ry",
    ),
    ("msg_cycles_refunded msg_cycles_refunded128", "Rt Ry"),
    ("cycles_burn128", "I G U RQ Ry Rt C T"),
    (
        "canister_self_size canister_self_copy canister_cycle_balance canister_cycle_balance128",
        "*",
    ),
    (
        "canister_liquid_cycle_balance128 canister_status canister_version",
        "*",
    ),
    (
        "subnet_self_size subnet_self_copy subnet_self_node_count",
        "*",
    ),
    (
        "msg_method_name_size msg_method_name_copy accept_message",
        "F",
    ),
    (
        "call_new call_on_cleanup call_data_append call_with_best_effort_response call_perform",
        "U CQ Ry Rt CRy CRt T",
    ),
    ("call_cycles_add call_cycles_add128", "U Ry Rt T"),
    ("stable_size stable_grow stable_write stable_read", "* s"),
    (
        "stable64_size stable64_grow stable64_write stable64_read",
        "* s",
    ),
    ("root_key_size root_key_copy", "I G U RQ Ry Rt C T"),
    ("certified_data_set", "I G U Ry Rt T"),
    ("data_certificate_present", "*"),
    ("data_certificate_size data_certificate_copy", "NRQ CQ"),
    ("time", "*"),
    ("global_timer_set", "I G U Ry Rt C T"),
    (
        "performance_counter is_controller in_replicated_execution",
        "* s",
    ),
    (
        "cost_call cost_create_canister cost_http_request cost_http_request_v2",
        "* s",
    ),
    (
        "cost_sign_with_ecdsa cost_sign_with_schnorr cost_vetkd_derive_key",
        "* s",
    ),
    (
        "env_var_count env_var_name_size env_var_name_copy env_var_name_exists",
        "*",
    ),
    ("env_var_value_size env_var_value_copy", "*"),
    // Not in the specification: the minting canister alone has use for it.
    ("mint_cycles128", "U Ry Rt T"),
    ("debug_print trap", "* s"),
];

const POINTS: &[(&str, EntryPoint)] = &[
    ("I", EntryPoint::Init),
    ("G", EntryPoint::PreUpgrade),
    ("U", EntryPoint::Update),
    ("RQ", EntryPoint::ReplicatedQuery),
    ("NRQ", EntryPoint::Query),
    ("TQ", EntryPoint::Transform),
    ("CQ", EntryPoint::CompositeQuery),
    ("Ry", EntryPoint::ReplyCallback),
    ("Rt", EntryPoint::RejectCallback),
    ("CRy", EntryPoint::CompositeReplyCallback),
    ("CRt", EntryPoint::CompositeRejectCallback),
    ("C", EntryPoint::Cleanup),
    ("CC", EntryPoint::CompositeCleanup),
    ("s", EntryPoint::Start),
    ("F", EntryPoint::InspectMessage),
    ("T", EntryPoint::SystemTask),
];

/// The imports with their types: name to letters of parameters and whether it has a result.
fn signatures(memory64: bool) -> BTreeMap<String, (Vec<String>, bool)> {
    import_declarations(memory64)
        .lines()
        .map(|line| {
            let name = line.split('"').nth(3).unwrap().to_string();
            let part = |word: &str| {
                let after = &line[line.find(word).unwrap() + word.len()..];
                let inside = &after[..after.find(')').unwrap()];
                inside
                    .split_whitespace()
                    .map(str::to_string)
                    .collect::<Vec<_>>()
            };
            (name, (part("(param"), !part("(result").is_empty()))
        })
        .collect()
}

/// A module with a method for each function that calls it with zeros.
fn caller_of_everything(memory64: bool) -> String {
    let memory = match memory64 {
        true => "(memory i64 1)",
        false => "(memory 1)",
    };
    let mut text = format!("(module {} {memory}", import_declarations(memory64));
    for (name, (parameters, result)) in signatures(memory64) {
        let zeros: String = parameters
            .iter()
            .map(|ty| format!("({ty}.const 0) "))
            .collect();
        let call = match result {
            true => format!("(drop (call ${name} {zeros}))"),
            false => format!("(call ${name} {zeros})"),
        };
        text.push_str(&format!("(func (export \"canister_query {name}\") {call})"));
    }
    text.push(')');
    text
}

#[test]
fn should_allow_each_function_where_the_specification_does_and_nowhere_else() {
    let net = Net::new();
    for memory64 in [false, true] {
        hold_to_the_table(&net, memory64);
    }
}

fn hold_to_the_table(net: &Net, memory64: bool) {
    let canister = net.create();
    let module = net
        .network
        .modules
        .prepare(&wat::parse_str(caller_of_everything(memory64)).unwrap())
        .unwrap();
    let files = &net.network.files;
    let memory = CanisterMemory::fresh(files, &module, StableImage::new(files).unwrap()).unwrap();
    let mut known: Vec<&str> = Vec::new();
    let mut wrong = Vec::new();
    for (functions, letters) in TABLE {
        for function in functions.split_whitespace() {
            known.push(function);
            for (letter, point) in POINTS {
                let expected = letters
                    .split_whitespace()
                    .any(|allowed| allowed == *letter || allowed == "*" && *letter != "s");
                let limits = Limits {
                    instructions: 1_000_000,
                    reply_bytes: 100,
                };
                let state = net.network.read();
                let context = net.network.context(
                    state.canisters.get(&canister).unwrap(),
                    *point,
                    Message::default(),
                    limits,
                    memory.stable.open(),
                );
                drop(state);
                let mut execution = Execution::start(&module, &memory, context).unwrap();
                let export = format!("canister_query {function}");
                let ended = execution.run(Entry::Export(&export));
                let allowed = match &ended.result {
                    Err(ExecutionError::ContractViolation(detail)) => {
                        let refused = detail.contains("cannot be executed in");
                        if refused {
                            assert!(detail.contains(point.name()), "{function}: {detail}");
                        }
                        // Only the minting canister may, wherever it is.
                        !refused || detail.contains("minting")
                    }
                    _ => true,
                };
                if allowed != expected {
                    wrong.push(format!("{function} in {letter}: {:?}", ended.result));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    known.sort_unstable();
    let all: Vec<String> = signatures(memory64).into_keys().collect();
    assert_eq!(known, all, "the table covers every import");
}
