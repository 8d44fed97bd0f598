//! Snapshots read and uploaded piece by piece.
//!
//! An uploaded snapshot begins as zeros of the announced sizes; what was not
//! uploaded stays zero. Whether it is a canister at all is found out when it is
//! loaded. A snapshot that was taken from a canister never changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use candid::{CandidType, Nat, Principal, Reserved};
use ic_management_canister_types as types;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::snapshots::{SNAPSHOTS_MAX, check_owner, limit_reached, not_found, snapshot_id};
use super::{
    ManagementResult, check_growth, chunks, contract_violation, decode_one, invalid, machine, reply,
};
use crate::canister::ManagementCaller;
use crate::error::{ErrorCode, Failure};
use crate::execution::{CanisterMemory, SavedValue, StableImage};
use crate::limits::*;
use crate::memory::{Files, PagedFile};
use crate::scheduler::Executor;
use crate::snapshot::{LowMemoryHook, Snapshot, SnapshotModule};
use crate::wasm::Heap;

/// The most that one call reads.
const SLICE_BYTES_MAX: u64 = 2_000_000;

/// As the specification has it; the chunk is taken as bytes, not as a vector of numbers.
#[derive(CandidType, Deserialize)]
struct UploadData {
    canister_id: Principal,
    #[serde(with = "serde_bytes")]
    snapshot_id: Vec<u8>,
    kind: types::SnapshotDataOffset,
    #[serde(with = "serde_bytes")]
    chunk: Vec<u8>,
}

fn check_slice(offset: u64, size: u64, total: u64) -> Result<(), Failure> {
    match offset.checked_add(size) {
        Some(end) if end <= total => Ok(()),
        _ => Err(invalid(format!(
            "Invalid subslice into wasm module / main memory / stable memory: offset {offset}, size {size}; \
             there are {total} bytes."
        ))),
    }
}

fn global(value: &SavedValue) -> Option<types::SnapshotMetadataGlobal> {
    use types::SnapshotMetadataGlobal as Global;
    match *value {
        SavedValue::I32(value) => Some(Global::I32(value)),
        SavedValue::I64(value) => Some(Global::I64(value)),
        SavedValue::F32(bits) => Some(Global::F32(f32::from_bits(bits))),
        SavedValue::F64(bits) => Some(Global::F64(f64::from_bits(bits))),
        SavedValue::V128(bits) => Some(Global::V128(Nat::from(bits))),
        SavedValue::Function(_) => None,
    }
}

fn saved(value: &types::SnapshotMetadataGlobal) -> Result<SavedValue, Failure> {
    use types::SnapshotMetadataGlobal as Global;
    Ok(match value {
        Global::I32(value) => SavedValue::I32(*value),
        Global::I64(value) => SavedValue::I64(*value),
        Global::F32(value) => SavedValue::F32(value.to_bits()),
        Global::F64(value) => SavedValue::F64(value.to_bits()),
        Global::V128(value) => SavedValue::V128(
            u128::try_from(&value.0)
                .map_err(|_| invalid("A v128 global does not fit into 128 bits."))?,
        ),
    })
}

fn pages(bytes: u64, max: u64, what: &str) -> Result<u64, Failure> {
    match bytes.is_multiple_of(WASM_PAGE_BYTES) && bytes <= max {
        true => Ok(bytes / WASM_PAGE_BYTES),
        false => Err(invalid(format!(
            "The size of the {what}, {bytes}, must be a multiple of {WASM_PAGE_BYTES} and at most {max}."
        ))),
    }
}

/// A place of that many bytes, all zero.
fn zeros(files: &Files, bytes: u64) -> Result<Arc<PagedFile>, Failure> {
    let file = files.create().map_err(machine)?;
    file.reserve(bytes).map_err(machine)?;
    Ok(Arc::new(file))
}

impl Executor {
    pub(super) fn read_snapshot_metadata(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        let given: types::ReadCanisterSnapshotMetadataArgs = decode_one(argument)?;
        let state = self.network().read();
        check_owner(&state, given.canister_id, &given.snapshot_id)?;
        let snapshot = state
            .canisters
            .get(&given.canister_id)
            .ok_or_else(|| Failure::canister_not_found(given.canister_id))?
            .snapshots
            .get(&given.snapshot_id)
            .ok_or_else(|| not_found(given.canister_id, &given.snapshot_id))?;
        let timer = |at| match at {
            0 => types::CanisterTimer::Inactive,
            at => types::CanisterTimer::Active(at),
        };
        let hook = |hook| match hook {
            LowMemoryHook::NotSatisfied => types::OnLowWasmMemoryHookStatus::ConditionNotSatisfied,
            LowMemoryHook::Ready => types::OnLowWasmMemoryHookStatus::Ready,
            LowMemoryHook::Executed => types::OnLowWasmMemoryHookStatus::Executed,
        };
        let metadata = types::ReadCanisterSnapshotMetadataResult {
            source: Some(match snapshot.module {
                SnapshotModule::Taken(_) => types::SnapshotSource::TakenFromCanister(Reserved),
                SnapshotModule::Uploaded { .. } => types::SnapshotSource::MetadataUpload(Reserved),
            }),
            taken_at_timestamp: snapshot.taken_at,
            wasm_module_size: snapshot.module.bytes(),
            globals: snapshot.memory.globals.iter().map(global).collect(),
            wasm_memory_size: snapshot.memory.heap.bytes(),
            stable_memory_size: snapshot.memory.stable.pages * WASM_PAGE_BYTES,
            wasm_chunk_store: snapshot
                .chunks
                .keys()
                .map(|hash| types::ChunkHash {
                    hash: hash.to_vec(),
                })
                .collect(),
            canister_version: snapshot.canister_version,
            certified_data: snapshot.certified_data.clone(),
            global_timer: snapshot.global_timer.map(timer),
            on_low_wasm_memory_hook_status: snapshot.low_memory.map(hook),
        };
        reply(caller, (metadata,))
    }

    pub(super) fn read_snapshot_data(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        use types::SnapshotDataKind as Kind;
        let given: types::ReadCanisterSnapshotDataArgs = decode_one(argument)?;
        let state = self.network().read();
        check_owner(&state, given.canister_id, &given.snapshot_id)?;
        let snapshot = state
            .canisters
            .get(&given.canister_id)
            .ok_or_else(|| Failure::canister_not_found(given.canister_id))?
            .snapshots
            .get(&given.snapshot_id)
            .ok_or_else(|| not_found(given.canister_id, &given.snapshot_id))?;
        let slice = |file: &PagedFile, offset: u64, size: u64, total: u64| {
            check_slice(offset, size, total)?;
            if size > SLICE_BYTES_MAX {
                return Err(invalid(format!(
                    "Requested slice too large: {size} > {SLICE_BYTES_MAX}"
                )));
            }
            let mut bytes = vec![0; size as usize];
            file.read(offset, &mut bytes).map_err(machine)?;
            Ok(bytes)
        };
        let memory = &snapshot.memory;
        let chunk = match &given.kind {
            Kind::WasmModule { offset, size } => match &snapshot.module {
                SnapshotModule::Uploaded { file, bytes } => slice(file, *offset, *size, *bytes)?,
                SnapshotModule::Taken(module) => {
                    check_slice(*offset, *size, module.sent.len() as u64)?;
                    if *size > SLICE_BYTES_MAX {
                        return Err(invalid(format!(
                            "Requested slice too large: {size} > {SLICE_BYTES_MAX}"
                        )));
                    }
                    module.sent[*offset as usize..(*offset + *size) as usize].to_vec()
                }
            },
            Kind::WasmMemory { offset, size } => {
                slice(&memory.heap.file, *offset, *size, memory.heap.bytes())?
            }
            Kind::StableMemory { offset, size } => {
                let bytes = memory.stable.pages * WASM_PAGE_BYTES;
                slice(&memory.stable.file, *offset, *size, bytes)?
            }
            Kind::WasmChunk { hash } => {
                let chunk = <[u8; 32]>::try_from(hash.as_slice())
                    .ok()
                    .and_then(|hash| snapshot.chunks.get(&hash));
                match chunk {
                    Some(chunk) => chunk.to_vec(),
                    None => {
                        return Err(chunks::store_error(format!(
                            "WasmChunkHash {} not found",
                            hex::encode(hash)
                        )));
                    }
                }
            }
        };
        reply(caller, (types::ReadCanisterSnapshotDataResult { chunk },))
    }

    pub(super) fn upload_snapshot_metadata(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        let given: types::UploadCanisterSnapshotMetadataArgs = decode_one(argument)?;
        let id = given.canister_id;
        let heap_pages = pages(given.wasm_memory_size, HEAP_BYTES_MAX, "Wasm memory")?;
        let stable_pages = pages(given.stable_memory_size, STABLE_BYTES_MAX, "stable memory")?;
        if given.wasm_module_size > MODULE_BYTES_MAX as u64 {
            return Err(invalid(format!(
                "A Wasm module of {} bytes is larger than {MODULE_BYTES_MAX}.",
                given.wasm_module_size
            )));
        }
        if given.certified_data.len() > CERTIFIED_DATA_BYTES_MAX {
            return Err(invalid(format!(
                "Certified data of {} bytes are more than {CERTIFIED_DATA_BYTES_MAX}.",
                given.certified_data.len()
            )));
        }
        if given.globals.len() > GLOBALS_MAX {
            return Err(invalid(format!(
                "{} globals are more than {GLOBALS_MAX}.",
                given.globals.len()
            )));
        }
        let globals = given
            .globals
            .iter()
            .map(saved)
            .collect::<Result<Vec<_>, _>>()?;
        let files = &self.network().files;
        let memory = CanisterMemory {
            heap: Heap {
                file: zeros(files, given.wasm_memory_size)?,
                pages: heap_pages,
            },
            globals: Arc::new(globals),
            tables: Arc::default(),
            stable: StableImage {
                file: zeros(files, given.stable_memory_size)?,
                pages: stable_pages,
            },
        };
        let module = SnapshotModule::Uploaded {
            file: zeros(files, given.wasm_module_size)?,
            bytes: given.wasm_module_size,
        };
        let now = self.network().now();
        let mut state = self.network().write();
        if let Some(replaced) = &given.replace_snapshot {
            check_owner(&state, id, replaced)?;
        }
        let canister = state
            .canisters
            .get_mut(&id)
            .ok_or_else(|| Failure::canister_not_found(id))?;
        if given.replace_snapshot.is_none() && canister.snapshots.len() >= SNAPSHOTS_MAX {
            return Err(limit_reached(id));
        }
        let snapshot = Snapshot {
            taken_at: now,
            canister_version: canister.version,
            module,
            memory,
            certified_data: given.certified_data,
            chunks: BTreeMap::new(),
            global_timer: given.global_timer.map(|timer| match timer {
                types::CanisterTimer::Inactive => 0,
                types::CanisterTimer::Active(at) => at,
            }),
            low_memory: given.on_low_wasm_memory_hook_status.map(|hook| match hook {
                types::OnLowWasmMemoryHookStatus::ConditionNotSatisfied => {
                    LowMemoryHook::NotSatisfied
                }
                types::OnLowWasmMemoryHookStatus::Ready => LowMemoryHook::Ready,
                types::OnLowWasmMemoryHookStatus::Executed => LowMemoryHook::Executed,
            }),
        };
        let replaced = given.replace_snapshot.as_ref();
        let freed = replaced.and_then(|id| canister.snapshots.get(id));
        let freed = freed.map_or(0, Snapshot::bytes);
        check_growth(canister, snapshot.bytes().saturating_sub(freed))?;
        let snapshot_id = snapshot_id(canister);
        canister.snapshots.insert(snapshot_id.clone(), snapshot);
        if let Some(replaced) = replaced {
            canister.snapshots.remove(replaced);
        }
        reply(
            caller,
            (types::UploadCanisterSnapshotMetadataResult { snapshot_id },),
        )
    }

    pub(super) fn upload_snapshot_data(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        use types::SnapshotDataOffset as Kind;
        let given: UploadData = decode_one(argument)?;
        let id = given.canister_id;
        let mut state = self.network().write();
        check_owner(&state, id, &given.snapshot_id)?;
        let canister = state
            .canisters
            .get_mut(&id)
            .ok_or_else(|| Failure::canister_not_found(id))?;
        let snapshot = canister
            .snapshots
            .get_mut(&given.snapshot_id)
            .ok_or_else(|| not_found(id, &given.snapshot_id))?;
        let SnapshotModule::Uploaded { file, bytes } = &snapshot.module else {
            return Err(Failure::new(
                ErrorCode::SnapshotImmutable,
                "Only canister snapshots created by metadata upload can be mutated.",
            ));
        };
        let write = |file: &PagedFile, offset: u64, total: u64| {
            check_slice(offset, given.chunk.len() as u64, total)?;
            file.write(offset, &given.chunk).map_err(machine)
        };
        let memory = &snapshot.memory;
        match given.kind {
            Kind::WasmModule { offset } => write(file, offset, *bytes)?,
            Kind::WasmMemory { offset } => write(&memory.heap.file, offset, memory.heap.bytes())?,
            Kind::StableMemory { offset } => {
                let bytes = memory.stable.pages * WASM_PAGE_BYTES;
                write(&memory.stable.file, offset, bytes)?;
            }
            Kind::WasmChunk => {
                if given.chunk.len() > CHUNK_BYTES_MAX {
                    return Err(chunks::store_error(format!(
                        "Wasm chunk size {} exceeds the maximum chunk size of {CHUNK_BYTES_MAX}",
                        given.chunk.len()
                    )));
                }
                let hash: [u8; 32] = Sha256::digest(&given.chunk).into();
                if !snapshot.chunks.contains_key(&hash)
                    && snapshot.chunks.len() >= STORED_CHUNKS_MAX
                {
                    return Err(contract_violation(format!(
                        "Error from Wasm chunk store: Wasm chunk store has already reached maximum capacity of \
                         {STORED_CHUNKS_MAX} chunks."
                    )));
                }
                snapshot.chunks.insert(hash, Arc::new(given.chunk));
            }
        }
        reply(caller, ())
    }
}
