//! Canisters whose modules are written as text where they are used.

use candid::Principal;
use stoa_client::management::Management;
use stoa_client::wasm::Wasm;
use stoa_types::Sha256;

const CYCLES: u128 = 100_000_000_000_000;

/// A new canister with the module that `text` gives for its id.
pub async fn install(management: &Management, text: impl FnOnce(Principal) -> String) -> Principal {
    let canister = management.create(CYCLES, None).await.expect("created");
    let bytes = wat::parse_str(text(canister)).expect("the module is a constant");
    let wasm = Wasm {
        hash: Sha256::of(&bytes),
        bytes,
    };
    management
        .install(canister, &wasm, Vec::new())
        .await
        .expect("installed");
    canister
}

/// `module` with a value in Candid in the place of `name`, and its length in that of LENGTH.
pub fn with_value(module: &str, name: &str, value: impl candid::CandidType) -> String {
    let bytes = candid::encode_one(value).expect("a value encodes");
    let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    module
        .replace(name, &escaped)
        .replace("LENGTH", &bytes.len().to_string())
}
