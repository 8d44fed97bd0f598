//! Serve: each shard of a version learns its files, so that it gives them out by name and as IPFS files.

use std::collections::BTreeSet;

use stoa_shard_api::{ServeArgs, ServeResult};
use stoa_types::Sha256;
use stoa_types::manifest::{FileEntry, Manifest};

use super::jobs::Step;
use super::records::{Digest, Work};
use crate::runtime::{self, Runtime};
use crate::state::records::{PlacementRecord, Status, VersionRecord};
use crate::state::{State, with};

/// A call of at most this many files and chunks stays below 1 MiB and a few billion instructions.
const FILES_PER_CALL: usize = 100;
const CHUNKS_PER_CALL: usize = 8_192;

pub async fn step(runtime: &impl Runtime, version: Digest, shard: u32, file: u32) -> Step {
    let version_id = Sha256(version.into_array());
    let found = with(|state| {
        let record = served(state, &version_id)?;
        Some((
            record,
            state.manifest(&version_id),
            state.placement(&version_id),
        ))
    });
    // Withdrawn, rejected or released meanwhile: there is nothing to serve.
    let Some((record, manifest, placement)) = found else {
        return Step::Done;
    };
    let shards: BTreeSet<u16> = placement
        .segments
        .iter()
        .flat_map(|segment| segment.shards.iter().copied())
        .collect();
    let Some(number) = shards.iter().nth(shard as usize).copied() else {
        return Step::Done;
    };
    let (files, next) = page(&manifest, &placement, number, file as usize);
    if let Err(problem) = tell(runtime, number, version_id, &record, files).await {
        return Step::Retry(problem);
    }
    Step::Next(match next {
        Some(file) => Work::Serve {
            version,
            shard,
            file,
        },
        None => Work::Serve {
            version,
            shard: shard + 1,
            file: 0,
        },
    })
}

/// The record of a version whose bytes are to be had.
pub fn served(state: &State, version: &Sha256) -> Option<VersionRecord> {
    state
        .version(version)
        .filter(|record| record.status != Status::Draft && !record.is_released)
}

/// Files from this one on that the shard holds a part of, and the first that is for the next call.
fn page(
    manifest: &Manifest,
    placement: &PlacementRecord,
    number: u16,
    from: usize,
) -> (Vec<FileEntry>, Option<u32>) {
    let held: BTreeSet<u32> = placement
        .segments
        .iter()
        .filter(|segment| segment.shards.contains(&number))
        .map(|segment| segment.file)
        .collect();
    let (mut files, mut chunks) = (Vec::new(), 0);
    for (index, entry) in (0..).zip(&manifest.files).skip(from) {
        if !held.contains(&index) {
            continue;
        }
        chunks += entry.chunks.len();
        if !files.is_empty() && (files.len() == FILES_PER_CALL || chunks > CHUNKS_PER_CALL) {
            return (files, Some(index));
        }
        files.push(entry.clone());
    }
    (files, None)
}

pub async fn tell(
    runtime: &impl Runtime,
    number: u16,
    version: Sha256,
    record: &VersionRecord,
    files: Vec<FileEntry>,
) -> Result<(), String> {
    let shard = with(|state| state.shard_principal(number));
    let args = ServeArgs {
        version,
        publisher: record.publisher.clone(),
        name: record.name.clone(),
        semver: record.semver.clone(),
        files,
    };
    let answer: Result<ServeResult, _> = runtime::call(runtime, shard, "c2c_serve", (args,)).await;
    match answer {
        Ok(Ok(())) => Ok(()),
        Ok(Err(refused)) => Err(format!("{shard} refused the files: {refused:?}")),
        Err(failure) => Err(format!("{shard} did not answer: {}", failure.message)),
    }
}
