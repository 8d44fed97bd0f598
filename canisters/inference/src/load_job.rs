//! The job behind `load`, a chain of bounded messages whose place is in stable memory:
//!
//! ```text
//! Fetching --a chunk a message, eight at a time--> Optimising --a stage a message--> Ready | Failed
//! ```
//!
//! A chunk is taken from one of its shards, in turn, and from the next where that one does not answer with bytes of the
//! right hash. A piece of building
//! (hash, parse, analyse, declutter, optimise, probe: as much as half a message's instructions) runs in a message of its own, `c2c_load_step`, which this canister
//! calls on itself: if it traps, the trap is an answer here, and counted. A stage that keeps trapping fails
//! the load instead of being tried for ever.

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use candid::Principal;
use stoa_engine::{Limits, Loading, Model, Slicing};
use stoa_shard_api::GetChunkResult;
use stoa_types::Sha256;

use crate::limits::{
    CHUNKS_AT_A_TIME, JOB_INSTRUCTIONS_MAX, LOAD_ATTEMPTS_MAX, MODEL_BYTES_MAX,
    MODEL_MEMORY_BYTES_MAX, SLICE_INSTRUCTIONS,
};
use crate::load::{self, is_open};
use crate::runner::{Compiled, Running};
use crate::runtime::{self, Outcome, Runtime, Task};
use crate::stored::{Load, PlacedChunk, Probe, StoredLoadState};
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
            StoredLoadState::Fetching { .. } => fetch(runtime, load).await,
            StoredLoadState::Ready { memory_bytes, .. } if !has_room(&version, memory_bytes) => {
                volatile::set_evicted(&version);
                false
            }
            _ => build(runtime, load).await,
        };
        if !goes_on {
            return;
        }
    }
}

/// After an upgrade models come back until the heap's budget is used; one that somebody asks for comes back anyway.
fn has_room(version: &Sha256, memory_bytes: u64) -> bool {
    let budget = state::policy().model_memory_bytes_max;
    volatile::is_wanted(version) || volatile::model_bytes().saturating_add(memory_bytes) <= budget
}

/// Fetches some of the chunks that are not held, at the same time, or checks the files after the last. `false`: wait
/// before going on.
async fn fetch<R: Runtime>(runtime: &R, load: Load) -> bool {
    let version = load.version;
    let missing: Vec<u32> = (0..load.chunks.len() as u32)
        .filter(|index| !chunk_store::has(&version, *index))
        .take(CHUNKS_AT_A_TIME)
        .collect();
    if missing.is_empty() {
        let state = match check_files(&load) {
            Ok(()) => StoredLoadState::Optimising,
            Err(message) => {
                fail(runtime, &version, message);
                return true;
            }
        };
        state::put_load(Load {
            state,
            attempts: 0,
            ..load
        });
        return true;
    }
    let fetching = missing
        .into_iter()
        .map(|index| fetch_and_keep(runtime, &load, index));
    let outcomes = all(fetching.collect()).await;

    let Some(current) = state::load(&version) else {
        return false;
    };
    let failures: Vec<String> = outcomes.into_iter().filter_map(Result::err).collect();
    let Some(failure) = failures.into_iter().next() else {
        state::put_load(Load {
            attempts: 0,
            ..current
        });
        return true;
    };
    let attempts = current.attempts + 1;
    if attempts >= LOAD_ATTEMPTS_MAX {
        fail(runtime, &version, failure);
    } else {
        state::put_load(Load {
            attempts,
            ..current
        });
    }
    false
}

/// Each chunk is kept in the message that brings it, so that an upgrade in between loses only what is under way.
async fn fetch_and_keep<R: Runtime>(runtime: &R, load: &Load, index: u32) -> Result<(), String> {
    let chunk = &load.chunks[index as usize];
    let data = fetch_chunk(runtime, chunk, index as usize).await?;
    // The load may have gone while the shard answered.
    let still = state::load(&load.version).filter(|current| current.chunks == load.chunks);
    if still.is_none() {
        return Err("the load was taken away".to_owned());
    }
    chunk_store::put(&load.version, index, &data)
        .map_err(|_| "there is no stable memory left for the file".to_owned())
}

/// The pipeline's files; the engine hashes the network itself while it reads it, in slices.
fn check_files(load: &Load) -> Result<(), String> {
    let mut first = 0;
    for (index, file) in load.files.iter().enumerate() {
        if index == 0 {
            first += file.chunks;
            continue;
        }
        let found = Sha256::of(&read_file(load, first, file.chunks));
        if found != file.sha256 {
            return Err(format!(
                "the file's SHA-256 is {found}, not {}",
                file.sha256
            ));
        }
        first += file.chunks;
    }
    Ok(())
}

/// Bytes of a chunk that hash to its name, from the first shard that has them. `turn` says with which to begin, so that
/// several chunks come from several shards.
async fn fetch_chunk<R: Runtime>(
    runtime: &R,
    chunk: &PlacedChunk,
    turn: usize,
) -> Result<Vec<u8>, String> {
    let mut reasons = Vec::new();
    let shards = chunk.shards.len();
    for step in 0..shards {
        let shard = chunk.shards[(turn + step) % shards];
        match fetch_from(runtime, shard, chunk).await {
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
            if attempts >= LOAD_ATTEMPTS_MAX {
                fail(
                    runtime,
                    &version,
                    format!("building it does not end: {}", failure.message),
                );
            } else {
                state::put_load(Load {
                    attempts,
                    ..current
                });
            }
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
        Some(Progress::Built(model)) => built(runtime, &load, *model),
        Some(Progress::Probing(compiled, running, used)) => {
            probe(runtime, &load, compiled, Ok(running), used)
        }
        Some(Progress::Loading(loading)) => stage(runtime, &load, loading),
        None => begin(&load).and_then(|loading| stage(runtime, &load, loading)),
    };
    match result {
        Ok(()) => {
            let current = state::load(&version).expect("BUG: a step removes no load");
            state::put_load(Load {
                attempts: 0,
                ..current
            });
        }
        Err(message) => {
            chunk_store::remove(&version);
            fail(runtime, &version, message);
        }
    }
}

fn begin(load: &Load) -> Result<Loading, String> {
    let limits = Limits {
        file_bytes_max: MODEL_BYTES_MAX,
        memory_bytes_max: MODEL_MEMORY_BYTES_MAX,
        ..Limits::default()
    };
    let network = load.files.first().expect("BUG: a load without a file");
    let source = chunk_store::FileSource::new(
        load.version,
        network.size_bytes,
        load.chunks[..network.chunks as usize]
            .iter()
            .map(|chunk| chunk.size_bytes),
    );
    Loading::from_source(Box::new(source), network.sha256, &load.signature, limits)
        .map_err(|error| error.to_string())
}

fn stage<R: Runtime>(runtime: &R, load: &Load, loading: Loading) -> Result<(), String> {
    let before = runtime.instructions();
    let mut may_continue = || runtime.instructions().saturating_sub(before) < SLICE_INSTRUCTIONS;
    let stepped = loading
        .step_within(&mut may_continue)
        .map_err(|error| error.to_string())?;
    let progress = match stepped {
        Slicing::Paused(loading) => Progress::Loading(loading),
        Slicing::Done(model) => Progress::Built(Box::new(model)),
    };
    volatile::put_progress(load.version, progress);
    Ok(())
}

/// What was measured by this very engine stays, so that a rebuild does not move the price.
fn built<R: Runtime>(runtime: &R, load: &Load, model: Model) -> Result<(), String> {
    let mut first = 0;
    let mut files: Vec<(&str, Vec<u8>)> = Vec::new();
    for (index, file) in load.files.iter().enumerate() {
        if index > 0 {
            files.push((&file.path, read_file(load, first, file.chunks)));
        }
        first += file.chunks;
    }
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(path, bytes)| (*path, bytes.as_slice()))
        .collect();
    let compiled = Compiled::new(model, load.pipeline.as_ref(), &files)?;
    if let Some(measured) = &load.probe
        && measured.engine == stoa_engine::ENGINE
    {
        ready(load.version, compiled, measured.clone());
        return Ok(());
    }
    let smallest = compiled.smallest().map_err(|misfit| misfit.reason)?;
    let started = compiled.start(smallest);
    probe(runtime, load, compiled, started, 0)
}

/// Runs the model once on zeros, every open dimension at 1, and counts: what a call is expected to need follows from it.
fn probe<R: Runtime>(
    runtime: &R,
    load: &Load,
    compiled: Compiled,
    running: Result<Running, String>,
    used: u64,
) -> Result<(), String> {
    let before = runtime.instructions();
    let may_continue = || runtime.instructions().saturating_sub(before) < SLICE_INSTRUCTIONS;
    let stepped = running
        .and_then(|running| running.step(may_continue))
        .map_err(|error| format!("it does not run on zeros: {error}"))?;
    let instructions_per_call = used + runtime.instructions().saturating_sub(before);
    if instructions_per_call > JOB_INSTRUCTIONS_MAX {
        return Err(format!(
            "a call takes {instructions_per_call} instructions, at most {JOB_INSTRUCTIONS_MAX} are allowed"
        ));
    }
    match stepped {
        Slicing::Paused(running) => {
            let progress = Progress::Probing(compiled, running, instructions_per_call);
            volatile::put_progress(load.version, progress);
        }
        Slicing::Done(_) => {
            let probe = Probe {
                instructions_per_call,
                memory_bytes: compiled.memory_bytes(),
                engine: stoa_engine::ENGINE.to_owned(),
            };
            ready(load.version, compiled, probe);
        }
    }
    Ok(())
}

fn ready(version: Sha256, compiled: Compiled, probe: Probe) {
    volatile::put_model(version, compiled);
    volatile::evict_down_to(state::policy().model_memory_bytes_max, Some(version));
    let mut load = state::load(&version).expect("BUG: a step removes no load");
    load::settle_payment(&mut load, true);
    state::put_load(Load {
        state: StoredLoadState::Ready {
            instructions_per_call: probe.instructions_per_call,
            memory_bytes: probe.memory_bytes,
        },
        probe: Some(probe),
        ..load
    });
}

/// Chunks of one file, from the one with number `first` on.
fn read_file(load: &Load, first: u32, count: u32) -> Vec<u8> {
    let chunks = &load.chunks[first as usize..(first + count) as usize];
    chunk_store::read_file(
        &load.version,
        first,
        chunks.iter().map(|chunk| chunk.size_bytes),
    )
}

fn fail<R: Runtime>(runtime: &R, version: &Sha256, message: String) {
    let mut load = state::load(version).expect("BUG: a load that fails is there");
    load::settle_payment(&mut load, false);
    volatile::remove_model(version);
    state::put_load(Load {
        state: StoredLoadState::Failed {
            message,
            at_nanos: runtime.now_nanos(),
        },
        attempts: 0,
        ..load
    });
}

/// A future, and what came of it.
type Waiting<F> = (Pin<Box<F>>, Option<<F as Future>::Output>);

/// Waits for all of them at the same time; results in their order.
async fn all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut waiting: Vec<Waiting<F>> = futures
        .into_iter()
        .map(|future| (Box::pin(future), None))
        .collect();
    std::future::poll_fn(|context| {
        for (future, output) in &mut waiting {
            if output.is_none()
                && let Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *output = Some(ready);
            }
        }
        if waiting.iter().all(|(_, output)| output.is_some()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    let outputs = waiting.into_iter().filter_map(|(_, output)| output);
    outputs.collect()
}
