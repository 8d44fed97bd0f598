//! Instructions are counted as the network counts them.

use serde_json::Value;

use super::{INSTALL, Net};

#[test]
fn should_count_instructions_as_the_network_does() {
    let vectors: Value = serde_json::from_str(include_str!("../../tests/metering.json")).unwrap();
    let template = vectors["template"].as_str().unwrap();
    let net = Net::new();
    let mut differing = Vec::new();
    for vector in vectors["vectors"].as_array().unwrap() {
        let module =
            wat::parse_str(template.replace("BODY", vector["body"].as_str().unwrap())).unwrap();
        let canister = net.create();
        net.install_bytes(canister, INSTALL, module).reply();
        let counted = net.call(canister, "go", &[]).number();
        let expected = vector["counter"].as_u64().unwrap();
        let name = vector["name"].as_str().unwrap();
        println!("{name:28} {expected:8} {counted:8}");
        if counted != expected {
            differing.push(name);
        }
    }
    assert!(
        differing.is_empty(),
        "{differing:?} are counted differently"
    );
}
