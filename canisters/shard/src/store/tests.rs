//! Random operations against plain maps, the invariants after each, and the edges one by one.

mod upkeep;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ic_stable_structures::VectorMemory;
use proptest::prelude::*;
use stoa_shard_api::{
    CHUNK_SIZE_BYTES_MAX, ExpectArgs, ExpectError, ExpectedChunk, PutChunkError, PutOutcome,
};

use super::*;
use crate::memory::{CLAIMS, LAYOUT};

/// A memory that stops growing at a number of pages, as a full subnet does.
#[derive(Clone, Default)]
struct LimitedMemory {
    memory: VectorMemory,
    pages_max: Rc<Cell<u64>>,
}

impl Memory for LimitedMemory {
    fn size(&self) -> u64 {
        self.memory.size()
    }

    fn grow(&self, pages: u64) -> i64 {
        if self.size() + pages > self.pages_max.get() {
            return -1;
        }
        self.memory.grow(pages)
    }

    fn read(&self, offset: u64, dst: &mut [u8]) {
        self.memory.read(offset, dst);
    }

    fn write(&self, offset: u64, src: &[u8]) {
        self.memory.write(offset, src);
    }
}

impl LimitedMemory {
    fn unlimited() -> Self {
        let memory = Self::default();
        memory.pages_max.set(u64::MAX);
        memory
    }

    /// Small buckets, so that a test touches little memory and crosses many of their borders.
    fn memories(&self) -> Memories<Self> {
        Memories::new(self.clone(), 1, 1)
    }
}

impl<M: Memory + Clone> Store<M> {
    fn check_invariants(&self) {
        let mut extents = Vec::new();
        let (mut used, mut reserved, mut stored) = (0, 0, 0);
        for entry in self.chunks.iter() {
            let (hash, record) = entry.into_pair();
            let claims = self.claims.iter().filter(|pair| pair.1 == hash).count();
            assert_eq!(record.claims as usize, claims, "claims of a chunk");
            assert!(claims > 0, "a chunk that nobody claims");
            let waiting = self.expected.range(HashPair::all_of(hash)).count();
            match record.place {
                Place::Stored { offset, size_bytes } => {
                    assert_eq!(waiting, 0, "a stored chunk is expected");
                    let chunk = self.get(Sha256(hash)).expect("a stored chunk is readable");
                    assert_eq!(chunk.data.len(), size_bytes as usize);
                    extents.push((offset, u64::from(size_bytes)));
                    used += u64::from(size_bytes);
                    stored += 1;
                }
                Place::Expected { size_bytes } => {
                    assert_eq!(
                        waiting, claims,
                        "each claim of a missing chunk has an uploader"
                    );
                    reserved += u64::from(size_bytes);
                }
            }
        }
        let holes: Vec<_> = self.holes.iter().collect();
        for pair in holes.windows(2) {
            assert!(
                pair[0].offset + pair[0].size_bytes < pair[1].offset,
                "holes touch"
            );
        }
        let is_at_the_end =
            |hole: &extents::Hole| hole.offset + hole.size_bytes == self.settings.get().data_end;
        assert!(!holes.iter().any(is_at_the_end), "a hole at the end");
        extents.extend(holes.iter().map(|hole| (hole.offset, hole.size_bytes)));
        extents.sort_unstable();
        let mut end = 0;
        for (offset, size_bytes) in extents {
            assert!(offset == end || size_bytes == 0, "chunks and holes tile");
            end += size_bytes;
        }
        let held = |family: &crate::certified::family::Family<M>| {
            let mut hashes = family.hashes();
            hashes.sort_unstable();
            hashes
        };
        let mut hashes: Vec<Sha256> = self
            .chunks
            .iter()
            .filter(|entry| matches!(entry.value().place, Place::Stored { .. }))
            .map(|entry| Sha256(*entry.key()))
            .collect();
        hashes.sort_unstable();
        assert_eq!(held(&self.certified.blobs), hashes);
        assert_eq!(held(&self.certified.raw_blocks), hashes);
        self.check_names();
        let settings = self.settings.get();
        assert_eq!(settings.data_end, end);
        assert_eq!(settings.chunks, stored);
        assert_eq!(settings.used_bytes, used);
        assert_eq!(settings.reserved_bytes, reserved);
        assert!(used + reserved <= settings.capacity_bytes);
    }
}

const REGISTRY: Principal = Principal::from_slice(&[9]);

fn principal(number: u8) -> Principal {
    Principal::from_slice(&[1, number])
}

fn version(number: u8) -> Sha256 {
    Sha256([number; 32])
}

/// Chunk `seed`: its length and bytes differ from those of the others; number 0 is empty.
fn bytes(seed: u8) -> Vec<u8> {
    vec![seed; usize::from(seed) * 40]
}

fn expect_args(version_number: u8, uploader: u8, chunks: &[(u8, u64)]) -> ExpectArgs {
    let chunk = |(seed, size_bytes): &(u8, u64)| ExpectedChunk {
        hash: Sha256::of(&bytes(*seed)),
        size_bytes: *size_bytes,
    };
    ExpectArgs {
        version: version(version_number),
        uploader: principal(uploader),
        chunks: chunks.iter().map(chunk).collect(),
    }
}

fn right_sizes(seeds: &[u8]) -> Vec<(u8, u64)> {
    seeds
        .iter()
        .map(|seed| (*seed, bytes(*seed).len() as u64))
        .collect()
}

/// The same rules over plain maps.
#[derive(Default)]
struct Model {
    claims: BTreeSet<(u8, u8)>,
    /// Chunk -> largest size announced, while it has not come.
    expected: BTreeMap<u8, u64>,
    uploaders: BTreeMap<(u8, u8), u8>,
    stored: BTreeSet<u8>,
}

const CAPACITY: u64 = 2_500;
const NOW: u64 = 1_700_000_000_000_000_000;

impl Model {
    fn used(&self) -> u64 {
        self.stored
            .iter()
            .map(|seed| bytes(*seed).len() as u64)
            .sum()
    }

    fn free(&self) -> u64 {
        CAPACITY - self.used() - self.expected.values().sum::<u64>()
    }

    fn release(&mut self, version: u8, only: Option<&[u8]>) {
        self.claims
            .retain(|(of, seed)| *of != version || only.is_some_and(|only| !only.contains(seed)));
        let claims = &self.claims;
        self.uploaders
            .retain(|(seed, of), _| claims.contains(&(*of, *seed)));
        let is_claimed = |seed: &u8| claims.iter().any(|(_, of)| of == seed);
        self.stored.retain(is_claimed);
        self.expected.retain(|seed, _| is_claimed(seed));
    }

    fn expect(&mut self, version: u8, uploader: u8, chunks: &[(u8, u64)]) -> bool {
        let mut announced: BTreeMap<u8, u64> = BTreeMap::new();
        for (seed, size) in chunks {
            let known = announced.entry(*seed).or_default();
            *known = (*known).max(*size);
        }
        let is_wrong = |(seed, size): (&u8, &u64)| {
            self.stored.contains(seed) && bytes(*seed).len() as u64 != *size
        };
        if announced.iter().any(is_wrong) {
            return false;
        }
        let more: u64 = announced
            .iter()
            .filter(|(seed, _)| !self.stored.contains(seed))
            .map(|(seed, size)| size.saturating_sub(self.expected.get(seed).copied().unwrap_or(0)))
            .sum();
        if more > self.free() {
            return false;
        }
        for (seed, size) in announced {
            self.claims.insert((version, seed));
            if !self.stored.contains(&seed) {
                let known = self.expected.entry(seed).or_default();
                *known = (*known).max(size);
                self.uploaders.insert((seed, version), uploader);
            }
        }
        true
    }

    fn put(&mut self, uploader: u8, seed: u8) -> Option<PutOutcome> {
        if self.stored.contains(&seed) {
            return Some(PutOutcome::AlreadyStored);
        }
        let reserved = *self.expected.get(&seed)?;
        let may = self
            .uploaders
            .iter()
            .any(|((chunk, _), who)| *chunk == seed && *who == uploader);
        if !may || bytes(seed).len() as u64 > self.free() + reserved {
            return None;
        }
        self.expected.remove(&seed);
        self.uploaders.retain(|(chunk, _), _| *chunk != seed);
        self.stored.insert(seed);
        Some(PutOutcome::Stored)
    }
}

#[derive(Clone, Debug)]
enum Operation {
    Expect {
        version: u8,
        uploader: u8,
        chunks: Vec<(u8, u64)>,
    },
    Put {
        uploader: u8,
        seed: u8,
    },
    Release {
        version: u8,
    },
    ReleaseChunks {
        version: u8,
        seeds: Vec<u8>,
    },
    /// What an upgrade does.
    OpenAgain,
}

fn operation() -> impl Strategy<Value = Operation> {
    // Mostly true sizes; some that are wrong, as a hostile manifest has them.
    let chunk = (0_u8..12, prop::option::weighted(0.1, 0_u64..600))
        .prop_map(|(seed, wrong)| (seed, wrong.unwrap_or(bytes(seed).len() as u64)));
    prop_oneof![
        4 => (0_u8..4, 0_u8..3, prop::collection::vec(chunk, 0..5)).prop_map(
            |(version, uploader, chunks)| Operation::Expect { version, uploader, chunks }
        ),
        8 => (0_u8..3, 0_u8..12).prop_map(|(uploader, seed)| Operation::Put { uploader, seed }),
        1 => (0_u8..4).prop_map(|version| Operation::Release { version }),
        1 => (0_u8..4, prop::collection::vec(0_u8..12, 0..4))
            .prop_map(|(version, seeds)| Operation::ReleaseChunks { version, seeds }),
        1 => Just(Operation::OpenAgain),
    ]
}

proptest! {
    #[test]
    fn should_do_what_plain_maps_do(operations in prop::collection::vec(operation(), 1..60)) {
        let memory = LimitedMemory::unlimited();
        let mut store = Store::create(memory.memories(), REGISTRY, CAPACITY).unwrap();
        let mut model = Model::default();
        for operation in operations {
            match operation {
                Operation::Expect { version, uploader, chunks } => {
                    let done = store.expect(&expect_args(version, uploader, &chunks), NOW).is_ok();
                    prop_assert_eq!(done, model.expect(version, uploader, &chunks));
                }
                Operation::Put { uploader, seed } => {
                    let outcome = store.put(principal(uploader), &bytes(seed)).ok();
                    prop_assert_eq!(outcome, model.put(uploader, seed));
                }
                Operation::Release { version: number } => {
                    let before = store.usage();
                    let released = store.release(&version(number));
                    prop_assert!(released.is_done);
                    prop_assert_eq!(released.freed_bytes, before.used_bytes - store.usage().used_bytes);
                    model.release(number, None);
                }
                Operation::ReleaseChunks { version: number, seeds } => {
                    let hashes: Vec<Sha256> = seeds.iter().map(|seed| Sha256::of(&bytes(*seed))).collect();
                    let released = store.release_chunks(&version(number), &hashes);
                    prop_assert!(released.is_done);
                    model.release(number, Some(&seeds));
                }
                Operation::OpenAgain => {
                    let root = store.certified.root_hash();
                    drop(store);
                    store = Store::open(memory.memories()).unwrap();
                    prop_assert_eq!(store.certified.root_hash(), root);
                }
            }
            store.check_invariants();
            prop_assert_eq!(store.free_bytes(), model.free());
            for seed in 0..12 {
                let hash = Sha256::of(&bytes(seed));
                let held = model.stored.contains(&seed);
                prop_assert_eq!(store.held_size_bytes(&hash).is_some(), held);
                prop_assert_eq!(store.get(hash).ok().map(|chunk| chunk.data), held.then(|| bytes(seed)));
            }
        }
    }
}

fn store() -> Store<LimitedMemory> {
    Store::create(LimitedMemory::unlimited().memories(), REGISTRY, 1 << 30).unwrap()
}

#[test]
fn should_refuse_bytes_that_nobody_expects() {
    let mut store = store();
    let hash = Sha256::of(b"stray");
    assert_eq!(
        store.put(principal(1), b"stray"),
        Err(PutChunkError::NotExpected { hash })
    );
    assert_eq!(store.get(hash), Err(GetChunkError::NotFound { hash }));
}

#[test]
fn should_refuse_a_wrong_byte() {
    let mut store = store();
    store
        .expect(&expect_args(1, 1, &right_sizes(&[3])), NOW)
        .unwrap();
    let mut wrong = bytes(3);
    wrong[7] ^= 1;
    let hash = Sha256::of(&wrong);
    assert_eq!(
        store.put(principal(1), &wrong),
        Err(PutChunkError::NotExpected { hash })
    );
    assert_eq!(store.usage().chunks, 0);
}

#[test]
fn should_refuse_the_bytes_of_another_uploader() {
    let mut store = store();
    store
        .expect(&expect_args(1, 1, &right_sizes(&[3])), NOW)
        .unwrap();
    assert_eq!(
        store.put(principal(2), &bytes(3)),
        Err(PutChunkError::NotUploader {
            uploader: principal(1)
        })
    );
    store
        .expect(&expect_args(2, 2, &right_sizes(&[3])), NOW)
        .unwrap();
    assert_eq!(store.put(principal(2), &bytes(3)), Ok(PutOutcome::Stored));
    store.check_invariants();
}

/// Statement 21.
#[test]
fn should_store_equal_chunks_once() {
    let mut store = store();
    store
        .expect(&expect_args(1, 1, &right_sizes(&[3, 3])), NOW)
        .unwrap();
    assert_eq!(store.put(principal(1), &bytes(3)), Ok(PutOutcome::Stored));
    assert_eq!(
        store.put(principal(1), &bytes(3)),
        Ok(PutOutcome::AlreadyStored)
    );
    store
        .expect(&expect_args(2, 2, &right_sizes(&[3])), NOW)
        .unwrap();
    assert_eq!(store.usage().used_bytes, 120);
    assert_eq!(store.usage().reserved_bytes, 0);
    store.check_invariants();
}

#[test]
fn should_refuse_a_size_that_the_held_chunk_has_not() {
    let mut store = store();
    store
        .expect(&expect_args(1, 1, &right_sizes(&[3])), NOW)
        .unwrap();
    store.put(principal(1), &bytes(3)).unwrap();
    assert_eq!(
        store.expect(&expect_args(2, 2, &[(3, 119)]), NOW),
        Err(ExpectError::SizeMismatch {
            hash: Sha256::of(&bytes(3)),
            announced: 119,
            stored: 120
        })
    );
}

#[test]
fn should_take_a_chunk_whose_announced_size_was_a_lie_if_it_fits() {
    let mut store = Store::create(LimitedMemory::unlimited().memories(), REGISTRY, 150).unwrap();
    store.expect(&expect_args(1, 1, &[(3, 5)]), NOW).unwrap();
    assert_eq!(store.put(principal(1), &bytes(3)), Ok(PutOutcome::Stored));
    store.expect(&expect_args(1, 1, &[(4, 5)]), NOW).unwrap();
    assert_eq!(
        store.put(principal(1), &bytes(4)),
        Err(PutChunkError::OutOfSpace {
            needed_bytes: 160,
            free_bytes: 30
        })
    );
    store.check_invariants();
}

#[test]
fn should_refuse_what_exceeds_its_limits() {
    let mut store = store();
    let max = CHUNK_SIZE_BYTES_MAX;
    assert_eq!(
        store.put(principal(1), &vec![0; max as usize + 1]),
        Err(PutChunkError::ChunkTooLarge {
            given: max + 1,
            max
        })
    );
    assert_eq!(
        store.expect(&expect_args(1, 1, &[(1, max + 1)]), NOW),
        Err(ExpectError::ChunkTooLarge {
            given: max + 1,
            max
        })
    );
    assert_eq!(
        store.expect(&expect_args(1, 1, &[(1, 40); 4097]), NOW),
        Err(ExpectError::TooManyChunks {
            given: 4097,
            max: 4096
        })
    );
    let over = Store::create(
        LimitedMemory::unlimited().memories(),
        REGISTRY,
        CAPACITY_BYTES_MAX + 1,
    );
    assert!(matches!(
        over.err(),
        Some(OpenError::CapacityTooHigh { .. })
    ));
}

/// Statements 21 and 22.
#[test]
fn should_refuse_announcements_beyond_the_capacity_and_keep_none_of_them() {
    let mut store = Store::create(LimitedMemory::unlimited().memories(), REGISTRY, 200).unwrap();
    assert_eq!(
        store.expect(&expect_args(1, 1, &right_sizes(&[3, 4])), NOW),
        Err(ExpectError::CapacityExceeded {
            needed_bytes: 280,
            free_bytes: 200
        })
    );
    assert_eq!(store.usage().reserved_bytes, 0);
    assert_eq!(
        store.put(principal(1), &bytes(3)),
        Err(PutChunkError::NotExpected {
            hash: Sha256::of(&bytes(3))
        })
    );
}

/// Statement 22.
#[test]
fn should_answer_an_error_and_keep_its_state_where_stable_memory_cannot_grow() {
    let memory = LimitedMemory::unlimited();
    let mut store = Store::create(memory.memories(), REGISTRY, 1 << 30).unwrap();
    let large = vec![7; 500_000];
    let args = ExpectArgs {
        chunks: vec![ExpectedChunk {
            hash: Sha256::of(&large),
            size_bytes: 500_000,
        }],
        ..expect_args(1, 1, &[])
    };
    store.expect(&args, NOW).unwrap();
    memory.pages_max.set(memory.size());
    assert_eq!(
        store.put(principal(1), &large),
        Err(PutChunkError::OutOfSpace {
            needed_bytes: 500_000,
            free_bytes: 1 << 30
        })
    );
    store.check_invariants();

    memory.pages_max.set(u64::MAX);
    assert_eq!(store.put(principal(1), &large), Ok(PutOutcome::Stored));
    store.check_invariants();

    // What was grown ahead for the maps is used up by and by; then the answer is an error.
    memory.pages_max.set(0);
    let refused = (2..=255).find_map(|version| {
        let seeds: Vec<u8> = (1..=200).collect();
        store
            .expect(&expect_args(version, 1, &right_sizes(&seeds)), NOW)
            .err()
    });
    assert_eq!(refused, Some(ExpectError::OutOfMemory));
    store.check_invariants();
}

#[test]
fn should_report_damaged_bytes_rather_than_return_them() {
    let mut store = store();
    store
        .expect(&expect_args(1, 1, &right_sizes(&[3])), NOW)
        .unwrap();
    store.put(principal(1), &bytes(3)).unwrap();
    store.data.write(60, &[0xff]);
    let hash = Sha256::of(&bytes(3));
    assert_eq!(store.get(hash), Err(GetChunkError::Corrupt { hash }));
}

/// Statement 27.
#[test]
fn should_refuse_to_open_a_layout_that_it_does_not_know() {
    let memory = LimitedMemory::unlimited();
    let empty = Store::open(memory.memories()).err();
    assert_eq!(empty, Some(OpenError::UnknownLayout { found: 0, known: 5 }));

    let memory = LimitedMemory::unlimited();
    Store::create(memory.memories(), REGISTRY, 1).unwrap();
    StableCell::init(memory.memories().book(LAYOUT), 0_u32).set(6);
    let newer = Store::open(memory.memories()).err();
    assert_eq!(newer, Some(OpenError::UnknownLayout { found: 6, known: 5 }));
}

#[test]
fn should_spend_less_than_three_percent_beyond_the_bytes() {
    let memory = LimitedMemory::unlimited();
    let memories = Memories::new(memory.clone(), DATA_BUCKET_PAGES, BOOKS_BUCKET_PAGES);
    let mut store = Store::create(memories, REGISTRY, 1 << 40 >> 2).unwrap();
    let chunk = |number: u32| {
        let mut data = vec![0; 1 << 20];
        data[..4].copy_from_slice(&number.to_le_bytes());
        data
    };
    let count = 64;
    let args = ExpectArgs {
        chunks: (0..count)
            .map(|number| ExpectedChunk {
                hash: Sha256::of(&chunk(number)),
                size_bytes: 1 << 20,
            })
            .collect(),
        ..expect_args(1, 1, &[])
    };
    store.expect(&args, NOW).unwrap();
    for number in 0..count {
        store.put(principal(1), &chunk(number)).unwrap();
    }
    let stored = u64::from(count) << 20;
    let books = [
        memory::CHUNKS,
        CLAIMS,
        memory::EXPECTED,
        memory::BLOB_ENTRIES,
        memory::RAW_ENTRIES,
    ];
    let pages: u64 = books
        .iter()
        .map(|id| store.memories.book(*id).size())
        .sum::<u64>()
        + store.data.size();
    // Rounding to pages and the emptied EXPECTED map included; what is taken once, however much is stored, is not: the
    // inner digests of the certified trees (1.5 MiB) and spare buckets. `benches` measures the whole.
    assert!(pages * PAGE_BYTES * 100 < stored * 103, "{pages} pages");
}
