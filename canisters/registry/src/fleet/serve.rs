//! Serve: each shard of a version learns its files and where they are, so that it gives them out by name, as IPFS files and as a folder,
//! and sends readers on to what another one holds.

use std::collections::BTreeSet;

use stoa_shard_api::{FileToServe, SegmentPlace, ServeArgs, ServeError, ServeResult};
use stoa_types::Sha256;
use stoa_types::manifest::Manifest;

use super::jobs::{self, Step};
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
    let (files, next) = page(&manifest, &placement, file as usize);
    match tell(runtime, number, version_id, &record, &manifest, files).await {
        Ok(Told::All) => Step::Next(match next {
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
        }),
        // The same again: the shard goes on where it was.
        Ok(Told::Unfinished) => Step::Next(Work::Serve {
            version,
            shard,
            file,
        }),
        Err(problem) => Step::Retry(problem),
    }
}

/// The record of a version whose bytes are to be had.
pub fn served(state: &State, version: &Sha256) -> Option<VersionRecord> {
    state
        .version(version)
        .filter(|record| record.status != Status::Draft && !record.is_released)
}

/// Files from this one on, with where they are, and the first that is for the next call. Every shard of a version learns all of them: it is to
/// send readers on to what it does not hold, and to make the folder of all.
fn page(
    manifest: &Manifest,
    placement: &PlacementRecord,
    from: usize,
) -> (Vec<FileToServe>, Option<u32>) {
    let (mut files, mut chunks) = (Vec::new(), 0);
    for (index, entry) in (0..).zip(&manifest.files).skip(from) {
        chunks += entry.chunks.len();
        if !files.is_empty() && (files.len() == FILES_PER_CALL || chunks > CHUNKS_PER_CALL) {
            return (files, Some(index));
        }
        let of_file = placement
            .segments
            .iter()
            .filter(|segment| segment.file == index);
        let segments = with(|state| {
            of_file
                .map(|segment| SegmentPlace {
                    first_chunk: segment.first_chunk.into(),
                    shards: segment
                        .shards
                        .iter()
                        .map(|number| state.shard_principal(*number))
                        .collect(),
                })
                .collect()
        });
        files.push(FileToServe {
            file: entry.clone(),
            segments,
        });
    }
    (files, None)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    All,
    /// The shard has more to do about it: tell it the same again.
    Unfinished,
}

async fn tell(
    runtime: &impl Runtime,
    number: u16,
    version: Sha256,
    record: &VersionRecord,
    manifest: &Manifest,
    files: Vec<FileToServe>,
) -> Result<Told, String> {
    let shard = with(|state| state.shard_principal(number));
    let args = ServeArgs {
        version,
        publisher: record.publisher.clone(),
        name: record.name.clone(),
        semver: record.semver.clone(),
        files,
        files_total: manifest.files.len() as u64,
    };
    let answer: Result<ServeResult, _> = runtime::call(runtime, shard, "c2c_serve", (args,)).await;
    match answer {
        Ok(Ok(())) => Ok(Told::All),
        Ok(Err(ServeError::Unfinished { .. })) => Ok(Told::Unfinished),
        Ok(Err(refused)) => Err(format!("{shard} refused the files: {refused:?}")),
        Err(failure) => Err(format!("{shard} did not answer: {}", failure.message)),
    }
}

/// Calls of one `tell_all`; what needs more goes on with the next attempt.
const CALLS_MAX: usize = 32;

/// Tells one shard everything about a version, as it is placed now.
pub async fn tell_all(runtime: &impl Runtime, number: u16, version: Sha256) -> Result<(), String> {
    let mut from = 0;
    for _ in 0..CALLS_MAX {
        // Read again for each call.
        let found = with(|state| {
            let record = served(state, &version)?;
            Some((record, state.manifest(&version), state.placement(&version)))
        });
        let Some((record, manifest, placement)) = found else {
            return Ok(());
        };
        let (files, next) = page(&manifest, &placement, from);
        match (
            tell(runtime, number, version, &record, &manifest, files).await?,
            next,
        ) {
            (Told::Unfinished, _) => {}
            (Told::All, Some(next)) => from = next as usize,
            (Told::All, None) => return Ok(()),
        }
    }
    Err("it takes long to serve so much".to_owned())
}

/// All shards of a version are to learn where its segments are, unless that is about to happen.
pub fn enqueue(state: &mut State, runtime: &impl Runtime, version: Digest) {
    let work = Work::Serve {
        version,
        shard: 0,
        file: 0,
    };
    if jobs::waiting(state).all(|job| job.work != work) {
        jobs::enqueue(state, runtime, work);
    }
}
