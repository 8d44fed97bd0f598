//! `confirm_chunks`: which of these are held, and how large they are. Says nothing about
//! their bytes, which `get_chunk` hashes.

use stoa_shard_api::{CHUNKS_PER_CALL_MAX, ConfirmError, ConfirmResult, Held};
use stoa_types::Sha256;

use crate::store;

pub fn confirm_chunks(hashes: &[Sha256]) -> ConfirmResult {
    let given = hashes.len() as u64;
    if given > CHUNKS_PER_CALL_MAX {
        return Err(ConfirmError::TooManyChunks {
            given,
            max: CHUNKS_PER_CALL_MAX,
        });
    }
    let mut held = Held {
        bitmap: vec![0; hashes.len().div_ceil(8)],
        sizes_bytes: vec![0; hashes.len()],
    };
    store::with(|store| {
        for (index, hash) in hashes.iter().enumerate() {
            if let Some(size_bytes) = store.held_size_bytes(hash) {
                held.bitmap[index / 8] |= 1 << (index % 8);
                held.sizes_bytes[index] = size_bytes;
            }
        }
    });
    Ok(held)
}
