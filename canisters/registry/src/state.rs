//! The registry's books, all in stable memory. What must hold after every call:
//!
//! - a version has a record, a manifest whose digest is its key, a placement and a reference, or none of them;
//! - the undecided versions of all accounts add up to the counter in the settings, and each has a deadline;
//! - every change of a status is in the audit log and in the certified tree;
//! - a deposit that is held belongs to one undecided version, or waits to be claimed by one (`deposits.rs`);
//! - a model has one version that stands for it in a search, as soon as one is sealed (`models.rs`).

mod migration;
pub mod records;
mod versions;

use std::cell::RefCell;

use candid::Principal;
use ic_stable_structures::{
    StableBTreeMap, StableBTreeSet, StableCell, StableLog, StableVec as Vector,
};
use stoa_types::Sha256;
use stoa_types::manifest::Manifest;

use crate::authority::Mandate;
use crate::certified_maps::CertifiedMaps;
use crate::fleet::{self, Fleet};
use crate::memory::{self, RawMemory, Stable};
use crate::parameters;
use crate::route::Routes;
use crate::runtime::Runtime;
use crate::{blocks, certification};
use records::{
    AccountRecord, Action, AuditRecord, ChunkPlace, DepositRecord, ManifestRecord, ModelRecord,
    NoticeRecord, Parameters, PlacementRecord, PublisherRecord, Settings, ShardRecord,
    VersionRecord,
};

pub use migration::bring_up;
pub use versions::{Decision, relation_of};

/// Version of the arrangement in `memory.rs`. An upgrade that finds one it does not know traps rather than guess.
///
/// - 1: versions, manifests, placements, audit log.
/// - 2: 13 to 27 of `memory.rs`, and later fields of the records.
/// - 3: the certified maps, which were in the heap.
pub const LAYOUT_VERSION: u32 = 3;

thread_local! {
    /// A view of stable memory; opened by `init` and again by `post_upgrade`.
    static UNSTABLE_STATE: RefCell<Option<State>> = const { RefCell::new(None) };
}

pub fn with<T>(read: impl FnOnce(&State) -> T) -> T {
    UNSTABLE_STATE.with_borrow(|state| read(state.as_ref().expect("BUG: the state is not open")))
}

pub fn with_mut<T>(write: impl FnOnce(&mut State) -> T) -> T {
    UNSTABLE_STATE
        .with_borrow_mut(|state| write(state.as_mut().expect("BUG: the state is not open")))
}

/// Makes `state` the one that the entry points use.
pub fn set(state: State) {
    UNSTABLE_STATE.set(Some(state));
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OpenError {
    UnknownLayout { found: u32, known: u32 },
}

type Digest = [u8; 32];

pub struct State {
    pub settings: StableCell<Settings, Stable>,
    pub parameters: StableCell<Parameters, Stable>,
    pub shards: StableBTreeMap<u16, ShardRecord, Stable>,
    pub publishers: StableBTreeMap<String, PublisherRecord, Stable>,
    pub accounts: StableBTreeMap<Principal, AccountRecord, Stable>,
    pub models: StableBTreeMap<String, ModelRecord, Stable>,
    pub references: StableBTreeMap<String, Digest, Stable>,
    pub versions: StableBTreeMap<Digest, VersionRecord, Stable>,
    pub manifests: StableBTreeMap<Digest, ManifestRecord, Stable>,
    pub placements: StableBTreeMap<Digest, PlacementRecord, Stable>,
    pub chunk_places: StableBTreeSet<ChunkPlace, Stable>,
    pub audit: StableLog<AuditRecord, Stable, Stable>,
    pub audit_hashes: Vector<Digest, Stable>,
    /// Time in nanoseconds and version.
    pub deadlines: StableBTreeSet<(u64, Digest), Stable>,
    pub open_versions: StableBTreeSet<(Principal, Digest), Stable>,
    pub documents: StableBTreeMap<u32, Digest, Stable>,
    pub postings: StableBTreeMap<[u8; 20], Vec<u8>, Stable>,
    pub deposits: StableBTreeMap<u64, DepositRecord, Stable>,
    pub open_deposits: StableBTreeSet<u64, Stable>,
    pub claimable: StableBTreeMap<Digest, u64, Stable>,
    pub deposits_of: StableBTreeMap<(Principal, u64), (), Stable>,
    /// Child and parent.
    pub parents: StableBTreeMap<(Digest, Digest), u8, Stable>,
    /// Parent and child.
    pub children: StableBTreeMap<(Digest, Digest), u8, Stable>,
    pub notices: StableBTreeMap<(Principal, Digest), NoticeRecord, Stable>,
    pub releases: StableBTreeSet<(u16, Digest), Stable>,
    pub watched: StableBTreeMap<Digest, u64, Stable>,
    pub certified: CertifiedMaps,
    pub fleet: Fleet,
    pub routes: Routes,
}

/// What a new registry starts with.
pub struct Installation<'a> {
    pub installer: Principal,
    pub governance: Principal,
    pub icp_ledger: Principal,
    pub shards: &'a [Principal],
    pub inference: &'a [Principal],
    pub parameters: Parameters,
    /// The code of the shards that the fleet makes itself.
    pub shard_module: Option<fleet::records::Module>,
}

impl State {
    pub fn create(raw: RawMemory, now_nanos: u64, installation: &Installation<'_>) -> Self {
        let manager = memory::manager(raw.clone());
        StableCell::new(manager.get(memory::LAYOUT), LAYOUT_VERSION);
        let governance = installation.governance;
        let settings = Settings::new(governance, Some(installation.icp_ledger));
        StableCell::new(manager.get(memory::SETTINGS), settings);
        StableCell::new(
            manager.get(memory::PARAMETERS),
            installation.parameters.clone(),
        );
        let mut state = Self::load(raw);
        for (number, principal) in (0..).zip(installation.shards) {
            let record = ShardRecord {
                principal: *principal,
                capacity_bytes: None,
                assigned_bytes: 0,
            };
            state.shards.insert(number, record);
        }
        state.routes.install(installation.inference, now_nanos);
        let action = Action::Installed {
            governance,
            shards: installation.shards.to_vec(),
        };
        let installer = Mandate::from(installation.installer);
        state.append(now_nanos, installer, action);
        if let Some(module) = &installation.shard_module {
            let hash = Sha256(module.hash.into_array());
            fleet::module::choose(&mut state, module.clone());
            state.append(
                now_nanos,
                installer,
                Action::SetShardModule { module: hash },
            );
        }
        state
    }

    /// Of a memory that `create` has written, at any time before; an older layout is brought up.
    pub fn open(raw: RawMemory, now_nanos: u64) -> Result<Self, OpenError> {
        use ic_stable_structures::Memory;

        let manager = memory::manager(raw.clone());
        let layout = manager.get(memory::LAYOUT);
        // An empty memory was never created by this canister: 0 stands for that.
        let found = if layout.size() == 0 {
            0
        } else {
            *StableCell::init(layout, 0_u32).get()
        };
        match found {
            LAYOUT_VERSION => Ok(Self::load(raw)),
            1 | 2 => {
                let mut state = Self::load(raw);
                state.migrate_from(found, now_nanos);
                StableCell::new(manager.get(memory::LAYOUT), LAYOUT_VERSION);
                Ok(state)
            }
            found => Err(OpenError::UnknownLayout {
                found,
                known: LAYOUT_VERSION,
            }),
        }
    }

    fn load(raw: RawMemory) -> Self {
        let manager = memory::manager(raw);
        let nobody = Settings::new(Principal::management_canister(), None);
        Self {
            settings: StableCell::init(manager.get(memory::SETTINGS), nobody),
            parameters: StableCell::init(manager.get(memory::PARAMETERS), parameters::DEFAULT),
            shards: StableBTreeMap::init(manager.get(memory::SHARDS)),
            publishers: StableBTreeMap::init(manager.get(memory::PUBLISHERS)),
            accounts: StableBTreeMap::init(manager.get(memory::ACCOUNTS)),
            models: StableBTreeMap::init(manager.get(memory::MODELS)),
            references: StableBTreeMap::init(manager.get(memory::REFERENCES)),
            versions: StableBTreeMap::init(manager.get(memory::VERSIONS)),
            manifests: StableBTreeMap::init(manager.get(memory::MANIFESTS)),
            placements: StableBTreeMap::init(manager.get(memory::PLACEMENTS)),
            chunk_places: StableBTreeSet::init(manager.get(memory::CHUNK_PLACES)),
            audit: StableLog::init(
                manager.get(memory::AUDIT_INDEX),
                manager.get(memory::AUDIT_DATA),
            ),
            audit_hashes: Vector::init(manager.get(memory::AUDIT_HASHES)),
            deadlines: StableBTreeSet::init(manager.get(memory::DEADLINES)),
            open_versions: StableBTreeSet::init(manager.get(memory::OPEN_VERSIONS)),
            documents: StableBTreeMap::init(manager.get(memory::DOCUMENTS)),
            postings: StableBTreeMap::init(manager.get(memory::POSTINGS)),
            deposits: StableBTreeMap::init(manager.get(memory::DEPOSITS)),
            open_deposits: StableBTreeSet::init(manager.get(memory::OPEN_DEPOSITS)),
            claimable: StableBTreeMap::init(manager.get(memory::CLAIMABLE)),
            deposits_of: StableBTreeMap::init(manager.get(memory::DEPOSITS_OF)),
            parents: StableBTreeMap::init(manager.get(memory::PARENTS)),
            children: StableBTreeMap::init(manager.get(memory::CHILDREN)),
            notices: StableBTreeMap::init(manager.get(memory::NOTICES)),
            releases: StableBTreeSet::init(manager.get(memory::RELEASES)),
            watched: StableBTreeMap::init(manager.get(memory::WATCHED)),
            certified: CertifiedMaps::open(&manager),
            fleet: Fleet::open(&manager),
            routes: Routes::open(&manager),
        }
    }

    pub fn governance(&self) -> Principal {
        self.settings.get().governance
    }

    pub fn change_settings(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.settings.get().clone();
        change(&mut settings);
        self.settings.set(settings);
    }

    #[cfg(test)]
    pub fn change_parameters(&mut self, change: impl FnOnce(&mut Parameters)) {
        let mut parameters = self.parameters.get().clone();
        change(&mut parameters);
        self.parameters.set(parameters);
    }

    pub fn version(&self, version: &Sha256) -> Option<VersionRecord> {
        self.versions.get(&version.0)
    }

    /// Of a version that exists.
    pub fn manifest(&self, version: &Sha256) -> Manifest {
        self.manifests
            .get(&version.0)
            .expect("BUG: a version without a manifest")
            .0
    }

    /// Of a version that exists.
    pub fn placement(&self, version: &Sha256) -> PlacementRecord {
        self.placements
            .get(&version.0)
            .expect("BUG: a version without a placement")
    }

    pub fn shard_principal(&self, number: u16) -> Principal {
        self.shards
            .get(&number)
            .expect("BUG: a placement names an unknown shard")
            .principal
    }

    /// The owner or one of those who publish with them.
    pub fn is_publisher(&self, publisher: &str, caller: Principal) -> bool {
        self.publishers
            .get(&publisher.to_owned())
            .is_some_and(|record| record.owner == caller || record.co_publishers.contains(&caller))
    }

    pub fn price_per_call_e8s(&self, version: &VersionRecord) -> u64 {
        self.models
            .get(&version.model())
            .map_or(0, |model| model.price_per_call_e8s)
    }

    /// Index and hash of the last audit block.
    pub fn audit_tip(&self) -> Option<(u64, Digest)> {
        let last = self.audit_hashes.len().checked_sub(1)?;
        Some((last, self.audit_hashes.get(last)?))
    }

    /// Appends to the audit log and certifies its new tip.
    pub fn record(&mut self, runtime: &impl Runtime, by: impl Into<Mandate>, action: Action) {
        self.append(runtime.now_nanos(), by.into(), action);
        certification::certify(self, runtime);
    }

    /// It cannot fail but for lack of stable memory, and then nothing else may happen either.
    fn append(&mut self, timestamp_nanos: u64, by: Mandate, action: Action) {
        let record = AuditRecord {
            timestamp_nanos,
            actor: by.caller,
            proposal_id: by.proposal_id,
            action,
        };
        self.audit
            .append(&record)
            .expect("no stable memory left for the audit log");
        self.push_hash(&record);
    }

    /// Of the next block that has none yet.
    fn push_hash(&mut self, record: &AuditRecord) {
        let parent = self.audit_tip().map(|(_, hash)| hash);
        self.audit_hashes.push(&blocks::hash(record, parent));
    }
}
