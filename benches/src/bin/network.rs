//! The embedded network itself: how soon it is ready, how long an update takes,
//! how many queries it answers, and what a canister with a heap of 1 GiB costs.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use candid::{Nat, Principal};
use ic_agent::Agent;
use ic_management_canister_types as types;
use stoa_benches::Table;

/// `fill` writes every page of 128 MiB from its argument on; `touch` writes a
/// page; `trap` writes one and traps.
const CANISTER: &str = r#"(module
    (import "ic0" "msg_reply" (func $reply))
    (import "ic0" "trap" (func $trap (param i32 i32)))
    (import "ic0" "msg_arg_data_copy" (func $argument (param i32 i32 i32)))
    (memory 16 20000)
    (func (export "canister_update grow") (drop (memory.grow (i32.const 16384))) (call $reply))
    (func (export "canister_update fill") (local $at i32) (local $end i32)
        (call $argument (i32.const 0) (i32.const 0) (i32.const 4))
        (local.set $at (i32.load (i32.const 0)))
        (local.set $end (i32.add (local.get $at) (i32.const 134217728)))
        (loop $pages
            (i64.store (local.get $at) (i64.const 1))
            (local.set $at (i32.add (local.get $at) (i32.const 4096)))
            (br_if $pages (i32.lt_u (local.get $at) (local.get $end))))
        (call $reply))
    (func (export "canister_update touch") (i64.store (i32.const 900000) (i64.const 2)) (call $reply))
    (func (export "canister_update trap")
        (i64.store (i32.const 900000) (i64.const 3)) (call $trap (i32.const 0) (i32.const 0)))
    (func (export "canister_query read") (call $reply)))"#;

const FILLED_AT_ONCE: u32 = 134_217_728;

struct Network {
    child: Child,
    endpoint: String,
}

impl Network {
    fn start(extra: &[&str]) -> Self {
        let mut child = Command::new(binary())
            .args(["--listen", "127.0.0.1:0"])
            .args(extra)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the network starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output"))
            .read_line(&mut line)
            .expect("a line");
        let endpoint = line.trim().trim_start_matches("ready ").to_owned();
        Self { child, endpoint }
    }

    /// Resident memory in MiB.
    fn resident(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("the process lives");
        let kib: u64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB"))
            .and_then(|kib| kib.trim().parse().ok())
            .expect("its resident memory");
        kib / 1024
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        drop(self.child.wait());
    }
}

/// Built beside this program, or named in `STOA_LOCALNET`.
fn binary() -> PathBuf {
    match std::env::var_os("STOA_LOCALNET") {
        Some(path) => PathBuf::from(path),
        None => std::env::current_exe()
            .expect("this program")
            .with_file_name("stoa-localnet"),
    }
}

async fn agent(network: &Network) -> Agent {
    let agent = Agent::builder()
        .with_url(&network.endpoint)
        .build()
        .expect("an agent");
    agent.fetch_root_key().await.expect("the root key");
    agent
}

async fn manage(agent: &Agent, subject: Principal, method: &str, argument: Vec<u8>) -> Vec<u8> {
    agent
        .update(&Principal::management_canister(), method)
        .with_effective_canister_id(subject)
        .with_arg(argument)
        .await
        .unwrap_or_else(|error| panic!("{method}: {error}"))
}

async fn install(agent: &Agent) -> Principal {
    let argument = types::ProvisionalCreateCanisterWithCyclesArgs {
        amount: Some(Nat::from(1_000_000_000_000_000u64)),
        ..types::ProvisionalCreateCanisterWithCyclesArgs::default()
    };
    let argument = candid::encode_one(argument).expect("Candid");
    let method = "provisional_create_canister_with_cycles";
    let reply = manage(agent, Principal::management_canister(), method, argument).await;
    let made: types::CanisterIdRecord = candid::decode_one(&reply).expect("an id");
    let argument = types::InstallCodeArgs {
        mode: types::CanisterInstallMode::Install,
        canister_id: made.canister_id,
        wasm_module: wat::parse_str(CANISTER).expect("a module"),
        arg: Vec::new(),
        sender_canister_version: None,
    };
    let argument = candid::encode_one(argument).expect("Candid");
    manage(agent, made.canister_id, "install_code", argument).await;
    made.canister_id
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1_000.0)
}

/// The middle one of many updates; a trap is an end as well.
async fn update_time(agent: &Agent, canister: Principal, method: &str, times: usize) -> String {
    let mut took = Vec::new();
    for _ in 0..times {
        let begun = Instant::now();
        drop(agent.update(&canister, method).await);
        took.push(begun.elapsed());
    }
    took.sort();
    milliseconds(took[times / 2])
}

async fn query_time(agent: &Agent, canister: Principal, times: usize) -> String {
    let mut took = Vec::new();
    for _ in 0..times {
        let begun = Instant::now();
        agent
            .query(&canister, "read")
            .call()
            .await
            .expect("a reply");
        took.push(begun.elapsed());
    }
    took.sort();
    milliseconds(took[times / 2])
}

async fn queries_a_second(agent: &Agent, canister: Principal, senders: usize) -> u64 {
    let done = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..senders {
        let (agent, done) = (agent.clone(), done.clone());
        tasks.push(tokio::spawn(async move {
            while begun.elapsed() < Duration::from_secs(3) {
                agent
                    .query(&canister, "read")
                    .call()
                    .await
                    .expect("a reply");
                done.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    for task in tasks {
        task.await.expect("a sender");
    }
    (done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()) as u64
}

#[tokio::main]
async fn main() {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut table = Table::new("The embedded network", &["what", "measured"]);
    table.note(&format!(
        "Virtual machine with {cores} cores, load {} (1, 5, 15 minutes) when this began; {} build; the stock `ic-agent` on the same \
         cores, with its checks at their defaults. Times are medians.",
        load.split_whitespace().take(3).collect::<Vec<_>>().join(", "),
        if cfg!(debug_assertions) { "development" } else { "release" },
    ));
    let mut row = |what: &str, measured: String| {
        table.row(&[what.to_owned(), measured]);
    };
    let begun = Instant::now();
    let network = Network::start(&[]);
    row("start to ready", milliseconds(begun.elapsed()));
    let client = agent(&network).await;
    let canister = install(&client).await;
    client.update(&canister, "touch").await.expect("an update");
    row(
        "start to the first update of a new small canister answered",
        milliseconds(begun.elapsed()),
    );
    row(
        "update, round trip",
        update_time(&client, canister, "touch", 200).await,
    );
    row(
        "query, round trip",
        query_time(&client, canister, 300).await,
    );
    let rate = queries_a_second(&client, canister, 16).await;
    row("queries a second, 16 at once", rate.to_string());
    let before = network.resident();
    client
        .update(&canister, "grow")
        .await
        .expect("a larger heap");
    for step in 0..8 {
        let at = (1_048_576 + step * FILLED_AT_ONCE).to_le_bytes().to_vec();
        let fill = client.update(&canister, "fill").with_arg(at);
        fill.await.expect("a filled part");
    }
    row(
        "resident memory before and after 1 GiB of heap was written (the heap itself is in an anonymous file)",
        format!("{before} MiB, {} MiB", network.resident()),
    );
    let one_page = update_time(&client, canister, "touch", 100).await;
    row("update that writes one page, heap of 1 GiB", one_page);
    let trap = update_time(&client, canister, "trap", 100).await;
    row("update that writes one page and traps, heap of 1 GiB", trap);
    row(
        "query, heap of 1 GiB",
        query_time(&client, canister, 200).await,
    );
    drop(network);
    let folder = std::env::temp_dir().join(format!("stoa-bench-{}", std::process::id()));
    let state = folder.to_str().expect("a path that is text");
    let kept = Network::start(&["--state", state]);
    let client = agent(&kept).await;
    let canister = install(&client).await;
    let kept_update = update_time(&client, canister, "touch", 200).await;
    row("update, with a state folder", kept_update);
    drop(kept);
    let begun = Instant::now();
    let again = Network::start(&["--state", state]);
    row(
        "start to ready on that folder, after it was killed",
        milliseconds(begun.elapsed()),
    );
    drop(again);
    std::fs::remove_dir_all(folder).expect("the folder goes");
    table.publish("network");
}
