//! What the registry costs with 1,000 and 100,000 models: publishing one more, searching, listing, an upgrade; and the dearest
//! that anybody may ask for. It fails where a message takes more than half of what the platform gives it (statement 24).
//!
//! The library is made natively by the registry's own code (`stoa_registry::image`), uploaded as the stable memory of a canister
//! snapshot and opened by an upgrade, so that the canister has no path that exists for this alone.
//!
//! `cargo run -p stoa-benches --bin registry [models ...]`

mod calls;
mod snapshot;

use candid::{CandidType, Principal, encode_args, encode_one};
use serde::de::DeserializeOwned;
use stoa_benches::{Execution, Meter, Table};
use stoa_client::Connection;
use stoa_client::management::Management;
use stoa_client::shard::Shard;
use stoa_client::wasm::Wasm;
use stoa_registry::image::Library;
use stoa_registry_api::*;
use stoa_scenarios::{connect, fresh_identity, run, wasm_folder};

use calls::{largest_manifest, queries, small_manifest};

const CYCLES: u128 = 1_000_000_000_000_000;
const SIZES: [u32; 2] = [1_000, 100_000];

fn main() {
    let given: Vec<u32> = std::env::args()
        .skip(1)
        .map(|argument| argument.parse().expect("a number of models"))
        .collect();
    let sizes = if given.is_empty() {
        SIZES.to_vec()
    } else {
        given
    };
    run(benchmark(sizes));
}

async fn benchmark(sizes: Vec<u32>) {
    let bench = Bench::new().await;
    let owner = bench.connection.principal();
    let mut library = Library::new(owner, Principal::from_slice(&[8]), &bench.shards);
    let mut columns = Vec::new();
    for size in &sizes {
        library.grow(*size);
        let image = library.stable_memory();
        println!("{size} models: {} MiB of stable memory", image.len() >> 20);
        let mut rows = vec![(
            "stable memory, KiB a model".to_owned(),
            format!("{:.1}", image.len() as f64 / 1024.0 / f64::from(*size)),
        )];
        bench.open(&image).await;
        rows.extend(bench.measure(*size).await);
        columns.push(rows);
    }
    let mut header = vec!["millions of instructions".to_owned()];
    header.extend(sizes.iter().map(|size| format!("{size} models")));
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut table = Table::new("Registry", &header);
    table.note("Of the registry's executions, with the charge for dirty pages, as the embedded network counts them. Where a call takes several messages: all of them, and in brackets the dearest. Each model has one admitted version with a file of 8 MiB, a card and three tags. A query may use 5,000 million, a message of an update 40,000, an upgrade 300,000.");
    for (index, (name, _)) in columns[0].iter().enumerate() {
        let mut row = vec![name.clone()];
        row.extend(columns.iter().map(|column| column[index].1.clone()));
        table.row(&row);
    }
    table.publish("registry");
}

pub struct Bench {
    connection: Connection,
    management: Management,
    meter: Meter,
    wasm: Wasm,
    registry: Principal,
    shards: Vec<Principal>,
}

/// Millions of instructions that one message of its kind may take here: half of what it has.
const QUERY_MAX: f64 = 2_500.0;
const UPDATE_MAX: f64 = 20_000.0;
const UPGRADE_MAX: f64 = 150_000.0;

impl Bench {
    async fn new() -> Self {
        let connection = connect(fresh_identity()).await;
        let management = Management::new(&connection).await.expect("a topology");
        let wasm = wasm_folder().read("registry").expect("built");
        let registry = management.create(CYCLES, None).await.expect("created");
        let arguments = InitArgs {
            governance: connection.principal(),
            shards: vec![],
            icp_ledger: Principal::from_slice(&[8]),
            parameters: None,
            inference: None,
            shard_module: None,
        };
        let arguments = encode_one(arguments).expect("arguments encode");
        management
            .install(registry, &wasm, arguments)
            .await
            .expect("installed");
        let module = wasm_folder().read("shard").expect("built");
        let mut shards = Vec::new();
        for _ in 0..2 {
            let shard = management.create(CYCLES, None).await.expect("created");
            let arguments = stoa_shard_api::InitArgs {
                registry,
                capacity_bytes: 100 << 30,
            };
            let arguments = encode_one(arguments).expect("arguments encode");
            management
                .install(shard, &module, arguments)
                .await
                .expect("installed");
            shards.push(shard);
        }
        Self {
            meter: Meter::new(connection.endpoint()),
            management,
            wasm,
            registry,
            shards,
            connection,
        }
    }

    async fn measure(&self, models: u32) -> Vec<(String, String)> {
        let mut rows = Vec::new();
        let mut row = |name: &str, cost: Cost, max: f64| {
            assert!(
                cost.dearest < max,
                "{name} takes {} million instructions in a message, {max} are allowed",
                cost.dearest
            );
            rows.push((name.to_owned(), cost.to_string()));
        };
        let mark = self.meter.mark().await;
        let nothing = encode_args(()).expect("arguments encode");
        self.management
            .upgrade(self.registry, &self.wasm, nothing)
            .await
            .expect("upgraded");
        let cost = self.cost(mark, |execution| execution.entry_point == "post_upgrade");
        row("upgrade", cost.await, UPGRADE_MAX);

        for (name, method, argument) in queries(models) {
            let mark = self.meter.mark().await;
            self.connection
                .agent()
                .query(&self.registry, method)
                .with_arg(argument)
                .call()
                .await
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let cost = self.cost(mark, |execution| execution.method == method);
            row(name, cost.await, QUERY_MAX);
        }

        self.prepare(models).await;
        let (manifest, chunks) = small_manifest(models);
        let publisher = manifest.publisher.clone();
        let version = manifest.digest();
        let begin = encode_one(&manifest).expect("arguments encode");
        let (begun, plan) = self
            .update::<BeginUploadResult>("begin_upload", begin)
            .await;
        row("publish 8 MiB: begin_upload", begun, UPDATE_MAX);
        let plan = plan.expect("a plan");
        for placed in &plan.chunks {
            for shard in &placed.missing_on {
                let shard = Shard::new(&self.connection, *shard);
                let put = shard.put_chunk(&chunks[&placed.hash]).await;
                put.expect("answered").expect("stored");
            }
        }
        let argument = || encode_one(version).expect("arguments encode");
        let (sealed, answer) = self.update::<SealResult>("seal", argument()).await;
        answer.expect("sealed");
        row("publish 8 MiB: seal", sealed, UPDATE_MAX);
        let (submitted, answer) = self.update::<SubmitResult>("submit", argument()).await;
        answer.expect("submitted");
        row("publish 8 MiB: submit", submitted, UPDATE_MAX);
        let args = encode_one(AdmitVersionArgs { version }).expect("arguments encode");
        let admitted = self.update_for_nothing("admit_version", args).await;
        row("publish 8 MiB: admit_version", admitted, UPDATE_MAX);
        let reason = || "measured".to_owned();
        let args = DeprecateVersionArgs {
            version,
            successor: None,
            reason: reason(),
        };
        let args = encode_one(args).expect("arguments encode");
        let deprecated = self.update_for_nothing("deprecate_version", args).await;
        row("deprecate_version", deprecated, UPDATE_MAX);
        let args = RevokeVersionArgs {
            version,
            reason: reason(),
            delete_bytes: true,
        };
        let args = encode_one(args).expect("arguments encode");
        let revoked = self.update_for_nothing("revoke_version", args).await;
        row("revoke_version with its bytes", revoked, UPDATE_MAX);

        let largest = largest_manifest(&publisher, models);
        let version = largest.digest();
        let begin = || encode_one(&largest).expect("arguments encode");
        for name in [
            "16,384 chunks: begin_upload",
            "16,384 chunks: begin_upload again",
        ] {
            let (cost, answer) = self
                .update::<BeginUploadResult>("begin_upload", begin())
                .await;
            answer.expect("a plan");
            row(name, cost, UPDATE_MAX);
        }
        let argument = || encode_one(version).expect("arguments encode");
        let (cost, answer) = self.update::<SealResult>("seal", argument()).await;
        assert!(matches!(answer, Err(SealError::ChunksMissing { .. })));
        row("16,384 chunks: seal, refused", cost, UPDATE_MAX);
        let (cost, answer) = self.update::<WithdrawResult>("withdraw", argument()).await;
        answer.expect("withdrawn");
        row("16,384 chunks: withdraw", cost, UPDATE_MAX);
        let mut wrong = largest.clone();
        wrong.files[0].cid.push('a');
        let wrong = encode_one(&wrong).expect("arguments encode");
        let (cost, answer) = self
            .update::<BeginUploadResult>("begin_upload", wrong)
            .await;
        assert!(matches!(
            answer,
            Err(BeginUploadError::InvalidManifest { .. })
        ));
        row("16,384 chunks: begin_upload, refused", cost, UPDATE_MAX);
        rows
    }

    /// Whoever runs this governs the registry, asks for no deposits and publishes without a limit.
    async fn prepare(&self, models: u32) {
        let (parameters,): (RegistryParameters,) = self
            .connection
            .query(self.registry, "get_parameters", ())
            .await
            .expect("answered");
        let parameters = RegistryParameters {
            deposit_e8s_per_mib: 0,
            deposit_e8s_min: 0,
            planned_chunks_per_hour_max: 100_000_000,
            ..parameters
        };
        let parameters = encode_one(parameters).expect("arguments encode");
        self.update_for_nothing("set_parameters", parameters).await;
        let handle = encode_one(format!("bench-{models}")).expect("arguments encode");
        let (_, claimed) = self
            .update::<ClaimPublisherResult>("claim_publisher", handle)
            .await;
        claimed.expect("a free handle");
    }

    async fn update<T: CandidType + DeserializeOwned>(
        &self,
        method: &str,
        argument: Vec<u8>,
    ) -> (Cost, T) {
        let (cost, answer) = self.call(method, argument).await;
        let answer = candid::decode_one(&answer);
        (
            cost,
            answer.unwrap_or_else(|error| panic!("{method}: {error}")),
        )
    }

    async fn update_for_nothing(&self, method: &str, argument: Vec<u8>) -> Cost {
        self.call(method, argument).await.0
    }

    async fn call(&self, method: &str, argument: Vec<u8>) -> (Cost, Vec<u8>) {
        let mark = self.meter.mark().await;
        let answer = self
            .connection
            .agent()
            .update(&self.registry, method)
            .with_arg(argument)
            .call_and_wait()
            .await
            .unwrap_or_else(|error| panic!("{method}: {error}"));
        // Timers of the registry run beside it.
        let cost = self.cost(mark, |execution| execution.method == method);
        (cost.await, answer)
    }

    async fn cost(&self, mark: stoa_benches::Mark, is_part: impl Fn(&Execution) -> bool) -> Cost {
        let executions = self.meter.since(mark).await;
        let registry = self.registry.to_text();
        let parts: Vec<f64> = executions
            .iter()
            .filter(|execution| execution.canister == registry && is_part(execution))
            .map(|execution| execution.instructions as f64 / 1e6)
            .collect();
        assert!(!parts.is_empty(), "nothing ran: {executions:?}");
        Cost {
            all: parts.iter().sum(),
            dearest: parts.iter().copied().fold(0.0, f64::max),
            messages: parts.len(),
        }
    }
}

/// In millions of instructions.
struct Cost {
    all: f64,
    dearest: f64,
    messages: usize,
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1}", self.all)?;
        if self.messages > 1 {
            write!(f, " ({:.1})", self.dearest)?;
        }
        Ok(())
    }
}
