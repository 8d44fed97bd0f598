//! Malformed modules and arguments, for a short time: each gets an error, and the
//! network goes on.

use std::time::{Duration, Instant};

use candid::Principal;

use super::{INSTALL, Net, Outcome};

const TIME: Duration = Duration::from_millis(1_500);

/// A small generator: the same inputs every time, whatever the machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }

    /// Flips, cuts, doubles, inserts: what makes a parser stumble.
    fn mutated(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(6) {
            let at = self.below(bytes.len());
            match self.below(6) {
                0 => bytes.truncate(at),
                1 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                2 if at < bytes.len() => bytes[at] = [0, 0x7f, 0x80, 0xff][self.below(4)],
                3 => {
                    let end = (at + self.below(40)).min(bytes.len());
                    let part = bytes[at..end].to_vec();
                    bytes.splice(at..at, part);
                }
                4 => {
                    let end = (at + self.below(20)).min(bytes.len());
                    bytes.drain(at..end);
                }
                _ => bytes.splice(at..at, [0xff; 9]).for_each(drop),
            }
        }
        bytes
    }
}

fn is_an_answer(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Replied(_) => true,
        // A failure of the network itself would be IC0521.
        Outcome::Rejected(rejection) | Outcome::Refused(rejection) => {
            rejection.error_code != "IC0521"
        }
    }
}

const MODULE: &str = r#"(elem (i32.const 1) $boom) (func (export "canister_init") (call $bump))
    (func (export "canister_update go") (call $bump) (call_indirect (type $procedure) (i32.const 1)))"#;

#[test]
fn should_survive_malformed_modules() {
    let net = Net::new();
    let seed = super::module(MODULE);
    let mut random = Random(0x5eed);
    let canister = net.create();
    let (begun, mut tried) = (Instant::now(), 0);
    while begun.elapsed() < TIME || tried < 20 {
        let module = random.mutated(&seed);
        let outcome = net.install_bytes(canister, super::REINSTALL, module);
        assert!(is_an_answer(&outcome), "{outcome:?}");
        tried += 1;
    }
    net.install(canister, super::REINSTALL, MODULE).reply();
    assert_eq!(net.query(canister, "counter", &[]).number(), 1);
}

#[test]
fn should_survive_malformed_candid() {
    let net = Net::new();
    let canister = net.create();
    net.install(canister, INSTALL, MODULE).reply();
    let encode = |value: &dyn Fn() -> Vec<u8>| value();
    let record = ic_management_canister_types::CanisterIdRecord {
        canister_id: canister,
    };
    let seeds = [
        encode(&|| candid::encode_one(&record).unwrap()),
        encode(&|| {
            candid::encode_one(ic_management_canister_types::UpdateSettingsArgs {
                canister_id: canister,
                settings: ic_management_canister_types::CanisterSettings::default(),
                sender_canister_version: None,
            })
            .unwrap()
        }),
        // A bomb: a vector of a billion nothings.
        b"DIDL\x01\x6d\x7f\x01\x00\x80\x94\xeb\xdc\x03".to_vec(),
    ];
    let methods = [
        "canister_status",
        "update_settings",
        "install_code",
        "install_chunked_code",
        "upload_chunk",
        "stored_chunks",
        "take_canister_snapshot",
        "load_canister_snapshot",
        "upload_canister_snapshot_metadata",
        "upload_canister_snapshot_data",
        "read_canister_snapshot_data",
        "provisional_create_canister_with_cycles",
        "provisional_top_up_canister",
        "no_such_method",
    ];
    let mut random = Random(0xca4d1d);
    let begun = Instant::now();
    let (mut tried, management) = (0, Principal::management_canister());
    while begun.elapsed() < TIME || tried < 100 {
        let seed = &seeds[random.below(seeds.len())];
        let argument = random.mutated(seed);
        let method = methods[random.below(methods.len())];
        let outcome = match tried % 2 {
            0 => net.call(management, method, &argument),
            _ => net.query(management, method, &argument),
        };
        assert!(is_an_answer(&outcome), "{method}: {outcome:?}");
        tried += 1;
    }
    assert_eq!(net.query(canister, "counter", &[]).number(), 1);
}
