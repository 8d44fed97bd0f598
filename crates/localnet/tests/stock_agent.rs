//! What canisters and their developers can do, through the stock Rust agent with its
//! default verification. `tests/node/network.test.mjs` does the same with the stock
//! agent of JavaScript and the same canister, `tests/node/probe.wat`.

mod support;

use std::time::Duration;

use candid::Principal;
use candid::utils::ArgumentEncoder;
use ic_agent::identity::{AnonymousIdentity, BasicIdentity};
use ic_agent::{Agent, AgentError, Identity};
use ic_management_canister_types as types;
use sha2::{Digest, Sha256};
use types::CanisterInstallMode::{Install, Reinstall, Upgrade};

use self::support::{Process, create, manage, numbers, order};

const PROBE: &[u8] = include_bytes!("../../../tests/node/probe.wasm");
const MANAGEMENT: Principal = Principal::management_canister();
const NO_ARGUMENT: &[u8] = b"DIDL\0\0";

/// A network and an agent that trusts it.
struct Bench {
    agent: Agent,
    process: Process,
}

impl Bench {
    async fn new() -> Self {
        let process = Process::start(&[]);
        let agent = process.agent().await;
        Self { agent, process }
    }

    async fn agent_of(&self, identity: impl Identity + 'static) -> Agent {
        let agent = Agent::builder()
            .with_url(&self.process.endpoint)
            .with_identity(identity)
            .build()
            .expect("an agent");
        agent.fetch_root_key().await.expect("the root key");
        agent
    }

    async fn stranger(&self) -> Agent {
        self.agent_of(BasicIdentity::from_raw_key(&[7; 32])).await
    }

    async fn probe(&self) -> Principal {
        let canister = create(&self.agent).await;
        let install = install_code(canister, Install, PROBE);
        order(&self.agent, canister, "install_code", (install,)).await;
        canister
    }

    async fn update(
        &self,
        canister: Principal,
        method: &str,
        argument: &[u8],
    ) -> Result<Vec<u8>, AgentError> {
        let call = self.agent.update(&canister, method);
        call.with_arg(argument).await
    }

    async fn query(
        &self,
        canister: Principal,
        method: &str,
        argument: &[u8],
    ) -> Result<Vec<u8>, AgentError> {
        let query = self.agent.query(&canister, method);
        query.with_arg(argument).call().await
    }

    /// The counter, without a trace.
    async fn count(&self, canister: Principal) -> u64 {
        number(self.query(canister, "get", &[]).await)
    }

    async fn install(
        &self,
        canister: Principal,
        mode: types::CanisterInstallMode,
        wasm: &[u8],
    ) -> Result<Vec<u8>, AgentError> {
        let argument = install_code(canister, mode, wasm);
        told(&self.agent, canister, "install_code", (argument,)).await
    }

    /// What the canister's `method` hears from the other.
    async fn asked(
        &self,
        canister: Principal,
        method: &str,
        other: Principal,
        (name, argument, cycles): (&str, &[u8], u64),
    ) -> (u64, Vec<u8>) {
        let call = call_of(other, name, argument, cycles);
        let reply = self.update(canister, method, &call).await;
        split(&reply.unwrap_or_else(|error| panic!("{method} {name}: {error}")))
    }
}

fn install_code(
    canister_id: Principal,
    mode: types::CanisterInstallMode,
    wasm: &[u8],
) -> types::InstallCodeArgs {
    types::InstallCodeArgs {
        mode,
        canister_id,
        wasm_module: wasm.to_vec(),
        arg: Vec::new(),
        sender_canister_version: None,
    }
}

/// A call of the management canister about a canister, whatever comes of it.
async fn told(
    agent: &Agent,
    canister: Principal,
    method: &str,
    argument: impl ArgumentEncoder,
) -> Result<Vec<u8>, AgentError> {
    agent
        .update(&MANAGEMENT, method)
        .with_effective_canister_id(canister)
        .with_arg(candid::encode_args(argument).expect("an argument"))
        .await
}

fn number(reply: Result<Vec<u8>, AgentError>) -> u64 {
    match numbers(&reply.expect("a reply"))[..] {
        [number] => number,
        ref others => panic!("one number, not {others:?}"),
    }
}

/// The argument of the probe's `call` and its kin.
fn call_of(canister: Principal, method: &str, argument: &[u8], cycles: u64) -> Vec<u8> {
    let counted = |bytes: &[u8]| {
        let length = u8::try_from(bytes.len()).expect("at most 255 bytes");
        [&[length][..], bytes].concat()
    };
    [
        &counted(canister.as_slice())[..],
        &counted(method.as_bytes()),
        &cycles.to_le_bytes(),
        argument,
    ]
    .concat()
}

/// A reject code, 0 for a reply, and what came with it.
fn split(reply: &[u8]) -> (u64, Vec<u8>) {
    let (code, rest) = reply.split_first_chunk().expect("a code");
    (u64::from_le_bytes(*code), rest.to_vec())
}

#[track_caller]
fn rejected(error_code: &str, answer: Result<Vec<u8>, AgentError>) {
    match answer {
        Err(
            AgentError::CertifiedReject { reject, .. }
            | AgentError::UncertifiedReject { reject, .. },
        ) => assert_eq!(reject.error_code.as_deref(), Some(error_code), "{reject:?}"),
        other => panic!("a reject with {error_code}, not {other:?}"),
    }
}

const fn record(canister_id: Principal) -> types::CanisterIdRecord {
    types::CanisterIdRecord { canister_id }
}

fn settings(
    canister_id: Principal,
    settings: types::CanisterSettings,
) -> types::UpdateSettingsArgs {
    types::UpdateSettingsArgs {
        canister_id,
        settings,
        sender_canister_version: None,
    }
}

async fn until(what: &str, mut reached: impl AsyncFnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !reached().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn should_keep_what_an_update_wrote_undo_what_trapped_and_drop_what_a_query_wrote() {
    let bench = Bench::new().await;
    let canister = bench.probe().await;
    assert_eq!(number(bench.update(canister, "bump", &[]).await), 1);
    assert_eq!(number(bench.query(canister, "bump_and_get", &[]).await), 2);
    rejected("IC0503", bench.update(canister, "trap", &[]).await);
    rejected("IC0503", bench.query(canister, "trap_in_query", &[]).await);
    assert_eq!(bench.count(canister).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn should_reject_as_canisters_and_the_system_reject() {
    let bench = Bench::new().await;
    let canister = bench.probe().await;
    let two_mebibytes = 2 * 1024 * 1024u32;
    for (error_code, method, argument) in [
        ("IC0406", "reject", 0),
        ("IC0506", "silent", 0),
        ("IC0536", "no_such_method", 0),
        ("IC0406", "closed_to_users", 0),
        ("IC0504", "bytes", two_mebibytes + 1),
    ] {
        let argument = argument.to_le_bytes();
        rejected(error_code, bench.update(canister, method, &argument).await);
    }
    let bytes = two_mebibytes.to_le_bytes();
    let reply = bench.update(canister, "bytes", &bytes).await;
    assert_eq!(reply.expect("a reply").len(), 2 * 1024 * 1024);
    rejected("IC0536", bench.query(canister, "no_such_method", &[]).await);
    rejected("IC0522", bench.query(canister, "spin", &[]).await);
    let nobody = Principal::from_text("lqy7q-dh777-77777-aaaaq-cai").expect("an id");
    rejected("IC0301", bench.update(nobody, "bump", &[]).await);
    rejected("IC0301", bench.query(nobody, "get", &[]).await);
    let empty = create(&bench.agent).await;
    rejected("IC0537", bench.query(empty, "get", &[]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn should_refuse_a_message_of_more_than_two_mebibytes() {
    let bench = Bench::new().await;
    let canister = bench.probe().await;
    let argument = vec![0; 2 * 1024 * 1024];
    let fitting = &argument[1024..];
    bench
        .update(canister, "caller", fitting)
        .await
        .expect("a reply");
    match bench.update(canister, "caller", &argument).await {
        Err(AgentError::HttpError(error)) => assert_eq!(error.status, 413),
        other => panic!("a refusal, not {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn should_carry_calls_cycles_and_rejects_between_canisters() {
    let bench = Bench::new().await;
    let (canister, other) = (bench.probe().await, bench.probe().await);
    let heard = async |method, name, cycles| {
        bench
            .asked(canister, method, other, (name, &[], cycles))
            .await
    };
    let amount = |value: u64| (0, value.to_le_bytes().to_vec());
    assert_eq!(heard("call", "bump", 0).await, amount(1));
    assert_eq!(heard("call_soon", "bump", 0).await, amount(2));
    assert_eq!(heard("call", "accept", 1_000).await, amount(300));
    assert_eq!(heard("call", "reject", 0).await, (4, b"boom".to_vec()));
    let (code, message) = heard("call", "trap", 0).await;
    assert_eq!(code, 5);
    assert!(message.starts_with(b"IC0503: "));
    assert_eq!(heard("call", "silent", 0).await.0, 5);
    // More than the canister has.
    let dear = call_of(other, "accept", &[], 1 << 60);
    rejected("IC0504", bench.update(canister, "call", &dear).await);
    let ask = call_of(other, "get", &[], 0);
    let reply = bench.query(canister, "ask", &ask).await.expect("a reply");
    assert_eq!(split(&reply), amount(2));
    rejected("IC0527", bench.update(canister, "ask", &ask).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn should_run_the_cleanup_of_a_callback_that_traps_and_nothing_else_of_it() {
    let bench = Bench::new().await;
    let (canister, other) = (bench.probe().await, bench.probe().await);
    let call = call_of(other, "bump", &[], 0);
    rejected(
        "IC0503",
        bench.update(canister, "call_and_trap", &call).await,
    );
    assert_eq!(bench.count(canister).await, 1_000);
    assert_eq!(bench.count(other).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn should_run_timers_heartbeats_and_the_hook_of_low_memory() {
    let bench = Bench::new().await;
    let canister = bench.probe().await;
    bench.update(canister, "timer", &[]).await.expect("a reply");
    until("the timer", async || bench.count(canister).await != 0).await;
    assert_eq!(bench.count(canister).await, 100);
    let beating = bench.probe().await;
    bench.update(beating, "beat", &[]).await.expect("a reply");
    until("heartbeats", async || bench.count(beating).await >= 20_000).await;
    assert_eq!(bench.count(beating).await % 10_000, 0);
    let limits = types::CanisterSettings {
        wasm_memory_limit: Some((10u32 << 20).into()),
        wasm_memory_threshold: Some((9u32 << 20).into()),
        ..types::CanisterSettings::default()
    };
    let filling = bench.probe().await;
    order(
        &bench.agent,
        filling,
        "update_settings",
        (settings(filling, limits),),
    )
    .await;
    assert_eq!(bench.count(filling).await, 0);
    let pages = 40u32.to_le_bytes();
    assert_eq!(number(bench.update(filling, "grow", &pages).await), 2);
    until("the hook", async || bench.count(filling).await != 0).await;
    assert_eq!(bench.count(filling).await, 50);
    // The heap may not pass its limit, nor what the module asked for.
    let much = 120u32.to_le_bytes();
    let refused = bench.update(filling, "grow", &much).await;
    assert_eq!(number(refused), u64::MAX);
    let limits = types::CanisterSettings {
        wasm_memory_limit: Some((2u32 << 20).into()),
        ..types::CanisterSettings::default()
    };
    order(
        &bench.agent,
        filling,
        "update_settings",
        (settings(filling, limits),),
    )
    .await;
    rejected("IC0539", bench.update(filling, "bump", &[]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn should_burn_cycles_and_let_nobody_mint_them() {
    let bench = Bench::new().await;
    let canister = bench.probe().await;
    let burnt = bench.update(canister, "burn", &[]).await;
    assert_eq!(burnt.expect("a reply"), 1_000u128.to_le_bytes());
    rejected("IC0504", bench.update(canister, "mint", &[]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn should_give_queries_a_certificate_of_what_the_canister_certified() {
    let bench = Bench::new().await;
    let canister = bench.probe().await;
    bench
        .update(canister, "certify", &[7; 32])
        .await
        .expect("a reply");
    let certificate = bench.query(canister, "certificate", &[]).await;
    let certificate: ic_agent::Certificate =
        serde_cbor::from_slice(&certificate.expect("a certificate")).expect("CBOR");
    bench
        .agent
        .verify(&certificate, canister)
        .expect("it is the network's");
    let path = [
        b"canister".as_slice(),
        canister.as_slice(),
        b"certified_data",
    ];
    let found = ic_agent::lookup_value(&certificate, path).expect("the data");
    assert_eq!(found, [7; 32]);
    rejected("IC0504", bench.update(canister, "certify", &[7; 33]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn should_give_the_management_canister_to_canisters_and_to_users_what_is_theirs() {
    let bench = Bench::new().await;
    let canister = bench.probe().await;
    let (code, random) = bench
        .asked(canister, "call", MANAGEMENT, ("raw_rand", NO_ARGUMENT, 0))
        .await;
    assert_eq!(code, 0);
    let random: Vec<u8> = candid::decode_one(&random).expect("bytes");
    assert_eq!(random.len(), 32);
    rejected("IC0406", told(&bench.agent, canister, "raw_rand", ()).await);
    rejected(
        "IC0536",
        told(&bench.agent, canister, "no_such_method", ()).await,
    );
    // What is no Candid, or another argument than the method's.
    for argument in [b"nonsense".as_slice(), NO_ARGUMENT, b"DIDL\x01\x6c"] {
        let call = bench.agent.update(&MANAGEMENT, "canister_status");
        let answer = call
            .with_effective_canister_id(canister)
            .with_arg(argument)
            .await;
        rejected("IC0408", answer);
    }
    let listing = bench.agent.query(&MANAGEMENT, "list_canisters");
    let refused = listing
        .with_effective_canister_id(canister)
        .with_arg(NO_ARGUMENT)
        .call()
        .await;
    rejected("IC0406", refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn should_create_a_canister_at_the_id_that_is_asked_for_once() {
    let bench = Bench::new().await;
    let id = Principal::from_slice(&[0, 0, 0, 0, 0, 16, 33, 44, 1, 1]);
    let argument = types::ProvisionalCreateCanisterWithCyclesArgs {
        specified_id: Some(id),
        ..types::ProvisionalCreateCanisterWithCyclesArgs::default()
    };
    let method = "provisional_create_canister_with_cycles";
    let made: types::CanisterIdRecord = manage(&bench.agent, id, method, (&argument,)).await;
    assert_eq!(made.canister_id, id);
    rejected("IC0538", told(&bench.agent, id, method, (&argument,)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn should_install_upgrade_and_reinstall_and_refuse_what_is_no_module() {
    let bench = Bench::new().await;
    let canister = bench.probe().await;
    rejected("IC0514", bench.install(canister, Install, PROBE).await);
    bench
        .update(canister, "keep", b"remember")
        .await
        .expect("a reply");
    bench.update(canister, "bump", &[]).await.expect("a reply");
    let upgrade = types::InstallCodeArgs {
        arg: vec![1, 2, 3],
        ..install_code(canister, Upgrade(None), PROBE)
    };
    order(&bench.agent, canister, "install_code", (upgrade,)).await;
    let kept = bench.query(canister, "kept", &[]).await;
    assert_eq!(kept.expect("a reply"), b"remember");
    assert_eq!(bench.count(canister).await, 0);
    assert_eq!(number(bench.query(canister, "upgraded", &[]).await), 3);
    // An upgrade that fails changes nothing.
    bench.update(canister, "bump", &[]).await.expect("a reply");
    bench
        .update(canister, "fail_upgrade", &[])
        .await
        .expect("a reply");
    rejected(
        "IC0503",
        bench.install(canister, Upgrade(None), PROBE).await,
    );
    assert_eq!(bench.count(canister).await, 1);
    assert_eq!(number(bench.query(canister, "upgraded", &[]).await), 3);
    bench
        .install(canister, Reinstall, PROBE)
        .await
        .expect("an answer");
    rejected("IC0502", bench.query(canister, "kept", &[]).await);
    for wasm in [b"nonsense".as_slice(), &PROBE[..200], b""] {
        rejected("IC0505", bench.install(canister, Upgrade(None), wasm).await);
    }
    let stranger = bench.stranger().await;
    let install = install_code(canister, Upgrade(None), PROBE);
    rejected(
        "IC0512",
        told(&stranger, canister, "install_code", (install,)).await,
    );
}

/// What the network refuses of a module, and what it takes.
#[tokio::test(flavor = "multi_thread")]
async fn should_refuse_modules_that_a_network_would_not_run() {
    let bench = Bench::new().await;
    let canister = create(&bench.agent).await;
    for text in [
        r#"(module (import "env" "f" (func)))"#,
        r#"(module (import "ic0" "no_such_function" (func)))"#,
        r#"(module (import "ic0" "time" (func (result i32))))"#,
        r#"(module (func (export "canister_update a") (result i32) (i32.const 1)))"#,
        r#"(module (func $f) (export "canister_update a" (func $f)) (export "canister_query a" (func $f)))"#,
        r#"(module (func (export "canister_no_such_entry")))"#,
        "(module (memory 1) (memory 1))",
        "(module (func $f) (start $f) (memory 70000))",
        "(module (func (result v128) (i32x4.relaxed_trunc_f32x4_s (v128.const i64x2 0 0))) (memory 1 1 shared))",
    ] {
        let wasm = wat::parse_str(text).expect("a text");
        rejected("IC0505", bench.install(canister, Install, &wasm).await);
    }
    let simple = wat::parse_str(r#"(module (func (export "canister_query a")))"#);
    let simple = simple.expect("a text");
    bench
        .install(canister, Install, &simple)
        .await
        .expect("an answer");
    rejected("IC0506", bench.query(canister, "a", &[]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn should_install_a_module_from_chunks() {
    let bench = Bench::new().await;
    let canister = create(&bench.agent).await;
    let mut hashes = Vec::new();
    for chunk in [&PROBE[..700], &PROBE[700..]] {
        let upload = types::UploadChunkArgs {
            canister_id: canister,
            chunk: chunk.to_vec(),
        };
        let hash: types::ChunkHash =
            manage(&bench.agent, canister, "upload_chunk", (upload,)).await;
        hashes.push(hash);
    }
    let argument = |wasm_module_hash| types::InstallChunkedCodeArgs {
        mode: Install,
        target_canister: canister,
        store_canister: None,
        chunk_hashes_list: hashes.clone(),
        wasm_module_hash,
        arg: Vec::new(),
        sender_canister_version: None,
    };
    let method = "install_chunked_code";
    rejected(
        "IC0504",
        told(&bench.agent, canister, method, (argument(vec![0; 32]),)).await,
    );
    let digest = Sha256::digest(PROBE).to_vec();
    order(&bench.agent, canister, method, (argument(digest),)).await;
    assert_eq!(number(bench.update(canister, "bump", &[]).await), 1);
    let stored: Vec<types::ChunkHash> =
        manage(&bench.agent, canister, "stored_chunks", (record(canister),)).await;
    assert_eq!(stored.len(), 2);
    order(
        &bench.agent,
        canister,
        "clear_chunk_store",
        (record(canister),),
    )
    .await;
    let stored: Vec<types::ChunkHash> =
        manage(&bench.agent, canister, "stored_chunks", (record(canister),)).await;
    assert!(stored.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn should_return_to_a_snapshot_and_forget_one() {
    let bench = Bench::new().await;
    let canister = bench.probe().await;
    let agent = &bench.agent;
    bench.update(canister, "bump", &[]).await.expect("a reply");
    let taken: types::Snapshot = manage(
        agent,
        canister,
        "take_canister_snapshot",
        (record(canister),),
    )
    .await;
    bench.update(canister, "bump", &[]).await.expect("a reply");
    let load = types::LoadCanisterSnapshotArgs {
        canister_id: canister,
        snapshot_id: taken.id.clone(),
        sender_canister_version: None,
    };
    order(agent, canister, "load_canister_snapshot", (&load,)).await;
    assert_eq!(bench.count(canister).await, 1);
    let metadata: types::ReadCanisterSnapshotMetadataResult = manage(
        agent,
        canister,
        "read_canister_snapshot_metadata",
        (types::ReadCanisterSnapshotMetadataArgs {
            canister_id: canister,
            snapshot_id: taken.id.clone(),
        },),
    )
    .await;
    assert_eq!(metadata.wasm_module_size, PROBE.len() as u64);
    let listed = async || -> Vec<types::Snapshot> {
        let argument = (record(canister),);
        manage(agent, canister, "list_canister_snapshots", argument).await
    };
    assert_eq!(listed().await.len(), 1);
    let delete = types::DeleteCanisterSnapshotArgs {
        canister_id: canister,
        snapshot_id: taken.id.clone(),
    };
    let stranger = bench.stranger().await;
    let method = "delete_canister_snapshot";
    rejected(
        "IC0512",
        told(&stranger, canister, method, (&delete,)).await,
    );
    order(agent, canister, method, (&delete,)).await;
    assert!(listed().await.is_empty());
    rejected(
        "IC0305",
        told(agent, canister, "load_canister_snapshot", (&load,)).await,
    );
}

async fn logs(agent: &Agent, canister: Principal) -> Result<Vec<String>, AgentError> {
    let argument = candid::encode_one(record(canister)).expect("an argument");
    let answer = agent
        .query(&MANAGEMENT, "fetch_canister_logs")
        .with_effective_canister_id(canister)
        .with_arg(argument)
        .call()
        .await?;
    let found: types::FetchCanisterLogsResult = candid::decode_one(&answer).expect("records");
    let text = |log: types::CanisterLogRecord| String::from_utf8(log.content).expect("text");
    Ok(found.canister_log_records.into_iter().map(text).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn should_show_environment_variables_to_the_canister_and_its_logs_to_its_controllers() {
    let bench = Bench::new().await;
    let canister = bench.probe().await;
    let variables = types::CanisterSettings {
        environment_variables: Some(vec![types::EnvironmentVariable {
            name: "COLOUR".to_owned(),
            value: "green".to_owned(),
        }]),
        ..types::CanisterSettings::default()
    };
    let argument = (settings(canister, variables),);
    order(&bench.agent, canister, "update_settings", argument).await;
    let colour = bench.query(canister, "variable", b"COLOUR").await;
    assert_eq!(colour.expect("a reply"), b"green");
    rejected("IC0504", bench.query(canister, "variable", b"SOUND").await);
    bench
        .update(canister, "print", b"was here")
        .await
        .expect("a reply");
    rejected("IC0503", bench.update(canister, "trap", &[]).await);
    let found = logs(&bench.agent, canister).await.expect("logs");
    assert_eq!(found, ["was here", "[TRAP]: boom"]);
    let refused = logs(&bench.stranger().await, canister).await;
    rejected("IC0406", refused.map(|_| Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn should_stop_freeze_start_and_delete_a_canister() {
    let bench = Bench::new().await;
    let canister = bench.probe().await;
    let agent = &bench.agent;
    let ordered = async |method| order(agent, canister, method, (record(canister),)).await;
    rejected(
        "IC0510",
        told(agent, canister, "delete_canister", (record(canister),)).await,
    );
    ordered("stop_canister").await;
    rejected("IC0508", bench.update(canister, "bump", &[]).await);
    rejected("IC0508", bench.query(canister, "get", &[]).await);
    let status: types::CanisterStatusResult =
        manage(agent, canister, "canister_status", (record(canister),)).await;
    assert_eq!(status.status, types::CanisterStatusType::Stopped);
    ordered("start_canister").await;
    let freeze_at = async |seconds: u64| {
        let threshold = types::CanisterSettings {
            freezing_threshold: Some(seconds.into()),
            ..types::CanisterSettings::default()
        };
        let argument = (settings(canister, threshold),);
        order(agent, canister, "update_settings", argument).await;
    };
    freeze_at(10u64.pow(15)).await;
    rejected("IC0207", bench.update(canister, "bump", &[]).await);
    rejected("IC0207", bench.query(canister, "get", &[]).await);
    // It cannot pay for this either; thawing it costs nothing that it must have.
    rejected(
        "IC0207",
        told(agent, canister, "stop_canister", (record(canister),)).await,
    );
    freeze_at(60).await;
    ordered("stop_canister").await;
    ordered("delete_canister").await;
    rejected("IC0301", bench.query(canister, "get", &[]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn should_make_an_http_request_for_a_canister_and_transform_what_comes() {
    let bench = Bench::new().await;
    let canister = bench.probe().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let app = axum::Router::new().fallback(|| async { "from outside" });
    tokio::spawn(async move { axum::serve(listener, app).await });
    let ask = async |url: &str, max_response_bytes, transform: Option<&str>| {
        let request = types::HttpRequestArgs {
            url: url.to_owned(),
            max_response_bytes,
            method: types::HttpMethod::GET,
            headers: Vec::new(),
            body: None,
            transform: transform.map(|method| types::TransformContext {
                function: types::TransformFunc::new(canister, method.to_owned()),
                context: Vec::new(),
            }),
            is_replicated: None,
        };
        let argument = candid::encode_one(&request).expect("an argument");
        let call = ("http_request", &argument[..], 100_000_000_000);
        bench.asked(canister, "call", MANAGEMENT, call).await
    };
    for (transform, status, body) in [
        (None, 200u32, "from outside"),
        (Some("transform"), 203, "transformed"),
    ] {
        let (code, answer) = ask(&url, None, transform).await;
        assert_eq!(code, 0, "{}", String::from_utf8_lossy(&answer));
        let answer: types::HttpRequestResult = candid::decode_one(&answer).expect("an answer");
        assert_eq!(
            (answer.status, &answer.body[..]),
            (status.into(), body.as_bytes())
        );
    }
    assert_eq!(ask(&url, Some(5), None).await.0, 1);
    assert_eq!(ask(&url, None, Some("trap_in_query")).await.0, 5);
    assert_eq!(ask("no address", None, None).await.0, 4);
    assert_eq!(ask("http://example.com/", None, None).await.0, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn should_read_a_request_only_to_who_sent_it() {
    let bench = Bench::new().await;
    let canister = bench.probe().await;
    let sender = bench.stranger().await;
    let signed = sender.update(&canister, "bump").sign().expect("a request");
    sender
        .update_signed(canister, signed.signed_update)
        .await
        .expect("it is accepted");
    let read = async |agent: &Agent| agent.request_status_raw(&signed.request_id, canister).await;
    read(&sender).await.expect("a status");
    match read(&bench.agent_of(AnonymousIdentity).await).await {
        Err(AgentError::HttpError(error)) => assert_eq!(error.status, 403),
        other => panic!("a refusal, not {other:?}"),
    }
}
