//! What canisters do without being called.

use std::thread::sleep;
use std::time::{Duration, Instant};

use candid::Principal;

use super::Net;

const TIMER: &str = r#"
    (func (export "canister_global_timer") (call $bump))
    (func (export "canister_update set")
        (call $msg_arg_data_copy (i32.const 0) (i32.const 0) (i32.const 8))
        (call $answer (call $global_timer_set (i64.add (call $time) (i64.load (i32.const 0))))))
    (func (export "canister_update clear") (call $answer (call $global_timer_set (i64.const 0))))
"#;

fn wait_for(net: &Net, canister: Principal, at_least: u64) -> u64 {
    let begun = Instant::now();
    loop {
        let counter = net.query(canister, "counter", &[]).number();
        if counter >= at_least || begun.elapsed() > Duration::from_secs(10) {
            return counter;
        }
        sleep(Duration::from_millis(10));
    }
}

fn milliseconds(count: u64) -> [u8; 8] {
    (count * 1_000_000).to_le_bytes()
}

#[test]
fn should_run_the_global_timer_once_when_it_is_due() {
    let net = Net::new();
    let canister = net.canister(TIMER);
    let begun = Instant::now();
    assert_eq!(net.call(canister, "set", &milliseconds(200)).number(), 0);
    assert_eq!(wait_for(&net, canister, 1), 1);
    assert!(begun.elapsed() >= Duration::from_millis(200));
    sleep(Duration::from_millis(300));
    assert_eq!(net.query(canister, "counter", &[]).number(), 1);
}

#[test]
fn should_forget_a_timer_that_is_cleared_or_upgraded_away() {
    let net = Net::new();
    let canister = net.canister(TIMER);
    net.call(canister, "set", &milliseconds(300)).reply();
    assert!(net.call(canister, "clear", &[]).number() > 0);
    net.call(canister, "set", &milliseconds(300)).reply();
    net.upgrade(canister, TIMER).reply();
    sleep(Duration::from_millis(500));
    assert_eq!(net.query(canister, "counter", &[]).number(), 0);
}

#[test]
fn should_take_the_timer_of_pre_upgrade_away_and_keep_that_of_post_upgrade() {
    let net = Net::new();
    let body = |entry_point: &str| {
        format!(
            r#"{TIMER}
            (func (export "{entry_point}")
                (drop (call $stable64_grow (i64.const 1)))
                (i64.store (i32.const 0) (call $global_timer_set (i64.add (call $time) (i64.const 50_000_000))))
                (call $stable64_write (i64.const 0) (i64.const 0) (i64.const 8)))
            (func (export "canister_query before")
                (call $stable64_read (i64.const 0) (i64.const 0) (i64.const 8)) (call $answer (i64.load (i32.const 0))))"#
        )
    };
    let before = net.canister(&body("canister_pre_upgrade"));
    let far = net.call(before, "set", &milliseconds(3_600_000));
    assert_eq!(far.number(), 0);
    net.upgrade(before, &body("canister_pre_upgrade")).reply();
    assert!(
        net.query(before, "before", &[]).number() > 0,
        "pre_upgrade sees the timer that was set"
    );
    let after = net.canister(TIMER);
    net.call(after, "set", &milliseconds(3_600_000)).reply();
    net.upgrade(after, &body("canister_post_upgrade")).reply();
    assert_eq!(net.query(after, "before", &[]).number(), 0);
    assert_eq!(wait_for(&net, after, 1), 1);
    sleep(Duration::from_millis(100));
    assert_eq!(net.query(before, "counter", &[]).number(), 0);
}

#[test]
fn should_run_heartbeats() {
    let net = Net::new();
    let canister = net.canister(r#"(func (export "canister_heartbeat") (call $bump))"#);
    assert!(wait_for(&net, canister, 2) >= 2);
}

#[test]
fn should_go_on_after_a_heartbeat_that_traps() {
    let net = Net::new();
    let canister = net.canister(
        r#"(func (export "canister_heartbeat") (call $boom))
        (func (export "canister_update hello") (call $answer (i64.const 1)))"#,
    );
    sleep(Duration::from_millis(1_200));
    assert_eq!(net.call(canister, "hello", &[]).number(), 1);
}

#[test]
fn should_run_the_low_memory_hook_once_while_memory_is_low() {
    let net = Net::new();
    let canister = net.canister(
        r#"(func (export "canister_on_low_wasm_memory") (call $bump))
        (func (export "canister_update grow") (drop (memory.grow (i32.const 8))) (call $answer (i64.const 0)))"#,
    );
    let settings = ic_management_canister_types::UpdateSettingsArgs {
        canister_id: canister,
        settings: ic_management_canister_types::CanisterSettings {
            wasm_memory_limit: Some(candid::Nat::from(2_000_000u32)),
            wasm_memory_threshold: Some(candid::Nat::from(1_500_000u32)),
            ..Default::default()
        },
        sender_canister_version: None,
    };
    net.manage("update_settings", (settings,)).reply();
    net.call(canister, "grow", &[]).reply();
    assert_eq!(wait_for(&net, canister, 1), 1);
    net.call(canister, "grow", &[]).reply();
    sleep(Duration::from_millis(200));
    assert_eq!(net.query(canister, "counter", &[]).number(), 1);
}
