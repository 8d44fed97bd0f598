//! The shards as a fleet: two copies of every segment on different shards, whole and served, with room for what comes.
//!
//! Everything long is a job in stable memory (`jobs.rs`): a row of steps, each a call or two, each written down before the next, so that
//! an upgrade, a trap or a shard that does not answer costs one step. Every call that a step makes may be repeated.
//!
//! ```text
//! seal -----------> Serve   each shard learns the files of a version
//! watch: damaged -> Mend    the chunk comes again from its other shard
//! watch: full ----> Create  a canister, the module, the controllers handed to governance, then registered
//! retire_shard ---> Retire  -> Copy, one a segment: announce, pull, confirm, change the placement, serve, release
//! ```
//!
//! What must hold: a placement changes only after the new shard has said that it holds every chunk, and the old copy is
//! released only after that. A shard that the registry made has governance as its only controller before anything is put on it.

mod copy;
mod create;
pub mod functions;
pub mod jobs;
mod mend;
pub mod module;
pub mod records;
mod retire;
mod serve;
pub mod status;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
pub mod watch;

use ic_stable_structures::memory_manager::MemoryManager;
use ic_stable_structures::{StableBTreeMap, StableBTreeSet, StableCell};
use stoa_types::Sha256;

use crate::memory::{self, RawMemory, Stable};
use crate::placement::ShardRoom;
use crate::runtime::Runtime;
use crate::state::State;
use records::{Digest, FleetSettings, Job, Member, Role, Work};

/// The fleet's part of the state.
pub struct Fleet {
    pub settings: StableCell<FleetSettings, Stable>,
    pub members: StableBTreeMap<u16, Member, Stable>,
    pub jobs: StableBTreeMap<u64, Job, Stable>,
    /// When a job is due, and its id.
    pub queue: StableBTreeSet<(u64, u64), Stable>,
    pub module: StableBTreeMap<[u8; 32], Vec<u8>, Stable>,
}

impl Fleet {
    pub fn open(manager: &MemoryManager<RawMemory>) -> Self {
        Self {
            settings: StableCell::init(
                manager.get(memory::FLEET_SETTINGS),
                FleetSettings::default(),
            ),
            members: StableBTreeMap::init(manager.get(memory::FLEET_MEMBERS)),
            jobs: StableBTreeMap::init(manager.get(memory::FLEET_JOBS)),
            queue: StableBTreeSet::init(manager.get(memory::FLEET_QUEUE)),
            module: StableBTreeMap::init(manager.get(memory::FLEET_MODULE)),
        }
    }

    pub fn member(&self, number: u16) -> Member {
        self.members.get(&number).unwrap_or_default()
    }
}

/// Called in the message that seals a version.
pub fn version_sealed(state: &mut State, runtime: &impl Runtime, version: &Sha256) {
    serve::enqueue(state, runtime, Digest::new(version.0));
}

/// Shards that may be given something new, with what is left of them.
pub fn rooms(state: &State) -> Vec<ShardRoom> {
    state
        .shards
        .iter()
        .filter_map(|entry| {
            let (number, shard) = entry.into_pair();
            let is_active = state.fleet.member(number).role == Role::Active;
            let capacity_bytes = shard.capacity_bytes.filter(|_| is_active)?;
            Some(ShardRoom {
                number,
                free_bytes: capacity_bytes.saturating_sub(shard.assigned_bytes),
            })
        })
        .collect()
}

/// Whether two shards with enough room for what is usual can be found; and if not, a third is begun.
pub fn consider_growth(state: &mut State, runtime: &impl Runtime) {
    let settings = state.fleet.settings.get().clone();
    let has_room = |room: &ShardRoom| {
        let capacity = state
            .shards
            .get(&room.number)
            .and_then(|shard| shard.capacity_bytes)
            .unwrap_or(0);
        room.free_bytes.saturating_mul(100)
            > capacity.saturating_mul(settings.growth_free_percent.into())
    };
    let roomy = rooms(state).iter().filter(|room| has_room(room)).count();
    if roomy < crate::limits::COPIES {
        grow(state, runtime);
    }
}

/// Begins to create a shard, where the policy allows one more and none is on its way.
pub fn grow(state: &mut State, runtime: &impl Runtime) {
    let is_creating =
        |state: &State| jobs::waiting(state).any(|job| matches!(job.work, Work::Create { .. }));
    let settings = state.fleet.settings.get();
    let shards_max = settings.shards_max.min(crate::limits::SHARDS_MAX);
    if !module::is_complete(state) || state.shards.len() >= shards_max || is_creating(state) {
        return;
    }
    jobs::enqueue(
        state,
        runtime,
        Work::Create {
            stage: records::CreateStage::Wanted,
        },
    );
}
