//! What is not even worth a message: ingress that no method would accept. This
//! only saves cycles. It does not run for calls from canisters, so every method checks for itself.

use candid::Principal;

use crate::limits::MANIFEST_BYTES_MAX;

/// Arguments of all methods but `begin_upload`: a digest or a name.
const SMALL_BYTES_MAX: u64 = 1024;

pub fn is_acceptable(
    method: &str,
    caller: Principal,
    argument_bytes: u64,
    governance: Principal,
) -> bool {
    if caller == Principal::anonymous() {
        return false;
    }
    match method {
        "begin_upload" => argument_bytes <= MANIFEST_BYTES_MAX,
        "claim_publisher" | "seal" | "submit" | "set_price" => argument_bytes <= SMALL_BYTES_MAX,
        "admit_version" => caller == governance && argument_bytes <= SMALL_BYTES_MAX,
        // Queries, by somebody who wants the answer from consensus.
        "validate_admit_version"
        | "get_version"
        | "resolve"
        | "list_versions"
        | "list_shards"
        | "audit_log" => argument_bytes <= SMALL_BYTES_MAX,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::principal;

    #[test]
    fn should_refuse_anonymous_oversized_and_unknown_ingress() {
        let (someone, governance) = (principal(1), principal(9));
        let ask = |method: &str, caller, bytes| is_acceptable(method, caller, bytes, governance);
        assert!(ask("begin_upload", someone, MANIFEST_BYTES_MAX));
        assert!(ask("seal", someone, 40));
        assert!(ask("admit_version", governance, 60));
        assert!(!ask("admit_version", someone, 60));
        assert!(!ask("seal", Principal::anonymous(), 40));
        assert!(!ask("list_shards", Principal::anonymous(), 8));
        assert!(!ask("begin_upload", someone, MANIFEST_BYTES_MAX + 1));
        assert!(!ask("seal", someone, 1025));
        assert!(!ask("no_such_method", someone, 0));
    }
}
