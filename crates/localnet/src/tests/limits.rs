//! The limits of messages.

use super::{INSTALL, Net};

const SIZES: &str = r#"
    (func (export "canister_update reply")
        (call $msg_arg_data_copy (i32.const 0) (i32.const 0) (i32.const 4))
        (drop (memory.grow (i32.const 60)))
        (call $msg_reply_data_append (i32.const 0) (i32.load (i32.const 0))) (call $msg_reply))
    (func (export "canister_query query")
        (call $msg_arg_data_copy (i32.const 0) (i32.const 0) (i32.const 4))
        (drop (memory.grow (i32.const 60)))
        (call $msg_reply_data_append (i32.const 0) (i32.load (i32.const 0))) (call $msg_reply))
    (func (export "canister_inspect_message") (local $i i64)
        (if (i32.eq (call $msg_method_name_size) (i32.const 4)) (then (loop $l (br $l))))
        (call $accept_message))
    (func (export "canister_update spin") (call $answer (i64.const 0)))
"#;

fn size(bytes: u32) -> [u8; 4] {
    bytes.to_le_bytes()
}

#[test]
fn should_limit_replies() {
    let net = Net::new();
    let canister = net.canister(SIZES);
    assert_eq!(
        net.call(canister, "reply", &size(2 << 20)).reply().len(),
        2 << 20
    );
    assert_eq!(
        net.call(canister, "reply", &size((2 << 20) + 1))
            .error_code(),
        "IC0504"
    );
    assert_eq!(
        net.query(canister, "query", &size(3 << 20)).reply().len(),
        3 << 20
    );
    assert_eq!(
        net.query(canister, "query", &size((3 << 20) + 1))
            .error_code(),
        "IC0504"
    );
}

#[test]
fn should_leave_the_middle_of_long_texts_out_except_for_users_that_query() {
    let net = Net::new();
    let reject = "(call $msg_reject (i32.const 0) (i32.const 20_000))";
    let canister = net.canister(&format!(
        r#"(func (export "canister_update reject") {reject})
        (func (export "canister_query query") {reject})
        (func (export "canister_update trap") (call $trap (i32.const 0) (i32.const 20_000)))"#
    ));
    assert_eq!(net.query(canister, "query", &[]).message().len(), 20_000);
    for method in ["reject", "query", "trap"] {
        let text = net.call(canister, method, &[]).message();
        assert_eq!(text.len(), 8_192, "{method}");
        assert_eq!(&text[4_095..4_100], "\0...\0", "{method}");
    }
    let proxy = net.canister(super::calls::PROXY);
    let argument = super::calls::call_of(canister, "reject", 0, &[]);
    let (code, _, text) = super::calls::answer_of(net.call(proxy, "call", &argument));
    assert_eq!((code, text.len()), (4, 8_192));
}

#[test]
fn should_limit_the_instructions_of_an_inspection() {
    let net = Net::new();
    let canister = net.canister(SIZES);
    let outcome = net.call(canister, "spin", &[]);
    assert_eq!(outcome.clone().error_code(), "IC0522");
    assert!(outcome.message().contains("200000000"));
}

#[test]
fn should_trap_on_deep_recursion_and_go_on() {
    let net = Net::new();
    let canister = net.canister(
        r#"(func $deep (call $deep))
        (func (export "canister_update deep") (call $deep))
        (func (export "canister_query deep_query") (call $deep))
        (func (export "canister_update hello") (call $answer (i64.const 1)))"#,
    );
    assert_eq!(net.call(canister, "deep", &[]).error_code(), "IC0502");
    assert_eq!(
        net.query(canister, "deep_query", &[]).error_code(),
        "IC0502"
    );
    assert_eq!(net.call(canister, "hello", &[]).number(), 1);
}

#[test]
fn should_hold_the_heap_to_the_limit_in_the_settings() {
    let net = Net::new();
    let canister = net.canister(
        r#"(func (export "canister_update grow") (drop (memory.grow (i32.const 30))) (call $answer (i64.const 0)))"#,
    );
    let argument = ic_management_canister_types::UpdateSettingsArgs {
        canister_id: canister,
        settings: ic_management_canister_types::CanisterSettings {
            wasm_memory_limit: Some(candid::Nat::from(1_000_000u32)),
            ..Default::default()
        },
        sender_canister_version: None,
    };
    net.manage("update_settings", (argument,)).reply();
    assert_eq!(net.call(canister, "grow", &[]).error_code(), "IC0539");
    assert_eq!(
        u64::try_from(&net.status(canister).memory_metrics.wasm_memory_size.0).unwrap(),
        131_072
    );
}

/// A limit on the heap, in bytes.
fn limit_heap(net: &Net, canister: candid::Principal, bytes: u32) {
    let argument = ic_management_canister_types::UpdateSettingsArgs {
        canister_id: canister,
        settings: ic_management_canister_types::CanisterSettings {
            wasm_memory_limit: Some(candid::Nat::from(bytes)),
            ..Default::default()
        },
        sender_canister_version: None,
    };
    net.manage("update_settings", (argument,)).reply();
}

/// What nobody sees fail, and what must go through for the canister's own sake, is not held to it.
#[test]
fn should_not_hold_timers_callbacks_and_upgrades_to_the_limit_on_the_heap() {
    let net = Net::new();
    let grow = "(drop (memory.grow (i32.const 1)))";
    let body = format!(
        r#"(elem (table 0) (i32.const 1) func $late)
        (func (export "canister_global_timer") {grow} (call $bump))
        (func (export "canister_update arm") (call $answer (call $global_timer_set (i64.const 1))))
        (func (export "canister_query nothing") (call $answer (i64.const 0)))
        (data (i32.const 64) "nothing")
        (func (export "canister_update later")
            (call $canister_self_copy (i32.const 100) (i32.const 0) (call $canister_self_size))
            (call $call_new (i32.const 100) (call $canister_self_size) (i32.const 64) (i32.const 7)
                (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 0))
            (drop (call $call_perform)))
        (func $late (param i32) {grow} (call $answer (i64.extend_i32_u (memory.size))))
        (func (export "canister_pre_upgrade") {grow})"#
    );
    let canister = net.canister(&body);
    limit_heap(&net, canister, 2 * 65_536);
    assert_eq!(net.call(canister, "later", &[]).number(), 3);
    // Now there is more than updates may work on, or be installed with.
    assert_eq!(net.call(canister, "arm", &[]).error_code(), "IC0539");
    net.upgrade(canister, &body).reply();
    net.call(canister, "arm", &[]).reply();
    while net.query(canister, "counter", &[]).number() == 0 {}
    assert_eq!(net.call(canister, "arm", &[]).error_code(), "IC0539");
}

#[test]
fn should_not_install_what_begins_beyond_the_limit_on_the_heap() {
    let net = Net::new();
    let canister = net.create();
    limit_heap(&net, canister, 65_536);
    let two_pages = r#"(func (export "canister_update hello") (call $answer (i64.const 1)))"#;
    let refused = net.install(canister, INSTALL, two_pages);
    assert_eq!(refused.error_code(), "IC0539");
    assert_eq!(net.status(canister).module_hash, None);
    limit_heap(&net, canister, 131_072);
    net.install(canister, INSTALL, two_pages).reply();
}

/// A GiB for 30 days takes 329 G cycles.
#[test]
fn should_not_install_more_than_the_canister_can_keep() {
    let net = Net::new();
    let canister = net.create_with(400_000_000_000);
    let install = |gigabytes: u32| {
        let text = format!("(module (memory {}))", gigabytes * 16_384);
        net.install_bytes(canister, INSTALL, wat::parse_str(text).unwrap())
    };
    assert_eq!(install(2).error_code(), "IC0532");
    install(1).reply();
}

#[test]
fn should_not_count_twice_what_is_allocated_already() {
    let net = Net::new();
    let canister = net.create_with(670_000_000_000);
    let body = r#"(func (export "canister_update grow")
        (drop (call $stable64_grow (i64.const 8_000))) (call $answer (i64.const 0)))"#;
    net.install(canister, INSTALL, body).reply();
    let argument = ic_management_canister_types::UpdateSettingsArgs {
        canister_id: canister,
        settings: ic_management_canister_types::CanisterSettings {
            memory_allocation: Some(candid::Nat::from(2u64 << 30)),
            ..Default::default()
        },
        sender_canister_version: None,
    };
    // Two GiB take 658 G, and they are paid for whether or not they are used.
    net.manage("update_settings", (argument,)).reply();
    assert_eq!(net.call(canister, "grow", &[]).error_code(), "IC0207");
    let top_up = ic_management_canister_types::ProvisionalTopUpCanisterArgs {
        canister_id: canister,
        amount: candid::Nat::from(100_000_000_000u64),
    };
    net.manage("provisional_top_up_canister", (top_up,)).reply();
    net.call(canister, "grow", &[]).reply();
}

#[test]
fn should_keep_stable_memory_within_500_gib_and_the_old_interface_within_4() {
    let net = Net::new();
    // Keeping 500 GiB for the freezing threshold takes 164 T cycles.
    let canister = net.create_with(1_000_000_000_000_000);
    let installed = net.install(
        canister,
        INSTALL,
        r#"(func (export "canister_update go")
            (call $append64 (call $stable64_grow (i64.const 8_192_001)))
            (call $append64 (i64.extend_i32_s (call $stable_grow (i32.const 65_537))))
            (call $append64 (i64.extend_i32_s (call $stable_grow (i32.const 65_536))))
            (call $append64 (call $stable64_grow (i64.const 8_126_464)))
            (call $append64 (call $stable64_size))
            (call $stable64_write (i64.const 536_870_911_996) (i64.const 16) (i64.const 4))
            (call $stable64_read (i64.const 0) (i64.const 536_870_911_992) (i64.const 8))
            (call $append64 (i64.load (i32.const 0)))
            (call $msg_reply))
        (func (export "canister_update old") (drop (call $stable_size)))"#,
    );
    installed.reply();
    let failed = u64::MAX;
    let boom = u64::from_le_bytes(*b"\0\0\0\0boom");
    let numbers = net.call(canister, "go", &[]).numbers();
    assert_eq!(numbers, [failed, failed, 0, 65_536, 8_192_000, boom]);
    assert_eq!(net.call(canister, "old", &[]).error_code(), "IC0502");
}

#[test]
fn should_not_let_a_canister_grow_beyond_what_it_can_keep() {
    let net = Net::new();
    let canister = net.create_with(1_000_000_000_000);
    let body = r#"
        (func (export "canister_update stable") (drop (call $stable64_grow (i64.const 1_000_000))))
        (func (export "canister_update little") (call $answer (call $stable64_grow (i64.const 1))))"#;
    net.install(canister, INSTALL, body).reply();
    assert_eq!(net.call(canister, "stable", &[]).error_code(), "IC0532");
    assert_eq!(net.call(canister, "little", &[]).number(), 0);
}
