//! `begin_upload`: checks a manifest, takes the storage deposit, places the bytes, writes the draft down, and only
//! then tells the shards what to expect. Asking again with the same manifest goes on from wherever that stopped.
//!
//! The deposit comes before everything that costs more than reading the manifest. A deposit of which no draft comes goes back
//! by itself.

use std::collections::BTreeMap;

use candid::Principal;
use stoa_registry_api::{
    BeginUploadError, BeginUploadResult, ChunkPlacement, UploadPlan, VersionStatus,
};
use stoa_types::manifest::Manifest;
use stoa_types::{Problem, Sha256, ValidManifest};

use crate::budget;
use crate::deposits::{self, Charge};
use crate::fleet::{self, rooms};
use crate::guard;
use crate::limits::{COPIES, VERSIONS_MAX, VERSIONS_PER_MODEL_MAX};
use crate::placement;
use crate::runtime::{CallFailed, Runtime};
use crate::shards::{Confirmation, ShardTrouble, Targets};
use crate::state::State;
use crate::state::records::{ChunkPlace, Status, VersionRecord};
use crate::state::{with, with_mut};

pub async fn begin_upload(
    runtime: &impl Runtime,
    caller: Principal,
    manifest: Manifest,
) -> BeginUploadResult {
    if caller == Principal::anonymous() {
        return Err(BeginUploadError::AnonymousCaller);
    }
    // Cheap questions first: a manifest is dear to check.
    with(|state| check_publisher(state, caller, &manifest.publisher))?;
    spend_budget(runtime, caller, &manifest)?;
    let valid = check_manifest(manifest)?;
    let version = valid.digest();
    let guard = guard::lock_version(runtime, version).ok_or(BeginUploadError::Busy)?;

    if with(|state| check_request(state, caller, &valid))? == Request::New {
        take_deposit(runtime, caller, &valid).await?;
        let created = match learn_capacities(runtime).await {
            // Everything is checked again: other drafts may have come during the calls.
            Ok(()) => with_mut(|state| create_draft(state, runtime, caller, valid)),
            Err(error) => Err(error),
        };
        if let Err(error) = created {
            with_mut(|state| deposits::abandon(state, runtime, version));
            return Err(error);
        }
    }
    let targets = with(|state| Targets::of(state, version));
    let record = with(|state| locked(state, version));
    if record.status != Status::Draft {
        return Ok(plan(version, &targets, None));
    }
    with_mut(|state| state.touch(runtime, version));
    // Announcing is by far the dearest part, so that it is not repeated for whoever asks often.
    if record.announced_for != Some(caller) {
        targets.announce(runtime, caller).await.map_err(refused)?;
        with_mut(|state| {
            let mut record = locked(state, version);
            record.announced_for = Some(caller);
            state.versions.insert(version.0, record);
        });
    }
    let confirmation = targets.confirm(runtime).await.map_err(refused)?;
    let plan = plan(version, &targets, Some(confirmation));
    drop(guard);
    Ok(plan)
}

fn spend_budget(
    runtime: &impl Runtime,
    caller: Principal,
    manifest: &Manifest,
) -> Result<(), BeginUploadError> {
    let chunks = manifest
        .files
        .iter()
        .map(|file| file.chunks.len() as u64)
        .sum();
    let max = with(|state| state.parameters.get().planned_chunks_per_hour_max);
    budget::spend(runtime.now_nanos(), caller, chunks, max).map_err(|exhausted| {
        BeginUploadError::TooManyRequests {
            retry_after_seconds: exhausted.retry_after_seconds,
        }
    })
}

async fn take_deposit(
    runtime: &impl Runtime,
    caller: Principal,
    valid: &ValidManifest,
) -> Result<(), BeginUploadError> {
    let amount_e8s = with(|state| deposits::amount_e8s(state, valid.size_bytes()));
    let is_waiting = with(|state| state.claimable.contains_key(&valid.digest().0));
    if amount_e8s == 0 && !is_waiting {
        return Ok(());
    }
    match deposits::charge(runtime, caller, valid.digest(), amount_e8s).await {
        Charge::Held => Ok(()),
        Charge::Refused {
            needed_e8s,
            refusal,
        } => Err(BeginUploadError::DepositRefused {
            needed_e8s,
            refusal,
        }),
        Charge::Unknown { message } => Err(BeginUploadError::DepositUnknown { message }),
    }
}

fn check_manifest(manifest: Manifest) -> Result<ValidManifest, BeginUploadError> {
    let valid = ValidManifest::try_from(manifest).map_err(|invalid| match invalid.problem {
        Problem::TooMany { given, max } if invalid.field == "files[..].chunks" => {
            BeginUploadError::TooManyChunks { given, max }
        }
        problem => BeginUploadError::InvalidManifest {
            field: invalid.field,
            reason: problem.to_string(),
        },
    })?;
    for (index, file) in valid.manifest().files.iter().enumerate() {
        stoa_content::check_file_entry(file).map_err(|error| {
            BeginUploadError::InvalidManifest {
                field: format!("files[{index}].cid"),
                reason: error.to_string(),
            }
        })?;
    }
    Ok(valid)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Request {
    New,
    /// The very same manifest is known.
    Known,
}

fn check_publisher(
    state: &State,
    caller: Principal,
    publisher: &str,
) -> Result<(), BeginUploadError> {
    let publisher = publisher.to_owned();
    if !state.publishers.contains_key(&publisher) {
        return Err(BeginUploadError::UnknownPublisher { publisher });
    }
    if !state.is_publisher(&publisher, caller) {
        return Err(BeginUploadError::NotPublisher { publisher });
    }
    Ok(())
}

fn check_request(
    state: &State,
    caller: Principal,
    valid: &ValidManifest,
) -> Result<Request, BeginUploadError> {
    let manifest = valid.manifest();
    let publisher = &manifest.publisher;
    check_publisher(state, caller, publisher)?;
    if state.versions.contains_key(&valid.digest().0) {
        return Ok(Request::Known);
    }
    let reference = format!("{publisher}/{}@{}", manifest.name, manifest.version);
    if let Some(existing) = state.references.get(&reference) {
        let existing = Sha256(existing);
        return Err(BeginUploadError::VersionTaken { existing });
    }
    check_caps(state, caller)?;
    let model = state.models.get(&format!("{publisher}/{}", manifest.name));
    if model.is_some_and(|model| model.versions >= VERSIONS_PER_MODEL_MAX) {
        return Err(BeginUploadError::TooManyVersionsOfModel {
            max: VERSIONS_PER_MODEL_MAX,
        });
    }
    for parent in &manifest.lineage.parents {
        if !state.versions.contains_key(&parent.version.0) {
            let parent = parent.version;
            return Err(BeginUploadError::UnknownParent { parent });
        }
    }
    let shards = state.shards.len();
    if shards < COPIES as u64 {
        return Err(BeginUploadError::TooFewShards {
            shards,
            needed: COPIES as u64,
        });
    }
    Ok(Request::New)
}

fn check_caps(state: &State, caller: Principal) -> Result<(), BeginUploadError> {
    let own = state.accounts.get(&caller).unwrap_or_default().open_drafts;
    let all = state.settings.get().open_drafts;
    let parameters = state.parameters.get();
    let own_max = parameters.open_versions_per_caller_max;
    for (open, max) in [(own, own_max), (all, parameters.open_versions_max)] {
        if open >= max {
            return Err(BeginUploadError::TooManyDrafts { open, max });
        }
    }
    if state.versions.len() >= VERSIONS_MAX {
        return Err(BeginUploadError::TooManyVersions { max: VERSIONS_MAX });
    }
    Ok(())
}

/// Asks the shards that were never asked how much they take. One that does not answer gets nothing for now.
async fn learn_capacities(runtime: &impl Runtime) -> Result<(), BeginUploadError> {
    let unknown: Vec<(u16, Principal)> = with(|state| {
        state
            .shards
            .iter()
            .filter(|entry| entry.value().capacity_bytes.is_none())
            .map(|entry| (*entry.key(), entry.value().principal))
            .collect()
    });
    let mut silent = None;
    for (number, shard) in unknown {
        match runtime.shard_status(shard).await {
            Ok(status) => with_mut(|state| {
                let mut record = state
                    .shards
                    .get(&number)
                    .expect("BUG: a shard's record is gone");
                record.capacity_bytes = Some(status.capacity_bytes);
                state.shards.insert(number, record);
            }),
            Err(CallFailed { message }) => {
                silent = Some(BeginUploadError::ShardFailed { shard, message });
            }
        }
    }
    match silent {
        Some(error) if with(|state| rooms(state).len()) < COPIES => Err(error),
        _ => Ok(()),
    }
}

fn create_draft(
    state: &mut State,
    runtime: &impl Runtime,
    caller: Principal,
    valid: ValidManifest,
) -> Result<(), BeginUploadError> {
    if check_request(state, caller, &valid)? == Request::Known {
        return Ok(());
    }
    let holders: BTreeMap<Sha256, Vec<u16>> = valid
        .distinct_chunks()
        .iter()
        .map(|chunk| (chunk.hash, holders_of(state, &chunk.hash)))
        .collect();
    let plan = placement::place(valid.manifest(), &rooms(state), holders).map_err(|no_room| {
        fleet::grow(state, runtime);
        BeginUploadError::NoRoom {
            needed_bytes: no_room.needed_bytes,
        }
    })?;
    for (number, bytes) in &plan.new_bytes {
        let mut shard = state
            .shards
            .get(number)
            .expect("BUG: placed on an unknown shard");
        shard.assigned_bytes += bytes;
        state.shards.insert(*number, shard);
    }
    let deposit = deposits::claim(state, valid.digest());
    state.insert_draft(runtime, caller, valid, plan.placement, deposit);
    Ok(())
}

fn holders_of(state: &State, hash: &Sha256) -> Vec<u16> {
    let place = |shard: u16| ChunkPlace {
        hash: hash.0,
        shard,
    };
    let range = state.chunk_places.range(place(0)..=place(u16::MAX));
    range.map(|place| place.shard).collect()
}

/// The record of a version that this call holds the guard of, so that it cannot go.
fn locked(state: &State, version: Sha256) -> VersionRecord {
    let record = state.version(&version);
    record.expect("BUG: the draft is gone while it is locked")
}

fn refused(trouble: ShardTrouble) -> BeginUploadError {
    match trouble {
        ShardTrouble::Failed { shard, message } => BeginUploadError::ShardFailed { shard, message },
        ShardTrouble::SizeMismatch {
            chunk,
            announced,
            stored,
        } => BeginUploadError::InvalidManifest {
            field: "files[..].chunks".to_owned(),
            reason: format!(
                "chunk {chunk} has {stored} bytes, by the manifest it would have {announced}"
            ),
        },
    }
}

/// Without a confirmation nothing is missing: the version was sealed.
fn plan(version: Sha256, targets: &Targets, confirmation: Option<Confirmation>) -> UploadPlan {
    let record = with(|state| locked(state, version));
    let deposit = record
        .deposit
        .and_then(|id| with(|state| deposits::get_deposit(state, id)));
    let status: VersionStatus = record.status.into();
    let mut missing = confirmation
        .map(|confirmation| confirmation.missing_on)
        .unwrap_or_default()
        .into_iter();
    let chunks = targets
        .chunks()
        .iter()
        .map(|(chunk, shards)| ChunkPlacement {
            hash: chunk.hash,
            size_bytes: chunk.size_bytes,
            shards: shards.clone(),
            missing_on: missing.next().unwrap_or_default(),
        })
        .collect();
    UploadPlan {
        version,
        status,
        chunks,
        deposit,
        expires_at_nanos: Some(record.expires_at_nanos).filter(|time| *time > 0),
    }
}
