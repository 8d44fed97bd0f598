//! Pushing a model: the registry says where each chunk belongs and which are missing, the shards take them, the
//! registry seals the version.
//!
//! What must hold: a push may stop anywhere and be run again; only what is missing is sent. Nothing is kept on this
//! machine for that: the registry and the shards know. Every call is idempotent, so one whose answer was lost is made
//! again; the storage deposit is approved for what the registry asks and no more than the caller allows.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use candid::{Nat, Principal};
use futures_util::{StreamExt, TryStreamExt, stream};
use stoa_content::CHUNK_SIZE_BYTES;
use stoa_registry_api::{
    BeginUploadError, ChunkPlacement, DepositInfo, DepositRefusal, DepositState, SealError,
    UploadPlan, VersionStatus,
};
use stoa_types::Sha256;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::amount::{E8S_PER_TOKEN, format_tokens};
use crate::connection::Connection;
use crate::error::{Accepted, ClientError, Result};
use crate::ledger::Ledger;
use crate::model_directory::ModelDirectory;
use crate::polling::{Backoff, PATIENCE, persistently};
use crate::registry::Registry;
use crate::shard::{PARALLEL_CHUNKS, Shard};

/// Announcements that came to nothing because another was under way, or the deposit's outcome was not known yet.
const BEGIN_ATTEMPTS_MAX: u32 = 10;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PushOptions {
    /// Chunks in flight at once.
    pub parallel: usize,
    /// The most that is approved as storage deposit, with the ledger's fee.
    pub deposit_e8s_max: u64,
    /// How long the network may be silent before the push gives up.
    pub patience: Duration,
}

impl Default for PushOptions {
    fn default() -> Self {
        Self {
            parallel: PARALLEL_CHUNKS,
            deposit_e8s_max: E8S_PER_TOKEN,
            patience: PATIENCE,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PushProgress {
    /// The registry may take this much, ledger fee included.
    Approved {
        e8s: u64,
    },
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

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pushed {
    pub version: Sha256,
    /// Counted once for each copy of a chunk, as is what was there.
    pub sent_bytes: u64,
    pub present_bytes: u64,
    /// What the registry said before this push; anything but a draft was there already.
    pub status_before: VersionStatus,
    pub deposit: Option<DepositInfo>,
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
    progress: impl FnMut(PushProgress),
) -> Result<Pushed> {
    push_with(
        connection,
        registry,
        model,
        &PushOptions::default(),
        progress,
    )
    .await
}

pub async fn push_with(
    connection: &Connection,
    registry: &Registry,
    model: &ModelDirectory,
    options: &PushOptions,
    mut progress: impl FnMut(PushProgress),
) -> Result<Pushed> {
    let plan = begin(connection, registry, model, options, &mut progress).await?;
    let version = model.version();
    if plan.version != version {
        return Err(ClientError::Failed(format!(
            "the registry calls this version {}, but its manifest hashes to {version} here: do not trust it",
            plan.version
        )));
    }
    let mut pushed = Pushed {
        version,
        sent_bytes: 0,
        present_bytes: 0,
        status_before: plan.status,
        deposit: plan.deposit.clone(),
    };
    if plan.status != VersionStatus::Draft {
        return Ok(pushed);
    }
    let sources = sources(model);
    let total: u64 = plan
        .chunks
        .iter()
        .map(|chunk| chunk.size_bytes * chunk.shards.len() as u64)
        .sum();
    let missing_bytes: u64 = plan.chunks.iter().map(missing_bytes).sum();
    pushed.present_bytes = total.saturating_sub(missing_bytes);
    progress(PushProgress::Planned {
        missing_bytes,
        present_bytes: pushed.present_bytes,
    });
    let mut uploads = stream::iter(&plan.chunks)
        .map(|chunk| upload(connection, options, &sources, chunk))
        .buffer_unordered(options.parallel.max(1));
    while let Some(bytes) = uploads.try_next().await? {
        pushed.sent_bytes += bytes;
        progress(PushProgress::Stored { bytes });
    }
    progress(PushProgress::Sealing);
    seal(connection, registry, version, options).await?;
    Ok(pushed)
}

/// The plan; pays the storage deposit where the registry asks for one. A draft whose deposit is held is not asked again.
async fn begin(
    connection: &Connection,
    registry: &Registry,
    model: &ModelDirectory,
    options: &PushOptions,
    progress: &mut impl FnMut(PushProgress),
) -> Result<UploadPlan> {
    let mut backoff = Backoff::patient();
    let mut approved = false;
    for attempt in 1.. {
        let answer = persistently(connection, options.patience, || {
            registry.begin_upload(&model.manifest)
        })
        .await?;
        let refusal = match answer {
            Ok(plan) => return Ok(plan),
            Err(refusal) => refusal,
        };
        match refusal {
            BeginUploadError::DepositRefused {
                needed_e8s,
                refusal: DepositRefusal::InsufficientAllowance { .. },
            } if !approved => {
                approve(connection, registry, model, options, needed_e8s).await?;
                approved = true;
                progress(PushProgress::Approved { e8s: needed_e8s });
            }
            BeginUploadError::Busy
            | BeginUploadError::DepositUnknown { .. }
            | BeginUploadError::ShardFailed { .. }
                if attempt < BEGIN_ATTEMPTS_MAX =>
            {
                backoff.wait().await;
            }
            refusal => return Err(refusal).accepted(),
        }
    }
    unreachable!("BUG: the loop above only ends by returning")
}

async fn approve(
    connection: &Connection,
    registry: &Registry,
    model: &ModelDirectory,
    options: &PushOptions,
    needed_e8s: u64,
) -> Result<()> {
    if needed_e8s > options.deposit_e8s_max {
        return Err(ClientError::Refused(format!(
            "the storage deposit is {} ICP with the ledger fee, and you allow {}: nothing was paid. Allow it with --max-deposit {}; it comes back if the version is withdrawn or rejected",
            format_tokens(needed_e8s),
            format_tokens(options.deposit_e8s_max),
            format_tokens(needed_e8s),
        )));
    }
    let quote = registry.quote_deposit(model.size_bytes()).await?;
    // Money goes to the registry or nowhere: what else an answer of one node names is not approved.
    if quote.spender.owner != registry.canister() {
        return Err(ClientError::Failed(format!(
            "the answer wants the deposit approved for {}, which is not the registry: nothing was paid",
            quote.spender.owner
        )));
    }
    let ledger = Ledger::new(connection, quote.ledger);
    ledger
        .approve(quote.spender, Nat::from(needed_e8s))
        .await
        .map(drop)
}

async fn seal(
    connection: &Connection,
    registry: &Registry,
    version: Sha256,
    options: &PushOptions,
) -> Result<()> {
    let mut backoff = Backoff::patient();
    for attempt in 1.. {
        let answer = persistently(connection, options.patience, || registry.seal(version)).await?;
        match answer {
            // An earlier attempt whose answer was lost sealed it.
            Err(SealError::WrongStatus {
                status: VersionStatus::Sealed,
            }) => return Ok(()),
            Err(SealError::Busy | SealError::ShardFailed { .. })
                if attempt < BEGIN_ATTEMPTS_MAX =>
            {
                backoff.wait().await;
            }
            answer => return answer.accepted(),
        }
    }
    unreachable!("BUG: the loop above only ends by returning")
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
    options: &PushOptions,
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
        put(connection, options, *shard, &data).await?;
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
    file.take(chunk.size_bytes.min(CHUNK_SIZE_BYTES))
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

async fn put(
    connection: &Connection,
    options: &PushOptions,
    canister: Principal,
    data: &[u8],
) -> Result<()> {
    let shard = Shard::new(connection, canister);
    let answer = persistently(connection, options.patience, || shard.put_chunk(data)).await;
    match answer {
        Ok(answer) => answer.accepted().map(drop),
        Err(error @ ClientError::ConnectionLost { .. }) => Err(error),
        Err(error) => Err(ClientError::Failed(format!(
            "shard {canister} did not take a chunk: {error}; push again, it goes on where it stopped"
        ))),
    }
}

/// What became of a deposit, for people.
pub fn deposit_state(deposit: &DepositInfo) -> &'static str {
    match deposit.state {
        DepositState::Charging => "being taken",
        DepositState::NotTaken { .. } => "not taken",
        DepositState::Held { .. } => "held",
        DepositState::Returning => "on its way back",
        DepositState::Returned { .. } => "given back",
        DepositState::Forwarding => "on its way to the treasury",
        DepositState::Forwarded { .. } => "in the treasury",
    }
}
