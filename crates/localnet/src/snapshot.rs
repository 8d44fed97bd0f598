//! A canister's code and state, kept aside by `take_canister_snapshot`.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use crate::canister::Canister;
use crate::execution::{CanisterMemory, StableImage};
use crate::limits::WASM_PAGE_BYTES;
use crate::wasm::{Heap, PreparedModule};

pub struct Snapshot {
    pub taken_at: u64,
    pub canister_version: u64,
    pub module: Arc<PreparedModule>,
    pub memory: CanisterMemory,
    pub certified_data: Vec<u8>,
    pub chunks: BTreeMap<[u8; 32], Arc<Vec<u8>>>,
}

impl Snapshot {
    /// None if the canister has no code.
    pub fn take(canister: &Canister, now: u64) -> io::Result<Option<Self>> {
        let Some(code) = &canister.code else {
            return Ok(None);
        };
        Ok(Some(Self {
            taken_at: now,
            canister_version: canister.version,
            module: Arc::clone(&code.module),
            memory: copy(&code.memory)?,
            certified_data: canister.certified_data.clone(),
            chunks: canister.chunks.clone(),
        }))
    }

    /// A copy of its memory for a canister to run on.
    pub fn memory(&self) -> io::Result<CanisterMemory> {
        copy(&self.memory)
    }

    pub fn bytes(&self) -> u64 {
        let chunks: usize = self.chunks.values().map(|chunk| chunk.len()).sum();
        self.memory.bytes()
            + self.module.sent.len() as u64
            + chunks as u64
            + self.certified_data.len() as u64
    }
}

fn copy(memory: &CanisterMemory) -> io::Result<CanisterMemory> {
    let heap = memory.heap.file.copy(memory.heap.bytes())?;
    let stable = memory
        .stable
        .file
        .copy(memory.stable.pages * WASM_PAGE_BYTES)?;
    Ok(CanisterMemory {
        heap: Heap {
            file: Arc::new(heap),
            pages: memory.heap.pages,
        },
        globals: memory.globals.clone(),
        tables: memory.tables.clone(),
        stable: StableImage {
            file: Arc::new(stable),
            pages: memory.stable.pages,
        },
    })
}
