//! `c2c_pull`: copies from another shard, for repairs and moves. The bytes go from shard to shard; the registry only says which.
//! A chunk is stored in the message that has it, so that a trap or an upgrade in the middle loses the one in flight.

use candid::Principal;
use stoa_shard_api::{CHUNKS_PER_PULL_MAX, GetChunksArgs, PullArgs, PullError, PullResult, Pulled};
use stoa_types::Sha256;

use crate::put_chunk::check_cycles;
use crate::runtime::Runtime;
use crate::{certification, store};

pub async fn pull(runtime: &impl Runtime, caller: Principal, args: PullArgs) -> PullResult {
    let registry = store::with(|store| store.registry());
    if caller != registry {
        return Err(PullError::NotRegistry { registry });
    }
    let given = args.hashes.len() as u64;
    if given > CHUNKS_PER_PULL_MAX {
        return Err(PullError::TooManyChunks {
            given,
            max: CHUNKS_PER_PULL_MAX,
        });
    }
    let mut pulled = Pulled { copied: 0, held: 0 };
    for hash in args.hashes {
        if is_held(&hash) {
            pulled.held += 1;
            continue;
        }
        let data = fetch(runtime, args.source, hash).await?;
        let refused = |error| PullError::Refused { hash, error };
        check_cycles(runtime).map_err(refused)?;
        store::with_mut(|store| store.put_copy(&data)).map_err(refused)?;
        certification::publish(runtime);
        pulled.copied += 1;
    }
    Ok(pulled)
}

fn is_held(hash: &Sha256) -> bool {
    store::with(|store| store.held_size_bytes(hash).is_some() && !store.is_damaged(hash))
}

async fn fetch(
    runtime: &impl Runtime,
    source: Principal,
    hash: Sha256,
) -> Result<Vec<u8>, PullError> {
    let failed = |message: String| PullError::SourceFailed { hash, message };
    let args = GetChunksArgs {
        hashes: vec![hash],
        reply_bytes_max: None,
    };
    let answers = runtime
        .get_chunks(source, &args)
        .await
        .map_err(|error| failed(error.message))?
        .map_err(|error| failed(format!("{error:?}")))?;
    match answers.into_iter().next() {
        // Bytes of another name would be refused as not expected, or worse, be expected; so it is looked at here.
        Some(Ok(chunk)) if Sha256::of(&chunk.data) == hash => Ok(chunk.data),
        Some(Ok(_)) => Err(failed("other bytes".to_owned())),
        Some(Err(error)) => Err(failed(format!("{error:?}"))),
        None => Err(failed("no answer for the chunk".to_owned())),
    }
}
