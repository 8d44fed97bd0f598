//! Stable memory: who owns which part. An id is never used for anything else again.
//!
//! Two managers, one inside the other: chunks are large and books are many and small, and a bucket is the least that
//! a structure takes.
//!
//! ```text
//! page 0                 the outer manager's header
//! then buckets of 256 pages (16 MiB), each owned by one of:
//!   0 BOOKS              everything below
//!   1 DATA               the chunks' bytes
//!
//! BOOKS, page 0          the inner manager's header
//! then buckets of 8 pages (512 KiB), each owned by one of:
//!   0 LAYOUT             cell: version tag of this whole arrangement
//!   1 SETTINGS           cell: registry, capacity, counters
//!   2 CHUNKS             map: hash -> where it is, or that it is expected
//!   3 CLAIMS             set: version · hash
//!   4 EXPECTED           map: hash · version -> uploader, since when; for chunks that have not come yet
//!   5                    retired: was DATA before the managers were two
//!   6 FREE_BY_OFFSET     map: offset -> size of a hole in DATA
//!   7 FREE_BY_SIZE       set: size · offset of the same holes
//!   8 DAMAGED            map: hash of a chunk that no longer hashes to its name -> since when
//!   9 SCRUB              cell: how far the check of all chunks is
//!  10 VERSIONS           map: version -> publisher, name, semver, digest of its files
//!  11 FILES              map: version · path -> file, its chunks
//!  12 NODES              map: hash -> dag-pb block, how many files it belongs to
//!  13 REFERENCES         map: publisher/name/semver -> version
//!  14 BLOB_ENTRIES       map: place in the certified tree -> digest, for /blob/<sha256>
//!  15 BLOB_DIGESTS       array: inner nodes of that tree
//!  16 RAW_ENTRIES        the same for /ipfs/<cid of a chunk>
//!  17 RAW_DIGESTS
//!  18 NODE_ENTRIES       the same for /ipfs/<cid of a dag-pb node>
//!  19 NODE_DIGESTS
//!  20 ALLOWANCE          cell: how many HTTP requests may still become updates
//!  21 STRAYS             cell: how far the sweep for strays is
//!  22 FOLDERS            map: hash of a folder's dag-pb node -> how far the paths below it are certified
//!  23 FOLDER_PATHS       map: hash of that node · path -> digest of what is at the path
//!  24 FOLDER_TREES       map: place in the tree of 18 -> digest of all that is below a folder's CID
//!  25 RESPONSES          map: version · path -> hashes of the responses of a file that has many
//!  26 MODEL_ROOTS       cell: the certified tree of publishers, names and versions
//!  27 MODEL_NODES       vector: its nodes
//! ```

use ic_stable_structures::memory_manager::{MemoryId, MemoryManager, VirtualMemory};
use ic_stable_structures::{DefaultMemoryImpl, Memory};

const BOOKS: MemoryId = MemoryId::new(0);
const DATA: MemoryId = MemoryId::new(1);

pub const LAYOUT: MemoryId = MemoryId::new(0);
pub const SETTINGS: MemoryId = MemoryId::new(1);
pub const CHUNKS: MemoryId = MemoryId::new(2);
pub const CLAIMS: MemoryId = MemoryId::new(3);
pub const EXPECTED: MemoryId = MemoryId::new(4);
pub const FREE_BY_OFFSET: MemoryId = MemoryId::new(6);
pub const FREE_BY_SIZE: MemoryId = MemoryId::new(7);
pub const DAMAGED: MemoryId = MemoryId::new(8);
pub const SCRUB: MemoryId = MemoryId::new(9);
pub const VERSIONS: MemoryId = MemoryId::new(10);
pub const FILES: MemoryId = MemoryId::new(11);
pub const NODES: MemoryId = MemoryId::new(12);
pub const REFERENCES: MemoryId = MemoryId::new(13);
pub const BLOB_ENTRIES: MemoryId = MemoryId::new(14);
pub const BLOB_DIGESTS: MemoryId = MemoryId::new(15);
pub const RAW_ENTRIES: MemoryId = MemoryId::new(16);
pub const RAW_DIGESTS: MemoryId = MemoryId::new(17);
pub const NODE_ENTRIES: MemoryId = MemoryId::new(18);
pub const NODE_DIGESTS: MemoryId = MemoryId::new(19);
pub const ALLOWANCE: MemoryId = MemoryId::new(20);
pub const STRAYS: MemoryId = MemoryId::new(21);
pub const FOLDERS: MemoryId = MemoryId::new(22);
pub const FOLDER_PATHS: MemoryId = MemoryId::new(23);
pub const FOLDER_TREES: MemoryId = MemoryId::new(24);
pub const RESPONSES: MemoryId = MemoryId::new(25);
pub const MODEL_ROOTS: MemoryId = MemoryId::new(26);
pub const MODEL_NODES: MemoryId = MemoryId::new(27);

const BOOKS_COUNT: u8 = 28;

pub const PAGE_BYTES: u64 = 65_536;

/// The outer manager counts at most 32,768 buckets: 512 GiB of this size, above the platform's 500 GiB.
pub const DATA_BUCKET_PAGES: u16 = 256;
/// 32,768 of these are 16 GiB of books: about 700 bytes a chunk, so room for 480 GiB in chunks of 21 KiB on average.
pub const BOOKS_BUCKET_PAGES: u16 = 8;
const BUCKETS_MAX: u64 = 32_768;

/// 500 GiB of stable memory, less 20 for the books.
pub const CAPACITY_BYTES_MAX: u64 = 480 << 30;

/// Inner buckets that one call may take: one for each book, and 22 where the largest legal arguments land
/// (4,096 expected chunks at 500 bytes, or a file of 16,384 chunks with its nodes and its responses at 2.2 MiB, then 4,096 paths of a
/// folder at 600: 5.5 MiB, and as much again for B-tree nodes that are half empty).
const SPARE_BOOK_BUCKETS: u64 = BOOKS_COUNT as u64 + 22;

pub type RawMemory = DefaultMemoryImpl;
pub type Book<M> = VirtualMemory<VirtualMemory<M>>;

pub struct Memories<M: Memory> {
    raw: M,
    outer: MemoryManager<M>,
    inner: MemoryManager<VirtualMemory<M>>,
    data_bucket_pages: u64,
    books_bucket_pages: u64,
}

/// The platform gave no more stable memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GrowRefused;

impl<M: Memory + Clone> Memories<M> {
    pub fn new(raw: M, data_bucket_pages: u16, books_bucket_pages: u16) -> Self {
        let outer = MemoryManager::init_with_bucket_size(raw.clone(), data_bucket_pages);
        Self {
            inner: MemoryManager::init_with_bucket_size(outer.get(BOOKS), books_bucket_pages),
            outer,
            raw,
            data_bucket_pages: data_bucket_pages.into(),
            books_bucket_pages: books_bucket_pages.into(),
        }
    }

    pub fn book(&self, id: MemoryId) -> Book<M> {
        self.inner.get(id)
    }

    pub fn data(&self) -> VirtualMemory<M> {
        self.outer.get(DATA)
    }

    /// Pages of stable memory that this canister has taken.
    pub fn pages(&self) -> u64 {
        self.raw.size()
    }

    /// Makes sure that `bytes` more of DATA and the buckets for all books can still be had, growing the raw memory now.
    /// The managers themselves would trap where that fails; asked first, a shard that is full can say so.
    pub fn ensure_room(&self, bytes: u64) -> Result<(), GrowRefused> {
        let books_in_use: u64 = (0..BOOKS_COUNT)
            .map(|id| {
                self.book(MemoryId::new(id))
                    .size()
                    .div_ceil(self.books_bucket_pages)
            })
            .sum();
        let books = books_in_use + SPARE_BOOK_BUCKETS;
        let books_pages = 1 + books * self.books_bucket_pages;
        let data_pages = self.data().size() + bytes.div_ceil(PAGE_BYTES);
        let buckets = books_pages.div_ceil(self.data_bucket_pages)
            + data_pages.div_ceil(self.data_bucket_pages);
        if books > BUCKETS_MAX || buckets > BUCKETS_MAX {
            return Err(GrowRefused);
        }
        let missing = (1 + buckets * self.data_bucket_pages).saturating_sub(self.raw.size());
        if missing > 0 && self.raw.grow(missing) == -1 {
            return Err(GrowRefused);
        }
        Ok(())
    }
}
