//! `seal`: ends an upload. The shards themselves say that they hold every chunk, in the
//! size that the manifest gives; nobody's word is taken for it.

use candid::Principal;
use stoa_registry_api::{SealError, SealResult};
use stoa_types::Sha256;

use crate::fleet;
use crate::guard::VersionGuard;
use crate::placement;
use crate::runtime::Runtime;
use crate::search;
use crate::shards::{Confirmation, ShardTrouble, Targets};
use crate::state::records::{ChunkPlace, Status, VersionRecord};
use crate::state::{Decision, State, with, with_mut};

pub async fn seal(runtime: &impl Runtime, caller: Principal, version: Sha256) -> SealResult {
    let record = with(|state| check(state, caller, &version))?;
    let guard = VersionGuard::lock(version).ok_or(SealError::Busy)?;
    let targets = with(|state| Targets::of(state, version));
    if record.announced_for.is_none() {
        // A chunk that a shard holds for another version only could go with that one: claim it first.
        targets.announce(runtime, caller).await.map_err(refused)?;
    }
    let confirmation = targets.confirm(runtime).await.map_err(refused)?;
    check_complete(&targets, &confirmation)?;

    with_mut(|state| {
        // Again: the world may have changed during the calls.
        let mut record = check(state, caller, &version)?;
        record.announced_for.get_or_insert(caller);
        state.versions.insert(version.0, record);
        index_chunks(state, &version);
        let manifest = state.manifest(&version);
        search::insert(state, version, &manifest);
        state.link_parents(version, &manifest);
        let record = check(state, caller, &version)?;
        let decision = Decision::default();
        state.set_status(runtime, caller, version, record, Status::Sealed, decision);
        fleet::version_sealed(state, runtime, &version);
        Ok(())
    })?;
    drop(guard);
    Ok(())
}

fn check(state: &State, caller: Principal, version: &Sha256) -> Result<VersionRecord, SealError> {
    if caller == Principal::anonymous() {
        return Err(SealError::AnonymousCaller);
    }
    let record = state
        .version(version)
        .ok_or(SealError::NotFound { version: *version })?;
    if !state.is_publisher(&record.publisher, caller) {
        let publisher = record.publisher;
        return Err(SealError::NotPublisher { publisher });
    }
    if record.status != Status::Draft {
        let status = record.status.into();
        return Err(SealError::WrongStatus { status });
    }
    Ok(record)
}

fn check_complete(targets: &Targets, confirmation: &Confirmation) -> Result<(), SealError> {
    let mut lacking = targets
        .chunks()
        .iter()
        .zip(&confirmation.missing_on)
        .flat_map(|((chunk, _), shards)| shards.iter().map(|shard| (chunk.hash, *shard)));
    match lacking.next() {
        None => Ok(()),
        Some((first, shard)) => Err(SealError::ChunksMissing {
            missing: 1 + lacking.count() as u64,
            first,
            shard,
        }),
    }
}

/// Later versions with equal chunks go where these are.
fn index_chunks(state: &mut State, version: &Sha256) {
    let manifest = state.manifest(version);
    let placement = state.placement(version);
    for (chunk, shards) in placement::chunk_shards(&manifest, &placement) {
        for shard in shards {
            let hash = chunk.hash.0;
            state.chunk_places.insert(ChunkPlace { hash, shard });
        }
    }
}

fn refused(trouble: ShardTrouble) -> SealError {
    match trouble {
        ShardTrouble::Failed { shard, message } => SealError::ShardFailed { shard, message },
        ShardTrouble::SizeMismatch {
            chunk,
            announced,
            stored,
        } => SealError::SizeMismatch {
            chunk,
            announced,
            stored,
        },
    }
}
