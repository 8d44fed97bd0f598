//! The bytes of the models in stable memory: slots of 1 MiB, so that a chunk is written once and never moved.
//!
//! ```text
//! SLOT_BYTES  | slot 0: 1 MiB | slot 1: 1 MiB | ...
//! SLOTS       (version, chunk index) -> slot
//! FREE_SLOTS  slots of models that were let go
//! ```
//!
//! What must hold: a slot belongs to one chunk or is free. Bytes are verified by the caller before `put`, and the
//! whole file's hash again before it is used.

use std::borrow::Cow;
use std::cell::RefCell;

use ic_stable_structures::storable::Bound;
use ic_stable_structures::{Memory as _, StableBTreeMap, StableBTreeSet, Storable};
use stoa_types::Sha256;

use crate::memory::{self, Memory};

const SLOT_SIZE_BYTES: u64 = 1 << 20;
const PAGE_SIZE_BYTES: u64 = 1 << 16;

/// Version, then the index big-endian, so that a version's chunks lie together in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct ChunkKey {
    version: [u8; 32],
    index: u32,
}

impl Storable for ChunkKey {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.into_bytes())
    }

    fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.version.to_vec();
        bytes.extend(self.index.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: Cow<'_, [u8]>) -> Self {
        let (version, index) = bytes.split_at(32);
        ChunkKey {
            version: version.try_into().expect("BUG: a key has 36 bytes"),
            index: u32::from_be_bytes(index.try_into().expect("BUG: a key has 36 bytes")),
        }
    }

    const BOUND: Bound = Bound::Bounded {
        max_size: 36,
        is_fixed_size: true,
    };
}

struct ChunkStore {
    slots: StableBTreeMap<ChunkKey, u32, Memory>,
    free: StableBTreeSet<u32, Memory>,
    bytes: Memory,
}

thread_local! {
    static CHUNKS: RefCell<ChunkStore> = RefCell::new(ChunkStore {
        slots: StableBTreeMap::init(memory::region(memory::SLOTS)),
        free: StableBTreeSet::init(memory::region(memory::FREE_SLOTS)),
        bytes: memory::region(memory::SLOT_BYTES),
    });
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutOfStableMemory;

/// Stores a chunk of at most 1 MiB; again with the same key replaces it in its slot.
pub fn put(version: &Sha256, index: u32, data: &[u8]) -> Result<(), OutOfStableMemory> {
    assert!(
        data.len() as u64 <= SLOT_SIZE_BYTES,
        "BUG: a chunk has 1 MiB at most"
    );
    CHUNKS.with_borrow_mut(|store| {
        let key = ChunkKey {
            version: version.0,
            index,
        };
        let slot = match store.slots.get(&key).or_else(|| store.free.first()) {
            Some(slot) => slot,
            // Slots are never given back to the system, so all that exist are used or free.
            None => (store.slots.len() + store.free.len()) as u32,
        };
        let start = u64::from(slot) * SLOT_SIZE_BYTES;
        let missing_pages = (start + SLOT_SIZE_BYTES)
            .div_ceil(PAGE_SIZE_BYTES)
            .saturating_sub(store.bytes.size());
        if missing_pages > 0 && store.bytes.grow(missing_pages) < 0 {
            return Err(OutOfStableMemory);
        }
        store.bytes.write(start, data);
        store.free.remove(&slot);
        store.slots.insert(key, slot);
        Ok(())
    })
}

pub fn has(version: &Sha256, index: u32) -> bool {
    let key = ChunkKey {
        version: version.0,
        index,
    };
    CHUNKS.with_borrow(|store| store.slots.contains_key(&key))
}

/// Chunks of a version that are held.
pub fn count(version: &Sha256) -> u64 {
    let first = ChunkKey {
        version: version.0,
        index: 0,
    };
    let last = ChunkKey {
        version: version.0,
        index: u32::MAX,
    };
    CHUNKS.with_borrow(|store| store.slots.keys_range(first..=last).count() as u64)
}

/// Bytes of one chunk from `offset` on; they must be there.
pub fn read(version: &Sha256, index: u32, offset: u64, into: &mut [u8]) {
    CHUNKS.with_borrow(|store| {
        let key = ChunkKey {
            version: version.0,
            index,
        };
        let slot = store
            .slots
            .get(&key)
            .expect("BUG: a chunk before the cursor is not held");
        store
            .bytes
            .read(u64::from(slot) * SLOT_SIZE_BYTES + offset, into);
    });
}

/// The file put together. `sizes` are the sizes of the chunks from `first` on, in order; every one must have been put.
pub fn read_file(version: &Sha256, first: u32, sizes: impl Iterator<Item = u64>) -> Vec<u8> {
    let mut file = Vec::new();
    for (index, size) in (first..).zip(sizes) {
        let start = file.len();
        file.resize(start + size as usize, 0);
        read(version, index, 0, &mut file[start..]);
    }
    file
}

/// A file as the engine reads it, without a copy of the whole in the heap.
pub struct FileSource {
    version: Sha256,
    size_bytes: u64,
    /// Where each chunk begins; they are the version's first.
    begins: Vec<u64>,
}

impl FileSource {
    pub fn new(version: Sha256, size_bytes: u64, sizes: impl Iterator<Item = u64>) -> FileSource {
        let mut next = 0;
        let begins = sizes
            .map(|size| {
                let begin = next;
                next += size;
                begin
            })
            .collect();
        FileSource {
            version,
            size_bytes,
            begins,
        }
    }
}

impl stoa_engine::Source for FileSource {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read(&self, offset: u64, into: &mut [u8]) {
        let mut done = 0;
        while done < into.len() {
            let at = offset + done as u64;
            // The last that begins at or before it; chunks are not empty.
            let index = self.begins.partition_point(|begin| *begin <= at) - 1;
            let end = self
                .begins
                .get(index + 1)
                .copied()
                .unwrap_or(self.size_bytes);
            assert!(at < end, "BUG: read past the end");
            let length = (into.len() - done).min((end - at) as usize);
            let part = &mut into[done..done + length];
            read(&self.version, index as u32, at - self.begins[index], part);
            done += length;
        }
    }
}

/// Frees the slots of a version.
pub fn remove(version: &Sha256) {
    CHUNKS.with_borrow_mut(|store| {
        let first = ChunkKey {
            version: version.0,
            index: 0,
        };
        let last = ChunkKey {
            version: version.0,
            index: u32::MAX,
        };
        // At most MODEL_BYTES_MAX / 1 MiB of them.
        let held: Vec<(ChunkKey, u32)> = store
            .slots
            .range(first..=last)
            .map(|entry| (*entry.key(), entry.value()))
            .collect();
        for (key, slot) in held {
            store.slots.remove(&key);
            store.free.insert(slot);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_give_back_each_file_and_use_freed_slots_again() {
        let file =
            |seed: u8, size: usize| -> Vec<u8> { (0..size).map(|i| seed ^ i as u8).collect() };
        let put_file = |version: &Sha256, bytes: &[u8]| {
            for (index, chunk) in bytes.chunks(1 << 20).enumerate() {
                put(version, index as u32, chunk).unwrap();
            }
        };
        let sizes =
            |bytes: &[u8]| -> Vec<u64> { bytes.chunks(1 << 20).map(|c| c.len() as u64).collect() };
        let (a, b, c) = (Sha256([1; 32]), Sha256([2; 32]), Sha256([3; 32]));
        let (file_a, file_b, file_c) = (file(1, 2_500_000), file(2, 70_000), file(3, 3_000_000));
        put_file(&a, &file_a);
        put_file(&b, &file_b);
        put_file(&a, &file_a);
        assert_eq!(read_file(&a, 0, sizes(&file_a).into_iter()), file_a);
        remove(&a);
        put_file(&c, &file_c);
        assert_eq!(read_file(&b, 0, sizes(&file_b).into_iter()), file_b);
        assert_eq!(read_file(&c, 0, sizes(&file_c).into_iter()), file_c);
        CHUNKS.with_borrow(|store| {
            assert_eq!(store.slots.len(), 4);
            assert!(store.free.is_empty());
            assert_eq!(store.bytes.size(), 4 * 16);
        });
    }
}
