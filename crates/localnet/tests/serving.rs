//! The network as a process serves it: an endpoint that comes and goes.

use std::io::{Read, Write};
use std::net::TcpStream;

use stoa_localnet::{Options, start};

fn get(endpoint: &str, path: &str) -> std::io::Result<Vec<u8>> {
    let address = endpoint.strip_prefix("http://").unwrap_or(endpoint);
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

fn options() -> Options {
    Options {
        cache: None,
        seed: Some([5; 32]),
        ..Options::default()
    }
}

#[test]
fn should_serve_its_status_until_it_is_shut_down() {
    let network = start(options()).unwrap();
    let endpoint = network.endpoint();
    let answer = get(&endpoint, "/api/v2/status").unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    let key = network.root_key();
    assert!(
        answer.windows(key.len()).any(|part| part == key),
        "the status names the root key"
    );
    network.shutdown();
    assert!(get(&endpoint, "/api/v2/status").is_err());
}

#[test]
fn should_have_the_same_root_key_for_the_same_seed_alone() {
    let (one, other) = (start(options()).unwrap(), start(options()).unwrap());
    let random = start(Options {
        seed: None,
        ..options()
    })
    .unwrap();
    assert_eq!(one.root_key(), other.root_key());
    assert_ne!(one.root_key(), random.root_key());
    assert_ne!(one.endpoint(), other.endpoint());
}

#[test]
fn should_say_that_a_port_is_taken() {
    let one = start(options()).unwrap();
    let listen = one.endpoint()["http://".len()..].parse().unwrap();
    assert!(
        start(Options {
            listen,
            ..options()
        })
        .is_err()
    );
}

#[test]
fn should_serve_the_record_of_executions() {
    let network = start(options()).unwrap();
    let body = |path: &str| {
        let answer = String::from_utf8(get(&network.endpoint(), path).unwrap()).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].to_string(), body.to_string())
    };
    let empty = ("200".to_string(), "[]".to_string());
    assert_eq!(body("/_/executions"), empty);
    assert_eq!(body("/_/executions?after=12"), empty);
    assert_eq!(body("/_/executions?after=never").0, "400");
}

#[test]
fn should_say_that_it_is_for_development_and_what_it_leaves_out() {
    let mut network = std::process::Command::new(env!("CARGO_BIN_EXE_stoa-localnet"))
        .args(["--listen", "127.0.0.1:0"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the network starts");
    // The banner comes before the line that says where it listens.
    let mut ready = [0; 5];
    let output = network.stdout.as_mut().expect("its output");
    output.read_exact(&mut ready).expect("a line");
    network.kill().expect("the network is killed");
    let banner = network.wait_with_output().expect("the network ends").stderr;
    let banner = String::from_utf8(banner).expect("text");
    for said in [
        "development network: one node",
        "leaves out: consensus",
        "threshold keys",
        "Bitcoin",
        "rate limits",
    ] {
        assert!(banner.contains(said), "{said:?} is not in {banner:?}");
    }
}
