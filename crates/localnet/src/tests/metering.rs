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

#[test]
fn should_count_the_same_whichever_way_a_function_is_left() {
    let net = Net::new();
    let measured = |function: &str| {
        let canister = net.canister(&format!(
            r#"(func $f (param i32) {function})
            (func $g (param i32))
            (func (export "canister_update go") (local $before i64)
                (local.set $before (call $performance_counter (i32.const 0)))
                (call $f (i32.const 1))
                (call $answer (i64.sub (call $performance_counter (i32.const 0)) (local.get $before))))"#
        ));
        net.call(canister, "go", &[]).number()
    };
    let by_end = measured("nop nop nop nop");
    assert_eq!(measured("nop nop nop return"), by_end);
    assert_eq!(measured("nop nop br 0"), by_end);
    assert_eq!(measured("nop (br_if 0 (local.get 0)) unreachable"), by_end);
    assert_eq!(
        measured("nop (block (br_table 0 1 0 (local.get 0))) unreachable"),
        by_end
    );
    assert_eq!(measured("(block (loop nop nop (br 2)))"), by_end);
    // The callee is entered for one more, and the tail call costs three.
    assert_eq!(measured("(return_call $g (local.get 0))"), by_end + 1);
    assert_eq!(
        measured("(if (local.get 0) (then nop (return)) (else nop nop nop nop))"),
        by_end + 1
    );
}
