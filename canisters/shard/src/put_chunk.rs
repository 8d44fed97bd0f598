//! `put_chunk`: bytes come in. They are hashed before anything is believed about them.

use candid::Principal;
use stoa_shard_api::{PutChunkError, PutChunkResult};

use crate::store;

pub fn put_chunk(caller: Principal, data: &[u8]) -> PutChunkResult {
    if caller == Principal::anonymous() {
        return Err(PutChunkError::AnonymousCaller);
    }
    store::with_mut(|store| store.put(caller, data))
}
