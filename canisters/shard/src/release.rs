//! `c2c_release`: a version, or some chunks of it, are no longer to be held. Nothing else ever deletes what was stored.

use candid::Principal;
use stoa_shard_api::{CHUNKS_PER_RELEASE_MAX, ReleaseArgs, ReleaseError, ReleaseResult};

use crate::runtime::Runtime;
use crate::{certification, store};

pub fn release(runtime: &impl Runtime, caller: Principal, args: &ReleaseArgs) -> ReleaseResult {
    let given = args.chunks.as_ref().map_or(0, Vec::len) as u64;
    if given > CHUNKS_PER_RELEASE_MAX {
        return Err(ReleaseError::TooManyChunks {
            given,
            max: CHUNKS_PER_RELEASE_MAX,
        });
    }
    let released = store::with_mut(|store| {
        let registry = store.registry();
        if caller != registry {
            return Err(ReleaseError::NotRegistry { registry });
        }
        Ok(match &args.chunks {
            Some(chunks) => store.release_chunks(&args.version, chunks),
            None => store.release(&args.version),
        })
    })?;
    certification::publish(runtime);
    if released.is_done {
        Ok(())
    } else {
        Err(ReleaseError::Unfinished {
            freed_chunks: released.freed_chunks,
            freed_bytes: released.freed_bytes,
        })
    }
}
