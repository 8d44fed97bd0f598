//! The registry's books, all in stable memory, and the few changes that must
//! happen together. What must hold after every call:
//!
//! - a version has a record, a manifest whose digest is its key, a placement and a reference, or none of them;
//! - the open drafts of all accounts add up to the counter in the settings;
//! - every change of a status is in the audit log and in the certified tree.

pub mod records;

use std::cell::RefCell;

use candid::Principal;
use ic_stable_structures::{StableBTreeMap, StableBTreeSet, StableCell, StableLog};
use stoa_types::manifest::Manifest;
use stoa_types::{Sha256, ValidManifest};

use crate::certification;
use crate::memory::{self, RawMemory, Stable};
use crate::runtime::Runtime;
use records::{
    AccountRecord, Action, AuditRecord, ChunkPlace, ManifestRecord, ModelRecord, PlacementRecord,
    PublisherRecord, Settings, ShardRecord, Status, VersionRecord,
};

/// Version of the arrangement in `memory.rs`. An upgrade that finds another one traps rather than guess.
pub const LAYOUT_VERSION: u32 = 1;

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

pub struct State {
    pub settings: StableCell<Settings, Stable>,
    pub shards: StableBTreeMap<u16, ShardRecord, Stable>,
    pub publishers: StableBTreeMap<String, PublisherRecord, Stable>,
    pub accounts: StableBTreeMap<Principal, AccountRecord, Stable>,
    pub models: StableBTreeMap<String, ModelRecord, Stable>,
    pub references: StableBTreeMap<String, [u8; 32], Stable>,
    pub versions: StableBTreeMap<[u8; 32], VersionRecord, Stable>,
    pub manifests: StableBTreeMap<[u8; 32], ManifestRecord, Stable>,
    pub placements: StableBTreeMap<[u8; 32], PlacementRecord, Stable>,
    pub chunk_places: StableBTreeSet<ChunkPlace, Stable>,
    pub audit: StableLog<AuditRecord, Stable, Stable>,
}

impl State {
    pub fn create(
        raw: RawMemory,
        now_nanos: u64,
        actor: Principal,
        governance: Principal,
        shards: &[Principal],
    ) -> Result<Self, OpenError> {
        let manager = memory::manager(raw.clone());
        StableCell::new(manager.get(memory::LAYOUT), LAYOUT_VERSION);
        let settings = Settings {
            governance,
            open_drafts: 0,
        };
        StableCell::new(manager.get(memory::SETTINGS), settings);
        let mut state = Self::open(raw)?;
        for (number, principal) in (0..).zip(shards) {
            let record = ShardRecord {
                principal: *principal,
                capacity_bytes: None,
                assigned_bytes: 0,
            };
            state.shards.insert(number, record);
        }
        let action = Action::Installed {
            governance,
            shards: shards.to_vec(),
        };
        state.record(now_nanos, actor, action);
        Ok(state)
    }

    /// Of a memory that `create` has written, at any time before.
    pub fn open(raw: RawMemory) -> Result<Self, OpenError> {
        use ic_stable_structures::Memory;

        let manager = memory::manager(raw);
        let layout = manager.get(memory::LAYOUT);
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
            governance: Principal::management_canister(),
            open_drafts: 0,
        };
        Ok(Self {
            settings: StableCell::init(manager.get(memory::SETTINGS), nobody),
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
        })
    }

    pub fn governance(&self) -> Principal {
        self.settings.get().governance
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

    pub fn is_publisher(&self, publisher: &str, caller: Principal) -> bool {
        self.publishers
            .get(&publisher.to_owned())
            .is_some_and(|record| record.owner == caller)
    }

    pub fn price_per_call_e8s(&self, version: &VersionRecord) -> u64 {
        self.models
            .get(&version.model())
            .map_or(0, |model| model.price_per_call_e8s)
    }

    /// Appends to the audit log. It cannot fail but for lack of stable memory, and then nothing else may happen either.
    pub fn record(&mut self, timestamp_nanos: u64, actor: Principal, action: Action) {
        let record = AuditRecord {
            timestamp_nanos,
            actor,
            action,
        };
        self.audit
            .append(&record)
            .expect("no stable memory left for the audit log");
    }

    /// Brings a version into being. The caller has checked everything.
    pub fn insert_draft(
        &mut self,
        runtime: &impl Runtime,
        caller: Principal,
        valid: ValidManifest,
        placement: PlacementRecord,
    ) {
        let version = valid.digest();
        let size_bytes = valid.size_bytes();
        let manifest = valid.into_manifest();
        let record = VersionRecord {
            publisher: manifest.publisher.clone(),
            name: manifest.name.clone(),
            semver: manifest.version.clone(),
            license: manifest.license.clone(),
            task: manifest.task.clone(),
            size_bytes,
            status: Status::Draft,
            created_by: caller,
            created_at_nanos: runtime.now_nanos(),
            announced_for: None,
        };
        if !self.models.contains_key(&record.model()) {
            self.models.insert(record.model(), ModelRecord::default());
        }
        self.references.insert(record.reference(), version.0);
        self.manifests.insert(version.0, ManifestRecord(manifest));
        self.placements.insert(version.0, placement);
        self.versions.insert(version.0, record);
        self.count_open(caller, true);
        self.changed_status(runtime, caller, version, None, Status::Draft);
    }

    /// The one way in which a status changes.
    pub fn set_status(
        &mut self,
        runtime: &impl Runtime,
        actor: Principal,
        version: Sha256,
        mut record: VersionRecord,
        to: Status,
    ) {
        let from = record.status;
        let created_by = record.created_by;
        record.status = to;
        self.versions.insert(version.0, record);
        if from.is_open() && !to.is_open() {
            self.count_open(created_by, false);
        }
        self.changed_status(runtime, actor, version, Some(from), to);
    }

    fn changed_status(
        &mut self,
        runtime: &impl Runtime,
        actor: Principal,
        version: Sha256,
        from: Option<Status>,
        to: Status,
    ) {
        certification::insert(runtime, version, to.into());
        let action = Action::ChangedStatus { version, from, to };
        self.record(runtime.now_nanos(), actor, action);
    }

    fn count_open(&mut self, account: Principal, is_one_more: bool) {
        let change = |count: &mut u64| {
            *count = if is_one_more {
                *count + 1
            } else {
                count
                    .checked_sub(1)
                    .expect("BUG: fewer open drafts than none")
            };
        };
        let mut record = self.accounts.get(&account).unwrap_or_default();
        change(&mut record.open_drafts);
        self.accounts.insert(account, record);
        let mut settings = self.settings.get().clone();
        change(&mut settings.open_drafts);
        self.settings.set(settings);
    }
}
