//! What is asked of shards about one version: to expect its chunks, and which
//! of them they hold. Both may be repeated at will, in any order.

use std::collections::{BTreeMap, BTreeSet};

use candid::Principal;
use stoa_shard_api::{CHUNKS_PER_CALL_MAX, ExpectArgs, ExpectError, ExpectedChunk, Held};
use stoa_types::{DistinctChunk, Sha256};

use crate::placement;
use crate::runtime::{CallFailed, Runtime};
use crate::state::State;

/// Each distinct chunk of a version, in the order of the manifest, and the shards it belongs on.
pub struct Targets {
    version: Sha256,
    chunks: Vec<(DistinctChunk, Vec<Principal>)>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ShardTrouble {
    /// It refused or did not answer; nothing is lost by trying again.
    Failed { shard: Principal, message: String },
    /// The manifest is wrong about a chunk's size.
    SizeMismatch {
        chunk: Sha256,
        announced: u64,
        stored: u64,
    },
}

/// What the shards hold of a version.
#[derive(Debug)]
pub struct Confirmation {
    /// For each chunk of the targets, the shards that lack it.
    pub missing_on: Vec<Vec<Principal>>,
}

impl Targets {
    /// Of a version that exists.
    pub fn of(state: &State, version: Sha256) -> Self {
        let manifest = state.manifest(&version);
        let placement = state.placement(&version);
        let numbers: BTreeSet<u16> = placement
            .segments
            .iter()
            .flat_map(|segment| segment.shards.iter().copied())
            .collect();
        let principals: BTreeMap<u16, Principal> = numbers
            .into_iter()
            .map(|number| (number, state.shard_principal(number)))
            .collect();
        let chunks = placement::chunk_shards(&manifest, &placement)
            .into_iter()
            .map(|(chunk, on)| (chunk, on.iter().map(|number| principals[number]).collect()))
            .collect();
        Self { version, chunks }
    }

    pub fn chunks(&self) -> &[(DistinctChunk, Vec<Principal>)] {
        &self.chunks
    }

    /// Indexes of the chunks of each shard, in pages that one call may carry.
    fn pages(&self) -> Vec<(Principal, Vec<usize>)> {
        let mut by_shard: BTreeMap<Principal, Vec<usize>> = BTreeMap::new();
        for (index, (_, shards)) in self.chunks.iter().enumerate() {
            for shard in shards {
                by_shard.entry(*shard).or_default().push(index);
            }
        }
        let pages_of = |(shard, indexes): (Principal, Vec<usize>)| {
            indexes
                .chunks(CHUNKS_PER_CALL_MAX as usize)
                .map(|page| (shard, page.to_vec()))
                .collect::<Vec<_>>()
        };
        by_shard.into_iter().flat_map(pages_of).collect()
    }

    /// Tells every shard what to expect from `uploader`.
    pub async fn announce(
        &self,
        runtime: &impl Runtime,
        uploader: Principal,
    ) -> Result<(), ShardTrouble> {
        for (shard, page) in self.pages() {
            let expected = |index: &usize| {
                let chunk = &self.chunks[*index].0;
                ExpectedChunk {
                    hash: chunk.hash,
                    size_bytes: chunk.size_bytes,
                }
            };
            let args = ExpectArgs {
                version: self.version,
                uploader,
                chunks: page.iter().map(expected).collect(),
            };
            match runtime.expect_chunks(shard, &args).await {
                Ok(Ok(())) => {}
                Ok(Err(ExpectError::SizeMismatch {
                    hash,
                    announced,
                    stored,
                })) => {
                    return Err(ShardTrouble::SizeMismatch {
                        chunk: hash,
                        announced,
                        stored,
                    });
                }
                Ok(Err(refused)) => return Err(failed(shard, format!("{refused:?}"))),
                Err(CallFailed { message }) => return Err(failed(shard, message)),
            }
        }
        Ok(())
    }

    /// Asks every shard what it holds, and checks the sizes of what it does.
    pub async fn confirm(&self, runtime: &impl Runtime) -> Result<Confirmation, ShardTrouble> {
        let mut missing_on = vec![Vec::new(); self.chunks.len()];
        for (shard, page) in self.pages() {
            let hashes: Vec<Sha256> = page
                .iter()
                .map(|index| self.chunks[*index].0.hash)
                .collect();
            let held = match runtime.confirm_chunks(shard, &hashes).await {
                Ok(Ok(held)) => held,
                Ok(Err(refused)) => return Err(failed(shard, format!("{refused:?}"))),
                Err(CallFailed { message }) => return Err(failed(shard, message)),
            };
            self.note_held(shard, &page, &held, &mut missing_on)?;
        }
        Ok(Confirmation { missing_on })
    }

    fn note_held(
        &self,
        shard: Principal,
        page: &[usize],
        held: &Held,
        missing_on: &mut [Vec<Principal>],
    ) -> Result<(), ShardTrouble> {
        if held.sizes_bytes.len() != page.len() {
            let (given, asked) = (held.sizes_bytes.len(), page.len());
            return Err(failed(
                shard,
                format!("confirmed {given} chunks of {asked}"),
            ));
        }
        for (position, (index, size_bytes)) in page.iter().zip(&held.sizes_bytes).enumerate() {
            let chunk = &self.chunks[*index].0;
            let stored = u64::from(*size_bytes);
            if !held.is_held(position) {
                missing_on[*index].push(shard);
            } else if stored != chunk.size_bytes {
                return Err(ShardTrouble::SizeMismatch {
                    chunk: chunk.hash,
                    announced: chunk.size_bytes,
                    stored,
                });
            }
        }
        Ok(())
    }
}

fn failed(shard: Principal, message: String) -> ShardTrouble {
    ShardTrouble::Failed { shard, message }
}
