//! A stable memory that was made natively becomes the canister's: it is uploaded as a part of a snapshot, and that is loaded.

use candid::{CandidType, Principal, encode_one};
use futures_util::StreamExt;
use ic_management_canister_types as types;
use serde::de::DeserializeOwned;

use crate::Bench;

/// An ingress message has 2 MiB.
const SLICE_BYTES: usize = 1_900_000;
/// Slices on their way at a time.
const PARALLEL: usize = 8;

impl Bench {
    /// From now on the registry's stable memory is this.
    pub async fn open(&self, image: &[u8]) {
        let registry = self.registry;
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
}
