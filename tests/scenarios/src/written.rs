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

/// `module` with these bytes in the place of NAME, and their number in that of NAME_LENGTH.
pub fn with_bytes(module: &str, name: &str, bytes: &[u8]) -> String {
    let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    module
        .replace(&format!("{name}_LENGTH"), &bytes.len().to_string())
        .replace(name, &escaped)
}

/// The same with a value in Candid.
pub fn with_value(module: &str, name: &str, value: impl candid::CandidType) -> String {
    with_bytes(
        module,
        name,
        &candid::encode_one(value).expect("a value encodes"),
    )
}
