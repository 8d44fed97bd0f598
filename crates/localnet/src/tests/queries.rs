//! Queries and composite queries.

use std::time::Instant;

use super::Net;

/// A composite query "ask" that calls a query of the canister in its argument:
/// a length, an id, a method name. Its answer follows two numbers of its own.
const ASKER: &str = r#"
    (elem (table 0) (i32.const 1) func $on_reply $on_reject $on_trap)
    (func $ask (param $reply i32)
        (call $bump)
        (call $msg_arg_data_copy (i32.const 200) (i32.const 0) (call $msg_arg_data_size))
        (call $call_new
            (i32.const 201) (i32.load8_u (i32.const 200))
            (i32.add (i32.const 201) (i32.load8_u (i32.const 200)))
            (i32.sub (i32.sub (call $msg_arg_data_size) (i32.const 1)) (i32.load8_u (i32.const 200)))
            (local.get $reply) (i32.const 0) (i32.const 2) (i32.const 0))
        (call $call_data_append (i32.const 200) (call $msg_arg_data_size))
        (drop (call $call_perform)))
    (func (export "canister_composite_query ask") (call $ask (i32.const 1)))
    (func (export "canister_composite_query trap") (call $ask (i32.const 3)))
    (func $on_trap (param i32) (call $boom))
    (func $on_reply (param i32)
        (call $append64 (call $counter))
        (call $append64 (i64.extend_i32_u (call $in_replicated_execution)))
        (call $msg_arg_data_copy (i32.const 300) (i32.const 0) (call $msg_arg_data_size))
        (call $msg_reply_data_append (i32.const 300) (call $msg_arg_data_size))
        (call $msg_reply))
    (func $on_reject (param i32)
        (call $append64 (i64.extend_i32_u (call $msg_reject_code)))
        (call $msg_reject_msg_copy (i32.const 300) (i32.const 0) (call $msg_reject_msg_size))
        (call $msg_reply_data_append (i32.const 300) (call $msg_reject_msg_size))
        (call $msg_reply))
    (func (export "canister_update change") (call $bump) (call $answer (i64.const 0)))
    (func (export "canister_query certificate")
        (call $answer (i64.extend_i32_u (i32.and
            (call $data_certificate_present)
            (i32.gt_u (call $data_certificate_size) (i32.const 100))))))
    (func (export "canister_query present")
        (call $answer (i64.extend_i32_u (call $data_certificate_present))))
    (func (export "canister_query spin") (loop $l
        (memory.fill (i32.const 65536) (i32.const 1) (i32.const 65536)) (br $l)))
"#;

fn ask(canister: candid::Principal, method: &str) -> Vec<u8> {
    let mut argument = vec![canister.as_slice().len() as u8];
    argument.extend_from_slice(canister.as_slice());
    argument.extend_from_slice(method.as_bytes());
    argument
}

#[test]
fn should_let_a_composite_query_call_queries_and_see_its_own_writes() {
    let net = Net::new();
    let (asker, asked) = (net.canister(ASKER), net.canister(ASKER));
    net.call(asked, "change", &[]).reply();
    assert_eq!(
        net.query(asker, "ask", &ask(asked, "counter")).numbers(),
        [1, 0, 1]
    );
    assert_eq!(net.query(asker, "counter", &[]).number(), 0);
    assert_eq!(
        net.query(asker, "ask", &ask(asker, "counter")).numbers(),
        [1, 0, 0]
    );
}

#[test]
fn should_not_let_a_composite_query_call_updates() {
    let net = Net::new();
    let canister = net.canister(ASKER);
    let reply = net.query(canister, "ask", &ask(canister, "change")).reply();
    assert_eq!(reply[..8], 5u64.to_le_bytes());
    assert!(
        reply[8..].starts_with(b"IC0536"),
        "{}",
        String::from_utf8_lossy(&reply)
    );
}

#[test]
fn should_refuse_a_composite_query_as_an_update() {
    let net = Net::new();
    let canister = net.canister(ASKER);
    assert_eq!(net.call(canister, "ask", &[]).error_code(), "IC0527");
}

#[test]
fn should_end_a_composite_query_that_calls_itself_without_end() {
    let net = Net::new();
    let canister = net.canister(ASKER);
    assert_eq!(
        net.query(canister, "ask", &ask(canister, "ask"))
            .error_code(),
        "IC0525"
    );
}

#[test]
fn should_report_a_trap_in_a_composite_callback() {
    let net = Net::new();
    let canister = net.canister(ASKER);
    assert_eq!(
        net.query(canister, "trap", &ask(canister, "counter"))
            .error_code(),
        "IC0503"
    );
}

#[test]
fn should_limit_the_instructions_of_a_query() {
    let net = Net::new();
    let canister = net.canister(ASKER);
    let answer = net.query(canister, "spin", &[]);
    assert!(answer.message().contains("5000000000"));
}

#[test]
fn should_give_queries_a_data_certificate() {
    let net = Net::new();
    let canister = net.canister(ASKER);
    assert_eq!(net.query(canister, "certificate", &[]).number(), 1);
    assert_eq!(
        net.call(canister, "certificate", &[]).error_code(),
        "IC0504"
    );
}

#[test]
fn should_give_a_certificate_to_the_query_that_was_asked_and_to_none_that_it_calls() {
    let net = Net::new();
    let (asker, asked) = (net.canister(ASKER), net.canister(ASKER));
    assert_eq!(net.query(asked, "present", &[]).number(), 1);
    assert_eq!(net.call(asked, "present", &[]).number(), 0);
    let through = |method: &str| net.query(asker, "ask", &ask(asked, method)).reply();
    assert_eq!(through("present")[16..], 0u64.to_le_bytes());
    let refused = through("certificate");
    assert_eq!(refused[..8], 5u64.to_le_bytes());
    assert!(refused[8..].starts_with(b"IC0504: "));
}

#[test]
fn should_answer_queries_while_an_update_runs() {
    let net = Net::new();
    let canister = net.canister(
        r#"(func (export "canister_update slow") (local $i i64)
            (local.set $i (i64.const 600_000_000))
            (loop $l (br_if $l (i64.ne (i64.const 0) (local.tee $i (i64.sub (local.get $i) (i64.const 1))))))
            (call $bump) (call $answer (i64.const 0)))"#,
    );
    let begun = Instant::now();
    let (request, _) = net.submit(net.user, canister, "slow", &[]);
    assert_eq!(net.query(canister, "counter", &[]).number(), 0);
    let query = begun.elapsed();
    net.wait(request).reply();
    let update = begun.elapsed();
    assert!(
        query < update / 2,
        "the query took {query:?} of the update's {update:?}"
    );
    assert_eq!(net.query(canister, "counter", &[]).number(), 1);
}

/// An update writes one number to two pages of the heap and to stable memory;
/// queries that run all the while must find the same in all three.
#[test]
fn should_never_show_a_query_half_of_an_update() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    let net = Net::new();
    let canister = net.canister(
        r#"(func (export "canister_init") (drop (call $stable64_grow (i64.const 1))))
        (func (export "canister_update write")
            (call $bump)
            (i64.store (i32.const 100_000) (call $counter))
            (call $stable64_write (i64.const 5_000) (i64.const 1024) (i64.const 8))
            (call $answer (i64.const 0)))
        (func (export "canister_query read") (local $i i32)
            (call $append64 (call $counter))
            (local.set $i (i32.const 20_000))
            (loop $l (br_if $l (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
            (call $append64 (i64.load (i32.const 100_000)))
            (call $stable64_read (i64.const 8) (i64.const 5_000) (i64.const 8))
            (call $append64 (i64.load (i32.const 8)))
            (call $msg_reply))"#,
    );
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (network, stop) = (Arc::clone(&net.network), Arc::clone(&stop));
            let read = move || {
                let mut highest = 0;
                while !stop.load(Ordering::Relaxed) {
                    let query = stoa_localnet_wire::Query {
                        sender: candid::Principal::anonymous(),
                        canister_id: canister,
                        effective_canister_id: canister,
                        method_name: "read".into(),
                        arg: Vec::new(),
                        sender_info: None,
                    };
                    let outcome = crate::query::run(&network, query);
                    let stoa_localnet_wire::QueryOutcome::Replied(reply) = outcome else {
                        panic!("{outcome:?}");
                    };
                    let (first, rest) = reply.split_at(8);
                    assert_eq!(rest, [first, first].concat());
                    highest = highest.max(u64::from_le_bytes(first.try_into().unwrap()));
                }
                highest
            };
            let threads = std::thread::Builder::new().stack_size(crate::wasm::THREAD_STACK_BYTES);
            threads.spawn(read).unwrap()
        })
        .collect();
    for _ in 0..500 {
        net.call(canister, "write", &[]).reply();
    }
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        assert!(reader.join().unwrap() > 0);
    }
    assert_eq!(net.query(canister, "counter", &[]).number(), 500);
}

/// Two calls: the first one's callback writes and traps, its cleanup writes, the
/// second one's callback tells what is left of it.
const CLEANER: &str = r#"
    (elem (table 0) (i32.const 1) func $writes_and_traps $unexpected $cleans $tells $cleans_and_traps)
    (func $self_call (param $reply i32) (param $cleanup i32)
        (call $canister_self_copy (i32.const 64) (i32.const 0) (call $canister_self_size))
        (call $call_new (i32.const 64) (call $canister_self_size) (i32.const 128) (i32.const 7)
            (local.get $reply) (i32.const 0) (i32.const 2) (i32.const 0))
        (if (local.get $cleanup) (then (call $call_on_cleanup (local.get $cleanup) (i32.const 0))))
        (drop (call $call_perform)))
    (data (i32.const 128) "counter")
    (func $writes_and_traps (param i32)
        (i64.store (i32.const 1024) (i64.const 77)) (global.set $g (i64.const 77))
        (drop (call $stable64_grow (i64.const 9))) (drop (memory.grow (i32.const 3))) (call $boom))
    (func $unexpected (param i32) (call $answer (i64.const 99)))
    (func $cleans (param i32) (i64.store (i32.const 1024) (i64.add (call $counter) (i64.const 1000))))
    (func $cleans_and_traps (param i32) (call $cleans (i32.const 0)) (call $boom))
    (func $tells (param i32)
        (call $append64 (call $counter)) (call $append64 (global.get $g)) (call $append64 (call $stable64_size))
        (call $append64 (i64.extend_i32_u (memory.size))) (call $msg_reply))
    (func $begin (param $cleanup i32)
        (call $bump) (drop (call $stable64_grow (i64.const 2))) (global.set $g (i64.const 5))
        (call $stable64_write (i64.const 70000) (i64.const 1024) (i64.const 8))
        (call $self_call (i32.const 1) (local.get $cleanup)) (call $self_call (i32.const 4) (i32.const 0)))
    (func (export "canister_composite_query cleaned") (call $begin (i32.const 3)))
    (func (export "canister_composite_query uncleaned") (call $begin (i32.const 0)))
    (func (export "canister_composite_query failed") (call $begin (i32.const 5)))
"#;

#[test]
fn should_undo_what_a_failed_step_of_a_composite_query_wrote() {
    let net = Net::new();
    let canister = net.canister(CLEANER);
    let told = |method| net.query(canister, method, &[]).numbers();
    assert_eq!(told("cleaned"), [1_001, 5, 2, 2], "the cleanup is kept");
    assert_eq!(told("uncleaned"), [1, 5, 2, 2]);
    assert_eq!(
        told("failed"),
        [1, 5, 2, 2],
        "a failed cleanup is undone as well"
    );
    assert_eq!(net.query(canister, "counter", &[]).number(), 0);
}
