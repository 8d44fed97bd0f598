//! What is not even worth a message: ingress that no method would accept. This
//! only saves cycles. It does not run for calls from canisters, so every method checks for itself.

use candid::Principal;
use stoa_shard_api::CHUNK_SIZE_BYTES_MAX;

use crate::http_request::UPDATE_BYTES_MAX;

/// A chunk and the Candid around it.
const PUT_BYTES_MAX: u64 = CHUNK_SIZE_BYTES_MAX + 1024;
/// 4,096 hashes of 33 bytes and the Candid around them.
const QUERY_BYTES_MAX: u64 = 4096 * 33 + 1024;

/// `has_allowance`: whether one more HTTP request may be an update.
pub fn is_acceptable(
    method: &str,
    caller: Principal,
    argument_bytes: u64,
    has_allowance: impl FnOnce() -> bool,
) -> bool {
    // The one method for everybody: gateways are anonymous.
    if method == "http_request_update" {
        return argument_bytes <= UPDATE_BYTES_MAX && has_allowance();
    }
    if caller == Principal::anonymous() {
        return false;
    }
    match method {
        "put_chunk" => argument_bytes <= PUT_BYTES_MAX,
        // Queries, by somebody who wants the answer from consensus.
        "get_chunk" | "get_chunks" | "confirm_chunks" | "status" | "health" | "scrub_report" => {
            argument_bytes <= QUERY_BYTES_MAX
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: &str, caller: Principal, argument_bytes: u64) -> bool {
        is_acceptable(method, caller, argument_bytes, || true)
    }

    /// Statement 18.
    #[test]
    fn should_refuse_anonymous_oversized_and_unknown_ingress() {
        let someone = Principal::from_slice(&[1]);
        assert!(ask("put_chunk", someone, PUT_BYTES_MAX));
        assert!(ask("status", someone, 8));
        assert!(!ask("put_chunk", someone, PUT_BYTES_MAX + 1));
        assert!(!ask("put_chunk", Principal::anonymous(), 100));
        assert!(!ask("status", Principal::anonymous(), 8));
        assert!(!ask("confirm_chunks", someone, QUERY_BYTES_MAX + 1));
        assert!(!ask("c2c_expect", someone, 100));
        assert!(!ask("c2c_release", someone, 100));
        assert!(!ask("no_such_method", someone, 0));
    }

    #[test]
    fn should_let_gateways_send_updates_while_the_allowance_lasts() {
        let anonymous = Principal::anonymous();
        let method = "http_request_update";
        assert!(is_acceptable(method, anonymous, 500, || true));
        assert!(!is_acceptable(method, anonymous, 500, || false));
        assert!(!is_acceptable(
            method,
            anonymous,
            UPDATE_BYTES_MAX + 1,
            || true
        ));
    }
}
