//! From layout 1, which had neither a search index nor deadlines, hashes of audit entries or counts of a model's versions. What
//! is cheap for an entry happens in the upgrade itself; versions are brought up one by one afterwards, since each takes its
//! manifest to be read: `bring_up`, a few in a message, until none is left.
//!
//! From layout 2, whose certified maps were in the heap: they are filled in the upgrade, since what is missing in them would be
//! proven to be absent. That costs less than what the code of layout 2 did in each of its own upgrades.

use std::ops::Bound;

use candid::Principal;
use stoa_types::Sha256;

use super::State;
use super::records::{Action, IndexingFrom, Status};
use crate::runtime::{Runtime, Task};
use crate::{certification, models, search};

/// A version takes up to about 500 million instructions (a manifest of 1.3 MB and the index entries of its words).
const VERSIONS_PER_MESSAGE: usize = 10;

impl State {
    pub(super) fn migrate_from(&mut self, layout: u32, now_nanos: u64) {
        if layout == 1 {
            self.migrate_from_1();
        }
        self.migrate_from_2();
        let action = Action::Migrated {
            from_layout: layout,
            to_layout: super::LAYOUT_VERSION,
        };
        // Code is installed by the management canister.
        self.append(now_nanos, Principal::management_canister().into(), action);
    }

    fn migrate_from_2(&mut self) {
        let statuses: Vec<_> = self
            .versions
            .iter()
            .map(|entry| (Sha256(*entry.key()), entry.value().status.into()))
            .collect();
        let names: Vec<_> = self
            .models
            .iter()
            .flat_map(|entry| models::names(entry.key(), &entry.value()))
            .collect();
        certification::fill(self, statuses.into_iter(), names.into_iter());
    }

    /// About 100,000 instructions for each audit entry: half of what an upgrade may use is enough for a million.
    fn migrate_from_1(&mut self) {
        for index in self.audit_hashes.len()..self.audit.len() {
            let record = self.audit.get(index).expect("BUG: an entry is gone");
            self.push_hash(&record);
        }
        self.change_settings(|settings| settings.indexing = Some(IndexingFrom::Start));
    }
}

/// Brings up the next versions, and comes again while some are left.
pub fn bring_up(state: &mut State, runtime: &impl Runtime) {
    let start = match state.settings.get().indexing {
        None => return,
        Some(IndexingFrom::Start) => Bound::Unbounded,
        Some(IndexingFrom::Behind(version)) => Bound::Excluded(version.0),
    };
    let page: Vec<[u8; 32]> = state
        .versions
        .range((start, Bound::Unbounded))
        .take(VERSIONS_PER_MESSAGE)
        .map(|entry| *entry.key())
        .collect();
    for digest in &page {
        bring_up_one(state, runtime, Sha256(*digest));
    }
    let next = page.last().map(|last| IndexingFrom::Behind(Sha256(*last)));
    state.change_settings(|settings| settings.indexing = next);
    if next.is_some() {
        runtime.schedule(std::time::Duration::ZERO, Task::Index);
    }
}

fn bring_up_one(state: &mut State, runtime: &impl Runtime, version: Sha256) {
    let Some(mut record) = state.version(&version) else {
        return;
    };
    // Versions that came after the upgrade have everything already.
    if record.is_complete {
        return;
    }
    let manifest = state.manifest(&version);
    record.is_complete = true;
    record.tags = manifest.card.tags.clone();
    let mut model = state.models.get(&record.model()).unwrap_or_default();
    model.versions += 1;
    state.models.insert(record.model(), model);
    if record.status.is_open() {
        state.open_versions.insert((record.created_by, version.0));
        state.put_deadline(runtime, version, &mut record);
    }
    state.versions.insert(version.0, record.clone());
    if record.status != Status::Draft {
        search::insert(state, version, &manifest);
        state.link_parents(version, &manifest);
    }
    models::refresh(state, runtime, &record.model());
}
