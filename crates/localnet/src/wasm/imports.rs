//! The functions that a canister may import, and how they must be typed.

use wasmparser::ValType;

/// One function of the module `ic0`: name, parameters, results. In the
/// signature `i` stands for i32, `I` for i64, and `p` for a place in the heap or
/// a size: an i32 where the memory has 32 bits, an i64 where it has 64.
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
    import("msg_arg_data_size", "", "p"),
    import("msg_arg_data_copy", "ppp", ""),
    import("msg_caller_size", "", "p"),
    import("msg_caller_copy", "ppp", ""),
    import("msg_caller_info_data_size", "", "p"),
    import("msg_caller_info_data_copy", "ppp", ""),
    import("msg_caller_info_signer_size", "", "p"),
    import("msg_caller_info_signer_copy", "ppp", ""),
    import("msg_reject_code", "", "i"),
    import("msg_reject_msg_size", "", "p"),
    import("msg_reject_msg_copy", "ppp", ""),
    import("msg_deadline", "", "I"),
    import("msg_reply_data_append", "pp", ""),
    import("msg_reply", "", ""),
    import("msg_reject", "pp", ""),
    import("msg_cycles_available", "", "I"),
    import("msg_cycles_available128", "p", ""),
    import("msg_cycles_refunded", "", "I"),
    import("msg_cycles_refunded128", "p", ""),
    import("msg_cycles_accept", "I", "I"),
    import("msg_cycles_accept128", "IIp", ""),
    import("cycles_burn128", "IIp", ""),
    import("canister_self_size", "", "p"),
    import("canister_self_copy", "ppp", ""),
    import("canister_cycle_balance", "", "I"),
    import("canister_cycle_balance128", "p", ""),
    import("canister_liquid_cycle_balance128", "p", ""),
    import("canister_status", "", "i"),
    import("canister_version", "", "I"),
    import("subnet_self_size", "", "p"),
    import("subnet_self_copy", "ppp", ""),
    import("subnet_self_node_count", "", "i"),
    import("msg_method_name_size", "", "p"),
    import("msg_method_name_copy", "ppp", ""),
    import("accept_message", "", ""),
    import("call_new", "pppppppp", ""),
    import("call_on_cleanup", "pp", ""),
    import("call_data_append", "pp", ""),
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
    import("root_key_size", "", "p"),
    import("root_key_copy", "ppp", ""),
    import("certified_data_set", "pp", ""),
    import("data_certificate_present", "", "i"),
    import("data_certificate_size", "", "p"),
    import("data_certificate_copy", "ppp", ""),
    import("time", "", "I"),
    import("global_timer_set", "I", "I"),
    import("performance_counter", "i", "I"),
    import("is_controller", "pp", "i"),
    import("in_replicated_execution", "", "i"),
    import("cost_call", "IIp", ""),
    import("cost_create_canister", "p", ""),
    import("cost_http_request", "IIp", ""),
    import("cost_http_request_v2", "ppp", ""),
    import("cost_sign_with_ecdsa", "ppip", "i"),
    import("cost_sign_with_schnorr", "ppip", "i"),
    import("cost_vetkd_derive_key", "ppip", "i"),
    import("env_var_count", "", "p"),
    import("env_var_name_size", "p", "p"),
    import("env_var_name_copy", "pppp", ""),
    import("env_var_name_exists", "pp", "i"),
    import("env_var_value_size", "pp", "p"),
    import("env_var_value_copy", "ppppp", ""),
    import("mint_cycles128", "IIp", ""),
    import("debug_print", "pp", ""),
    import("trap", "pp", ""),
];

/// The import of that name, if there is one.
pub fn find(name: &str) -> Option<&'static Import> {
    IC0.iter().find(|import| import.name == name)
}

/// Whether a function type is the one that the signature string describes.
pub fn matches(signature: &str, types: &[ValType], memory64: bool) -> bool {
    signature.len() == types.len()
        && signature
            .bytes()
            .zip(types)
            .all(|(letter, ty)| match letter {
                b'i' => *ty == ValType::I32,
                b'p' if !memory64 => *ty == ValType::I32,
                _ => *ty == ValType::I64,
            })
}

/// Import declarations of everything, for test modules in WAT.
#[cfg(test)]
pub fn declarations(memory64: bool) -> String {
    let types = |letters: &str| {
        letters
            .chars()
            .map(|letter| match letter {
                'i' => " i32",
                'p' if !memory64 => " i32",
                _ => " i64",
            })
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
