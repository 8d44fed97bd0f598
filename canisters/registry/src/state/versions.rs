//! The few changes of a version, each of which touches several tables that must agree.

use std::time::Duration;

use candid::Principal;
use stoa_types::manifest::{Manifest, Relation};
use stoa_types::{Sha256, ValidManifest};

use super::State;
use super::records::{Action, Cause, ManifestRecord, PlacementRecord, Status, VersionRecord};
use crate::authority::Mandate;
use crate::runtime::{Runtime, Task};
use crate::{certification, deposits, models, release, search};

/// What goes with a change of a status.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Decision {
    pub reason: Option<String>,
    pub successor: Option<Sha256>,
}

impl State {
    /// Brings a version into being. The caller has checked everything.
    pub fn insert_draft(
        &mut self,
        runtime: &impl Runtime,
        caller: Principal,
        valid: ValidManifest,
        placement: PlacementRecord,
        deposit: Option<u64>,
    ) {
        let version = valid.digest();
        let size_bytes = valid.size_bytes();
        let manifest = valid.into_manifest();
        let mut record = VersionRecord {
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
            tags: manifest.card.tags.clone(),
            document: None,
            deposit,
            expires_at_nanos: 0,
            proposal_id: None,
            reason: None,
            successor: None,
            is_released: false,
            is_complete: true,
        };
        let mut model = self.models.get(&record.model()).unwrap_or_default();
        model.versions += 1;
        self.models.insert(record.model(), model);
        self.references.insert(record.reference(), version.0);
        self.manifests.insert(version.0, ManifestRecord(manifest));
        self.placements.insert(version.0, placement);
        self.put_deadline(runtime, version, &mut record);
        self.versions.insert(version.0, record);
        self.open_versions.insert((caller, version.0));
        self.claimable.remove(&version.0);
        self.count_open(caller, true);
        self.changed_status(
            runtime,
            caller,
            version,
            None,
            Status::Draft,
            &Decision::default(),
            None,
        );
    }

    /// The one way in which a status changes.
    pub fn set_status(
        &mut self,
        runtime: &impl Runtime,
        by: impl Into<Mandate>,
        version: Sha256,
        mut record: VersionRecord,
        to: Status,
        decision: Decision,
    ) {
        let by = by.into();
        let from = record.status;
        let created_by = record.created_by;
        // What was noted is about the admission; a later vote is another proposal.
        let proposal_id = match to {
            Status::Admitted | Status::Rejected => {
                record.proposal_id = by.proposal_id.or(record.proposal_id);
                record.proposal_id
            }
            _ => by.proposal_id,
        };
        record.status = to;
        if decision.reason.is_some() {
            record.reason = decision.reason.clone();
            record.successor = decision.successor;
        }
        if from.is_open() && !to.is_open() {
            self.deadlines.remove(&(record.expires_at_nanos, version.0));
            record.expires_at_nanos = 0;
            self.open_versions.remove(&(created_by, version.0));
            self.count_open(created_by, false);
        } else if to.is_open() {
            self.put_deadline(runtime, version, &mut record);
        }
        if to != Status::Proposed {
            self.watched.remove(&version.0);
        }
        let deposit = record.deposit;
        let model = record.model();
        self.versions.insert(version.0, record);
        search::move_status(self, version, from, to);
        models::refresh(self, runtime, &model);
        match (to, deposit) {
            (Status::Admitted, Some(id)) => deposits::forward(self, runtime, id),
            (Status::Rejected, Some(id)) => deposits::give_back(self, runtime, id),
            _ => {}
        }
        // Its deposit pays no more.
        if to == Status::Rejected {
            release::release(self, runtime, version);
        }
        self.changed_status(
            runtime,
            by.caller,
            version,
            Some(from),
            to,
            &decision,
            proposal_id,
        );
    }

    /// Takes a version that nobody has decided about out of every table; its bytes and its deposit go on their way.
    pub fn remove_version(
        &mut self,
        runtime: &impl Runtime,
        actor: Principal,
        version: Sha256,
        cause: Cause,
    ) {
        let record = self
            .version(&version)
            .expect("BUG: a version to be removed is gone");
        assert!(record.status.is_open(), "BUG: a decided version is removed");
        release::release(self, runtime, version);
        if record.document.is_some() {
            search::remove(self, version);
            self.unlink_parents(version);
        }
        self.deadlines.remove(&(record.expires_at_nanos, version.0));
        self.open_versions.remove(&(record.created_by, version.0));
        self.watched.remove(&version.0);
        self.references.remove(&record.reference());
        self.manifests.remove(&version.0);
        self.placements.remove(&version.0);
        self.versions.remove(&version.0);
        self.count_open(record.created_by, false);
        models::forget_one(self, runtime, &record.model());
        if let Some(id) = record.deposit {
            deposits::give_back(self, runtime, id);
        }
        certification::set_status(self, runtime, version, None);
        self.record(runtime, actor, Action::RemovedVersion { version, cause });
    }

    /// Somebody who may has shown interest: the time until a draft goes begins anew.
    pub fn touch(&mut self, runtime: &impl Runtime, version: Sha256) {
        let mut record = self
            .version(&version)
            .expect("BUG: a version to be touched is gone");
        self.put_deadline(runtime, version, &mut record);
        self.versions.insert(version.0, record);
    }

    /// The caller writes the record.
    pub(super) fn put_deadline(
        &mut self,
        runtime: &impl Runtime,
        version: Sha256,
        record: &mut VersionRecord,
    ) {
        let parameters = self.parameters.get();
        let lifetime_seconds = if record.status == Status::Proposed {
            parameters.proposal_lifetime_seconds
        } else {
            parameters.draft_lifetime_seconds
        };
        self.deadlines.remove(&(record.expires_at_nanos, version.0));
        let lifetime_nanos = lifetime_seconds.saturating_mul(1_000_000_000);
        record.expires_at_nanos = runtime.now_nanos().saturating_add(lifetime_nanos);
        self.deadlines.insert((record.expires_at_nanos, version.0));
        // The hourly sweep is soon enough for all others.
        if lifetime_seconds < 3_600 {
            let past = Duration::from_secs(lifetime_seconds + 1);
            runtime.schedule(past, Task::Sweep);
        }
    }

    pub fn link_parents(&mut self, version: Sha256, manifest: &Manifest) {
        for parent in &manifest.lineage.parents {
            let relation = relation_code(parent.relation);
            self.parents.insert((version.0, parent.version.0), relation);
            self.children
                .insert((parent.version.0, version.0), relation);
        }
    }

    fn unlink_parents(&mut self, version: Sha256) {
        let of_version = (version.0, [0; 32])..=(version.0, [255; 32]);
        let edges: Vec<_> = self
            .parents
            .range(of_version)
            .map(|entry| *entry.key())
            .collect();
        for (child, parent) in edges {
            self.parents.remove(&(child, parent));
            self.children.remove(&(parent, child));
        }
    }

    #[expect(clippy::too_many_arguments, reason = "each is a field of the entry")]
    fn changed_status(
        &mut self,
        runtime: &impl Runtime,
        actor: Principal,
        version: Sha256,
        from: Option<Status>,
        to: Status,
        decision: &Decision,
        proposal_id: Option<u64>,
    ) {
        certification::set_status(self, runtime, version, Some(to.into()));
        let action = Action::ChangedStatus {
            version,
            from,
            to,
            proposal_id,
            reason: decision.reason.clone(),
            successor: decision.successor,
        };
        self.record(runtime, actor, action);
    }

    fn count_open(&mut self, account: Principal, is_one_more: bool) {
        let change = |count: &mut u64| {
            *count = if is_one_more {
                *count + 1
            } else {
                count
                    .checked_sub(1)
                    .expect("BUG: fewer open versions than none")
            };
        };
        let mut record = self.accounts.get(&account).unwrap_or_default();
        change(&mut record.open_drafts);
        if record == super::AccountRecord::default() {
            self.accounts.remove(&account);
        } else {
            self.accounts.insert(account, record);
        }
        self.change_settings(|settings| change(&mut settings.open_drafts));
    }
}

/// As it is stored; never changed.
const RELATIONS: [Relation; 6] = [
    Relation::Finetune,
    Relation::Adapter,
    Relation::Quantized,
    Relation::Merge,
    Relation::Distilled,
    Relation::Converted,
];

fn relation_code(relation: Relation) -> u8 {
    let position = RELATIONS.iter().position(|known| *known == relation);
    position.expect("BUG: a relation without a code") as u8
}

pub fn relation_of(code: u8) -> Relation {
    RELATIONS[usize::from(code)]
}
