//! Stable memory: who owns which part. An id is never used for anything else again.
//!
//! ```text
//!   0 LAYOUT        cell: version tag of this whole arrangement
//!   1 SETTINGS      cell: governance, counters
//!   2 SHARDS        map: shard number -> principal, capacity, what was assigned to it
//!   3 PUBLISHERS    map: handle -> owner
//!   4 ACCOUNTS      map: principal -> handles, open drafts
//!   5 MODELS        map: publisher/name -> price, newest admitted version
//!   6 REFERENCES    map: publisher/name@version -> digest
//!   7 VERSIONS      map: digest -> status and what a listing shows
//!   8 MANIFESTS     map: digest -> manifest
//!   9 PLACEMENTS    map: digest -> shards of each file segment
//!  10 CHUNK_PLACES  set: chunk hash · shard number, of sealed versions
//!  11 AUDIT_INDEX   log of what was changed: where entries end
//!  12 AUDIT_DATA    log of what was changed: the entries
//!  13 AUDIT_HASHES  vector: hash of the ICRC-3 block of each entry
//!  14 PARAMETERS    cell: what the DAO set
//!  15 DEADLINES     set: time · digest, of undecided versions
//!  16 OPEN_VERSIONS set: principal · digest, of undecided versions
//!  17 DOCUMENTS     map: number in the search index -> digest
//!  18 POSTINGS      map: term · block of 4,096 numbers -> which of them have the term
//!  19 DEPOSITS      map: id -> storage deposit
//!  20 OPEN_DEPOSITS set: ids of deposits that are on their way
//!  21 CLAIMABLE     map: digest -> deposit that was asked for before its draft exists
//!  22 DEPOSITS_OF   map: payer · id -> nothing
//!  23 PARENTS       map: child · parent -> relation
//!  24 CHILDREN      map: parent · child -> relation
//!  25 NOTICES       map: canister · digest -> status that it has to hear of
//!  26 RELEASES      set: shard number · digest that it may let go of
//!  27 WATCHED       map: digest of a proposed version -> proposal that somebody noted
//!  28 CERTIFIED_ROOTS cell: roots of the certified maps
//!  29 CERTIFIED_NODES vector: nodes of the certified maps
//!  30-39            the registry's, not used yet
//!  40 FLEET_SETTINGS cell: the fleet's policy, the module of new shards
//!  41 FLEET_MEMBERS map: shard number -> role, what it last said
//!  42 FLEET_JOBS    map: id -> job
//!  43 FLEET_QUEUE   set: time · id, of jobs that have not ended
//!  44 FLEET_MODULE  map: hash -> chunk of the module of new shards
//!  45-59            the fleet's, not used yet
//!  60 INFERENCE     map: inference canister -> when it was added
//!  61 ROUTES        set: digest · inference canister that it is assigned to
//!  62 ROUTE_LOADS   set: inference canister · digest that it has to be told to load
//!  63-69            the routes', not used yet
//! ```

use ic_stable_structures::DefaultMemoryImpl;
use ic_stable_structures::memory_manager::{MemoryId, MemoryManager, VirtualMemory};

pub const LAYOUT: MemoryId = MemoryId::new(0);
pub const SETTINGS: MemoryId = MemoryId::new(1);
pub const SHARDS: MemoryId = MemoryId::new(2);
pub const PUBLISHERS: MemoryId = MemoryId::new(3);
pub const ACCOUNTS: MemoryId = MemoryId::new(4);
pub const MODELS: MemoryId = MemoryId::new(5);
pub const REFERENCES: MemoryId = MemoryId::new(6);
pub const VERSIONS: MemoryId = MemoryId::new(7);
pub const MANIFESTS: MemoryId = MemoryId::new(8);
pub const PLACEMENTS: MemoryId = MemoryId::new(9);
pub const CHUNK_PLACES: MemoryId = MemoryId::new(10);
pub const FLEET_SETTINGS: MemoryId = MemoryId::new(40);
pub const FLEET_MEMBERS: MemoryId = MemoryId::new(41);
pub const FLEET_JOBS: MemoryId = MemoryId::new(42);
pub const FLEET_QUEUE: MemoryId = MemoryId::new(43);
pub const FLEET_MODULE: MemoryId = MemoryId::new(44);
pub const AUDIT_INDEX: MemoryId = MemoryId::new(11);
pub const AUDIT_DATA: MemoryId = MemoryId::new(12);
pub const AUDIT_HASHES: MemoryId = MemoryId::new(13);
pub const PARAMETERS: MemoryId = MemoryId::new(14);
pub const DEADLINES: MemoryId = MemoryId::new(15);
pub const OPEN_VERSIONS: MemoryId = MemoryId::new(16);
pub const DOCUMENTS: MemoryId = MemoryId::new(17);
pub const POSTINGS: MemoryId = MemoryId::new(18);
pub const DEPOSITS: MemoryId = MemoryId::new(19);
pub const OPEN_DEPOSITS: MemoryId = MemoryId::new(20);
pub const CLAIMABLE: MemoryId = MemoryId::new(21);
pub const DEPOSITS_OF: MemoryId = MemoryId::new(22);
pub const PARENTS: MemoryId = MemoryId::new(23);
pub const CHILDREN: MemoryId = MemoryId::new(24);
pub const NOTICES: MemoryId = MemoryId::new(25);
pub const RELEASES: MemoryId = MemoryId::new(26);
pub const WATCHED: MemoryId = MemoryId::new(27);
pub const CERTIFIED_ROOTS: MemoryId = MemoryId::new(28);
pub const CERTIFIED_NODES: MemoryId = MemoryId::new(29);

pub const INFERENCE: MemoryId = MemoryId::new(60);
pub const ROUTES: MemoryId = MemoryId::new(61);
pub const ROUTE_LOADS: MemoryId = MemoryId::new(62);

pub type RawMemory = DefaultMemoryImpl;
pub type Stable = VirtualMemory<RawMemory>;

/// Pages of a bucket: 2 MiB each, so that 28 small structures start at 56 MiB and the manager's
/// 32,768 buckets reach 64 GiB (a million versions of 30 kB).
#[cfg(not(test))]
const BUCKET_PAGES: u16 = 32;
/// Tests make many registries.
#[cfg(test)]
const BUCKET_PAGES: u16 = 1;

pub fn manager(raw: RawMemory) -> MemoryManager<RawMemory> {
    MemoryManager::init_with_bucket_size(raw, BUCKET_PAGES)
}
