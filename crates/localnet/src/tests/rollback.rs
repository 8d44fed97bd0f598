//! What a trapped message wrote is gone, and what a successful one wrote stays.

use super::{Net, Outcome};

/// Methods that touch every kind of state, and end well or not.
const STATE: &str = r#"
    (global $i (mut i32) (i32.const 1))
    (global $f (mut f32) (f32.const 1))
    (global $d (mut f64) (f64.const 1))
    (global $v (mut v128) (v128.const i64x2 1 1))
    (global $r (mut funcref) (ref.null func))
    (elem (table 0) (i32.const 0) func $one $two)
    (table $other 2 4 funcref)
    (func $one (result i64) (i64.const 1))
    (func $two (result i64) (i64.const 2))
    (type $number (func (result i64)))
    (func $change
        (call $bump)
        (global.set $g (i64.const 7)) (global.set $i (i32.const 7)) (global.set $f (f32.const 7))
        (global.set $d (f64.const 7)) (global.set $v (v128.const i64x2 7 7)) (global.set $r (ref.func $two))
        (table.set (i32.const 0) (ref.func $two))
        (drop (table.grow $other (ref.func $two) (i32.const 1)))
        (drop (memory.grow (i32.const 2)))
        (i32.store (i32.const 140000) (i32.const 7))
        (drop (call $stable64_grow (i64.const 1)))
        (call $stable64_write (i64.const 5) (i64.const 1024) (i64.const 8)))
    (func $certify (call $certified_data_set (i32.const 16) (i32.const 4)))
    (func (export "canister_update keep") (call $change) (call $certify) (call $answer (i64.const 0)))
    (func (export "canister_update trap") (call $change) (call $certify) (call $boom))
    (func (export "canister_update exhaust") (call $change) (loop $l
        (memory.fill (i32.const 65536) (i32.const 1) (i32.const 65536)) (br $l)))
    (func (export "canister_query changed") (call $change) (call $all))
    (func (export "canister_query state") (call $all))
    (func $all
        (call $append64 (call $counter))
        (call $append64 (global.get $g))
        (call $append64 (i64.extend_i32_u (global.get $i)))
        (call $append64 (i64.trunc_f32_u (global.get $f)))
        (call $append64 (i64.trunc_f64_u (global.get $d)))
        (call $append64 (i64x2.extract_lane 1 (global.get $v)))
        (call $append64 (i64.extend_i32_u (ref.is_null (global.get $r))))
        (call $append64 (call_indirect (type $number) (i32.const 0)))
        (call $append64 (i64.extend_i32_u (table.size $other)))
        (call $append64 (i64.extend_i32_u (memory.size)))
        (call $append64 (call $stable64_size))
        (call $msg_reply))
"#;

const BEFORE: [u64; 11] = [0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 0];
const AFTER: [u64; 11] = [1, 7, 7, 7, 7, 7, 0, 2, 3, 4, 1];

#[test]
fn should_undo_every_kind_of_state_when_a_message_traps() {
    let net = Net::new();
    let canister = net.canister(STATE);
    assert_eq!(net.call(canister, "trap", &[]).error_code(), "IC0503");
    assert_eq!(net.query(canister, "state", &[]).numbers(), BEFORE);
    let certified = net.network.read_tree().canisters[&canister]
        .certified_data
        .clone();
    assert_eq!(certified, Vec::<u8>::new());
}

#[test]
fn should_undo_every_kind_of_state_when_instructions_run_out() {
    let net = Net::new();
    let canister = net.canister(STATE);
    assert_eq!(net.call(canister, "exhaust", &[]).error_code(), "IC0522");
    assert_eq!(net.query(canister, "state", &[]).numbers(), BEFORE);
}

#[test]
fn should_keep_every_kind_of_state_when_a_message_succeeds() {
    let net = Net::new();
    let canister = net.canister(STATE);
    net.call(canister, "keep", &[]).reply();
    assert_eq!(net.query(canister, "state", &[]).numbers(), AFTER);
    let certified = net.network.read_tree().canisters[&canister]
        .certified_data
        .clone();
    assert_eq!(certified, b"boom");
}

#[test]
fn should_show_a_query_its_own_changes_and_nobody_else() {
    let net = Net::new();
    let canister = net.canister(STATE);
    assert_eq!(net.query(canister, "changed", &[]).numbers(), AFTER);
    assert_eq!(net.query(canister, "state", &[]).numbers(), BEFORE);
    assert_eq!(net.call(canister, "changed", &[]).numbers(), AFTER);
    assert_eq!(net.query(canister, "state", &[]).numbers(), BEFORE);
}

#[test]
fn should_undo_a_reply_and_calls_when_a_message_traps_after_them() {
    let net = Net::new();
    let canister = net.canister(
        r#"(func (export "canister_update target") (call $bump) (call $answer (i64.const 1)))
        (func (export "canister_update go")
            (call $canister_self_copy (i32.const 100) (i32.const 0) (call $canister_self_size))
            (call $call_new (i32.const 100) (call $canister_self_size) (i32.const 32) (i32.const 6)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
            (drop (call $call_perform))
            (call $msg_reply)
            (call $boom))"#,
    );
    let before = net.cycles(canister);
    assert_eq!(net.call(canister, "go", &[]).error_code(), "IC0503");
    assert_eq!(net.query(canister, "counter", &[]).number(), 0);
    let spent = before - net.cycles(canister);
    assert!(
        spent < 1_000_000_000,
        "{spent} cycles are gone: what the call would have cost came back"
    );
}

/// Heap and stable memory against plain vectors, with traps and upgrades in between.
#[test]
fn should_hold_what_successful_messages_wrote_and_nothing_else() {
    const BODY: &str = r#"
        (func $write
            (call $msg_arg_data_copy (i32.const 0) (i32.const 0) (i32.const 8))
            (i32.store (i32.add (i32.const 8192) (i32.load (i32.const 0))) (i32.load (i32.const 4)))
            (call $stable64_write (i64.extend_i32_u (i32.load (i32.const 0))) (i64.const 4) (i64.const 4)))
        (func (export "canister_init") (drop (call $stable64_grow (i64.const 8))))
        (func (export "canister_post_upgrade"))
        (func (export "canister_update write") (call $write) (call $answer (i64.const 0)))
        (func (export "canister_update fail") (call $write) (call $boom))
        (func (export "canister_query read")
            (call $msg_arg_data_copy (i32.const 0) (i32.const 0) (i32.const 4))
            (call $stable64_read (i64.const 8) (i64.extend_i32_u (i32.load (i32.const 0))) (i64.const 4))
            (i32.store (i32.const 4) (i32.load (i32.add (i32.const 8192) (i32.load (i32.const 0)))))
            (call $msg_reply_data_append (i32.const 4) (i32.const 8)) (call $msg_reply))"#;
    const SIZE: usize = 100_000;
    let net = Net::new();
    let canister = net.canister(BODY);
    let (mut heap, mut stable) = (vec![0u8; SIZE + 4], vec![0u8; SIZE + 4]);
    let mut random = 0x2545_F491_4F6C_DD1Du64;
    for round in 0..400 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let at = random as usize % SIZE;
        let value = (random >> 32) as u32 | 1;
        let argument = [(at as u32).to_le_bytes(), value.to_le_bytes()].concat();
        if random & 3 == 0 {
            assert_eq!(net.call(canister, "fail", &argument).error_code(), "IC0503");
        } else {
            net.call(canister, "write", &argument).reply();
            heap[at..at + 4].copy_from_slice(&value.to_le_bytes());
            stable[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        if round % 97 == 96 {
            net.upgrade(canister, BODY).reply();
            heap.fill(0);
        }
        let looked_at = (random >> 16) as usize % SIZE;
        for at in [at, looked_at] {
            let expected = [&heap[at..at + 4], &stable[at..at + 4]].concat();
            let found = net.query(canister, "read", &(at as u32).to_le_bytes());
            assert_eq!(found, Outcome::Replied(expected), "round {round}, at {at}");
        }
    }
}

/// A message on a heap of 1 GiB that touches a few pages costs about as much as
/// one on a small heap, whether it succeeds, traps or is a query.
#[test]
fn should_cost_what_is_touched_whatever_the_size_of_the_heap() {
    let net = Net::new();
    let canister = net.create_with(1_000_000_000_000_000);
    let text = String::from_utf8(super::frame(
        r#"(func (export "canister_update fill") (local $at i32)
            (local.set $at (i32.mul (i32.const 65536) (memory.grow (i32.const 16_300))))
            (loop $l
                (i32.store (local.get $at) (local.get $at))
                (br_if $l (i32.lt_u
                    (local.tee $at (i32.add (local.get $at) (i32.const 4096)))
                    (i32.const 1_000_000_000))))
            (call $answer (i64.const 0)))
        (func (export "canister_update touch") (i32.store (i32.const 900_000_000) (i32.const 5)) (call $answer (i64.const 0)))
        (func (export "canister_update trap") (i32.store (i32.const 900_000_000) (i32.const 6)) (call $boom))
        (func (export "canister_query read") (call $answer (i64.load32_u (i32.const 900_000_000))))"#,
    ))
    .unwrap();
    let module = wat::parse_str(text.replace("\"memory\") 2 64", "\"memory\") 2 17000")).unwrap();
    net.install_bytes(canister, super::INSTALL, module).reply();
    net.call(canister, "fill", &[]).reply();
    let begun = std::time::Instant::now();
    for _ in 0..20 {
        net.call(canister, "touch", &[]).reply();
        assert_eq!(net.call(canister, "trap", &[]).error_code(), "IC0503");
        assert_eq!(net.query(canister, "read", &[]).number(), 5);
    }
    let each = begun.elapsed() / 20;
    println!("{each:?} for an update, a trap and a query on 1 GiB");
    assert!(each < std::time::Duration::from_millis(200), "{each:?}");
}
