//! Where a canister that has no id yet is to be created: the effective canister id of the call.

use candid::Principal;
use data_encoding::BASE64;
use serde_json::Value;

use crate::error::{ClientError, Result};

const ENVIRONMENT: &str = "STOA_EFFECTIVE_CANISTER_ID";

/// What `STOA_EFFECTIVE_CANISTER_ID` says; else what the network offers at `/_/topology` (PocketIC and the tools built
/// on it); else the management canister, which a network of one subnet routes by itself.
pub async fn effective_canister_id(endpoint: &str) -> Result<Principal> {
    if let Ok(text) = std::env::var(ENVIRONMENT)
        && !text.is_empty()
    {
        return Principal::from_text(&text).map_err(|error| {
            ClientError::InvalidArgument(format!("{ENVIRONMENT} is no canister id: {error}"))
        });
    }
    Ok(offered(endpoint)
        .await
        .unwrap_or(Principal::management_canister()))
}

/// A network without a topology answers anything here, most often 404: then there is nothing to take from it.
async fn offered(endpoint: &str) -> Option<Principal> {
    let answer = reqwest::get(format!("{endpoint}/_/topology")).await.ok()?;
    if !answer.status().is_success() {
        return None;
    }
    let topology: Value = serde_json::from_slice(&answer.bytes().await.ok()?).ok()?;
    default_effective_canister_id(&topology)
}

/// As text, or as `{"canister_id": <base64 of the bytes>}`.
fn default_effective_canister_id(topology: &Value) -> Option<Principal> {
    match topology.get("default_effective_canister_id")? {
        Value::String(text) => Principal::from_text(text).ok(),
        record => {
            let bytes = BASE64
                .decode(record.get("canister_id")?.as_str()?.as_bytes())
                .ok()?;
            Principal::try_from_slice(&bytes).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn should_read_both_forms_of_the_default_effective_canister_id() {
        let expected = Principal::from_text("lxzze-o7777-77777-aaaaa-cai").unwrap();
        let text = json!({"default_effective_canister_id": "lxzze-o7777-77777-aaaaa-cai"});
        let bytes = json!({"default_effective_canister_id": {"canister_id": "/////////////wEB"}});
        assert!(default_effective_canister_id(&bytes).is_some());
        assert_eq!(default_effective_canister_id(&text), Some(expected));
        assert_eq!(
            default_effective_canister_id(&json!({"subnet_configs": {}})),
            None
        );
    }
}
