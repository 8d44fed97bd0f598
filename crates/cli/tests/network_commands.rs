//! `stoa network`: starting, killing, starting again on what was kept, and stopping.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::{Pid, Signal, kill_process};
use support::Stoa;

/// What the network says of itself; the root key is in it.
fn status_of(endpoint: &str) -> Vec<u8> {
    let address = endpoint.trim().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET /api/v2/status HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let head = answer
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .unwrap();
    answer.split_off(head + 4)
}

fn kill(stoa: &Stoa) {
    let file = std::fs::read_to_string(stoa.path(".stoa").join("network.pid")).unwrap();
    let pid: i32 = file.split(' ').next().unwrap().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    while stoa.succeed(&["network", "status"]).starts_with("running") {}
}

#[test]
fn should_be_the_same_network_after_it_was_killed() {
    let stoa = Stoa::without_network();
    let start = ["network", "start", "--port", "0", "--state", "kept"];
    assert!(stoa.succeed(&start).starts_with("a local network runs at"));
    assert!(
        stoa.succeed(&start)
            .starts_with("a local network already runs at")
    );
    let endpoint = stoa.succeed(&["network", "status", "--endpoint"]);
    let before = status_of(&endpoint);
    assert!(
        stoa.succeed(&["network", "logs"])
            .contains("Stoa development network")
    );
    kill(&stoa);
    assert!(
        !stoa
            .run(&["network", "status", "--endpoint"])
            .status
            .success()
    );

    stoa.succeed(&start);
    let endpoint = stoa.succeed(&["network", "status", "--endpoint"]);
    assert_eq!(status_of(&endpoint), before, "it has another root key");
    let last = stoa.succeed(&["network", "logs", "--last", "1"]);
    assert!(last.starts_with("ready http://127.0.0.1:"), "{last}");
    assert!(
        stoa.succeed(&["network", "stop"])
            .contains("start it again with --state")
    );
    assert!(
        stoa.succeed(&["network", "status"])
            .starts_with("not running")
    );
    assert!(
        stoa.succeed(&["network", "stop"])
            .starts_with("no local network")
    );
}

#[test]
fn should_put_up_the_canisters_that_other_tools_look_for() {
    let stoa = Stoa::without_network();
    let started = stoa.succeed(&["network", "start", "--port", "0", "--standins"]);
    for id in [
        "ryjl3-tyaaa-aaaaa-aaaba-cai",
        "rkp4c-7iaaa-aaaaa-aaaca-cai",
        "um5iw-rqaaa-aaaaq-qaaba-cai",
    ] {
        assert!(started.contains(id), "{started}");
    }
    stoa.succeed(&["network", "stop"]);
}

#[test]
fn should_end_without_a_word_when_nobody_reads_on() {
    let stoa = Stoa::without_network();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = stoa.command(&["identity"]).stdout(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(141), "128 + SIGPIPE");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
