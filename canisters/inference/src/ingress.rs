//! `inspect_message`: turns away, before they cost anything, messages that their methods would refuse anyway. It is run by
//! one node and never for calls of canisters, so nothing relies on it.

use candid::Principal;

/// Method and the most bytes its argument may have. Methods of canisters only are not here.
const METHODS: [(&str, usize); 8] = [
    ("load", 200),
    ("load_status", 200),
    ("quote", 200),
    ("infer", 2 << 20),
    ("get_receipt", 200),
    ("get_payment", 200),
    ("top_up", 200),
    ("status", 200),
];

pub fn is_welcome(caller: Principal, method: &str, argument_bytes: usize) -> bool {
    let known = METHODS.iter().find(|(name, _)| *name == method);
    caller != Principal::anonymous() && known.is_some_and(|(_, max)| argument_bytes <= *max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_turn_away_anonymous_oversized_and_unknown_messages() {
        let somebody = Principal::from_slice(&[1, 2, 3]);
        assert!(is_welcome(somebody, "infer", 1_000_000));
        assert!(!is_welcome(Principal::anonymous(), "infer", 10));
        assert!(!is_welcome(somebody, "load", 201));
        assert!(!is_welcome(somebody, "c2c_run", 10));
        assert!(!is_welcome(somebody, "no_such_method", 10));
    }
}
