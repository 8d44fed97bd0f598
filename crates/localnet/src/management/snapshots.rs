//! Snapshots: taken, loaded, listed and deleted whole.

use candid::Principal;
use ic_management_canister_types as types;

use super::{ManagementResult, decode_one, machine, reply};
use crate::canister::{Canister, Code, ManagementCaller, uninstalled};
use crate::error::{ErrorCode, Failure};
use crate::network::Network;
use crate::scheduler::{Answer, Executor};
use crate::snapshot::Snapshot;
use crate::system_api::Response;

const SNAPSHOTS_MAX: usize = 10;

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

fn not_found(canister: Principal, snapshot: &[u8]) -> Failure {
    Failure::new(
        ErrorCode::SnapshotNotFound,
        format!(
            "Could not find the snapshot ID {} for canister {canister}.",
            hex::encode(snapshot)
        ),
    )
}

/// Length-prefixed number and the canister's id, so that an id says whose it is.
fn snapshot_id(canister: &mut Canister) -> Vec<u8> {
    let mut id = canister.allocate_id().to_be_bytes().to_vec();
    id.extend_from_slice(canister.id.as_slice());
    id
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
            let canister = state
                .canisters
                .get_mut(&id)
                .ok_or_else(|| Failure::canister_not_found(id))?;
            if let Some(replaced) = &given.replace_snapshot {
                if !canister.snapshots.contains_key(replaced) {
                    return Err(not_found(id, replaced));
                }
            } else if canister.snapshots.len() >= SNAPSHOTS_MAX {
                return Err(Failure::new(
                    ErrorCode::RejectedMessage,
                    format!(
                        "Canister {id} has reached the maximum number of snapshots allowed: {SNAPSHOTS_MAX}."
                    ),
                ));
            }
            let Some(snapshot) = Snapshot::take(canister, now).map_err(machine)? else {
                return Err(Failure::new(
                    ErrorCode::RejectedMessage,
                    format!("Failed to create snapshot for empty canister {id}:"),
                ));
            };
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
        let canister = state
            .canisters
            .get_mut(&id)
            .ok_or_else(|| Failure::canister_not_found(id))?;
        let snapshot = canister
            .snapshots
            .get(&given.snapshot_id)
            .ok_or_else(|| not_found(id, &given.snapshot_id))?;
        let memory = snapshot.memory().map_err(machine)?;
        let details = types::ChangeDetails::LoadSnapshot(types::LoadSnapshotRecord {
            from_canister_id: None,
            snapshot_id: given.snapshot_id.clone(),
            canister_version: snapshot.canister_version,
            taken_at_timestamp: snapshot.taken_at,
            source: types::SnapshotSource::TakenFromCanister(candid::Reserved),
        });
        let code = Code {
            module: snapshot.module.clone(),
            memory,
        };
        let certified_data = snapshot.certified_data.clone();
        let chunks = snapshot.chunks.clone();
        canister.code = Some(code);
        canister.certified_data = certified_data;
        canister.chunks = chunks;
        canister.global_timer = 0;
        canister.version += 1;
        canister.record(now, caller, details);
        self.network().publish(canister);
        reply(caller, ())
    }

    pub(super) fn delete_snapshot(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        let given: types::DeleteCanisterSnapshotArgs = decode_one(argument)?;
        let id = given.canister_id;
        let mut state = self.network().write();
        let canister = state
            .canisters
            .get_mut(&id)
            .ok_or_else(|| Failure::canister_not_found(id))?;
        match canister.snapshots.remove(&given.snapshot_id) {
            Some(_) => reply(caller, ()),
            None => Err(not_found(id, &given.snapshot_id)),
        }
    }
}
