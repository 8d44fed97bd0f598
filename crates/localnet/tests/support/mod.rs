//! A network as a process of its own, driven by the stock `ic-agent`.
#![allow(dead_code, reason = "each test file uses a part of this")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use candid::utils::ArgumentEncoder;
use candid::{CandidType, Nat, Principal};
use ic_agent::Agent;
use ic_management_canister_types as types;
use serde::Deserialize;

/// `stoa-localnet`, killed when it goes out of scope.
pub struct Process {
    child: Child,
    pub endpoint: String,
}

impl Process {
    pub fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_stoa-localnet"))
            .args(["--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the network starts");
        let output = child.stdout.take().expect("its output");
        let mut line = String::new();
        BufReader::new(output)
            .read_line(&mut line)
            .expect("a line of output");
        let endpoint = line
            .strip_prefix("ready ")
            .unwrap_or_else(|| panic!("not ready: {line:?}"))
            .trim()
            .to_owned();
        Self { child, endpoint }
    }

    pub fn on(state: &Path) -> Self {
        Self::start(&["--state", state.to_str().expect("a path that is text")])
    }

    /// As `kill -9` does it.
    pub fn kill(mut self) {
        self.child.kill().expect("the network is killed");
        self.child.wait().expect("the network ends");
    }

    /// As Ctrl-C does it.
    pub fn stop(mut self) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("a signal");
        let status = self.child.wait().expect("the network ends");
        assert!(status.success(), "{status}");
    }

    pub async fn agent(&self) -> Agent {
        agent(&self.endpoint).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().unwrap_or_default();
        drop(self.child.wait());
    }
}

/// An anonymous one, with its checks as they are by default.
pub async fn agent(endpoint: &str) -> Agent {
    let agent = Agent::builder()
        .with_url(endpoint)
        .build()
        .expect("an agent");
    agent.fetch_root_key().await.expect("the root key");
    agent
}

pub async fn manage<T: CandidType + for<'a> Deserialize<'a>>(
    agent: &Agent,
    subject: Principal,
    method: &str,
    argument: impl ArgumentEncoder,
) -> T {
    let reply = agent
        .update(&Principal::management_canister(), method)
        .with_effective_canister_id(subject)
        .with_arg(candid::encode_args(argument).expect("an argument"))
        .await
        .unwrap_or_else(|error| panic!("{method}: {error}"));
    candid::decode_one(&reply).expect("an answer")
}

pub async fn order(
    agent: &Agent,
    subject: Principal,
    method: &str,
    argument: impl ArgumentEncoder,
) {
    let reply = agent
        .update(&Principal::management_canister(), method)
        .with_effective_canister_id(subject)
        .with_arg(candid::encode_args(argument).expect("an argument"))
        .await
        .unwrap_or_else(|error| panic!("{method}: {error}"));
    assert_eq!(reply, b"DIDL\0\0");
}

pub async fn create(agent: &Agent) -> Principal {
    let argument = types::ProvisionalCreateCanisterWithCyclesArgs {
        amount: Some(Nat::from(100_000_000_000_000u64)),
        ..types::ProvisionalCreateCanisterWithCyclesArgs::default()
    };
    let made: types::CanisterIdRecord = manage(
        agent,
        Principal::management_canister(),
        "provisional_create_canister_with_cycles",
        (argument,),
    )
    .await;
    made.canister_id
}

pub async fn install(agent: &Agent, wat: &str) -> Principal {
    let canister_id = create(agent).await;
    let argument = types::InstallCodeArgs {
        mode: types::CanisterInstallMode::Install,
        canister_id,
        wasm_module: wat::parse_str(wat).expect("a module"),
        arg: Vec::new(),
        sender_canister_version: None,
    };
    order(agent, canister_id, "install_code", (argument,)).await;
    canister_id
}

/// A reply of little-endian numbers.
pub fn numbers(reply: &[u8]) -> Vec<u64> {
    let (numbers, rest) = reply.as_chunks::<8>();
    assert!(rest.is_empty(), "{reply:?}");
    numbers
        .iter()
        .map(|number| u64::from_le_bytes(*number))
        .collect()
}
