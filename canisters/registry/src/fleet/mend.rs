//! Mend: a chunk that the scrub of a shard found damaged comes again from a shard that holds it too.

use candid::Principal;
use stoa_shard_api::{PullArgs, PullResult};
use stoa_types::Sha256;

use super::jobs::Step;
use super::records::{Digest, Role};
use crate::runtime::{self, Runtime};
use crate::state::records::ChunkPlace;
use crate::state::{State, with};

pub async fn step(runtime: &impl Runtime, number: u16, chunk: Digest) -> Step {
    let hash = Sha256(chunk.into_array());
    let (shard, sources) =
        with(|state| (state.shard_principal(number), holders(state, &hash, number)));
    let mut problem = format!("no other shard is known to hold {hash}");
    for source in sources {
        match pull(runtime, shard, source, vec![hash]).await {
            Ok(()) => return Step::Done,
            Err(message) => problem = message,
        }
    }
    Step::Retry(problem)
}

/// Other shards that a sealed version put the chunk on.
fn holders(state: &State, hash: &Sha256, except: u16) -> Vec<Principal> {
    let place = |shard: u16| ChunkPlace {
        hash: hash.0,
        shard,
    };
    state
        .chunk_places
        .range(place(0)..=place(u16::MAX))
        .map(|place| place.shard)
        .filter(|shard| *shard != except && state.fleet.member(*shard).role != Role::Retired)
        .map(|shard| state.shard_principal(shard))
        .collect()
}

/// Has `shard` fetch chunks from `source`.
pub async fn pull(
    runtime: &impl Runtime,
    shard: Principal,
    source: Principal,
    hashes: Vec<Sha256>,
) -> Result<(), String> {
    let args = PullArgs { source, hashes };
    let answer: Result<PullResult, _> = runtime::call(runtime, shard, "c2c_pull", (args,)).await;
    match answer {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("{shard} could not copy from {source}: {error:?}")),
        Err(failure) => Err(format!("{shard} did not answer: {}", failure.message)),
    }
}
