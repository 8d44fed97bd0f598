//! Malformed requests, for a short time: each is refused with a reason, none is
//! taken for another, and the network goes on.

mod support;

use std::time::{Duration, Instant};

use ic_agent::Identity;

use self::support::identities::ed25519;
use self::support::{CANISTER, Network, call_content, canister_path, query_content};

const TIME: Duration = Duration::from_secs(2);

/// A small generator: the same inputs every time, whatever the machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }

    fn mutated(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(6) {
                0 => bytes.truncate(at),
                1 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                // Heads of CBOR items: long arrays, maps, texts, tags, without an end.
                2 if at < bytes.len() => {
                    bytes[at] = [0x9b, 0xbb, 0x7b, 0x5b, 0xdb, 0x9f, 0xbf, 0xff][self.below(8)];
                }
                3 => {
                    let end = (at + self.below(60)).min(bytes.len());
                    let part = bytes[at..end].to_vec();
                    bytes.splice(at..at, part);
                }
                4 => {
                    let end = (at + self.below(30)).min(bytes.len());
                    bytes.drain(at..end);
                }
                // Nested without end.
                _ => bytes
                    .splice(at..at, vec![0x81; 1 + self.below(4_000)])
                    .for_each(drop),
            }
        }
        bytes
    }
}

#[tokio::test]
async fn should_refuse_malformed_requests_and_go_on() {
    let network = Network::start().await;
    let identity = ed25519(1);
    let sender = identity.sender().expect("a sender");
    let sign = |content: ic_agent::agent::EnvelopeContent| {
        let signed = identity.sign(&content).expect("a signature");
        ic_agent::agent::Envelope {
            content: std::borrow::Cow::Owned(content),
            sender_pubkey: signed.public_key,
            sender_sig: signed.signature,
            sender_delegation: None,
        }
        .encode_bytes()
    };
    let read_state = ic_agent::agent::EnvelopeContent::ReadState {
        ingress_expiry: support::in_three_minutes(),
        sender,
        paths: vec![vec!["time".into()]],
    };
    let seeds = [
        sign(call_content(sender)),
        sign(query_content(sender)),
        sign(read_state),
        Vec::new(),
    ];
    let mut paths = Vec::new();
    for (version, endpoint) in [
        ("v2", "call"),
        ("v3", "call"),
        ("v4", "call"),
        ("v2", "query"),
        ("v3", "query"),
        ("v2", "read_state"),
        ("v3", "read_state"),
    ] {
        paths.push(canister_path(version, endpoint));
    }
    paths.push(format!("/?canisterId={CANISTER}"));
    let mut random = Random(0xcb0);
    let (begun, mut tried) = (Instant::now(), 0);
    while begun.elapsed() < TIME || tried < 100 {
        let seed = &seeds[random.below(seeds.len())];
        let body = random.mutated(seed);
        if seeds.contains(&body) {
            continue;
        }
        let path = &paths[random.below(paths.len())];
        let answer = network.post(path, body).await;
        let gateway = path.starts_with("/?");
        assert!(
            gateway || answer.status == 400,
            "{path}: {answer:?}: a changed request carries no valid signature"
        );
        assert!(!answer.body.is_empty(), "{path}: a reason is given");
        tried += 1;
    }
    let agent = network.agent(identity).await;
    let reply = agent.query(&CANISTER, "echo").with_arg(b"alive".to_vec());
    assert_eq!(reply.call().await.expect("a reply"), b"alive");
}
