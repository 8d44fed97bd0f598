//! HTTPS outcalls, against a server on this machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use candid::Principal;
use ic_management_canister_types as types;

use super::{Net, Outcome};

/// Calls `http_request` with its own argument and 30 billion cycles; replies with
/// the answer, or rejects with code and message.
fn caller() -> String {
    let transformed = candid::encode_one(types::HttpRequestResult {
        status: 207u32.into(),
        headers: Vec::new(),
        body: b"transformed".to_vec(),
    })
    .unwrap();
    let escaped: String = transformed
        .iter()
        .map(|byte| format!("\\{byte:02x}"))
        .collect();
    format!(
        r#"(elem (i32.const 1) $replied $rejected)
        (data (i32.const 64) "http_request") (data (i32.const 2048) "{escaped}")
        (func $copy (call $msg_arg_data_copy (i32.const 4096) (i32.const 0) (call $msg_arg_data_size)))
        (func $replied (param i32) (call $copy)
            (call $msg_reply_data_append (i32.const 4096) (call $msg_arg_data_size)) (call $msg_reply))
        (func $rejected (param i32)
            (call $msg_reject_msg_copy (i32.const 4096) (i32.const 0) (call $msg_reject_msg_size))
            (i32.store8 (i32.const 4095) (i32.add (call $msg_reject_code) (i32.const 48)))
            (call $msg_reject (i32.const 4095) (i32.add (call $msg_reject_msg_size) (i32.const 1))))
        (func $start (drop (memory.grow (i32.const 40))) (call $copy)
            (call $call_new (i32.const 0) (i32.const 0) (i32.const 64) (i32.const 12)
                (i32.const 1) (i32.const 0) (i32.const 2) (i32.const 0))
            (call $call_data_append (i32.const 4096) (call $msg_arg_data_size)))
        (func (export "canister_update outcall") (call $start)
            (call $call_cycles_add (i64.const 30000000000)) (drop (call $call_perform)))
        (func (export "canister_update penniless") (call $start) (drop (call $call_perform)))
        (func (export "canister_query trapping") (call $boom))
        (func (export "canister_query nonsense")
            (call $msg_reply_data_append (i32.const 16) (i32.const 4)) (call $msg_reply))
        (func (export "canister_query refusing") (call $msg_reject (i32.const 16) (i32.const 4)))
        (func (export "canister_query transform")
            (call $msg_reply_data_append (i32.const 2048) (i32.const {})) (call $msg_reply))"#,
        transformed.len()
    )
}

/// Answers one request after the other with the same bytes, and tells what was asked.
fn serve(answer: &'static str) -> (String, Receiver<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/path?query", listener.local_addr().unwrap());
    let (sender, asked) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let lower = line.to_ascii_lowercase();
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                head.push_str(&lower);
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            drop(sender.send(head + &String::from_utf8(body).unwrap()));
        }
    });
    (url, asked)
}

const ANSWER: &str =
    "HTTP/1.1 203 Fine\r\nContent-Length: 5\r\nX-Name: value\r\nConnection: close\r\n\r\nhello";

fn request(url: &str) -> types::HttpRequestArgs {
    types::HttpRequestArgs {
        url: url.to_string(),
        max_response_bytes: Some(1_000),
        method: types::HttpMethod::POST,
        headers: vec![types::HttpHeader {
            name: "X-Asked".to_string(),
            value: "yes".to_string(),
        }],
        body: Some(b"question".to_vec()),
        transform: None,
        is_replicated: None,
    }
}

fn outcall(
    net: &Net,
    canister: Principal,
    method: &str,
    request: types::HttpRequestArgs,
) -> Outcome {
    net.call(canister, method, &candid::encode_one(request).unwrap())
}

fn answer(outcome: Outcome) -> types::HttpRequestResult {
    candid::decode_one(&outcome.reply()).unwrap()
}

#[test]
fn should_perform_a_request_and_give_back_what_it_did_not_cost() {
    let net = Net::new();
    let canister = net.canister(&caller());
    let (url, asked) = serve(ANSWER);
    let before = net.cycles(canister);
    let answered = answer(outcall(&net, canister, "outcall", request(&url)));
    assert_eq!(answered.status, 203u32);
    assert_eq!(answered.body, b"hello");
    assert!(
        answered
            .headers
            .iter()
            .any(|header| header.name == "x-name" && header.value == "value")
    );
    let asked = asked.recv().unwrap();
    assert!(asked.starts_with("post /path?query http/1.1"), "{asked}");
    assert!(asked.contains("x-asked: yes"), "{asked}");
    assert!(asked.ends_with("question"), "{asked}");
    let spent = before - net.cycles(canister);
    assert!((50_000_000..200_000_000).contains(&spent), "{spent}");
}

#[test]
fn should_let_the_canister_transform_the_answer() {
    let net = Net::new();
    let canister = net.canister(&caller());
    let (url, _asked) = serve(ANSWER);
    let with = |method: &str| types::HttpRequestArgs {
        transform: Some(types::TransformContext {
            function: types::TransformFunc(candid::Func {
                principal: canister,
                method: method.to_string(),
            }),
            context: b"context".to_vec(),
        }),
        ..request(&url)
    };
    let answered = answer(outcall(&net, canister, "outcall", with("transform")));
    assert_eq!(
        (answered.status, &answered.body[..]),
        (207u32.into(), &b"transformed"[..])
    );
    let failed = |method: &str| outcall(&net, canister, "outcall", with(method)).message();
    for (method, expected) in [
        ("missing", "no query method 'missing'"),
        ("trapping", "IC0503"),
        ("nonsense", "decode"),
        ("refusing", "boom"),
        ("outcall", "no query method 'outcall'"),
    ] {
        let message = failed(method);
        assert!(message.contains(expected), "{method}: {message}");
    }
    let mut of_another = with("transform");
    if let Some(transform) = &mut of_another.transform {
        transform.function.0.principal = net.create();
    }
    let message = outcall(&net, canister, "outcall", of_another).message();
    assert!(
        message.starts_with('4') && message.contains("caller canister"),
        "{message}"
    );
    // Nothing of this keeps the canister from asking again.
    answer(outcall(&net, canister, "outcall", with("transform")));
}

#[test]
fn should_give_up_a_request_that_is_not_answered() {
    let net = Net::new();
    let canister = net.canister(&caller());
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let message = outcall(&net, canister, "outcall", request(&url)).message();
    assert!(message.starts_with('2'), "{message}");
}

#[test]
fn should_refuse_addresses_and_headers_beyond_the_limits() {
    let net = Net::new();
    let canister = net.canister(&caller());
    let (url, asked) = serve(ANSWER);
    let refused = |request| {
        let message = outcall(&net, canister, "outcall", request).message();
        assert!(message.starts_with('4'), "{message}");
        message
    };
    for address in [
        "",
        "no address",
        "ftp://127.0.0.1/",
        "http://10.0.0.1/",
        "https://",
    ] {
        refused(request(address));
    }
    assert!(refused(request(&format!("{url}{}", "x".repeat(8_192)))).contains("8192"));
    let header = |length: usize| types::HttpHeader {
        name: "X-Long".to_string(),
        value: "x".repeat(length),
    };
    let with = |headers| types::HttpRequestArgs {
        headers,
        ..request(&url)
    };
    assert!(refused(with(vec![header(1); 65])).contains("64"));
    assert!(refused(with(vec![header(8_193)])).contains("8192"));
    assert!(refused(with(vec![header(8_000); 7])).contains("49152"));
    let body = types::HttpRequestArgs {
        body: Some(vec![0; 2_000_000]),
        ..request(&url)
    };
    assert!(refused(body).contains("2000000"));
    assert!(asked.try_recv().is_err(), "nothing was sent");
}

#[test]
fn should_refuse_what_the_network_would_refuse() {
    let net = Net::new();
    let canister = net.canister(&caller());
    let (url, _asked) = serve(ANSWER);
    let refused = |request| outcall(&net, canister, "outcall", request).message();
    let plain = refused(request("http://example.com/"));
    assert!(plain.starts_with("4") && plain.contains("https"), "{plain}");
    let short = refused(types::HttpRequestArgs {
        max_response_bytes: Some(20),
        ..request(&url)
    });
    assert!(
        short.starts_with("1Http body exceeds size limit of 20"),
        "{short}"
    );
    let long = refused(types::HttpRequestArgs {
        max_response_bytes: Some(2_000_001),
        ..request(&url)
    });
    assert!(long.starts_with('4'), "{long}");
    let gone = refused(request("http://127.0.0.1:1/"));
    assert!(gone.starts_with('2'), "{gone}");
    let penniless = outcall(&net, canister, "penniless", request(&url)).message();
    assert!(penniless.contains("0 cycles, but"), "{penniless}");
    let argument = candid::encode_one(request(&url)).unwrap();
    let ingress = net.call(Principal::management_canister(), "http_request", &argument);
    assert_eq!(ingress.error_code(), "IC0406");
}
