//! What the functions that tell prices say, held to the network's formulas for 13 nodes.

use candid::CandidType;

use super::{Net, Outcome};

const ASKER: &str = r#"
    (func $answer_amount (call $msg_reply_data_append (i32.const 0) (i32.const 16)) (call $msg_reply))
    (func (export "canister_query call") (call $cost_call (i64.const 6) (i64.const 1000) (i32.const 0)) (call $answer_amount))
    (func (export "canister_query create") (call $cost_create_canister (i32.const 0)) (call $answer_amount))
    (func (export "canister_query http") (call $cost_http_request (i64.const 100) (i64.const 200) (i32.const 0)) (call $answer_amount))
    (func (export "canister_query http_v2")
        (call $msg_arg_data_copy (i32.const 100) (i32.const 0) (call $msg_arg_data_size))
        (call $cost_http_request_v2 (i32.const 100) (call $msg_arg_data_size) (i32.const 0)) (call $answer_amount))
    (func (export "canister_query sign") (local $key i32)
        (i64.store (i32.const 100) (i64.const 0x00315f79656b)) ;; "key_1"
        (call $append64 (i64.extend_i32_u (call $cost_sign_with_ecdsa (i32.const 100) (i32.const 5) (i32.const 1) (i32.const 200))))
        (call $append64 (i64.extend_i32_u (call $cost_sign_with_ecdsa (i32.const 100) (i32.const 4) (i32.const 0) (i32.const 200))))
        (call $append64 (i64.extend_i32_u (call $cost_sign_with_ecdsa (i32.const 100) (i32.const 5) (i32.const 0) (i32.const 200))))
        (call $append64 (i64.load (i32.const 200)))
        (call $msg_reply))
"#;

#[derive(CandidType)]
struct Usage {
    request_bytes: u64,
    http_roundtrip_time_ms: u64,
    raw_response_bytes: u64,
    transformed_response_bytes: u64,
    transform_instructions: u64,
}

fn amount(outcome: Outcome) -> u128 {
    u128::from_le_bytes(outcome.reply().try_into().unwrap())
}

#[test]
fn should_tell_what_calls_cost() {
    let net = Net::new();
    let canister = net.canister(ASKER);
    let asked = |method: &str| amount(net.query(canister, method, &[]));
    let callback = 5_000_000 + 40_000_000_000;
    let response = 2_097_152 * 1_000;
    assert_eq!(asked("call"), 260_000 + 1_006 * 1_000 + response + callback);
    assert_eq!(asked("create"), 500_000_000_000);
    let http = (3_000_000 + 60_000 * 13 + 400 * 100 + 800 * 200) * 13;
    assert_eq!(asked("http"), http);
    assert_eq!(
        net.query(canister, "sign", &[]).numbers(),
        [1, 2, 0, 26_153_846_153]
    );
}

#[test]
fn should_tell_what_an_http_request_costs_by_what_it_uses() {
    let net = Net::new();
    let canister = net.canister(ASKER);
    let usage = Usage {
        request_bytes: 100,
        http_roundtrip_time_ms: 70,
        raw_response_bytes: 2_000,
        transformed_response_bytes: 300,
        transform_instructions: 1_300_000,
    };
    let argument = candid::encode_one(usage).unwrap();
    let base = 1_000_000 + 140_000 * 13 + 800 * 13 * 13;
    let used = 50 * 100 + 50 * 2_000 + 300 * 70 + 100_000 + (10 * 13 + 650) * 300;
    let told = amount(net.query(canister, "http_v2", &argument));
    assert_eq!(told, (base + used) * 13);
    let other = candid::encode_one((1u8,)).unwrap();
    let refused = net.query(canister, "http_v2", &other);
    assert_eq!(refused.error_code(), "IC0504");
}
