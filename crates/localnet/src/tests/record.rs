//! The record of executions tells what each entry point cost.

use super::{INSTALL, Net};
use crate::record::Executed;

fn of<'a>(record: &'a [Executed], entry_point: &str) -> Vec<&'a Executed> {
    record
        .iter()
        .filter(|executed| executed.entry_point == entry_point)
        .collect()
}

#[test]
fn should_record_every_kind_of_entry_point_with_its_cost() {
    let net = Net::new();
    let canister = net.create();
    let body = r#"
        (elem (i32.const 1) $on_reply $on_reject)
        (func $self (call $canister_self_copy (i32.const 64) (i32.const 0) (call $canister_self_size)))
        (func $on_reply (param i32) (call $answer (i64.const 1)))
        (func $on_reject (param i32) (call $answer (i64.const 2)))
        (func (export "canister_init") (call $bump))
        (func (export "canister_post_upgrade") (call $bump))
        (func (export "canister_pre_upgrade") (call $bump))
        (func (export "canister_inspect_message") (call $accept_message))
        (func (export "canister_update write")
            (call $bump) (i64.store (i32.const 70000) (i64.const 1))
            (drop (call $stable64_grow (i64.const 1))) (call $stable64_write (i64.const 0) (i64.const 0) (i64.const 8))
            (call $answer (i64.const 0)))
        (func (export "canister_update fail") (call $bump) (call $boom))
        (func (export "canister_update target") (call $answer (i64.const 0)))
        (func (export "canister_update outer") (call $self)
            (call $call_new (i32.const 64) (call $canister_self_size) (i32.const 32) (i32.const 6)
                (i32.const 1) (i32.const 0) (i32.const 2) (i32.const 0))
            (drop (call $call_perform)))
        (func (export "canister_global_timer") (call $bump))
        (func (export "canister_update arm") (drop (call $global_timer_set (i64.const 1))) (call $answer (i64.const 0)))"#;
    net.install(canister, INSTALL, body).reply();
    net.upgrade(canister, body).reply();
    net.call(canister, "write", &[]).reply();
    net.call(canister, "fail", &[]).error_code();
    net.call(canister, "outer", &[]).reply();
    net.query(canister, "counter", &[]).reply();
    net.call(canister, "arm", &[]).reply();
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let mut record = net.network.executions.after(0);
    while of(&record, "timer").is_empty() && std::time::Instant::now() < patience {
        std::thread::sleep(std::time::Duration::from_millis(5));
        record = net.network.executions.after(0);
    }
    for once in [
        "init",
        "pre_upgrade",
        "post_upgrade",
        "timer",
        "reply",
        "query",
    ] {
        assert_eq!(of(&record, once).len(), 1, "{once} in {record:?}");
    }
    let updates: Vec<(&str, bool)> = of(&record, "update")
        .iter()
        .map(|executed| (executed.method.as_str(), executed.trapped))
        .collect();
    let expected = [
        ("write", false),
        ("fail", true),
        ("outer", false),
        ("target", false),
        ("arm", false),
    ];
    assert_eq!(updates, expected);
    assert_eq!(of(&record, "reply")[0].method, "outer");
    assert_eq!(of(&record, "inspect").len(), 4);
    let written = of(&record, "update")[0];
    assert_eq!(written.dirty_pages, 3, "two of the heap, one stable");
    assert!(written.instructions > 3_000, "{written:?}");
    assert!(record.iter().all(|executed| executed.instructions > 0));
    let numbers: Vec<u64> = record.iter().map(|executed| executed.sequence).collect();
    assert_eq!(numbers, (1..=record.len() as u64).collect::<Vec<u64>>());
}
