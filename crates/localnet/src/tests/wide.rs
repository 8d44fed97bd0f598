//! Canisters whose memory has 64-bit addresses.

use candid::Nat;
use ic_management_canister_types as types;

use super::calls::{PROXY, answer_of, call_of};
use super::{INSTALL, Net};

const GIB: u64 = 1 << 30;

/// As `frame`, with a memory of 64 bits. At 1024 there is a counter, at 16 the text "boom".
fn wide(body: &str) -> Vec<u8> {
    let imports = crate::wasm::import_declarations(true);
    let text = format!(
        r#"(module {imports}
        (memory (export "memory") i64 2)
        (table 8 funcref)
        (data (i64.const 16) "boom")
        (func $append64 (param i64)
            (i64.store (i64.const 0) (local.get 0)) (call $msg_reply_data_append (i64.const 0) (i64.const 8)))
        (func $answer (param i64) (call $append64 (local.get 0)) (call $msg_reply))
        (func $counter (result i64) (i64.load (i64.const 1024)))
        (func $bump (i64.store (i64.const 1024) (i64.add (call $counter) (i64.const 1))))
        (func $argument (result i64)
            (call $msg_arg_data_copy (i64.const 8) (i64.const 0) (i64.const 8)) (i64.load (i64.const 8)))
        (func (export "canister_query counter") (call $answer (call $counter)))
        {body})"#
    );
    wat::parse_str(text).unwrap()
}

fn install(net: &Net, body: &str) -> candid::Principal {
    let canister = net.create();
    net.install_bytes(canister, INSTALL, wide(body)).reply();
    canister
}

fn without_a_limit(net: &Net, canister: candid::Principal) {
    let argument = types::UpdateSettingsArgs {
        canister_id: canister,
        settings: types::CanisterSettings {
            wasm_memory_limit: Some(Nat::from(0u8)),
            ..Default::default()
        },
        sender_canister_version: None,
    };
    net.manage("update_settings", (argument,)).reply();
}

#[test]
fn should_call_and_be_called_with_places_and_closures_of_64_bits() {
    let net = Net::new();
    let canister = install(
        &net,
        r#"(elem (table 0) (i32.const 1) func $replied $rejected $traps $cleans)
        (func $call (param $reply i64)
            (call $msg_arg_data_copy (i64.const 4096) (i64.const 0) (call $msg_arg_data_size))
            (call $call_new
                (i64.const 4096) (call $msg_arg_data_size) (i64.const 2048) (i64.const 4)
                (local.get $reply) (i64.const 0x1234567890) (i64.const 2) (i64.const 0x987654321))
            (call $call_data_append (i64.const 16) (i64.const 4))
            (call $call_on_cleanup (i64.const 4) (i64.const 0x1_0000_0001))
            (call $call_cycles_add (i64.const 100))
            (drop (call $call_perform)))
        (data (i64.const 2048) "echo")
        (func (export "canister_update call") (call $bump) (call $call (i64.const 1)))
        (func (export "canister_update call_and_trap") (call $call (i64.const 3)))
        (func (export "canister_update echo")
            (call $msg_arg_data_copy (i64.const 5000) (i64.const 0) (call $msg_arg_data_size))
            (call $msg_reply_data_append (i64.const 5000) (call $msg_arg_data_size)) (call $msg_reply))
        (func $replied (param i64)
            (call $append64 (local.get 0)) (call $append64 (call $msg_cycles_refunded))
            (call $msg_arg_data_copy (i64.const 5000) (i64.const 0) (call $msg_arg_data_size))
            (call $msg_reply_data_append (i64.const 5000) (call $msg_arg_data_size)) (call $msg_reply))
        (func $rejected (param i64)
            (call $append64 (local.get 0)) (call $append64 (i64.extend_i32_u (call $msg_reject_code))) (call $msg_reply))
        (func $traps (param i64) (call $bump) (call $trap (i64.const 16) (i64.const 4)))
        (func $cleans (param i64) (i64.store (i64.const 1024) (local.get 0)))"#,
    );
    let reply = net.call(canister, "call", canister.as_slice()).reply();
    let expected = [
        &0x12_3456_7890_u64.to_le_bytes()[..],
        &100u64.to_le_bytes(),
        b"boom",
    ];
    assert_eq!(reply, expected.concat());
    assert_eq!(net.query(canister, "counter", &[]).number(), 1);
    let empty = net.create();
    let rejected = net.call(canister, "call", empty.as_slice()).numbers();
    assert_eq!(rejected, [0x9_8765_4321, 5]);
    let trapped = net.call(canister, "call_and_trap", canister.as_slice());
    assert_eq!(trapped.clone().error_code(), "IC0503");
    assert!(trapped.message().contains("'boom'"));
    assert_eq!(net.query(canister, "counter", &[]).number(), 0x1_0000_0001);
    let proxy = net.canister(PROXY);
    let (code, _, reply) = answer_of(net.call(
        proxy,
        "call",
        &call_of(canister, "echo", 0, b"from 32 bits"),
    ));
    assert_eq!((code, reply), (0, b"from 32 bits".to_vec()));
}

#[test]
fn should_keep_and_undo_what_is_written_beyond_4_gib() {
    let net = Net::new();
    let canister = install(
        &net,
        r#"(func (export "canister_update grow") (call $answer (memory.grow (call $argument))))
        (func (export "canister_update write")
            (i64.store (call $argument) (i64.const 77)) (call $answer (i64.const 0)))
        (func (export "canister_update write_and_trap") (i64.store (call $argument) (i64.const 88)) unreachable)
        (func (export "canister_query read") (call $answer (i64.load (call $argument))))
        (func (export "canister_update fill")
            (memory.fill (call $argument) (i32.const 1) (i64.const 1_000_000)) (call $answer (i64.const 0)))
        (func (export "canister_update append") (call $msg_reply_data_append (call $argument) (i64.const 8)))"#,
    );
    let pages = |bytes: u64| (bytes >> 16).to_le_bytes();
    let limited = net.call(canister, "grow", &pages(4 * GIB));
    assert_eq!(limited.error_code(), "IC0539", "its settings allow 3 GiB");
    without_a_limit(&net, canister);
    assert_eq!(net.call(canister, "grow", &pages(5 * GIB)).number(), 2);
    assert_eq!(
        net.call(canister, "grow", &pages(GIB)).number(),
        u64::MAX,
        "6 GiB are the limit"
    );
    let far = (4 * GIB + 123_456).to_le_bytes();
    net.call(canister, "write", &far).reply();
    assert_eq!(
        net.call(canister, "write_and_trap", &far).error_code(),
        "IC0502"
    );
    assert_eq!(net.query(canister, "read", &far).number(), 77);
    net.call(canister, "fill", &(4 * GIB - 500_000).to_le_bytes())
        .reply();
    assert_eq!(
        net.query(canister, "read", &far).number(),
        0x0101_0101_0101_0101
    );
    let beyond = (5 * GIB + (2 << 16) - 4).to_le_bytes();
    for outside in [beyond, u64::MAX.to_le_bytes()] {
        assert_eq!(net.query(canister, "read", &outside).error_code(), "IC0502");
        assert_eq!(
            net.call(canister, "append", &outside).error_code(),
            "IC0504"
        );
    }
}

#[test]
fn should_count_an_access_to_a_memory_of_64_bits_twice() {
    let net = Net::new();
    // Straight code is paid for where it begins: a loop begins one.
    let count = |body: &str| {
        let canister = install(
            &net,
            &format!(
                r#"(func (export "canister_query count") (local $before i64)
                (local.set $before (call $performance_counter (i32.const 0)))
                (loop {body})
                (call $answer (i64.sub (call $performance_counter (i32.const 0)) (local.get $before))))"#
            ),
        );
        net.query(canister, "count", &[]).number()
    };
    let nothing = count("");
    assert_eq!(count("(drop (i64.load (i64.const 0)))") - nothing, 4);
    assert_eq!(
        count("(i32.store8 (i64.const 0) (i32.const 1))") - nothing,
        4
    );
    assert_eq!(
        count("(v128.store (i64.const 0) (v128.load (i64.const 0)))") - nothing,
        6
    );
    let filled = count("(memory.fill (i64.const 0) (i32.const 0) (i64.const 1_000))") - nothing;
    assert_eq!(filled, 100 + 1_000 + 3);
}
