//! Modules that are not let in.

use super::{INSTALL, Net, Outcome};

#[track_caller]
fn should_refuse(text: &str, reason: &str) {
    let net = Net::new();
    let canister = net.create();
    let outcome: Outcome = net.install_bytes(canister, INSTALL, wat::parse_str(text).unwrap());
    assert_eq!(outcome.clone().error_code(), "IC0505");
    let message = outcome.message();
    assert!(message.contains(reason), "{message}");
}

#[test]
fn should_refuse_what_is_not_wasm() {
    let net = Net::new();
    let canister = net.create();
    for bytes in [&b""[..], b"\0asm", b"hello", b"\x1f\x8b\x08 not gzip"] {
        assert_eq!(
            net.install_bytes(canister, INSTALL, bytes.to_vec())
                .error_code(),
            "IC0505"
        );
    }
}

#[test]
fn should_refuse_imports_that_the_system_does_not_offer() {
    should_refuse(
        r#"(module (import "ic0" "no_such_thing" (func)))"#,
        "ic0.no_such_thing",
    );
    should_refuse(
        r#"(module (import "env" "msg_reply" (func)))"#,
        "env.msg_reply",
    );
    should_refuse(
        r#"(module (import "ic0" "msg_reply" (func (param i32))))"#,
        "wrong type",
    );
    should_refuse(
        r#"(module (import "ic0" "memory" (memory 1)))"#,
        "only functions",
    );
}

#[test]
fn should_hold_imports_to_the_width_of_the_memory() {
    let import =
        |ty: &str| format!(r#"(import "ic0" "msg_reply_data_append" (func (param {ty} {ty})))"#);
    should_refuse(
        &format!("(module {} (memory i64 1))", import("i32")),
        "wrong type",
    );
    should_refuse(
        &format!("(module {} (memory 1))", import("i64")),
        "wrong type",
    );
    should_refuse(&format!("(module {})", import("i64")), "wrong type");
}

#[test]
fn should_refuse_reserved_wrong_and_repeated_exports() {
    should_refuse(
        r#"(module (func (export "canister_something")))"#,
        "reserved",
    );
    should_refuse(
        r#"(module (func (export "canister_update a") (export "canister_query a")))"#,
        "more than once",
    );
    should_refuse(
        r#"(module (func (export "canister_query a") (result i32) (i32.const 1)))"#,
        "type",
    );
    should_refuse(
        r#"(module (func (export "canister_init") (param i32)))"#,
        "type",
    );
}

#[test]
fn should_refuse_features_that_are_off() {
    should_refuse("(module (memory 1) (memory 1))", "memories");
    should_refuse("(module (table i64 1 funcref))", "64-bit");
    should_refuse("(module (memory 1 1 shared))", "thread");
    should_refuse(
        "(module (func (param v128 v128 v128) (result v128)
            (f32x4.relaxed_madd (local.get 0) (local.get 1) (local.get 2))))",
        "relaxed",
    );
}

#[test]
fn should_refuse_what_is_too_large() {
    let functions = "(func)".repeat(50_001);
    should_refuse(&format!("(module {functions})"), "50000");
    // An `i32.const` of this value and its `drop` take six bytes.
    let body = "(drop (i32.const 134217728))".repeat(170_000);
    should_refuse(&format!("(module (func {body}))"), "1000000");
    let globals = "(global i32 (i32.const 0))".repeat(1_001);
    should_refuse(&format!("(module {globals})"), "1000");
    // Each `i64.const` of this value takes twelve bytes with its `drop`.
    let code = "(drop (i64.const -9223372036854775808))".repeat(1_048_576);
    should_refuse(&format!("(module (func {code}))"), "12582912");
    should_refuse(
        r#"(module (memory 1) (data (i32.const 65535) "ab"))"#,
        "outside the memory",
    );
    should_refuse("(module (memory i64 98305))", "98304");
}

#[test]
fn should_publish_custom_sections_as_metadata() {
    let net = Net::new();
    let canister = net.create();
    let text = r#"(module (@custom "icp:public candid:service" "service : {}") (@custom "icp:private note" "x"))"#;
    net.install_bytes(canister, INSTALL, wat::parse_str(text).unwrap())
        .reply();
    let metadata = net.network.read_tree().canisters[&canister]
        .metadata
        .clone();
    assert_eq!(metadata["candid:service"].content, b"service : {}");
    assert!(metadata["candid:service"].public);
    assert!(!metadata["note"].public);
    should_refuse(r#"(module (@custom "icp:secret x" "y"))"#, "icp:public");
}

#[test]
fn should_run_a_module_without_memory_or_tables() {
    let net = Net::new();
    let canister = net.create();
    let text = r#"(module (import "ic0" "msg_reply" (func $reply)) (func (export "canister_update go") (call $reply)))"#;
    net.install_bytes(canister, INSTALL, wat::parse_str(text).unwrap())
        .reply();
    assert_eq!(net.call(canister, "go", &[]), Outcome::Replied(Vec::new()));
}

/// The tests under Node have no assembler.
#[test]
fn should_hold_the_probe_of_the_node_tests_to_its_text() {
    let text = include_str!("../../../../tests/node/probe.wat");
    let module: &[u8] = include_bytes!("../../../../tests/node/probe.wasm");
    assert!(
        wat::parse_str(text).unwrap() == module,
        "probe.wasm is not probe.wat assembled"
    );
}
