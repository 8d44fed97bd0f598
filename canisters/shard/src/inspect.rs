//! What is not even worth a message: ingress that no method would accept. This
//! only saves cycles. It does not run for calls from canisters, so every method checks for itself.

use candid::Principal;
use stoa_shard_api::CHUNK_SIZE_BYTES_MAX;

/// A chunk and the Candid around it.
const PUT_BYTES_MAX: u64 = CHUNK_SIZE_BYTES_MAX + 1024;
/// 4,096 hashes of 33 bytes and the Candid around them.
const QUERY_BYTES_MAX: u64 = 4096 * 33 + 1024;

pub fn is_acceptable(method: &str, caller: Principal, argument_bytes: u64) -> bool {
    if caller == Principal::anonymous() {
        return false;
    }
    match method {
        "put_chunk" => argument_bytes <= PUT_BYTES_MAX,
        // Queries, by somebody who wants the answer from consensus.
        "get_chunk" | "confirm_chunks" | "status" => argument_bytes <= QUERY_BYTES_MAX,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_refuse_anonymous_oversized_and_unknown_ingress() {
        let someone = Principal::from_slice(&[1]);
        assert!(is_acceptable("put_chunk", someone, PUT_BYTES_MAX));
        assert!(is_acceptable("status", someone, 8));
        assert!(!is_acceptable("put_chunk", someone, PUT_BYTES_MAX + 1));
        assert!(!is_acceptable("put_chunk", Principal::anonymous(), 100));
        assert!(!is_acceptable("status", Principal::anonymous(), 8));
        assert!(!is_acceptable(
            "confirm_chunks",
            someone,
            QUERY_BYTES_MAX + 1
        ));
        assert!(!is_acceptable("c2c_expect", someone, 100));
        assert!(!is_acceptable("no_such_method", someone, 0));
    }
}
