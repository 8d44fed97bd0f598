//! `load`: asks the registry about a version and, if it is admitted, begins to load it. Asking again gives
//! the status. Anybody may ask: what is admitted was voted on, is loaded once, and a failed load waits before it is
//! tried again, so the cost that strangers can cause has a bound.

use std::collections::BTreeMap;
use std::time::Duration;

use candid::Principal;
use stoa_inference_api::{LoadError, LoadResult, LoadState, LoadStatus};
use stoa_registry_api::VersionInfo;
use stoa_types::Sha256;

use crate::limits::{LOAD_RETRY_AFTER, LOADS_MAX, LOADS_OPEN_MAX, MODEL_BYTES_MAX};
use crate::registration::{self, ADMITTED, AskError};
use crate::runtime::{Runtime, Task};
use crate::stored::{Load, ModelFile, PlacedChunk, StoredLoadState};
use crate::volatile::{self, RegistrationGuard};
use crate::{chunk_store, state};

pub async fn load<R: Runtime>(runtime: &R, caller: Principal, version: Sha256) -> LoadResult {
    if caller == Principal::anonymous() {
        return Err(LoadError::AnonymousCaller);
    }
    if let Some(status) = under_way(runtime, &version) {
        return Ok(status);
    }
    check_room()?;
    let Some(_guard) = RegistrationGuard::lock(caller) else {
        return Err(too_many());
    };
    let info = registration::ask(runtime, version)
        .await
        .map_err(|error| match error {
            AskError::NotFound => LoadError::NotFound { version },
            AskError::Failed { message } => LoadError::RegistryFailed { message },
        })?;

    // The call may have let another one in.
    if let Some(status) = under_way(runtime, &version) {
        return Ok(status);
    }
    check_room()?;
    let now = runtime.now_nanos();
    let registered = registration::registered(&info, now);
    if registered.status != ADMITTED {
        return Err(LoadError::NotAdmitted {
            version,
            status: registered.status,
        });
    }
    let load = Load {
        version,
        started_at_nanos: now,
        file: model_file(&info)?,
        signature: info.manifest.signature,
        state: StoredLoadState::Fetching { next: 0 },
        attempts: 0,
        registered,
    };
    forget(&version);
    make_room();
    let status = status(&load);
    state::put_load(load);
    runtime.schedule(Duration::ZERO, Task::Loads);
    Ok(status)
}

/// The status of a load that need not be begun; pokes it, in case its timer was lost.
fn under_way<R: Runtime>(runtime: &R, version: &Sha256) -> Option<LoadStatus> {
    let load = state::load(version)?;
    if let StoredLoadState::Failed { at_nanos, .. } = load.state {
        let age = runtime.now_nanos().saturating_sub(at_nanos);
        if u128::from(age) > LOAD_RETRY_AFTER.as_nanos() {
            return None;
        }
    } else if is_open(&load) {
        runtime.schedule(Duration::ZERO, Task::Loads);
    }
    Some(status(&load))
}

fn check_room() -> Result<(), LoadError> {
    let loads = state::loads();
    let open = loads.iter().filter(|load| is_open(load)).count() as u64;
    if open >= LOADS_OPEN_MAX {
        return Err(LoadError::TooManyLoads {
            open,
            max: LOADS_OPEN_MAX,
        });
    }
    let kept = loads.iter().filter(|load| !is_failed(load)).count() as u64;
    if kept >= LOADS_MAX {
        return Err(LoadError::TooManyLoads {
            open: kept,
            max: LOADS_MAX,
        });
    }
    Ok(())
}

fn too_many() -> LoadError {
    LoadError::TooManyLoads {
        open: LOADS_OPEN_MAX,
        max: LOADS_OPEN_MAX,
    }
}

/// A failed load gives its place to a new one.
fn make_room() {
    let loads = state::loads();
    if loads.len() as u64 >= LOADS_MAX {
        let failed = loads
            .iter()
            .find(|load| is_failed(load))
            .map(|load| load.version);
        forget(&failed.expect("BUG: room was checked"));
    }
}

fn forget(version: &Sha256) {
    volatile::remove_model(version);
    chunk_store::remove(version);
    state::remove_load(version);
}

fn is_failed(load: &Load) -> bool {
    matches!(load.state, StoredLoadState::Failed { .. })
}

/// Whether there is work to do on it: not there yet, or there before an upgrade and not rebuilt since.
pub fn is_open(load: &Load) -> bool {
    match load.state {
        StoredLoadState::Fetching { .. } | StoredLoadState::Optimising => true,
        StoredLoadState::Ready { .. } => !volatile::has_model(&load.version),
        StoredLoadState::Failed { .. } => false,
    }
}

fn model_file(info: &VersionInfo) -> Result<ModelFile, LoadError> {
    let broken = |message: String| LoadError::RegistryFailed { message };
    let path = &info.manifest.pipeline.model;
    let file = info
        .manifest
        .files
        .iter()
        .find(|file| file.path == *path)
        .ok_or_else(|| broken(format!("the manifest has no file {path}")))?;
    if file.size_bytes > MODEL_BYTES_MAX {
        return Err(LoadError::TooLarge {
            given_bytes: file.size_bytes,
            max_bytes: MODEL_BYTES_MAX,
        });
    }
    let placement: BTreeMap<Sha256, _> = info
        .placement
        .iter()
        .map(|chunk| (chunk.hash, chunk))
        .collect();
    let chunks = file
        .chunks
        .iter()
        .map(|hash| match placement.get(hash) {
            Some(placed) if !placed.shards.is_empty() && placed.size_bytes <= 1 << 20 => {
                Ok(PlacedChunk {
                    hash: *hash,
                    size_bytes: placed.size_bytes,
                    shards: placed.shards.clone(),
                })
            }
            _ => Err(broken(format!("no shard holds chunk {hash}"))),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let sum: u64 = chunks.iter().map(|chunk| chunk.size_bytes).sum();
    if sum != file.size_bytes {
        return Err(broken(format!(
            "the chunks of {path} have {sum} bytes, not {}",
            file.size_bytes
        )));
    }
    Ok(ModelFile {
        size_bytes: file.size_bytes,
        sha256: file.sha256,
        chunks,
    })
}

pub fn status(load: &Load) -> LoadStatus {
    let state = match &load.state {
        StoredLoadState::Fetching { next } => LoadState::Fetching {
            chunks_done: *next,
            chunks_total: load.file.chunks.len() as u64,
        },
        StoredLoadState::Optimising => LoadState::Optimising,
        // Measured once, but its compiled form is being rebuilt.
        StoredLoadState::Ready { .. } if !volatile::has_model(&load.version) => {
            LoadState::Optimising
        }
        StoredLoadState::Ready {
            instructions_per_call,
            memory_bytes,
        } => LoadState::Ready {
            instructions_per_call: *instructions_per_call,
            memory_bytes: *memory_bytes,
        },
        StoredLoadState::Failed { message, .. } => LoadState::Failed {
            message: message.clone(),
        },
    };
    LoadStatus {
        version: load.version,
        state,
        started_at_nanos: load.started_at_nanos,
    }
}
