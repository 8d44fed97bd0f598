//! The chunks and the books about them. What must hold after every call:
//!
//! - a stored chunk's bytes hash to its key, unless it is noted as damaged or nobody has looked since they changed;
//! - chunks and holes tile DATA without a gap, and no two holes touch;
//! - `claims` of a chunk is the number of versions that claim it, and it is there as long as one does;
//! - only chunks that have not come have entries in EXPECTED;
//! - used and reserved bytes are the sums over the chunks, and never exceed the capacity together;
//! - a stored chunk, and nothing else, has its responses in the certified trees.
//!
//! Every operation checks first and writes then, so that a refusal leaves nothing behind.

mod expect;
mod extents;
mod files;
mod folders;
mod put;
mod records;
mod release;
mod scrub;
mod strays;
#[cfg(test)]
mod tests;

use std::cell::RefCell;

use candid::Principal;
use ic_certification::Hash;
use ic_stable_structures::memory_manager::VirtualMemory;
use ic_stable_structures::{Memory, StableBTreeMap, StableBTreeSet, StableCell};
use stoa_shard_api::{Chunk, GetChunkError, GetChunksArgs, GetChunksError, GetChunksResult};
use stoa_types::Sha256;

use crate::certified::Certified;
use crate::certified::models::VersionPlace;
use crate::http::allowance::Allowance;
use crate::http::replies::Replies;
use crate::memory::{
    self, BOOKS_BUCKET_PAGES, Book, CAPACITY_BYTES_MAX, DATA_BUCKET_PAGES, Memories, PAGE_BYTES,
    RawMemory,
};
use extents::Extents;
pub use files::links_of;
pub use records::ServedFile;
use records::{
    Awaited, ChunkRecord, FileKey, FolderRecord, HashPair, Place, Scrub, ServedNode,
    ServedResponses, ServedVersion, Settings,
};
pub use scrub::Slice;
pub use strays::Sweep;

/// Version of the arrangement in `memory.rs`. An upgrade that finds another one traps rather than guess. (1 and 2 were never installed
/// outside of a development network: 1 had one manager and no certified trees, 2 no folders and other responses.)
///
/// - 3: 0 to 24 of `memory.rs`.
/// - 4: RESPONSES. Files from before have none there; they are derived whenever somebody asks, as they were.
/// - 5: MODEL_ROOTS and MODEL_NODES. Before, they were in the heap.
pub const LAYOUT_VERSION: u32 = 5;

thread_local! {
    /// A view of stable memory; opened by `init` and again by `post_upgrade`.
    static UNSTABLE_STORE: RefCell<Option<Store<RawMemory>>> = const { RefCell::new(None) };
}

pub fn with<T>(read: impl FnOnce(&Store<RawMemory>) -> T) -> T {
    UNSTABLE_STORE.with_borrow(|store| read(store.as_ref().expect("BUG: the store is not open")))
}

pub fn with_mut<T>(write: impl FnOnce(&mut Store<RawMemory>) -> T) -> T {
    UNSTABLE_STORE
        .with_borrow_mut(|store| write(store.as_mut().expect("BUG: the store is not open")))
}

pub fn create(registry: Principal, capacity_bytes: u64) -> Result<(), OpenError> {
    let store = Store::create(stable_memories(), registry, capacity_bytes)?;
    UNSTABLE_STORE.set(Some(store));
    Ok(())
}

pub fn open() -> Result<(), OpenError> {
    let store = Store::open(stable_memories())?;
    UNSTABLE_STORE.set(Some(store));
    Ok(())
}

fn stable_memories() -> Memories<RawMemory> {
    Memories::new(RawMemory::default(), DATA_BUCKET_PAGES, BOOKS_BUCKET_PAGES)
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OpenError {
    UnknownLayout { found: u32, known: u32 },
    CapacityTooHigh { given: u64, max: u64 },
    OutOfMemory,
}

pub struct Store<M: Memory> {
    memories: Memories<M>,
    settings: StableCell<Settings, Book<M>>,
    chunks: StableBTreeMap<[u8; 32], ChunkRecord, Book<M>>,
    claims: StableBTreeSet<HashPair, Book<M>>,
    expected: StableBTreeMap<HashPair, Awaited, Book<M>>,
    data: VirtualMemory<M>,
    holes: Extents<M>,
    damaged: StableBTreeMap<[u8; 32], u64, Book<M>>,
    scrub: StableCell<Scrub, Book<M>>,
    strays_next: StableCell<HashPair, Book<M>>,
    versions: StableBTreeMap<[u8; 32], ServedVersion, Book<M>>,
    files: StableBTreeMap<FileKey, ServedFile, Book<M>>,
    nodes: StableBTreeMap<[u8; 32], ServedNode, Book<M>>,
    references: StableBTreeMap<String, [u8; 32], Book<M>>,
    folders: StableBTreeMap<[u8; 32], FolderRecord, Book<M>>,
    folder_paths: StableBTreeMap<FileKey, [u8; 32], Book<M>>,
    responses: StableBTreeMap<FileKey, ServedResponses, Book<M>>,
    pub allowance: Allowance<M>,
    pub certified: Certified<M>,
}

/// Figures for `status`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Usage {
    pub chunks: u64,
    pub used_bytes: u64,
    pub reserved_bytes: u64,
    pub capacity_bytes: u64,
    /// All that the canister has taken of stable memory.
    pub stable_bytes: u64,
    pub damaged_chunks: u64,
    pub versions: u64,
}

impl<M: Memory + Clone> Store<M> {
    pub fn create(
        memories: Memories<M>,
        registry: Principal,
        capacity_bytes: u64,
    ) -> Result<Self, OpenError> {
        if capacity_bytes > CAPACITY_BYTES_MAX {
            return Err(OpenError::CapacityTooHigh {
                given: capacity_bytes,
                max: CAPACITY_BYTES_MAX,
            });
        }
        memories
            .ensure_room(0)
            .map_err(|_| OpenError::OutOfMemory)?;
        StableCell::new(memories.book(memory::LAYOUT), LAYOUT_VERSION);
        let settings = Settings {
            registry,
            capacity_bytes,
            used_bytes: 0,
            reserved_bytes: 0,
            data_end: 0,
            chunks: 0,
        };
        StableCell::new(memories.book(memory::SETTINGS), settings);
        Self::open(memories)
    }

    /// Of a memory that `create` has written, at any time before.
    pub fn open(memories: Memories<M>) -> Result<Self, OpenError> {
        let layout = memories.book(memory::LAYOUT);
        // An empty memory was never created by this canister: 0 stands for that.
        let found = if layout.size() == 0 {
            0
        } else {
            *StableCell::init(layout, 0_u32).get()
        };
        if !(3..=LAYOUT_VERSION).contains(&found) {
            return Err(OpenError::UnknownLayout {
                found,
                known: LAYOUT_VERSION,
            });
        }
        let nobody = Settings {
            registry: Principal::management_canister(),
            capacity_bytes: 0,
            used_bytes: 0,
            reserved_bytes: 0,
            data_end: 0,
            chunks: 0,
        };
        let book = |id| memories.book(id);
        let mut store = Self {
            settings: StableCell::init(book(memory::SETTINGS), nobody),
            chunks: StableBTreeMap::init(book(memory::CHUNKS)),
            claims: StableBTreeSet::init(book(memory::CLAIMS)),
            expected: StableBTreeMap::init(book(memory::EXPECTED)),
            data: memories.data(),
            holes: Extents::open(book(memory::FREE_BY_OFFSET), book(memory::FREE_BY_SIZE)),
            damaged: StableBTreeMap::init(book(memory::DAMAGED)),
            scrub: StableCell::init(book(memory::SCRUB), Scrub::default()),
            strays_next: StableCell::init(book(memory::STRAYS), HashPair([0; 32], [0; 32])),
            versions: StableBTreeMap::init(book(memory::VERSIONS)),
            files: StableBTreeMap::init(book(memory::FILES)),
            nodes: StableBTreeMap::init(book(memory::NODES)),
            references: StableBTreeMap::init(book(memory::REFERENCES)),
            folders: StableBTreeMap::init(book(memory::FOLDERS)),
            folder_paths: StableBTreeMap::init(book(memory::FOLDER_PATHS)),
            responses: StableBTreeMap::init(book(memory::RESPONSES)),
            allowance: Allowance::open(book(memory::ALLOWANCE)),
            certified: Certified::open(&memories),
            memories,
        };
        if found < 5 {
            let versions = store.served_versions();
            store.certified.models.fill(&versions);
        }
        if found < LAYOUT_VERSION {
            StableCell::new(store.memories.book(memory::LAYOUT), LAYOUT_VERSION);
        }
        Ok(store)
    }

    /// All of them with the digests of their files, in the order of their places.
    fn served_versions(&self) -> Vec<(VersionPlace, Hash)> {
        let version = |record: ServedVersion| (record.place, record.files_digest);
        let mut versions: Vec<_> = self
            .versions
            .iter()
            .map(|entry| version(entry.value()))
            .collect();
        versions.sort_unstable();
        versions
    }

    pub fn registry(&self) -> Principal {
        self.settings.get().registry
    }

    pub fn usage(&self) -> Usage {
        let settings = self.settings.get();
        Usage {
            chunks: settings.chunks,
            used_bytes: settings.used_bytes,
            reserved_bytes: settings.reserved_bytes,
            capacity_bytes: settings.capacity_bytes,
            stable_bytes: self.memories.pages() * PAGE_BYTES,
            damaged_chunks: self.damaged.len(),
            versions: self.versions.len(),
        }
    }

    /// Size of a chunk that is held.
    pub fn held_size_bytes(&self, hash: &Sha256) -> Option<u32> {
        self.extent(hash).map(|(_, size_bytes)| size_bytes)
    }

    fn extent(&self, hash: &Sha256) -> Option<(u64, u32)> {
        match self.chunks.get(&hash.0)?.place {
            Place::Stored { offset, size_bytes } => Some((offset, size_bytes)),
            Place::Expected { .. } => None,
        }
    }

    fn free_bytes(&self) -> u64 {
        let settings = self.settings.get();
        settings
            .capacity_bytes
            .saturating_sub(settings.used_bytes)
            .saturating_sub(settings.reserved_bytes)
    }

    /// Hashes what it gives back: memory that was damaged must never pass for the chunk.
    pub fn get(&self, hash: Sha256) -> Result<Chunk, GetChunkError> {
        let (offset, size_bytes) = self.extent(&hash).ok_or(GetChunkError::NotFound { hash })?;
        let mut data = vec![0; size_bytes as usize];
        self.data.read(offset, &mut data);
        if Sha256::of(&data) != hash {
            return Err(GetChunkError::Corrupt { hash });
        }
        Ok(Chunk { data })
    }

    /// As many of them, from the first on, as fit the reply that the caller can take.
    pub fn get_chunks(&self, args: &GetChunksArgs) -> GetChunksResult {
        use stoa_shard_api::{REPLY_BYTES_DEFAULT, REPLY_BYTES_MAX};

        let given = args.hashes.len() as u64;
        let max = stoa_shard_api::CHUNKS_PER_REPLY_MAX;
        if given > max {
            return Err(GetChunksError::TooManyChunks { given, max });
        }
        let room = args
            .reply_bytes_max
            .unwrap_or(REPLY_BYTES_DEFAULT)
            .min(REPLY_BYTES_MAX);
        let mut used = 0;
        let mut answers = Vec::new();
        for hash in &args.hashes {
            let size = self.held_size_bytes(hash).map_or(0, u64::from);
            if !answers.is_empty() && used + size > room {
                break;
            }
            used += size;
            answers.push(self.get(*hash));
        }
        Ok(answers)
    }

    fn certify_chunk(&mut self, hash: &Sha256, size_bytes: u64) {
        let blob = Replies::blob(hash, size_bytes).digest();
        let block = Replies::chunk_block(hash, size_bytes).digest();
        self.certified.blobs.set(hash, blob);
        self.certified.raw_blocks.set(hash, block);
    }

    fn update_settings(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.settings.get().clone();
        change(&mut settings);
        self.settings.set(settings);
    }
}

#[cfg(test)]
impl<M: Memory + Clone> Store<M> {
    /// The certified names are those of the versions that are served.
    pub fn check_names(&self) {
        let served = self.certified.models.checked_entries();
        assert_eq!(served, self.served_versions());
    }

    /// Changes a byte of a chunk that is held.
    pub fn damage(&mut self, hash: &Sha256) {
        let (offset, _) = self.extent(hash).expect("a held chunk");
        let mut byte = [0];
        self.data.read(offset, &mut byte);
        self.data.write(offset, &[!byte[0]]);
    }
}
