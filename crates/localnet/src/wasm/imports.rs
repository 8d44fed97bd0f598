//! The functions that a canister may import, and how they must be typed.

use wasmparser::ValType;

/// One function of the module `ic0`: name, parameters, results. In the
/// signature `i` stands for i32 and `I` for i64; pointers and sizes are i32,
/// since canisters here have a 32-bit memory.
pub struct Import {
    pub name: &'static str,
    pub params: &'static str,
    pub results: &'static str,
}

const fn import(name: &'static str, params: &'static str, results: &'static str) -> Import {
    Import {
        name,
        params,
        results,
    }
}

pub const IC0: &[Import] = &[
    import("msg_arg_data_size", "", "i"),
    import("msg_arg_data_copy", "iii", ""),
    import("msg_caller_size", "", "i"),
    import("msg_caller_copy", "iii", ""),
    import("msg_caller_info_data_size", "", "i"),
    import("msg_caller_info_data_copy", "iii", ""),
    import("msg_caller_info_signer_size", "", "i"),
    import("msg_caller_info_signer_copy", "iii", ""),
    import("msg_reject_code", "", "i"),
    import("msg_reject_msg_size", "", "i"),
    import("msg_reject_msg_copy", "iii", ""),
    import("msg_deadline", "", "I"),
    import("msg_reply_data_append", "ii", ""),
    import("msg_reply", "", ""),
    import("msg_reject", "ii", ""),
    import("msg_cycles_available", "", "I"),
    import("msg_cycles_available128", "i", ""),
    import("msg_cycles_refunded", "", "I"),
    import("msg_cycles_refunded128", "i", ""),
    import("msg_cycles_accept", "I", "I"),
    import("msg_cycles_accept128", "IIi", ""),
    import("cycles_burn128", "IIi", ""),
    import("canister_self_size", "", "i"),
    import("canister_self_copy", "iii", ""),
    import("canister_cycle_balance", "", "I"),
    import("canister_cycle_balance128", "i", ""),
    import("canister_liquid_cycle_balance128", "i", ""),
    import("canister_status", "", "i"),
    import("canister_version", "", "I"),
    import("subnet_self_size", "", "i"),
    import("subnet_self_copy", "iii", ""),
    import("subnet_self_node_count", "", "i"),
    import("msg_method_name_size", "", "i"),
    import("msg_method_name_copy", "iii", ""),
    import("accept_message", "", ""),
    import("call_new", "iiiiiiii", ""),
    import("call_on_cleanup", "ii", ""),
    import("call_data_append", "ii", ""),
    import("call_with_best_effort_response", "i", ""),
    import("call_cycles_add", "I", ""),
    import("call_cycles_add128", "II", ""),
    import("call_perform", "", "i"),
    import("stable_size", "", "i"),
    import("stable_grow", "i", "i"),
    import("stable_write", "iii", ""),
    import("stable_read", "iii", ""),
    import("stable64_size", "", "I"),
    import("stable64_grow", "I", "I"),
    import("stable64_write", "III", ""),
    import("stable64_read", "III", ""),
    import("root_key_size", "", "i"),
    import("root_key_copy", "iii", ""),
    import("certified_data_set", "ii", ""),
    import("data_certificate_present", "", "i"),
    import("data_certificate_size", "", "i"),
    import("data_certificate_copy", "iii", ""),
    import("time", "", "I"),
    import("global_timer_set", "I", "I"),
    import("performance_counter", "i", "I"),
    import("is_controller", "ii", "i"),
    import("in_replicated_execution", "", "i"),
    import("cost_call", "IIi", ""),
    import("cost_create_canister", "i", ""),
    import("cost_http_request", "IIi", ""),
    import("cost_http_request_v2", "iii", ""),
    import("cost_sign_with_ecdsa", "iiii", "i"),
    import("cost_sign_with_schnorr", "iiii", "i"),
    import("cost_vetkd_derive_key", "iiii", "i"),
    import("env_var_count", "", "i"),
    import("env_var_name_size", "i", "i"),
    import("env_var_name_copy", "iiii", ""),
    import("env_var_name_exists", "ii", "i"),
    import("env_var_value_size", "ii", "i"),
    import("env_var_value_copy", "iiiii", ""),
    import("mint_cycles128", "IIi", ""),
    import("debug_print", "ii", ""),
    import("trap", "ii", ""),
];

/// The import of that name, if there is one.
pub fn find(name: &str) -> Option<&'static Import> {
    IC0.iter().find(|import| import.name == name)
}

/// Whether a function type is the one that the signature string describes.
pub fn matches(signature: &str, types: &[ValType]) -> bool {
    signature.len() == types.len()
        && signature
            .bytes()
            .zip(types)
            .all(|(letter, ty)| match letter {
                b'i' => *ty == ValType::I32,
                _ => *ty == ValType::I64,
            })
}

/// Import declarations of everything, for test modules in WAT.
#[cfg(test)]
pub fn declarations() -> String {
    let types = |letters: &str| {
        letters
            .chars()
            .map(|letter| if letter == 'i' { " i32" } else { " i64" })
            .collect::<String>()
    };
    IC0.iter()
        .map(|import| {
            format!(
                "(import \"ic0\" \"{0}\" (func ${0} (param{1}) (result{2})))\n",
                import.name,
                types(import.params),
                types(import.results)
            )
        })
        .collect()
}
