//! What the registry costs with 1,000 and 100,000 models: publishing one more, searching, listing, an upgrade.
//!
//! The library is made natively by the registry's own code (`stoa_registry::image`), uploaded as the stable memory of a canister
//! snapshot and opened by an upgrade, so that the canister has no path that exists for this alone.
//!
//! `cargo run -p stoa-benches --bin registry [models ...]`

use candid::{CandidType, Principal, encode_args, encode_one};
use ic_management_canister_types as types;
use serde::de::DeserializeOwned;
use stoa_benches::{Meter, Table};
use stoa_client::Connection;
use stoa_client::management::Management;
use stoa_client::wasm::Wasm;
use stoa_registry::image::{Library, manifest};
use stoa_registry_api::*;
use stoa_scenarios::{connect, fresh_identity, run, wasm_folder};

const CYCLES: u128 = 1_000_000_000_000_000;
const SIZES: [u32; 2] = [1_000, 100_000];
/// An ingress message has 2 MiB.
const SLICE_BYTES: usize = 1_900_000;
/// Slices on their way at a time.
const PARALLEL: usize = 8;

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
    let shards = [1, 2].map(|number| Principal::from_slice(&[9, number]));
    let mut library = Library::new(owner, Principal::from_slice(&[8]), &shards);
    let mut columns = Vec::new();
    for size in &sizes {
        library.grow(*size);
        let image = library.stable_memory();
        println!("{size} models: {} MiB of stable memory", image.len() >> 20);
        let mut rows = vec![(
            "stable memory, KiB a model".to_owned(),
            format!("{:.1}", image.len() as f64 / 1024.0 / f64::from(*size)),
        )];
        let registry = bench.canister_with(&image).await;
        rows.extend(bench.measure(registry, *size).await);
        columns.push(rows);
    }
    let mut header = vec!["millions of instructions".to_owned()];
    header.extend(sizes.iter().map(|size| format!("{size} models")));
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut table = Table::new("Registry", &header);
    table.note("Of single executions, with the charge for dirty pages, as the embedded network counts them. Each model has one admitted version with a file of 8 MiB, a card and three tags. A query may use 5,000 million, an update 40,000, an upgrade 300,000.");
    for (index, (name, _)) in columns[0].iter().enumerate() {
        let mut row = vec![name.clone()];
        row.extend(columns.iter().map(|column| column[index].1.clone()));
        table.row(&row);
    }
    table.publish("registry");
}

struct Bench {
    connection: Connection,
    management: Management,
    meter: Meter,
    wasm: Wasm,
}

impl Bench {
    async fn new() -> Self {
        let connection = connect(fresh_identity()).await;
        Self {
            management: Management::new(&connection).await.expect("a topology"),
            meter: Meter::new(connection.endpoint()),
            wasm: wasm_folder().read("registry").expect("built"),
            connection,
        }
    }

    /// A registry that opens this stable memory.
    async fn canister_with(&self, image: &[u8]) -> Principal {
        let registry = self.management.create(CYCLES, None).await.expect("created");
        let arguments = InitArgs {
            governance: self.connection.principal(),
            shards: vec![],
            icp_ledger: Principal::from_slice(&[8]),
            parameters: None,
            inference: None,
        };
        let arguments = encode_one(arguments).expect("arguments encode");
        self.management
            .install(registry, &self.wasm, arguments)
            .await
            .expect("installed");
        let taken: types::Snapshot = self
            .manage(
                registry,
                "take_canister_snapshot",
                types::TakeCanisterSnapshotArgs {
                    canister_id: registry,
                    replace_snapshot: None,
                    uninstall_code: None,
                    sender_canister_version: None,
                },
            )
            .await;
        let metadata: types::ReadCanisterSnapshotMetadataResult = self
            .manage(
                registry,
                "read_canister_snapshot_metadata",
                types::ReadCanisterSnapshotMetadataArgs {
                    canister_id: registry,
                    snapshot_id: taken.id.clone(),
                },
            )
            .await;
        let module = self
            .read(
                registry,
                &taken.id,
                metadata.wasm_module_size,
                |offset, size| types::SnapshotDataKind::WasmModule { offset, size },
            )
            .await;
        let heap = self
            .read(
                registry,
                &taken.id,
                metadata.wasm_memory_size,
                |offset, size| types::SnapshotDataKind::WasmMemory { offset, size },
            )
            .await;
        let uploaded: types::UploadCanisterSnapshotMetadataResult = self
            .manage(
                registry,
                "upload_canister_snapshot_metadata",
                types::UploadCanisterSnapshotMetadataArgs {
                    canister_id: registry,
                    replace_snapshot: Some(taken.id),
                    wasm_module_size: metadata.wasm_module_size,
                    globals: metadata.globals.into_iter().flatten().collect(),
                    wasm_memory_size: metadata.wasm_memory_size,
                    stable_memory_size: image.len() as u64,
                    certified_data: metadata.certified_data,
                    global_timer: metadata.global_timer,
                    on_low_wasm_memory_hook_status: metadata.on_low_wasm_memory_hook_status,
                },
            )
            .await;
        let snapshot = uploaded.snapshot_id;
        self.upload(registry, &snapshot, &module, |offset| {
            types::SnapshotDataOffset::WasmModule { offset }
        })
        .await;
        self.upload(registry, &snapshot, &heap, |offset| {
            types::SnapshotDataOffset::WasmMemory { offset }
        })
        .await;
        self.upload(registry, &snapshot, image, |offset| {
            types::SnapshotDataOffset::StableMemory { offset }
        })
        .await;
        let load = types::LoadCanisterSnapshotArgs {
            canister_id: registry,
            snapshot_id: snapshot,
            sender_canister_version: None,
        };
        self.manage::<Option<()>>(registry, "load_canister_snapshot", load)
            .await;
        registry
    }

    async fn read(
        &self,
        registry: Principal,
        snapshot: &[u8],
        total: u64,
        kind: impl Fn(u64, u64) -> types::SnapshotDataKind,
    ) -> Vec<u8> {
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < total {
            let offset = bytes.len() as u64;
            let size = (total - offset).min(SLICE_BYTES as u64);
            let slice: types::ReadCanisterSnapshotDataResult = self
                .manage(
                    registry,
                    "read_canister_snapshot_data",
                    types::ReadCanisterSnapshotDataArgs {
                        canister_id: registry,
                        snapshot_id: snapshot.to_vec(),
                        kind: kind(offset, size),
                    },
                )
                .await;
            bytes.extend(slice.chunk);
        }
        bytes
    }

    /// What is all zeros is so already.
    async fn upload(
        &self,
        registry: Principal,
        snapshot: &[u8],
        bytes: &[u8],
        kind: impl Fn(u64) -> types::SnapshotDataOffset,
    ) {
        use futures_util::StreamExt;
        let slices = bytes.chunks(SLICE_BYTES).enumerate();
        let calls = slices
            .filter(|(_, slice)| slice.iter().any(|byte| *byte != 0))
            .map(|(index, slice)| {
                let arguments = types::UploadCanisterSnapshotDataArgs {
                    canister_id: registry,
                    snapshot_id: snapshot.to_vec(),
                    kind: kind((index * SLICE_BYTES) as u64),
                    chunk: slice.to_vec(),
                };
                self.manage::<Option<()>>(registry, "upload_canister_snapshot_data", arguments)
            });
        let calls: Vec<_> = calls.collect();
        futures_util::stream::iter(calls)
            .buffer_unordered(PARALLEL)
            .collect::<Vec<_>>()
            .await;
    }

    async fn manage<T: CandidType + DeserializeOwned>(
        &self,
        registry: Principal,
        method: &str,
        argument: impl CandidType,
    ) -> T {
        let answer = self
            .connection
            .agent()
            .update(&Principal::management_canister(), method)
            .with_effective_canister_id(registry)
            .with_arg(encode_one(argument).expect("arguments encode"))
            .call_and_wait()
            .await
            .unwrap_or_else(|error| panic!("{method}: {error}"));
        candid::decode_one(&answer).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    async fn measure(&self, registry: Principal, models: u32) -> Vec<(String, String)> {
        let mut rows = Vec::new();
        let mut row = |name: &str, instructions: u64| {
            let millions = instructions as f64 / 1e6;
            rows.push((name.to_owned(), format!("{millions:.1}")));
        };
        let mark = self.meter.mark().await;
        let nothing = encode_args(()).expect("arguments encode");
        self.management
            .upgrade(registry, &self.wasm, nothing)
            .await
            .expect("upgraded");
        row(
            "upgrade",
            self.dearest(mark, registry, "post_upgrade").await,
        );

        let queries = queries(models);
        for (name, method, argument) in queries {
            let mark = self.meter.mark().await;
            self.connection
                .agent()
                .query(&registry, method)
                .with_arg(argument)
                .call()
                .await
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            row(name, self.dearest(mark, registry, "query").await);
        }
        for (name, method, argument) in updates(models) {
            let mark = self.meter.mark().await;
            self.connection
                .agent()
                .update(&registry, method)
                .with_arg(argument)
                .call_and_wait()
                .await
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            row(name, self.dearest(mark, registry, "update").await);
        }
        rows
    }

    async fn dearest(&self, mark: stoa_benches::Mark, registry: Principal, entry: &str) -> u64 {
        let executions = self.meter.since(mark).await;
        executions
            .iter()
            .filter(|execution| execution.canister == registry.to_text())
            .filter(|execution| execution.entry_point == entry && !execution.trapped)
            .map(|execution| execution.instructions)
            .max()
            .unwrap_or_else(|| panic!("no {entry} in {executions:?}"))
    }
}

type Call = (&'static str, &'static str, Vec<u8>);

fn queries(models: u32) -> Vec<Call> {
    let search = |args: SearchArgs| encode_one(args).expect("arguments encode");
    let base = SearchArgs {
        limit: Some(100),
        ..SearchArgs::default()
    };
    let last = manifest(&format!("lab-{}", (models - 1) / 1_000), models - 1, None);
    let name = format!("{}/{}", last.publisher, last.name);
    let first = manifest("lab-0", 8, None).digest();
    vec![
        (
            "search: everything, a page of 100",
            "search",
            search(base.clone()),
        ),
        (
            "search: a word of every version, a page of 100",
            "search",
            search(SearchArgs {
                text: Some("base".into()),
                ..base.clone()
            }),
        ),
        (
            "search: eight words and five filters",
            "search",
            search(SearchArgs {
                text: Some("b ba bas base n ne tr on".into()),
                task: Some("text-classification".into()),
                tag: Some("onnx".into()),
                publisher: Some("lab-0".into()),
                status: Some(VersionStatus::Admitted),
                license: Some("MIT".into()),
                ..base.clone()
            }),
        ),
        (
            "search: a page in the middle",
            "search",
            search(SearchArgs {
                before: Some(u64::from(models / 2)),
                ..base.clone()
            }),
        ),
        (
            "search: one model by its name",
            "search",
            search(SearchArgs {
                text: Some(last.name.clone()),
                ..base
            }),
        ),
        (
            "list_versions: a page of 100",
            "list_versions",
            encode_one(ListVersionsArgs {
                after: None,
                limit: Some(100),
            })
            .expect("arguments encode"),
        ),
        (
            "list_lineage: children",
            "list_lineage",
            encode_one(LineageArgs {
                version: first,
                direction: LineageDirection::Children,
                depth: None,
                after: None,
                limit: None,
            })
            .expect("arguments encode"),
        ),
        (
            "resolve",
            "resolve",
            encode_one(&name).expect("arguments encode"),
        ),
        (
            "get_model",
            "get_model",
            encode_one(&name).expect("arguments encode"),
        ),
        (
            "get_version_certified",
            "get_version_certified",
            encode_one(first).expect("arguments encode"),
        ),
        (
            "icrc3_get_blocks: 200",
            "icrc3_get_blocks",
            encode_one(vec![icrc_ledger_types::icrc3::blocks::GetBlocksRequest {
                start: 0_u8.into(),
                length: 200_u8.into(),
            }])
            .expect("arguments encode"),
        ),
    ]
}

/// The caller governs this registry.
fn updates(_: u32) -> Vec<Call> {
    let version = manifest("lab-0", 8, None).digest();
    vec![
        (
            "claim_publisher",
            "claim_publisher",
            encode_one("benchmark").expect("arguments encode"),
        ),
        (
            "deprecate_version",
            "deprecate_version",
            encode_one(DeprecateVersionArgs {
                version,
                successor: None,
                reason: "measured".into(),
            })
            .expect("arguments encode"),
        ),
        (
            "revoke_version",
            "revoke_version",
            encode_one(RevokeVersionArgs {
                version,
                reason: "measured".into(),
                delete_bytes: true,
            })
            .expect("arguments encode"),
        ),
    ]
}
