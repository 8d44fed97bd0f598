//! The fleet of shards: policy, condition, and the work that keeps two copies of everything.

use candid::{CandidType, Nat, Principal};
use serde::Deserialize;
use stoa_types::Sha256;

/// Generic functions (registered at genesis).
pub const ADD_SHARD_FUNCTION_ID: u64 = 1050;
pub const RETIRE_SHARD_FUNCTION_ID: u64 = 1051;
pub const SET_FLEET_POLICY_FUNCTION_ID: u64 = 1052;
pub const SET_SHARD_MODULE_FUNCTION_ID: u64 = 1053;
pub const SCRUB_SHARDS_FUNCTION_ID: u64 = 1054;
pub const GROW_FLEET_FUNCTION_ID: u64 = 1055;

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct FleetPolicy {
    /// Of a shard that the registry creates.
    pub shard_capacity_bytes: u64,
    pub shard_initial_cycles: Nat,
    /// Below this the registry sends a shard cycles of its own, up to the initial ones.
    pub shard_cycles_min: Nat,
    /// The fleet grows when two shards with this share of their capacity free can no longer be found.
    pub growth_free_percent: u8,
    pub shards_max: u64,
    /// How often shards are asked how they are.
    pub watch_seconds: u64,
}

/// The code of new shards. Its chunks (1 MiB at most each) may be put by anybody once the DAO has named their hashes.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ShardModule {
    /// SHA-256 of the module.
    pub hash: Sha256,
    pub chunk_hashes: Vec<Sha256>,
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShardRole {
    Active,
    /// Takes nothing new; what it has moves elsewhere.
    Retiring,
    /// Holds nothing that anybody is sent to.
    Retired,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct FleetShard {
    pub shard: Principal,
    pub role: ShardRole,
    /// As the shard itself said.
    pub capacity_bytes: Option<u64>,
    /// What versions were given room for.
    pub assigned_bytes: u64,
    /// When it last answered, and what.
    pub seen: Option<ShardSeen>,
    /// Calls since then that it did not answer.
    pub unanswered: u64,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ShardSeen {
    pub at_nanos: u64,
    pub used_bytes: u64,
    pub reserved_bytes: u64,
    pub stable_bytes: u64,
    pub chunks: u64,
    pub damaged_chunks: u64,
    pub scrub_passes: u64,
    pub cycles: Nat,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct FleetStatus {
    pub policy: FleetPolicy,
    pub module: Option<ShardModule>,
    /// Whether all its chunks are here.
    pub is_module_complete: bool,
    pub shards: Vec<FleetShard>,
    pub waiting_jobs: u64,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ListJobsArgs {
    /// Continue behind (below) this job of an earlier page.
    pub before: Option<u64>,
    /// At most 100; 100 where absent.
    pub limit: Option<u32>,
}

/// Newest first. The last 1,000 that ended are kept.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct FleetJob {
    pub id: u64,
    /// What it does and how far it is, for people.
    pub description: String,
    pub kind: JobKind,
    pub state: JobState,
    pub attempts: u64,
    pub created_at_nanos: u64,
    pub updated_at_nanos: u64,
    /// Why the last attempt did not get on.
    pub problem: Option<String>,
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum JobKind {
    /// Tells the shards of a version its files.
    Serve,
    /// Copies a segment to another shard.
    Copy,
    /// Replaces a damaged chunk by its copy.
    Mend,
    /// Creates a shard.
    Create,
    /// Empties a shard.
    Retire,
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum JobState {
    Waiting,
    Done,
    Failed,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ShardArgs {
    pub shard: Principal,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum PutModuleChunkError {
    AnonymousCaller,
    /// The DAO has not named these bytes.
    NotWanted {
        hash: Sha256,
    },
}

/// How many chunks are still missing.
pub type PutModuleChunkResult = Result<u64, PutModuleChunkError>;
