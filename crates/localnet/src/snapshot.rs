//! A canister's code and state, kept aside: taken from the canister, or put
//! together from what was uploaded.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use crate::canister::Canister;
use crate::execution::{CanisterMemory, StableImage};
use crate::limits::WASM_PAGE_BYTES;
use crate::memory::PagedFile;
use crate::wasm::{Heap, PreparedModule};

pub struct Snapshot {
    pub taken_at: u64,
    pub canister_version: u64,
    pub module: SnapshotModule,
    /// Of an uploaded one: its tables are those that the module begins with.
    pub memory: CanisterMemory,
    pub certified_data: Vec<u8>,
    pub chunks: BTreeMap<[u8; 32], Arc<Vec<u8>>>,
    /// 0 where no timer is set; absent where the uploader did not say.
    pub global_timer: Option<u64>,
    /// Absent where the uploader did not say.
    pub low_memory: Option<LowMemoryHook>,
}

/// `canister_on_low_wasm_memory`: whether it is due, or was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LowMemoryHook {
    NotSatisfied,
    Ready,
    Executed,
}

/// A module, or the place where one is being uploaded to.
pub enum SnapshotModule {
    Taken(Arc<PreparedModule>),
    Uploaded { file: Arc<PagedFile>, bytes: u64 },
}

impl SnapshotModule {
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Taken(module) => module.sent.len() as u64,
            Self::Uploaded { bytes, .. } => *bytes,
        }
    }

    /// The module as it was sent, or as it was uploaded so far.
    pub fn content(&self) -> io::Result<Arc<Vec<u8>>> {
        match self {
            Self::Taken(module) => Ok(Arc::clone(&module.sent)),
            Self::Uploaded { file, bytes } => {
                let mut content = vec![0; *bytes as usize];
                file.read(0, &mut content)?;
                Ok(Arc::new(content))
            }
        }
    }
}

impl Snapshot {
    /// None if the canister has no code.
    pub fn take(canister: &Canister, now: u64) -> io::Result<Option<Self>> {
        let Some(code) = &canister.code else {
            return Ok(None);
        };
        let low_memory = match canister.low_memory_noticed {
            true => LowMemoryHook::Executed,
            false => LowMemoryHook::NotSatisfied,
        };
        Ok(Some(Self {
            taken_at: now,
            canister_version: canister.version,
            module: SnapshotModule::Taken(Arc::clone(&code.module)),
            memory: copy(&code.memory)?,
            certified_data: canister.certified_data.clone(),
            chunks: canister.chunks.clone(),
            global_timer: Some(canister.global_timer),
            low_memory: Some(low_memory),
        }))
    }

    /// A copy of its memory for a canister to run on.
    pub fn memory(&self) -> io::Result<CanisterMemory> {
        copy(&self.memory)
    }

    pub fn bytes(&self) -> u64 {
        let chunks: usize = self.chunks.values().map(|chunk| chunk.len()).sum();
        self.memory.bytes() + self.module.bytes() + chunks as u64 + self.certified_data.len() as u64
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
