//! Bytes that nobody pays for any more, or that a vote revoked: each shard that has a part of the version is told that it
//! may let go of it, again and again until it says that it has heard. A shard keeps a chunk as long as any other version
//! of its refers to it.

use std::cell::Cell;
use std::time::Duration;

use candid::{CandidType, Reserved};
use serde::Deserialize;
use stoa_types::Sha256;

use crate::placement;
use crate::runtime::{self, Runtime, Task};
use crate::state::records::ChunkPlace;
use crate::state::{State, with, with_mut};

/// Shards that one run tells, each with one call.
const PER_RUN: usize = 20;
const AGAIN: Duration = Duration::from_secs(2);
const RETRY: Duration = Duration::from_secs(300);

#[derive(CandidType)]
struct ReleaseArgs {
    version: Sha256,
}

/// The shard's answer; whatever it refuses by is asked again.
#[derive(CandidType, Deserialize)]
enum ReleaseResult {
    Ok,
    Err(Reserved),
}

/// Writes down that the shards may let go of a version's bytes. Again changes nothing.
pub fn release(state: &mut State, runtime: &impl Runtime, version: Sha256) {
    let Some(placement) = state.placements.get(&version.0) else {
        return;
    };
    let shards = placement
        .segments
        .iter()
        .flat_map(|segment| segment.shards.iter().copied());
    for shard in shards {
        state.releases.insert((shard, version.0));
    }
    if let Some(mut record) = state.version(&version) {
        record.is_released = true;
        state.versions.insert(version.0, record);
    }
    // Later versions must not count on chunks that may be gone.
    let manifest = state.manifest(&version);
    for (chunk, shards) in placement::chunk_shards(&manifest, &placement) {
        for shard in shards {
            let hash = chunk.hash.0;
            state.chunk_places.remove(&ChunkPlace { hash, shard });
        }
    }
    runtime.schedule(Duration::ZERO, Task::Releases);
}

thread_local! {
    /// Where the last run ended, so that a shard that does not answer keeps no other waiting.
    static UNSTABLE_NEXT: Cell<(u16, [u8; 32])> = const { Cell::new((0, [0; 32])) };
}

pub async fn run(runtime: &impl Runtime) {
    let page: Vec<(u16, [u8; 32])> = with(|state| {
        let from = UNSTABLE_NEXT.get()..;
        state.releases.range(from).take(PER_RUN).collect()
    });
    let is_more = page.len() == PER_RUN;
    UNSTABLE_NEXT.set(match page.last() {
        Some(last) if is_more => *last,
        _ => (0, [0; 32]),
    });
    let mut is_stuck = false;
    for (shard, version) in page {
        let principal = with(|state| state.shard_principal(shard));
        let args = ReleaseArgs {
            version: Sha256(version),
        };
        let answer: Result<ReleaseResult, _> =
            runtime::call(runtime, principal, "c2c_release", (args,)).await;
        match answer {
            Ok(ReleaseResult::Ok) => {
                with_mut(|state| state.releases.remove(&(shard, version)));
            }
            // It frees so much in a call and asks for another.
            Ok(ReleaseResult::Err(_)) => {}
            Err(_) => is_stuck = true,
        }
    }
    if !with(|state| state.releases.is_empty()) {
        let delay = if is_stuck && !is_more { RETRY } else { AGAIN };
        runtime.schedule(delay, Task::Releases);
    }
}
