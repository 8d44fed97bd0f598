//! Code, what it has written, and snapshots of both: each names files and blobs of the folder.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::Amount;
use crate::execution::{CanisterMemory, SavedValue, StableImage};
use crate::memory::{Files, Heap};
use crate::snapshot::{LowMemoryHook, Snapshot, SnapshotModule};
use crate::wasm::PreparedModule;

#[derive(Serialize, Deserialize)]
pub enum StoredValue {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    V128(Amount),
    Function(Option<u32>),
}

impl From<&SavedValue> for StoredValue {
    fn from(value: &SavedValue) -> Self {
        match *value {
            SavedValue::I32(value) => Self::I32(value),
            SavedValue::I64(value) => Self::I64(value),
            SavedValue::F32(bits) => Self::F32(bits),
            SavedValue::F64(bits) => Self::F64(bits),
            SavedValue::V128(bits) => Self::V128(bits.into()),
            SavedValue::Function(index) => Self::Function(index),
        }
    }
}

impl From<StoredValue> for SavedValue {
    fn from(value: StoredValue) -> Self {
        match value {
            StoredValue::I32(value) => Self::I32(value),
            StoredValue::I64(value) => Self::I64(value),
            StoredValue::F32(bits) => Self::F32(bits),
            StoredValue::F64(bits) => Self::F64(bits),
            StoredValue::V128(bits) => Self::V128(bits.into()),
            StoredValue::Function(index) => Self::Function(index),
        }
    }
}

#[derive(Serialize, Deserialize)]
pub struct StoredMemory {
    pub heap_file: u64,
    heap_pages: u64,
    pub stable_file: u64,
    stable_pages: u64,
    globals: Vec<StoredValue>,
    tables: Vec<Vec<StoredValue>>,
}

impl StoredMemory {
    pub fn of(memory: &CanisterMemory) -> io::Result<Self> {
        let number = |file: &crate::memory::PagedFile| {
            file.number()
                .ok_or_else(|| io::Error::other("BUG: a memory outside the state folder"))
        };
        Ok(Self {
            heap_file: number(&memory.heap.file)?,
            heap_pages: memory.heap.pages,
            stable_file: number(&memory.stable.file)?,
            stable_pages: memory.stable.pages,
            globals: memory.globals.iter().map(StoredValue::from).collect(),
            tables: memory
                .tables
                .iter()
                .map(|table| table.iter().map(StoredValue::from).collect())
                .collect(),
        })
    }

    pub fn restore(self, files: &Files) -> io::Result<CanisterMemory> {
        let values = |stored: Vec<StoredValue>| stored.into_iter().map(SavedValue::from).collect();
        Ok(CanisterMemory {
            heap: Heap {
                file: Arc::new(files.open(self.heap_file)?),
                pages: self.heap_pages,
            },
            stable: StableImage {
                file: Arc::new(files.open(self.stable_file)?),
                pages: self.stable_pages,
            },
            globals: Arc::new(values(self.globals)),
            tables: Arc::new(self.tables.into_iter().map(values).collect()),
        })
    }
}

#[derive(Serialize, Deserialize)]
pub struct StoredCode {
    pub module: [u8; 32],
    pub memory: StoredMemory,
}

#[derive(Serialize, Deserialize)]
pub struct StoredSnapshot {
    pub id: ByteBuf,
    taken_at: u64,
    canister_version: u64,
    pub module: StoredSnapshotModule,
    pub memory: StoredMemory,
    certified_data: ByteBuf,
    pub chunks: Vec<[u8; 32]>,
    global_timer: Option<u64>,
    low_memory: Option<u8>,
}

#[derive(Serialize, Deserialize)]
pub enum StoredSnapshotModule {
    Taken([u8; 32]),
    Uploaded { file: u64, bytes: u64 },
}

pub type Chunks = BTreeMap<[u8; 32], Arc<Vec<u8>>>;

impl StoredSnapshot {
    pub fn of(id: &[u8], snapshot: &Snapshot) -> io::Result<Self> {
        Ok(Self {
            id: ByteBuf::from(id),
            taken_at: snapshot.taken_at,
            canister_version: snapshot.canister_version,
            module: match &snapshot.module {
                SnapshotModule::Taken(module) => StoredSnapshotModule::Taken(module.hash),
                SnapshotModule::Uploaded { file, bytes } => StoredSnapshotModule::Uploaded {
                    file: file.number().ok_or_else(|| {
                        io::Error::other("BUG: a module outside the state folder")
                    })?,
                    bytes: *bytes,
                },
            },
            memory: StoredMemory::of(&snapshot.memory)?,
            certified_data: ByteBuf::from(snapshot.certified_data.clone()),
            chunks: snapshot.chunks.keys().copied().collect(),
            global_timer: snapshot.global_timer,
            low_memory: snapshot.low_memory.map(|hook| match hook {
                LowMemoryHook::NotSatisfied => 0,
                LowMemoryHook::Ready => 1,
                LowMemoryHook::Executed => 2,
            }),
        })
    }

    pub fn restore(
        self,
        files: &Files,
        chunks: Chunks,
        module: impl Fn([u8; 32]) -> io::Result<Arc<PreparedModule>>,
    ) -> io::Result<(Vec<u8>, Snapshot)> {
        let snapshot = Snapshot {
            taken_at: self.taken_at,
            canister_version: self.canister_version,
            module: match self.module {
                StoredSnapshotModule::Taken(hash) => SnapshotModule::Taken(module(hash)?),
                StoredSnapshotModule::Uploaded { file, bytes } => SnapshotModule::Uploaded {
                    file: Arc::new(files.open(file)?),
                    bytes,
                },
            },
            memory: self.memory.restore(files)?,
            certified_data: self.certified_data.into_vec(),
            chunks,
            global_timer: self.global_timer,
            low_memory: self.low_memory.map(|hook| match hook {
                0 => LowMemoryHook::NotSatisfied,
                1 => LowMemoryHook::Ready,
                _ => LowMemoryHook::Executed,
            }),
        };
        Ok((self.id.into_vec(), snapshot))
    }
}
