//! `get_chunks`: several at once, for canisters.

use stoa_shard_api::{GetChunksArgs, GetChunksResult};

use crate::store;

pub fn get_chunks(args: &GetChunksArgs) -> GetChunksResult {
    store::with(|store| store.get_chunks(args))
}
