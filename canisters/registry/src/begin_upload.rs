//! `begin_upload`: checks a manifest, places its bytes, writes the draft down, and only
//! then tells the shards what to expect. Asking again with the same manifest goes on from wherever that stopped.

use std::collections::BTreeMap;

use candid::Principal;
use stoa_registry_api::{
    BeginUploadError, BeginUploadResult, ChunkPlacement, UploadPlan, VersionStatus,
};
use stoa_types::manifest::Manifest;
use stoa_types::{Problem, Sha256, ValidManifest};

use crate::guard::VersionGuard;
use crate::limits::{COPIES, OPEN_DRAFTS_MAX, OPEN_DRAFTS_PER_CALLER_MAX, VERSIONS_MAX};
use crate::placement::{self, ShardRoom};
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
    let valid = check_manifest(manifest)?;
    let version = valid.digest();
    let guard = VersionGuard::lock(version).ok_or(BeginUploadError::Busy)?;

    if with(|state| check_request(state, caller, &valid))? == Request::New {
        learn_capacities(runtime).await?;
        // Everything is checked again: other drafts may have come during the calls.
        with_mut(|state| create_draft(state, runtime, caller, valid))?;
    }
    let targets = with(|state| Targets::of(state, version));
    let record = with(|state| locked(state, version));
    if record.status != Status::Draft {
        return Ok(plan(version, &targets, None));
    }
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

fn check_request(
    state: &State,
    caller: Principal,
    valid: &ValidManifest,
) -> Result<Request, BeginUploadError> {
    let manifest = valid.manifest();
    let publisher = manifest.publisher.clone();
    match state.publishers.get(&publisher) {
        None => return Err(BeginUploadError::UnknownPublisher { publisher }),
        Some(record) if record.owner != caller => {
            return Err(BeginUploadError::NotPublisher { publisher });
        }
        Some(_) => {}
    }
    if state.versions.contains_key(&valid.digest().0) {
        return Ok(Request::Known);
    }
    let reference = format!("{publisher}/{}@{}", manifest.name, manifest.version);
    if let Some(existing) = state.references.get(&reference) {
        let existing = Sha256(existing);
        return Err(BeginUploadError::VersionTaken { existing });
    }
    check_caps(state, caller)?;
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
    for (open, max) in [(own, OPEN_DRAFTS_PER_CALLER_MAX), (all, OPEN_DRAFTS_MAX)] {
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

fn rooms(state: &State) -> Vec<ShardRoom> {
    let room = |number: u16, capacity_bytes: u64, assigned_bytes: u64| ShardRoom {
        number,
        free_bytes: capacity_bytes.saturating_sub(assigned_bytes),
    };
    state
        .shards
        .iter()
        .filter_map(|entry| {
            let shard = entry.value();
            Some(room(
                *entry.key(),
                shard.capacity_bytes?,
                shard.assigned_bytes,
            ))
        })
        .collect()
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
    let plan = placement::place(valid.manifest(), &rooms(state), &holders).map_err(|no_room| {
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
    state.insert_draft(runtime, caller, valid, plan.placement);
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
    let status: VersionStatus = with(|state| locked(state, version).status).into();
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
    }
}
