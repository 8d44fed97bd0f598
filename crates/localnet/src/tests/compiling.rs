//! Compiling a module holds up nobody but its canister.

use std::time::{Duration, Instant};

use super::{INSTALL, Net, Outcome};
use stoa_localnet_wire::Submission;

/// Long enough that compiling it takes a while.
fn large() -> Vec<u8> {
    let mut text = String::from(
        r#"(module (import "ic0" "msg_reply" (func $reply)) (memory 1)
        (func (export "canister_update go") (call $reply))"#,
    );
    for function in 0..4_000 {
        text.push_str("(func (param i32) (result i32) (local.get 0)");
        for step in 0..12 {
            let operation = ["add", "mul", "xor"][step % 3];
            text.push_str(&format!(
                "(i32.const {}) (i32.{operation})",
                function * 31 + step
            ));
        }
        text.push(')');
    }
    text.push(')');
    wat::parse_str(text).unwrap()
}

#[test]
fn should_go_on_with_other_canisters_while_a_module_is_compiled() {
    let net = Net::new();
    let (busy, other) = (
        net.create(),
        net.canister("(func (export \"canister_update go\") (call $msg_reply))"),
    );
    let argument = ic_management_canister_types::InstallCodeArgs {
        mode: INSTALL,
        canister_id: busy,
        wasm_module: large(),
        arg: Vec::new(),
        sender_canister_version: None,
    };
    let argument = candid::encode_one(argument).unwrap();
    let management = candid::Principal::management_canister();
    let begun = Instant::now();
    let (install, submitted) = net.submit(net.user, management, "install_code", &argument);
    assert_eq!(submitted, Submission::Accepted);
    let mut beside = 0;
    while !is_done(&net, install) {
        net.call(other, "go", &[]).reply();
        beside += 1;
    }
    let took = begun.elapsed();
    assert!(beside > 1, "{beside} calls while it took {took:?}");
    assert_eq!(net.wait(install), Outcome::Replied(b"DIDL\0\0".to_vec()));
    net.call(busy, "go", &[]).reply();
    assert!(took > Duration::ZERO);
}

/// Its turn came in time, and then the compiler took longer than the message was good for.
#[test]
fn should_install_what_expires_while_it_is_compiled() {
    use stoa_localnet_wire::{Ingress, Replica, RequestId};
    let module = large();
    let begun = Instant::now();
    crate::wasm::ModuleStore::new(None)
        .prepare(&module)
        .unwrap();
    let half = begun.elapsed().as_nanos() as u64 / 2;
    let net = Net::new();
    let canister = net.create();
    let argument = ic_management_canister_types::InstallCodeArgs {
        mode: INSTALL,
        canister_id: canister,
        wasm_module: module,
        arg: Vec::new(),
        sender_canister_version: None,
    };
    let arg = candid::encode_one(argument).unwrap();
    let ingress = Ingress {
        request_id: RequestId([201; 32]),
        message_bytes: arg.len(),
        sender: net.user,
        canister_id: candid::Principal::management_canister(),
        effective_canister_id: canister,
        method_name: "install_code".into(),
        arg,
        ingress_expiry_nanos: net.network.now() + half,
        sender_info: None,
    };
    let submitted = net.runtime.block_on(net.replica.submit(ingress));
    assert_eq!(submitted, Submission::Accepted);
    net.wait(RequestId([201; 32])).reply();
    net.call(canister, "go", &[]).reply();
}

fn is_done(net: &Net, request: stoa_localnet_wire::RequestId) -> bool {
    net.network.read_tree().requests[&request].status.is_final()
}

#[test]
fn should_keep_the_order_of_messages_for_a_canister_that_is_installed() {
    let net = Net::new();
    let canister = net.create();
    let install = |body: &str, mode| {
        let argument = ic_management_canister_types::InstallCodeArgs {
            mode,
            canister_id: canister,
            wasm_module: super::module(body),
            arg: Vec::new(),
            sender_canister_version: None,
        };
        let argument = candid::encode_one(argument).unwrap();
        let management = candid::Principal::management_canister();
        net.submit(net.user, management, "install_code", &argument)
            .0
    };
    let bump =
        "(func (export \"canister_update bump\") (call $bump) (call $answer (call $counter)))";
    net.wait(install(bump, INSTALL)).reply();
    let (before, _) = net.submit(net.user, canister, "bump", &[]);
    let upgrade = ic_management_canister_types::CanisterInstallMode::Upgrade(None);
    let upgraded = install(&format!("{bump} (func $new)"), upgrade);
    let (after, _) = net.submit(net.user, canister, "bump", &[]);
    assert_eq!(net.wait(before).number(), 1);
    net.wait(upgraded).reply();
    // The upgrade wiped the heap, and the message behind it counts anew.
    assert_eq!(net.wait(after).number(), 1);
}

#[test]
fn should_say_that_a_module_does_not_compile() {
    let net = Net::new();
    let canister = net.create();
    let wrong =
        wat::parse_str("(module (func (result i32)))").unwrap_or_else(|_| b"\0asm".to_vec());
    assert_eq!(
        net.install_bytes(canister, INSTALL, wrong).error_code(),
        "IC0505"
    );
    let good = "(func (export \"canister_update go\") (call $msg_reply))";
    net.install(canister, INSTALL, good).reply();
}
