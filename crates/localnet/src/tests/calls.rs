//! Calls between canisters: answers, rejects, cycles, traps in callbacks.

use candid::Principal;

use super::{Net, Outcome};

/// "call" takes a length, an id, a length, a method name, eight bytes of cycles
/// and the argument of the call to make. It answers with the reject code (0 for
/// a reply), the cycles refunded, and the reply or the reject message.
pub const PROXY: &str = r#"
    (elem (table 0) (i32.const 1) func $on_reply $on_reject $on_trap $on_cleanup)
    (func $start (param $reply i32) (local $name i32) (local $cycles i32)
        (call $msg_arg_data_copy (i32.const 4096) (i32.const 0) (call $msg_arg_data_size))
        (local.set $name (i32.add (i32.const 4097) (i32.load8_u (i32.const 4096))))
        (local.set $cycles (i32.add (local.get $name) (i32.add (i32.const 1) (i32.load8_u (local.get $name)))))
        (call $call_new
            (i32.const 4097) (i32.load8_u (i32.const 4096))
            (i32.add (local.get $name) (i32.const 1)) (i32.load8_u (local.get $name))
            (local.get $reply) (i32.const 7) (i32.const 2) (i32.const 9))
        (call $call_data_append
            (i32.add (local.get $cycles) (i32.const 8))
            (i32.sub (call $msg_arg_data_size) (i32.sub (local.get $cycles) (i32.const 4088))))
        (call $call_cycles_add (i64.load (local.get $cycles))))
    (func (export "canister_update call") (call $start (i32.const 1)) (drop (call $call_perform)))
    (func (export "canister_update trap_in_callback")
        (call $start (i32.const 3)) (call $call_on_cleanup (i32.const 4) (i32.const 11)) (drop (call $call_perform)))
    (func (export "canister_update reply_then_call")
        (call $start (i32.const 3)) (drop (call $call_perform)) (call $answer (i64.const 42)))
    (func (export "canister_update missing_callback") (call $start (i32.const 99)) (drop (call $call_perform)))
    (func (export "canister_update empty_callback") (call $start (i32.const 9)) (drop (call $call_perform)))
    (elem (table 0) (i32.const 8) func $boom)
    (func (export "canister_update wrong_callback") (call $start (i32.const 8)) (drop (call $call_perform)))
    (func (export "canister_update never_sent") (call $start (i32.const 1)) (call $answer (i64.const 0)))
    (func (export "canister_update best_effort")
        (call $start (i32.const 1)) (call $call_with_best_effort_response (i32.const 1)) (drop (call $call_perform)))
    (func (export "canister_update many") (local $i i32)
        (local.set $i (i32.const 501))
        (loop $l
            (call $start (i32.const 5))
            (i64.store (i32.const 1024) (i64.extend_i32_u (call $call_perform)))
            (br_if $l (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
        (call $answer (call $counter)))
    (func $on_trap (param i32) (call $bump) (call $boom))
    (func $on_cleanup (param i32)
        (i64.store (i32.const 1024) (i64.add (call $counter) (i64.extend_i32_u (local.get 0)))))
    (func $on_reply (param i32)
        (call $append64 (i64.const 0)) (call $append64 (call $msg_cycles_refunded))
        (call $msg_arg_data_copy (i32.const 4096) (i32.const 0) (call $msg_arg_data_size))
        (call $msg_reply_data_append (i32.const 4096) (call $msg_arg_data_size))
        (call $msg_reply))
    (func $on_reject (param i32)
        (call $append64 (i64.extend_i32_u (call $msg_reject_code))) (call $append64 (call $msg_cycles_refunded))
        (call $msg_reject_msg_copy (i32.const 4096) (i32.const 0) (call $msg_reject_msg_size))
        (call $msg_reply_data_append (i32.const 4096) (call $msg_reject_msg_size))
        (call $msg_reply))
"#;

const CALLEE: &str = r#"
    (elem (table 0) (i32.const 1) func $late)
    (func (export "canister_update accept")
        (call $bump)
        (call $append64 (call $msg_cycles_available))
        (call $append64 (call $msg_cycles_accept (i64.const 300)))
        (call $append64 (call $msg_cycles_available))
        (call $msg_reply))
    (func (export "canister_update accept_and_trap") (call $bump) (drop (call $msg_cycles_accept (i64.const 300))) (call $boom))
    (func (export "canister_update reject") (call $msg_reject (i32.const 16) (i32.const 4)))
    (func (export "canister_update silent"))
    (func $answer_deadline (call $answer (call $msg_deadline)))
    (func (export "canister_update deadline") (call $answer_deadline))
    (func (export "canister_query deadline_in_query") (call $answer_deadline))
    (func (export "canister_query look") (call $bump) (call $answer (call $counter)))
    ;; Answers 1.5 s from now, however fast the machine is: it calls itself until the time has come.
    (func (export "canister_update slow")
        (i64.store (i32.const 2048) (i64.add (call $time) (i64.const 1_500_000_000)))
        (call $again))
    (func $again
        (call $canister_self_copy (i32.const 100) (i32.const 0) (call $canister_self_size))
        (call $call_new (i32.const 100) (call $canister_self_size) (i32.const 32) (i32.const 6)
            (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 0))
        (drop (call $call_perform)))
    (func (export "canister_update target") (call $answer (i64.const 0)))
    (func $late (param i32)
        (if (i64.lt_u (call $time) (i64.load (i32.const 2048)))
            (then (call $again))
            (else (call $answer (i64.const 5)))))
"#;

pub fn call_of(callee: Principal, method: &str, cycles: u64, argument: &[u8]) -> Vec<u8> {
    let mut bytes = vec![callee.as_slice().len() as u8];
    bytes.extend_from_slice(callee.as_slice());
    bytes.push(method.len() as u8);
    bytes.extend_from_slice(method.as_bytes());
    bytes.extend_from_slice(&cycles.to_le_bytes());
    bytes.extend_from_slice(argument);
    bytes
}

/// Reject code, refund, and what the other side said.
pub fn answer_of(outcome: Outcome) -> (u64, u64, Vec<u8>) {
    let reply = outcome.reply();
    let number = |at: usize| u64::from_le_bytes(reply[at..at + 8].try_into().unwrap());
    (number(0), number(8), reply[16..].to_vec())
}

fn pair(net: &Net) -> (Principal, Principal) {
    (net.canister(PROXY), net.canister(CALLEE))
}

#[test]
fn should_move_accepted_cycles_and_refund_the_rest() {
    let net = Net::new();
    let (proxy, callee) = pair(&net);
    let before = net.cycles(callee);
    let (code, refund, reply) =
        answer_of(net.call(proxy, "call", &call_of(callee, "accept", 1_000, &[])));
    assert_eq!((code, refund), (0, 700));
    assert_eq!(reply, [1_000u64, 300, 700].map(u64::to_le_bytes).concat());
    assert!(
        net.cycles(callee) < before + 300,
        "the execution was paid for"
    );
}

#[test]
fn should_refund_all_cycles_when_the_callee_traps() {
    let net = Net::new();
    let (proxy, callee) = pair(&net);
    let argument = call_of(callee, "accept_and_trap", 1_000, &[]);
    let (code, refund, message) = answer_of(net.call(proxy, "call", &argument));
    assert_eq!((code, refund), (5, 1_000));
    let message = String::from_utf8(message).unwrap();
    assert!(
        message.starts_with(&format!("IC0503: Error from Canister {callee}: ")),
        "{message}"
    );
    assert_eq!(net.query(callee, "counter", &[]).number(), 0);
}

#[test]
fn should_tell_rejects_and_silence_apart() {
    let net = Net::new();
    let (proxy, callee) = pair(&net);
    let told = |method| answer_of(net.call(proxy, "call", &call_of(callee, method, 0, &[])));
    assert_eq!(told("reject"), (4, 0, b"boom".to_vec()));
    assert_eq!(told("silent"), (5, 0, b"No response".to_vec()));
}

#[test]
fn should_call_a_query_of_another_canister_without_changing_it() {
    let net = Net::new();
    let (proxy, callee) = pair(&net);
    let argument = call_of(callee, "look", 0, &[]);
    assert_eq!(
        answer_of(net.call(proxy, "call", &argument)).2,
        1u64.to_le_bytes()
    );
    assert_eq!(net.query(callee, "counter", &[]).number(), 0);
}

#[test]
fn should_reject_a_call_to_a_canister_that_does_not_exist() {
    let net = Net::new();
    let (proxy, _) = pair(&net);
    let nobody = crate::network::canister_id(0x0000_0000_FFEF_FFFF);
    let (code, refund, message) =
        answer_of(net.call(proxy, "call", &call_of(nobody, "x", 50, &[])));
    assert_eq!((code, refund), (3, 50));
    assert_eq!(message, format!("Canister {nobody} not found").into_bytes());
}

#[test]
fn should_run_the_cleanup_when_a_callback_traps() {
    let net = Net::new();
    let (proxy, callee) = pair(&net);
    let outcome = net.call(
        proxy,
        "trap_in_callback",
        &call_of(callee, "accept", 0, &[]),
    );
    assert_eq!(outcome.error_code(), "IC0503");
    assert_eq!(
        net.query(proxy, "counter", &[]).number(),
        11,
        "the callback is undone and the cleanup is not"
    );
    assert_eq!(
        net.query(callee, "counter", &[]).number(),
        1,
        "the callee keeps what it did"
    );
}

#[test]
fn should_not_change_an_answer_that_was_given_before_the_callback_traps() {
    let net = Net::new();
    let (proxy, callee) = pair(&net);
    let outcome = net.call(proxy, "reply_then_call", &call_of(callee, "accept", 0, &[]));
    assert_eq!(outcome.number(), 42);
}

#[test]
fn should_report_a_callback_that_is_not_in_the_table() {
    let net = Net::new();
    let (proxy, callee) = pair(&net);
    let outcome = net.call(
        proxy,
        "missing_callback",
        &call_of(callee, "accept", 0, &[]),
    );
    assert_eq!(outcome.error_code(), "IC0513");
    // An empty place in the table, and a function that does not take a closure's value.
    for method in ["empty_callback", "wrong_callback"] {
        let outcome = net.call(proxy, method, &call_of(callee, "accept", 0, &[]));
        assert_eq!(outcome.error_code(), "IC0504", "{method}");
    }
}

#[test]
fn should_time_out_a_best_effort_call() {
    let net = Net::new();
    let (proxy, callee) = pair(&net);
    let slow = answer_of(net.call(proxy, "best_effort", &call_of(callee, "slow", 10, &[])));
    assert_eq!((slow.0, slow.1), (6, 0));
    let fast = answer_of(net.call(proxy, "best_effort", &call_of(callee, "accept", 10, &[])));
    assert_eq!(fast.0, 0);
}

#[test]
fn should_refuse_the_five_hundred_and_first_call_in_flight() {
    let net = Net::new();
    let (proxy, callee) = pair(&net);
    let outcome = net.call(proxy, "many", &call_of(callee, "accept", 0, &[]));
    assert_eq!(outcome.number(), 2);
}

#[test]
fn should_keep_all_cycles_in_sum() {
    let net = Net::new();
    let (proxy, callee) = pair(&net);
    let total = || net.cycles(proxy) + net.cycles(callee);
    let before = total();
    net.call(proxy, "call", &call_of(callee, "accept", 5_000_000, &[]))
        .reply();
    let spent = before - total();
    assert!(
        spent < 100_000_000,
        "{spent} cycles went into execution and transmission"
    );
}

#[test]
fn should_trap_a_call_that_attaches_more_than_there_is() {
    let net = Net::new();
    let (proxy, callee) = pair(&net);
    let outcome = net.call(proxy, "call", &call_of(callee, "accept", u64::MAX, &[]));
    assert_eq!(outcome.error_code(), "IC0504");
}

/// Not a test of speed, but of nothing waiting: a round trip takes a fraction
/// of the time that a network of many nodes needs.
#[test]
fn should_answer_without_waiting_for_rounds() {
    let net = Net::new();
    let (proxy, callee) = pair(&net);
    let argument = call_of(callee, "accept", 0, &[]);
    let begun = std::time::Instant::now();
    for _ in 0..100 {
        net.call(proxy, "call", &argument).reply();
    }
    let each = begun.elapsed() / 100;
    println!("{each:?} for a call with a call inside");
    assert!(each < std::time::Duration::from_millis(100), "{each:?}");
}

#[test]
fn should_give_back_the_cycles_of_a_call_that_is_never_sent() {
    let net = Net::new();
    let (proxy, callee) = pair(&net);
    let attached = 10_000_000_000_000;
    let before = net.cycles(proxy);
    let argument = call_of(callee, "accept", attached, &[]);
    net.call(proxy, "never_sent", &argument).reply();
    let spent = before - net.cycles(proxy);
    assert!(spent < u128::from(attached) / 1_000, "{spent} are gone");
}

#[test]
fn should_tell_updates_their_deadline_and_queries_none() {
    let net = Net::new();
    let (proxy, callee) = pair(&net);
    let told = |method: &str, called: &str| {
        let (code, _, reply) = answer_of(net.call(proxy, method, &call_of(callee, called, 0, &[])));
        assert_eq!(code, 0);
        u64::from_le_bytes(reply.try_into().unwrap())
    };
    assert!(told("best_effort", "deadline") > net.network.now() - 60_000_000_000);
    assert_eq!(told("best_effort", "deadline_in_query"), 0);
    assert_eq!(told("call", "deadline"), 0);
    assert_eq!(net.query(callee, "deadline_in_query", &[]).number(), 0);
}
