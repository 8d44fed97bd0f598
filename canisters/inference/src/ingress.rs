//! `inspect_message`: turns away, before they cost anything, messages that their methods would refuse anyway. It is run by
//! one node and never for calls of canisters, so nothing relies on it.

use candid::Principal;

/// Method and the most bytes its argument may have. Methods of canisters only are not here.
const METHODS: [(&str, usize); 32] = [
    ("add_key", 500),
    ("balances_of", 200),
    ("claim", 200),
    ("claim_cycles", 200),
    ("deposit", 200),
    ("get_job", 200),
    ("get_payment", 200),
    ("get_receipt", 200),
    ("get_transfer", 200),
    ("http_request", 2 << 20),
    ("http_request_update", 2 << 20),
    ("infer", 2 << 20),
    ("infer_query", 2 << 20),
    ("list_jobs", 200),
    ("list_keys", 200),
    ("load", 500),
    ("load_model", 200),
    ("load_status", 200),
    ("quote", 200),
    ("quote_call", 2 << 20),
    ("remove_key", 200),
    ("set_policy", 2_000),
    ("settle_payment", 200),
    ("status", 200),
    ("submit", 2 << 20),
    ("top_up", 200),
    ("unload_model", 200),
    ("validate_load_model", 200),
    ("validate_set_policy", 2_000),
    ("validate_settle_payment", 200),
    ("validate_unload_model", 200),
    ("withdraw", 500),
];

/// What anybody may call without a name: gateways send what browsers and other clients ask of them.
const ANONYMOUS: [&str; 2] = ["http_request", "http_request_update"];

pub fn is_welcome(caller: Principal, method: &str, argument_bytes: usize) -> bool {
    let known = METHODS.iter().find(|(name, _)| *name == method);
    let has_a_name = caller != Principal::anonymous() || ANONYMOUS.contains(&method);
    has_a_name && known.is_some_and(|(_, max)| argument_bytes <= *max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_turn_away_anonymous_oversized_and_unknown_messages() {
        let somebody = Principal::from_slice(&[1, 2, 3]);
        assert!(is_welcome(somebody, "infer", 1_000_000));
        assert!(!is_welcome(Principal::anonymous(), "infer", 10));
        assert!(is_welcome(
            Principal::anonymous(),
            "http_request_update",
            1_000_000
        ));
        assert!(!is_welcome(somebody, "load", 501));
        assert!(!is_welcome(somebody, "c2c_run", 10));
        assert!(!is_welcome(somebody, "no_such_method", 10));
    }
}
