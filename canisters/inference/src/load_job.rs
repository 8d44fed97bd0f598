//! The job behind `load`, a chain of bounded messages whose place is in stable memory:
//!
//! ```text
//! Fetching { next } --a chunk a message--> Optimising --a stage a message--> Ready | Failed
//! ```
//!
//! A chunk is taken from the first of its shards that answers with bytes of the right hash. A stage of building
//! (parse, analyse, declutter, optimise, probe) runs in a message of its own, `c2c_load_step`, which this canister
//! calls on itself: if it traps, the trap is an answer here, and counted. A stage that keeps trapping fails
//! the load instead of being tried for ever.

use std::time::Duration;

use candid::Principal;
use stoa_engine::{Limits, Loading, Model, Slicing};
use stoa_shard_api::GetChunkResult;
use stoa_types::Sha256;

use crate::limits::{
    LOAD_ATTEMPTS_MAX, MODEL_BYTES_MAX, MODEL_MEMORY_BYTES_MAX, RUN_INSTRUCTIONS_MAX,
};
use crate::load::is_open;
use crate::runtime::{self, Outcome, Runtime, Task};
use crate::stored::{Load, PlacedChunk, StoredLoadState};
use crate::volatile::{self, LoadGuard, Progress};
use crate::{chunk_store, state};

/// Until a load that stopped for a reason outside of it (a shard that does not answer) goes on.
const PAUSE: Duration = Duration::from_secs(30);

/// Works on every open load until it is done or has to wait.
pub async fn drive<R: Runtime>(runtime: &R) {
    let open: Vec<Sha256> = state::loads()
        .iter()
        .filter(|load| is_open(load))
        .map(|load| load.version)
        .collect();
    if !open.is_empty() {
        // Should a message of this chain trap, the next timer goes on where the record says.
        runtime.schedule(PAUSE, Task::Loads);
    }
    for version in open {
        // Another timer may be at it.
        let Some(_guard) = LoadGuard::lock(version) else {
            continue;
        };
        drive_one(runtime, version).await;
    }
}

async fn drive_one<R: Runtime>(runtime: &R, version: Sha256) {
    while let Some(load) = state::load(&version).filter(is_open) {
        let goes_on = match load.state {
            StoredLoadState::Fetching { next } => fetch(runtime, load, next).await,
            _ => build(runtime, load).await,
        };
        if !goes_on {
            return;
        }
    }
}

/// Fetches the next chunk, or checks the whole file after the last. `false`: wait before going on.
async fn fetch<R: Runtime>(runtime: &R, load: Load, next: u64) -> bool {
    let version = load.version;
    let Some(chunk) = load.file.chunks.get(next as usize) else {
        let bytes = read_model(&load);
        let found = Sha256::of(&bytes);
        let state = if found == load.file.sha256 {
            StoredLoadState::Optimising
        } else {
            failed(
                runtime,
                format!("the file's SHA-256 is {found}, not {}", load.file.sha256),
            )
        };
        state::put_load(Load {
            state,
            attempts: 0,
            ..load
        });
        return true;
    };

    match fetch_chunk(runtime, chunk).await {
        Ok(data) => {
            // The record may have moved on while the shard answered.
            let Some(current) = state::load(&version) else {
                return false;
            };
            if current.state != load.state {
                return true;
            }
            let state = match chunk_store::put(&version, next as u32, &data) {
                Ok(()) => StoredLoadState::Fetching { next: next + 1 },
                Err(chunk_store::OutOfStableMemory) => failed(
                    runtime,
                    "there is no stable memory left for the file".to_owned(),
                ),
            };
            state::put_load(Load {
                state,
                attempts: 0,
                ..current
            });
            true
        }
        Err(message) => {
            let Some(current) = state::load(&version) else {
                return false;
            };
            let attempts = current.attempts + 1;
            let state = if attempts >= LOAD_ATTEMPTS_MAX {
                failed(runtime, message)
            } else {
                current.state.clone()
            };
            state::put_load(Load {
                state,
                attempts,
                ..current
            });
            false
        }
    }
}

/// Bytes of a chunk that hash to its name, from the first shard that has them.
async fn fetch_chunk<R: Runtime>(runtime: &R, chunk: &PlacedChunk) -> Result<Vec<u8>, String> {
    let mut reasons = Vec::new();
    for shard in &chunk.shards {
        match fetch_from(runtime, *shard, chunk).await {
            Ok(data) => return Ok(data),
            Err(reason) => reasons.push(format!("shard {shard}: {reason}")),
        }
    }
    Err(format!("chunk {}: {}", chunk.hash, reasons.join("; ")))
}

async fn fetch_from<R: Runtime>(
    runtime: &R,
    shard: Principal,
    chunk: &PlacedChunk,
) -> Result<Vec<u8>, String> {
    let answer: GetChunkResult = runtime::call(runtime, shard, "get_chunk", (chunk.hash,))
        .await
        .map_err(|failure| failure.message)?;
    let data = answer.map_err(|error| format!("{error:?}"))?.data;
    if data.len() as u64 != chunk.size_bytes || Sha256::of(&data) != chunk.hash {
        return Err("its bytes do not hash to their name".to_owned());
    }
    Ok(data)
}

/// One stage of building, in a message of its own. `false`: wait before going on.
async fn build<R: Runtime>(runtime: &R, load: Load) -> bool {
    let version = load.version;
    // Written down before the call: a stage that traps the canister counts although it leaves no trace.
    let attempts = load.attempts + 1;
    state::put_load(Load { attempts, ..load });
    let argument = candid::encode_one(version).expect("BUG: a digest encodes");
    // The answer carries nothing: what happened is in the record.
    match runtime
        .call(runtime.own_id(), "c2c_load_step", argument)
        .await
    {
        Ok(_) => true,
        Err(failure) => {
            let Some(current) = state::load(&version) else {
                return false;
            };
            let not_its_fault = failure.outcome == Outcome::NotExecuted;
            let attempts = if not_its_fault {
                current.attempts.saturating_sub(1)
            } else {
                current.attempts
            };
            let state = if attempts >= LOAD_ATTEMPTS_MAX {
                failed(
                    runtime,
                    format!("building it does not end: {}", failure.message),
                )
            } else {
                current.state.clone()
            };
            state::put_load(Load {
                state,
                attempts,
                ..current
            });
            false
        }
    }
}

/// `c2c_load_step`, which only this canister may call. Everything it does is kept or lost together.
pub fn step<R: Runtime>(runtime: &R, version: Sha256) {
    let Some(load) = state::load(&version).filter(is_open) else {
        return;
    };
    let result = match volatile::take_progress(&version) {
        Some(Progress::Built(model)) => probe(runtime, &load, model),
        Some(Progress::Loading(loading)) => stage(version, loading),
        None => begin(&load).and_then(|loading| stage(version, loading)),
    };
    let current = state::load(&version).expect("BUG: a step removes no load");
    match result {
        Ok(()) => state::put_load(Load {
            attempts: 0,
            ..current
        }),
        Err(message) => {
            chunk_store::remove(&version);
            state::put_load(Load {
                state: failed(runtime, message),
                attempts: 0,
                ..current
            });
        }
    }
}

fn begin(load: &Load) -> Result<Loading, String> {
    let limits = Limits {
        file_bytes_max: MODEL_BYTES_MAX,
        memory_bytes_max: MODEL_MEMORY_BYTES_MAX,
        ..Limits::default()
    };
    Loading::new(read_model(load), &load.signature, limits).map_err(|error| error.to_string())
}

fn stage(version: Sha256, loading: Loading) -> Result<(), String> {
    let progress = match loading.step().map_err(|error| error.to_string())? {
        Slicing::Paused(loading) => Progress::Loading(loading),
        Slicing::Done(model) => Progress::Built(model),
    };
    volatile::put_progress(version, progress);
    Ok(())
}

/// Runs the model once on zeros, every open dimension at 1, and counts: what a call costs follows from it.
fn probe<R: Runtime>(runtime: &R, load: &Load, model: Model) -> Result<(), String> {
    let inputs = model
        .check_inputs(model.smallest_inputs())
        .map_err(|error| error.to_string())?;
    let before = runtime.instructions();
    let run = model.start(inputs).and_then(|run| run.finish());
    let instructions_per_call = runtime.instructions().saturating_sub(before);
    run.map_err(|error| format!("it does not run on zeros: {error}"))?;
    if instructions_per_call > RUN_INSTRUCTIONS_MAX {
        return Err(format!(
            "a call takes {instructions_per_call} instructions, at most {RUN_INSTRUCTIONS_MAX} are allowed"
        ));
    }
    let memory_bytes = model.memory().total_bytes();
    volatile::put_model(load.version, model);
    let current = state::load(&load.version).expect("BUG: a probe removes no load");
    state::put_load(Load {
        state: StoredLoadState::Ready {
            instructions_per_call,
            memory_bytes,
        },
        ..current
    });
    Ok(())
}

fn read_model(load: &Load) -> Vec<u8> {
    chunk_store::read_file(
        &load.version,
        load.file.chunks.iter().map(|chunk| chunk.size_bytes),
    )
}

fn failed<R: Runtime>(runtime: &R, message: String) -> StoredLoadState {
    StoredLoadState::Failed {
        message,
        at_nanos: runtime.now_nanos(),
    }
}
