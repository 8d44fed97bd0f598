//! The chunks and the books about them. What must hold after every call:
//!
//! - a stored chunk's bytes hash to its key, and no two chunks' bytes overlap;
//! - `claims` of a chunk is the number of versions that claim it;
//! - only chunks that have not come have entries in EXPECTED;
//! - used and reserved bytes are the sums over the chunks, and never exceed the capacity together.
//!
//! Every operation checks first and writes then, so that a refusal leaves nothing behind.

mod records;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeMap;

use candid::Principal;
use ic_stable_structures::memory_manager::VirtualMemory;
use ic_stable_structures::{Memory, StableBTreeMap, StableBTreeSet, StableCell};
use stoa_shard_api::{
    CHUNK_SIZE_BYTES_MAX, CHUNKS_PER_CALL_MAX, Chunk, ExpectArgs, ExpectError, GetChunkError,
    PutChunkError, PutOutcome,
};
use stoa_types::Sha256;

use crate::memory::{
    self, BUCKET_PAGES, CAPACITY_BYTES_MAX, CHUNKS, CLAIMS, DATA, EXPECTED, LAYOUT, Memories,
    PAGE_BYTES, RawMemory,
};
use records::{ChunkRecord, HashPair, Place, Settings};

/// Version of the arrangement in `memory.rs`. An upgrade that finds another one traps rather than guess.
pub const LAYOUT_VERSION: u32 = 1;

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
    Memories::new(RawMemory::default(), BUCKET_PAGES)
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OpenError {
    UnknownLayout { found: u32, known: u32 },
    CapacityTooHigh { given: u64, max: u64 },
}

pub struct Store<M: Memory> {
    memories: Memories<M>,
    settings: StableCell<Settings, VirtualMemory<M>>,
    chunks: StableBTreeMap<[u8; 32], ChunkRecord, VirtualMemory<M>>,
    claims: StableBTreeSet<HashPair, VirtualMemory<M>>,
    expected: StableBTreeMap<HashPair, Principal, VirtualMemory<M>>,
    data: VirtualMemory<M>,
}

/// Figures for `status`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Usage {
    pub chunks: u64,
    pub used_bytes: u64,
    pub reserved_bytes: u64,
    pub capacity_bytes: u64,
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
        StableCell::new(memories.get(LAYOUT), LAYOUT_VERSION);
        let settings = Settings {
            registry,
            capacity_bytes,
            used_bytes: 0,
            reserved_bytes: 0,
            data_end: 0,
            chunks: 0,
        };
        StableCell::new(memories.get(memory::SETTINGS), settings);
        Self::open(memories)
    }

    /// Of a memory that `create` has written, at any time before.
    pub fn open(memories: Memories<M>) -> Result<Self, OpenError> {
        let layout = memories.get(LAYOUT);
        // An empty memory was never created by this canister: 0 stands for that.
        let found = if layout.size() == 0 {
            0
        } else {
            *StableCell::init(layout, 0_u32).get()
        };
        if found != LAYOUT_VERSION {
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
        Ok(Self {
            settings: StableCell::init(memories.get(memory::SETTINGS), nobody),
            chunks: StableBTreeMap::init(memories.get(CHUNKS)),
            claims: StableBTreeSet::init(memories.get(CLAIMS)),
            expected: StableBTreeMap::init(memories.get(EXPECTED)),
            data: memories.get(DATA),
            memories,
        })
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
        }
    }

    /// Size of a chunk that is held.
    pub fn held_size_bytes(&self, hash: &Sha256) -> Option<u32> {
        match self.chunks.get(&hash.0)?.place {
            Place::Stored { size_bytes, .. } => Some(size_bytes),
            Place::Expected { .. } => None,
        }
    }

    /// Announces chunks of a version and claims them for it. Repeating changes nothing but the uploader.
    pub fn expect(&mut self, args: &ExpectArgs) -> Result<(), ExpectError> {
        let announced = self.check_announced(args)?;
        let more_reserved = self.check_reservation(&announced)?;
        self.memories
            .ensure_room(0)
            .map_err(|_| ExpectError::OutOfMemory)?;

        for (hash, size_bytes) in announced {
            let is_new_claim = self.claims.insert(HashPair(args.version.0, hash.0));
            let mut record = self.chunks.get(&hash.0).unwrap_or(ChunkRecord {
                claims: 0,
                place: Place::Expected { size_bytes: 0 },
            });
            record.claims += u32::from(is_new_claim);
            if let Place::Expected { size_bytes: known } = &mut record.place {
                *known = size_bytes.max(*known);
                self.expected
                    .insert(HashPair(hash.0, args.version.0), args.uploader);
            }
            self.chunks.insert(hash.0, record);
        }
        let mut settings = self.settings.get().clone();
        settings.reserved_bytes += more_reserved;
        self.settings.set(settings);
        Ok(())
    }

    /// Each announced chunk once, at the largest size given for it.
    fn check_announced(&self, args: &ExpectArgs) -> Result<BTreeMap<Sha256, u32>, ExpectError> {
        let given = args.chunks.len() as u64;
        if given > CHUNKS_PER_CALL_MAX {
            return Err(ExpectError::TooManyChunks {
                given,
                max: CHUNKS_PER_CALL_MAX,
            });
        }
        let mut announced = BTreeMap::new();
        for chunk in &args.chunks {
            if chunk.size_bytes > CHUNK_SIZE_BYTES_MAX {
                return Err(ExpectError::ChunkTooLarge {
                    given: chunk.size_bytes,
                    max: CHUNK_SIZE_BYTES_MAX,
                });
            }
            let size_bytes = chunk.size_bytes as u32;
            let size = announced.entry(chunk.hash).or_insert(size_bytes);
            *size = size_bytes.max(*size);
        }
        Ok(announced)
    }

    /// How many bytes more are to be kept free, if they can be.
    fn check_reservation(&self, announced: &BTreeMap<Sha256, u32>) -> Result<u64, ExpectError> {
        let mut more = 0;
        for (hash, size_bytes) in announced {
            more += match self.chunks.get(&hash.0).map(|record| record.place) {
                None => u64::from(*size_bytes),
                Some(Place::Expected { size_bytes: known }) => {
                    u64::from(size_bytes.saturating_sub(known))
                }
                Some(Place::Stored {
                    size_bytes: stored, ..
                }) if stored != *size_bytes => {
                    return Err(ExpectError::SizeMismatch {
                        hash: *hash,
                        announced: (*size_bytes).into(),
                        stored: stored.into(),
                    });
                }
                Some(Place::Stored { .. }) => 0,
            };
        }
        let free_bytes = self.free_bytes();
        if more > free_bytes {
            return Err(ExpectError::CapacityExceeded {
                needed_bytes: more,
                free_bytes,
            });
        }
        Ok(more)
    }

    fn free_bytes(&self) -> u64 {
        let settings = self.settings.get();
        settings
            .capacity_bytes
            .saturating_sub(settings.used_bytes)
            .saturating_sub(settings.reserved_bytes)
    }

    /// Stores bytes that somebody expects. Their size is not held against the announced one: bytes that hash to the
    /// name are the chunk, and a manifest that is wrong about its size is found out when the registry seals it.
    pub fn put(&mut self, uploader: Principal, data: &[u8]) -> Result<PutOutcome, PutChunkError> {
        let given = data.len() as u64;
        if given > CHUNK_SIZE_BYTES_MAX {
            return Err(PutChunkError::ChunkTooLarge {
                given,
                max: CHUNK_SIZE_BYTES_MAX,
            });
        }
        let hash = Sha256::of(data);
        let Some(record) = self.chunks.get(&hash.0) else {
            return Err(PutChunkError::NotExpected { hash });
        };
        let reserved = match record.place {
            Place::Stored { .. } => return Ok(PutOutcome::AlreadyStored),
            Place::Expected { size_bytes } => u64::from(size_bytes),
        };
        let waiting = self.check_uploader(&hash, uploader)?;
        let free_bytes = self.free_bytes() + reserved;
        let out_of_space = PutChunkError::OutOfSpace {
            needed_bytes: given,
            free_bytes,
        };
        if given > free_bytes || self.ensure_data(given).is_err() {
            return Err(out_of_space);
        }

        let mut settings = self.settings.get().clone();
        let offset = settings.data_end;
        self.data.write(offset, data);
        for pair in waiting {
            self.expected.remove(&pair);
        }
        let place = Place::Stored {
            offset,
            size_bytes: given as u32,
        };
        self.chunks.insert(hash.0, ChunkRecord { place, ..record });
        settings.data_end += given;
        settings.used_bytes += given;
        settings.reserved_bytes -= reserved;
        settings.chunks += 1;
        self.settings.set(settings);
        Ok(PutOutcome::Stored)
    }

    /// All versions that wait for the chunk, if `uploader` uploads one of them. There are at most as many as
    /// the registry has open drafts.
    fn check_uploader(
        &self,
        hash: &Sha256,
        uploader: Principal,
    ) -> Result<Vec<HashPair>, PutChunkError> {
        let mut waiting = Vec::new();
        let mut other = None;
        let mut is_expected = false;
        for entry in self.expected.range(HashPair::all_of(hash.0)) {
            is_expected |= entry.value() == uploader;
            other.get_or_insert(entry.value());
            waiting.push(*entry.key());
        }
        match other {
            _ if is_expected => Ok(waiting),
            Some(uploader) => Err(PutChunkError::NotUploader { uploader }),
            None => Err(PutChunkError::NotExpected { hash: *hash }),
        }
    }

    /// Grows DATA so that `bytes` more fit behind its end.
    fn ensure_data(&self, bytes: u64) -> Result<(), memory::GrowRefused> {
        self.memories.ensure_room(bytes)?;
        let pages = (self.settings.get().data_end + bytes).div_ceil(PAGE_BYTES);
        let missing = pages.saturating_sub(self.data.size());
        if missing > 0 && self.data.grow(missing) == -1 {
            return Err(memory::GrowRefused);
        }
        Ok(())
    }

    /// Hashes what it gives back: memory that was damaged must never pass for the chunk.
    pub fn get(&self, hash: Sha256) -> Result<Chunk, GetChunkError> {
        let place = self.chunks.get(&hash.0).map(|record| record.place);
        let Some(Place::Stored { offset, size_bytes }) = place else {
            return Err(GetChunkError::NotFound { hash });
        };
        let mut data = vec![0; size_bytes as usize];
        self.data.read(offset, &mut data);
        if Sha256::of(&data) != hash {
            return Err(GetChunkError::Corrupt { hash });
        }
        Ok(Chunk { data })
    }
}
