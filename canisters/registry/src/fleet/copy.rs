//! Copy: a segment goes to another shard, and where it replaces a copy, that one is let go of last.

use std::collections::BTreeSet;

use candid::Principal;
use stoa_shard_api::{
    CHUNKS_PER_RELEASE_MAX, ExpectArgs, ExpectedChunk, ReleaseArgs, ReleaseResult,
};
use stoa_types::Sha256;
use stoa_types::manifest::{FileEntry, Manifest};

use super::jobs::Step;
use super::mend::pull;
use super::records::{CopyStage, Digest, Work};
use super::serve::{self, served, tell_all};
use crate::runtime::{self, Runtime};
use crate::state::records::{ChunkPlace, PlacementRecord, SegmentRecord};
use crate::state::{State, with, with_mut};

/// Chunks of one call. Each is a call of the shard in turn, and the whole has 300 seconds.
const PULLED_PER_CALL: usize = 8;
const RELEASE_PAGE: usize = CHUNKS_PER_RELEASE_MAX as usize;

#[derive(Clone, Copy)]
pub struct Copy {
    pub version: Digest,
    pub segment: u32,
    pub to: u16,
    pub instead_of: Option<u16>,
}

/// The facts of a copy, read again for each step.
struct Facts {
    /// The segment's chunks, each once, with their sizes.
    chunks: Vec<(Sha256, u64)>,
    to: Principal,
    /// Where to copy from, best first.
    sources: Vec<Principal>,
}

impl Copy {
    fn work(self, stage: CopyStage) -> Work {
        Work::Copy {
            version: self.version,
            segment: self.segment,
            to: self.to,
            instead_of: self.instead_of,
            stage,
        }
    }

    fn version_id(&self) -> Sha256 {
        Sha256(self.version.into_array())
    }

    pub async fn step(self, runtime: &impl Runtime, stage: CopyStage) -> Step {
        let Some(facts) = with(|state| self.facts(state)) else {
            return Step::Done;
        };
        match stage {
            CopyStage::Announce => self.announce(runtime, &facts).await,
            CopyStage::Pull(from) => self.pull(runtime, &facts, from as usize).await,
            CopyStage::Confirm => self.confirm(runtime, &facts).await,
            CopyStage::Serve => match tell_all(runtime, self.to, self.version_id()).await {
                Ok(()) => Step::Next(self.work(CopyStage::Release(0))),
                Err(problem) => Step::Retry(problem),
            },
            CopyStage::Release(from) => self.release(runtime, &facts, from as usize).await,
        }
    }

    fn facts(&self, state: &State) -> Option<Facts> {
        let version = self.version_id();
        served(state, &version)?;
        let manifest = state.manifest(&version);
        let placement = state.placement(&version);
        let segment = placement.segments.get(self.segment as usize)?.clone();
        // The copy that stays goes first: the one to be replaced may be the reason for all this.
        let mut sources: Vec<u16> = segment
            .shards
            .iter()
            .copied()
            .filter(|shard| *shard != self.to)
            .collect();
        sources.sort_by_key(|shard| Some(*shard) == self.instead_of);
        Some(Facts {
            chunks: distinct_chunks(&manifest, &segment),
            to: state.shard_principal(self.to),
            sources: sources
                .into_iter()
                .map(|shard| state.shard_principal(shard))
                .collect(),
        })
    }

    async fn announce(self, runtime: &impl Runtime, facts: &Facts) -> Step {
        let args = ExpectArgs {
            version: self.version_id(),
            // Nobody uploads: the shard fetches.
            uploader: runtime.own_id(),
            chunks: facts
                .chunks
                .iter()
                .map(|(hash, size_bytes)| ExpectedChunk {
                    hash: *hash,
                    size_bytes: *size_bytes,
                })
                .collect(),
        };
        match runtime.expect_chunks(facts.to, &args).await {
            Ok(Ok(())) => Step::Next(self.work(CopyStage::Pull(0))),
            Ok(Err(refused)) => Step::Retry(format!("{} refused: {refused:?}", facts.to)),
            Err(failed) => Step::Retry(failed.message),
        }
    }

    async fn pull(self, runtime: &impl Runtime, facts: &Facts, from: usize) -> Step {
        let page: Vec<Sha256> = facts
            .chunks
            .iter()
            .skip(from)
            .take(PULLED_PER_CALL)
            .map(|(hash, _)| *hash)
            .collect();
        if page.is_empty() {
            return Step::Next(self.work(CopyStage::Confirm));
        }
        let next = from + page.len();
        let mut problem = "no shard holds the segment".to_owned();
        for source in &facts.sources {
            match pull(runtime, facts.to, *source, page.clone()).await {
                Ok(()) => return Step::Next(self.work(CopyStage::Pull(next as u32))),
                Err(message) => problem = message,
            }
        }
        Step::Retry(problem)
    }

    /// The shard itself says that it holds everything; only then does the placement change.
    async fn confirm(self, runtime: &impl Runtime, facts: &Facts) -> Step {
        let hashes: Vec<Sha256> = facts.chunks.iter().map(|(hash, _)| *hash).collect();
        let held = match runtime.confirm_chunks(facts.to, &hashes).await {
            Ok(Ok(held)) => held,
            Ok(Err(refused)) => return Step::Retry(format!("{} refused: {refused:?}", facts.to)),
            Err(failed) => return Step::Retry(failed.message),
        };
        if !(0..hashes.len()).all(|index| held.is_held(index)) {
            return Step::Next(self.work(CopyStage::Announce));
        }
        // The state may have changed during the call, so it is read again.
        let is_placed = with_mut(|state| self.place(state));
        if is_placed {
            Step::Next(self.work(CopyStage::Serve))
        } else {
            Step::Done
        }
    }

    fn place(&self, state: &mut State) -> bool {
        let version = self.version_id();
        if served(state, &version).is_none() {
            return false;
        }
        let mut placement = state.placement(&version);
        let Some(segment) = placement.segments.get_mut(self.segment as usize) else {
            return false;
        };
        segment
            .shards
            .retain(|shard| Some(*shard) != self.instead_of);
        if !segment.shards.contains(&self.to) {
            segment.shards.push(self.to);
            segment.shards.sort_unstable();
        }
        let segment = segment.clone();
        state.placements.insert(version.0, placement);
        let manifest = state.manifest(&version);
        for (hash, _) in distinct_chunks(&manifest, &segment) {
            let (hash, shard) = (hash.0, self.to);
            state.chunk_places.insert(ChunkPlace { hash, shard });
        }
        true
    }

    /// What no other segment of the version has on the old shard goes from there.
    async fn release(self, runtime: &impl Runtime, facts: &Facts, from: usize) -> Step {
        let Some(old) = self.instead_of else {
            return self.tell_others(runtime);
        };
        let (shard, chunks) = with(|state| {
            let version = self.version_id();
            let kept = chunks_on(&state.manifest(&version), &state.placement(&version), old);
            let chunks: Vec<Sha256> = facts
                .chunks
                .iter()
                .map(|(hash, _)| *hash)
                .filter(|hash| !kept.contains(hash))
                .skip(from)
                .take(RELEASE_PAGE)
                .collect();
            (state.shard_principal(old), chunks)
        });
        if chunks.is_empty() {
            // Whoever comes to the old place is sent on.
            return match tell_all(runtime, old, self.version_id()).await {
                Ok(()) => self.tell_others(runtime),
                Err(problem) => Step::Retry(problem),
            };
        }
        let count = chunks.len();
        let args = ReleaseArgs {
            version: self.version_id(),
            chunks: Some(chunks.clone()),
        };
        let answer: Result<ReleaseResult, _> =
            runtime::call(runtime, shard, "c2c_release", (args,)).await;
        match answer {
            Ok(Ok(())) => {
                with_mut(|state| {
                    for chunk in &chunks {
                        let (hash, shard) = (chunk.0, old);
                        state.chunk_places.remove(&ChunkPlace { hash, shard });
                    }
                });
                Step::Next(self.work(CopyStage::Release((from + count) as u32)))
            }
            Ok(Err(refused)) => Step::Retry(format!("{shard} refused: {refused:?}")),
            Err(failure) => Step::Retry(format!("{shard} did not answer: {}", failure.message)),
        }
    }
}

impl Copy {
    fn tell_others(self, runtime: &impl Runtime) -> Step {
        with_mut(|state| serve::enqueue(state, runtime, self.version));
        Step::Done
    }
}

fn distinct_chunks(manifest: &Manifest, segment: &SegmentRecord) -> Vec<(Sha256, u64)> {
    let file = &manifest.files[segment.file as usize];
    let first = segment.first_chunk as usize;
    let mut seen = BTreeSet::new();
    (u64::from(segment.first_chunk)..)
        .zip(&file.chunks[first..first + segment.chunks as usize])
        .filter(|(_, hash)| seen.insert(**hash))
        .map(|(index, hash)| (*hash, FileEntry::chunk_size_bytes(file.size_bytes, index)))
        .collect()
}

/// Chunks of all segments that are on this shard.
fn chunks_on(manifest: &Manifest, placement: &PlacementRecord, shard: u16) -> BTreeSet<Sha256> {
    placement
        .segments
        .iter()
        .filter(|segment| segment.shards.contains(&shard))
        .flat_map(|segment| distinct_chunks(manifest, segment))
        .map(|(hash, _)| hash)
        .collect()
}
