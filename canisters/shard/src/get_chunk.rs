//! `get_chunk`: bytes go out, to anyone, re-hashed each time.

use stoa_shard_api::GetChunkResult;
use stoa_types::Sha256;

use crate::store;

pub fn get_chunk(hash: Sha256) -> GetChunkResult {
    store::with(|store| store.get(hash))
}
