//! Snapshots: taken, loaded, listed and deleted whole.

use std::sync::Arc;

use candid::Principal;
use ic_management_canister_types as types;

use super::install::invalid_module;
use super::{ManagementResult, check_growth, decode_one, invalid, machine, reply};
use crate::canister::{Canister, Code, ManagementCaller, uninstalled};
use crate::error::{ErrorCode, Failure};
use crate::execution::SavedValue;
use crate::network::{Network, State};
use crate::scheduler::{Answer, Executor, SystemTask};
use crate::snapshot::{LowMemoryHook, Snapshot, SnapshotModule};
use crate::system_api::Response;
use crate::wasm::PreparedModule;

pub const SNAPSHOTS_MAX: usize = 10;

pub fn list(network: &Network, id: Principal) -> Result<Vec<types::Snapshot>, Failure> {
    let state = network.read();
    let canister = state
        .canisters
        .get(&id)
        .ok_or_else(|| Failure::canister_not_found(id))?;
    Ok(canister
        .snapshots
        .iter()
        .map(|(id, snapshot)| described(id, snapshot))
        .collect())
}

fn described(id: &[u8], snapshot: &Snapshot) -> types::Snapshot {
    types::Snapshot {
        id: id.to_vec(),
        taken_at_timestamp: snapshot.taken_at,
        total_size: snapshot.bytes(),
    }
}

/// Holds that the canister has that snapshot.
pub fn check_owner(state: &State, canister: Principal, snapshot: &[u8]) -> Result<(), Failure> {
    let has = |id: &Principal| {
        let known = state.canisters.get(id);
        known.is_some_and(|known| known.snapshots.contains_key(snapshot))
    };
    if has(&canister) {
        return Ok(());
    }
    match owner(snapshot).filter(has) {
        Some(_) => Err(Failure::new(
            ErrorCode::RejectedMessage,
            format!(
                "The snapshot {} does not belong to canister {canister}.",
                hex::encode(snapshot)
            ),
        )),
        None => Err(not_found(canister, snapshot)),
    }
}

pub fn not_found(canister: Principal, snapshot: &[u8]) -> Failure {
    Failure::new(
        ErrorCode::SnapshotNotFound,
        format!(
            "Could not find the snapshot ID {} for canister {canister}.",
            hex::encode(snapshot)
        ),
    )
}

pub fn limit_reached(canister: Principal) -> Failure {
    Failure::new(
        ErrorCode::RejectedMessage,
        format!(
            "Canister {canister} has reached the maximum number of snapshots allowed: {SNAPSHOTS_MAX}."
        ),
    )
}

/// A number and the canister's id, so that an id says whose it is.
pub fn snapshot_id(canister: &mut Canister) -> Vec<u8> {
    let mut id = canister.allocate_id().to_be_bytes().to_vec();
    id.extend_from_slice(canister.id.as_slice());
    id
}

/// Whose snapshot it is, if that is the id of one.
fn owner(snapshot_id: &[u8]) -> Option<Principal> {
    Principal::try_from_slice(snapshot_id.get(8..)?).ok()
}

impl Executor {
    pub(super) fn take_snapshot(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        let given: types::TakeCanisterSnapshotArgs = decode_one(argument)?;
        let id = given.canister_id;
        let now = self.network().now();
        let (taken, waiting) = {
            let mut state = self.network().write();
            if let Some(replaced) = &given.replace_snapshot {
                check_owner(&state, id, replaced)?;
            }
            let canister = state
                .canisters
                .get_mut(&id)
                .ok_or_else(|| Failure::canister_not_found(id))?;
            if given.replace_snapshot.is_none() && canister.snapshots.len() >= SNAPSHOTS_MAX {
                return Err(limit_reached(id));
            }
            let Some(snapshot) = Snapshot::take(canister, now).map_err(machine)? else {
                return Err(Failure::new(
                    ErrorCode::RejectedMessage,
                    format!("Failed to create snapshot for empty canister {id}:"),
                ));
            };
            let replaced = given.replace_snapshot.as_ref();
            let replaced = replaced.and_then(|id| canister.snapshots.get(id));
            let uninstalled = match (given.uninstall_code, &canister.code) {
                (Some(true), Some(code)) => code.bytes(),
                _ => 0,
            };
            let freed = uninstalled + replaced.map_or(0, Snapshot::bytes);
            check_growth(canister, snapshot.bytes().saturating_sub(freed))?;
            if let Some(replaced) = &given.replace_snapshot {
                canister.snapshots.remove(replaced);
            }
            let snapshot_id = snapshot_id(canister);
            let taken = described(&snapshot_id, &snapshot);
            canister.snapshots.insert(snapshot_id, snapshot);
            let mut waiting = Vec::new();
            if given.uninstall_code == Some(true) {
                canister.version += 1;
                waiting = canister.remove_code();
                canister.record(now, caller, types::ChangeDetails::CodeUninstall);
                self.network().publish(canister);
            }
            (taken, waiting)
        };
        for (origin, refund) in waiting {
            self.respond(
                &origin,
                Answer::Response(Response::Reject(uninstalled())),
                refund,
            );
        }
        reply(caller, (taken,))
    }

    pub(super) fn load_snapshot(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        let given: types::LoadCanisterSnapshotArgs = decode_one(argument)?;
        let id = given.canister_id;
        let now = self.network().now();
        let mut state = self.network().write();
        if !state.canisters.contains_key(&id) {
            return Err(Failure::canister_not_found(id));
        }
        // A snapshot may be loaded onto another canister by who controls both.
        let owner = owner(&given.snapshot_id).unwrap_or(id);
        let source = state
            .canisters
            .get(&owner)
            .ok_or_else(|| not_found(id, &given.snapshot_id))?;
        let snapshot = source
            .snapshots
            .get(&given.snapshot_id)
            .ok_or_else(|| not_found(id, &given.snapshot_id))?;
        if owner != id && !source.is_controller(&caller.sender()) {
            return Err(Failure::new(
                ErrorCode::RejectedMessage,
                format!(
                    "Only a controller of the canister that snapshot {} belongs to can load it on canister {id}. \
                     Sender: {}.",
                    hex::encode(&given.snapshot_id),
                    caller.sender()
                ),
            ));
        }
        let module = self.module_of(id, snapshot)?;
        let memory = snapshot.memory().map_err(machine)?;
        let details = types::ChangeDetails::LoadSnapshot(types::LoadSnapshotRecord {
            from_canister_id: (owner != id).then_some(owner),
            snapshot_id: given.snapshot_id.clone(),
            canister_version: snapshot.canister_version,
            taken_at_timestamp: snapshot.taken_at,
            source: match snapshot.module {
                SnapshotModule::Taken(_) => {
                    types::SnapshotSource::TakenFromCanister(candid::Reserved)
                }
                SnapshotModule::Uploaded { .. } => {
                    types::SnapshotSource::MetadataUpload(candid::Reserved)
                }
            },
        });
        let certified_data = snapshot.certified_data.clone();
        let chunks = snapshot.chunks.clone();
        // One that was taken from a canister leaves timer and hook as they are.
        let (timer, hook) = match snapshot.module {
            SnapshotModule::Taken(_) => (None, None),
            SnapshotModule::Uploaded { .. } => (snapshot.global_timer, snapshot.low_memory),
        };
        let code = Code { module, memory };
        let canister = state
            .canisters
            .get_mut(&id)
            .ok_or_else(|| Failure::canister_not_found(id))?;
        let is_low = canister.is_low_on_heap(&code);
        if let Some(hook) = hook.filter(|hook| is_low == (*hook == LowMemoryHook::NotSatisfied)) {
            return Err(invalid(format!(
                "Hook status ({hook:?}) of uploaded snapshot is inconsistent with the canister's state \
                 (hook condition satisfied: {is_low})."
            )));
        }
        let before = canister.code.as_ref().map_or(0, Code::bytes);
        check_growth(canister, code.bytes().saturating_sub(before))?;
        canister.code = Some(code);
        canister.certified_data = certified_data;
        canister.chunks = chunks;
        if let Some(at) = timer {
            canister.global_timer = at;
        }
        if let Some(hook) = hook {
            canister.low_memory_noticed = hook != LowMemoryHook::NotSatisfied;
        }
        canister.version += 1;
        canister.record(now, caller, details);
        self.network().publish(canister);
        drop(state);
        if hook == Some(LowMemoryHook::Ready) {
            self.enqueue_system_task(id, SystemTask::LowWasmMemory);
        }
        reply(caller, ())
    }

    /// The module of a snapshot, which fits the rest of it.
    fn module_of(
        &self,
        id: Principal,
        snapshot: &Snapshot,
    ) -> Result<Arc<PreparedModule>, Failure> {
        let inconsistent =
            |what: String| invalid(format!("The snapshot is not consistent: {what}."));
        let module = match &snapshot.module {
            SnapshotModule::Taken(module) => return Ok(Arc::clone(module)),
            uploaded => {
                let content = uploaded.content().map_err(machine)?;
                let modules = &self.network().modules;
                modules
                    .prepare(&content)
                    .map_err(|error| invalid_module(id, &error))?
            }
        };
        let pages = snapshot.memory.heap.pages;
        let (least, most) = module.memory.map_or((0, Some(0)), |memory| {
            (memory.initial_pages, memory.max_pages)
        });
        if pages < least || most.is_some_and(|most| pages > most) {
            return Err(inconsistent(format!(
                "its Wasm memory has {pages} pages, which the module does not allow"
            )));
        }
        let same_kind = |(value, global): (&SavedValue, &SavedValue)| {
            std::mem::discriminant(value) == std::mem::discriminant(global)
        };
        let given = &snapshot.memory.globals;
        let kinds = &module.global_kinds;
        // None at all: those that the module begins with.
        let fit = given.is_empty()
            || given.len() == kinds.len() && given.iter().zip(kinds).all(same_kind);
        if !fit {
            return Err(inconsistent(
                "its globals are not those that the module has and that can change".to_string(),
            ));
        }
        Ok(module)
    }

    pub(super) fn delete_snapshot(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        let given: types::DeleteCanisterSnapshotArgs = decode_one(argument)?;
        let id = given.canister_id;
        let mut state = self.network().write();
        check_owner(&state, id, &given.snapshot_id)?;
        if let Some(canister) = state.canisters.get_mut(&id) {
            canister.snapshots.remove(&given.snapshot_id);
        }
        reply(caller, ())
    }
}
