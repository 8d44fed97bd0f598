//! Pushing a model: the registry says where each chunk belongs and which are missing, the shards take them, the
//! registry seals the version.
//!
//! What must hold: a push may stop anywhere and be run again; only what is missing is sent. Nothing is kept on this
//! machine for that: the registry and the shards know.

use std::collections::HashMap;
use std::path::PathBuf;

use candid::Principal;
use futures_util::{StreamExt, TryStreamExt, stream};
use stoa_content::CHUNK_SIZE_BYTES;
use stoa_registry_api::{ChunkPlacement, VersionStatus};
use stoa_types::Sha256;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::connection::Connection;
use crate::error::{Accepted, ClientError, Result};
use crate::model_directory::ModelDirectory;
use crate::polling::Backoff;
use crate::registry::Registry;
use crate::shard::{PARALLEL_CHUNKS, Shard};

/// How often a chunk is tried before the push gives up: a lost connection is common, a refusal is final.
const ATTEMPTS_MAX: u32 = 4;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PushProgress {
    /// Counted once for each copy of a chunk.
    Planned {
        missing_bytes: u64,
        present_bytes: u64,
    },
    Stored {
        bytes: u64,
    },
    Sealing,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pushed {
    pub version: Sha256,
    pub sent_bytes: u64,
    /// What the registry said before this push; anything but a draft was there already.
    pub status_before: VersionStatus,
}

/// Where a chunk's bytes are on this machine.
struct Source {
    path: PathBuf,
    offset: u64,
}

pub async fn push(
    connection: &Connection,
    registry: &Registry,
    model: &ModelDirectory,
    mut progress: impl FnMut(PushProgress),
) -> Result<Pushed> {
    let plan = registry.begin_upload(&model.manifest).await?.accepted()?;
    let version = model.version();
    if plan.version != version {
        return Err(ClientError::Failed(format!(
            "the registry calls this version {}, but its manifest hashes to {version} here: do not trust it",
            plan.version
        )));
    }
    let mut sent_bytes = 0;
    if plan.status == VersionStatus::Draft {
        let sources = sources(model);
        let total: u64 = plan
            .chunks
            .iter()
            .map(|chunk| chunk.size_bytes * chunk.shards.len() as u64)
            .sum();
        let missing_bytes: u64 = plan.chunks.iter().map(missing_bytes).sum();
        progress(PushProgress::Planned {
            missing_bytes,
            present_bytes: total.saturating_sub(missing_bytes),
        });
        let mut uploads = stream::iter(&plan.chunks)
            .map(|chunk| upload(connection, &sources, chunk))
            .buffer_unordered(PARALLEL_CHUNKS);
        while let Some(bytes) = uploads.try_next().await? {
            sent_bytes += bytes;
            progress(PushProgress::Stored { bytes });
        }
        progress(PushProgress::Sealing);
        registry.seal(version).await?.accepted()?;
    }
    Ok(Pushed {
        version,
        sent_bytes,
        status_before: plan.status,
    })
}

fn missing_bytes(chunk: &ChunkPlacement) -> u64 {
    chunk.size_bytes * chunk.missing_on.len() as u64
}

fn sources(model: &ModelDirectory) -> HashMap<Sha256, Source> {
    let mut sources = HashMap::new();
    for file in &model.manifest.files {
        for (index, hash) in (0..).zip(&file.chunks) {
            sources.entry(*hash).or_insert_with(|| Source {
                path: model.path_of(file),
                offset: index * CHUNK_SIZE_BYTES,
            });
        }
    }
    sources
}

/// Puts one chunk on each shard that lacks it; answers the number of bytes sent.
async fn upload(
    connection: &Connection,
    sources: &HashMap<Sha256, Source>,
    chunk: &ChunkPlacement,
) -> Result<u64> {
    if chunk.missing_on.is_empty() {
        return Ok(0);
    }
    let source = sources.get(&chunk.hash).ok_or_else(|| {
        ClientError::Failed(format!(
            "the registry asks for a chunk {} that the manifest does not name",
            chunk.hash
        ))
    })?;
    let data = read_chunk(source, chunk).await?;
    for shard in &chunk.missing_on {
        put(&Shard::new(connection, *shard), *shard, &data).await?;
    }
    Ok(missing_bytes(chunk))
}

async fn read_chunk(source: &Source, chunk: &ChunkPlacement) -> Result<Vec<u8>> {
    let at = |error| ClientError::file(&source.path)(error);
    let mut file = tokio::fs::File::open(&source.path).await.map_err(at)?;
    file.seek(std::io::SeekFrom::Start(source.offset))
        .await
        .map_err(at)?;
    let mut data = Vec::new();
    file.take(chunk.size_bytes)
        .read_to_end(&mut data)
        .await
        .map_err(at)?;
    if Sha256::of(&data) != chunk.hash {
        return Err(ClientError::InvalidFile {
            path: source.path.clone(),
            reason: "it changed while it was being pushed: push again".to_owned(),
        });
    }
    Ok(data)
}

async fn put(shard: &Shard, canister: Principal, data: &[u8]) -> Result<()> {
    let mut backoff = Backoff::quick();
    for attempt in 1.. {
        match shard.put_chunk(data).await {
            Ok(answer) => return answer.accepted().map(drop),
            // Putting is idempotent, so a lost answer is asked for again.
            Err(error) if attempt < ATTEMPTS_MAX && !error.is_reject() => backoff.wait().await,
            Err(error) => {
                return Err(ClientError::Failed(format!(
                    "shard {canister} did not take a chunk: {error}; push again, it goes on where it stopped"
                )));
            }
        }
    }
    unreachable!("BUG: the loop above only ends by returning")
}
