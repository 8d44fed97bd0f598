//! What is not even worth a message: ingress that no method would accept. This
//! only saves cycles. It does not run for calls from canisters, so every method checks for itself.

use candid::Principal;

use crate::limits::MANIFEST_BYTES_MAX;

/// Arguments of all methods but `begin_upload`: digests and names, and a reason of 1,000 bytes.
const SMALL_BYTES_MAX: u64 = 2_048;

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
        "accept_publisher" | "claim_publisher" | "note_proposal" | "offer_publisher" | "seal"
        | "set_alias" | "set_co_publishers" | "set_price" | "submit" | "withdraw" => {
            argument_bytes <= SMALL_BYTES_MAX
        }
        // A chunk of 1 MiB and the Candid around it.
        "put_shard_module_chunk" => argument_bytes <= (1 << 20) + 1024,
        "add_inference" | "assign_model" | "remove_inference" | "add_shard" | "grow_fleet"
        | "retire_shard" | "scrub_shards" | "set_fleet_policy" | "set_shard_module"
        | "admit_version" | "deprecate_version" | "revoke_version" | "set_parameters" => {
            caller == governance && argument_bytes <= SMALL_BYTES_MAX
        }
        // Queries, by somebody who wants the answer from consensus. Those with a certificate only make sense as queries.
        "audit_log"
        | "describe_version"
        | "fleet_status"
        | "get_deposit"
        | "get_model"
        | "get_parameters"
        | "get_publisher"
        | "get_version"
        | "icrc3_get_archives"
        | "icrc3_get_blocks"
        | "icrc3_supported_block_types"
        | "list_deposits"
        | "list_inference"
        | "list_jobs"
        | "list_lineage"
        | "list_model_versions"
        | "list_open_versions"
        | "list_publishers"
        | "list_shards"
        | "list_versions"
        | "publishers_of"
        | "quote_deposit"
        | "resolve"
        | "route"
        | "search"
        | "status"
        | "validate_add_inference"
        | "validate_add_shard"
        | "validate_admit_version"
        | "validate_assign_model"
        | "validate_deprecate_version"
        | "validate_grow_fleet"
        | "validate_remove_inference"
        | "validate_retire_shard"
        | "validate_revoke_version"
        | "validate_scrub_shards"
        | "validate_set_fleet_policy"
        | "validate_set_parameters"
        | "validate_set_shard_module" => argument_bytes <= SMALL_BYTES_MAX,
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
        assert!(!ask("seal", someone, 2_049));
        assert!(!ask("no_such_method", someone, 0));
    }
}
