//! The chunk store: parts of modules that are too long for one message.

use std::sync::Arc;

use ic_management_canister_types::{ChunkHash, UploadChunkArgs};
use sha2::{Digest, Sha256};

use super::{
    CanisterArgument, ManagementResult, check_growth, contract_violation, decode_one, reply,
};
use crate::canister::{Canister, ManagementCaller};
use crate::error::Failure;
use crate::limits::{CHUNK_BYTES_MAX, MODULE_BYTES_MAX, STORED_CHUNKS_MAX};
use crate::scheduler::Executor;

pub fn store_error(message: impl std::fmt::Display) -> Failure {
    contract_violation(format!("Error from Wasm chunk store: {message}."))
}

impl Executor {
    pub(super) fn upload_chunk(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        let given: UploadChunkArgs = decode_one(argument)?;
        if given.chunk.len() > CHUNK_BYTES_MAX {
            return Err(store_error(format!(
                "Wasm chunk size {} exceeds the maximum chunk size of {CHUNK_BYTES_MAX}",
                given.chunk.len()
            )));
        }
        let hash: [u8; 32] = Sha256::digest(&given.chunk).into();
        let mut state = self.network().write();
        let canister = state
            .canisters
            .get_mut(&given.canister_id)
            .ok_or_else(|| Failure::canister_not_found(given.canister_id))?;
        if !canister.chunks.contains_key(&hash) && canister.chunks.len() >= STORED_CHUNKS_MAX {
            return Err(store_error(format!(
                "Wasm chunk store has already reached maximum capacity of {STORED_CHUNKS_MAX} chunks"
            )));
        }
        if !canister.chunks.contains_key(&hash) {
            check_growth(canister, CHUNK_BYTES_MAX as u64)?;
            canister.chunks.insert(hash, Arc::new(given.chunk));
        }
        reply(
            caller,
            (ChunkHash {
                hash: hash.to_vec(),
            },),
        )
    }

    pub(super) fn stored_chunks(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        let id = decode_one::<CanisterArgument>(argument)?.canister_id;
        let state = self.network().read();
        let canister = state
            .canisters
            .get(&id)
            .ok_or_else(|| Failure::canister_not_found(id))?;
        let hashes: Vec<ChunkHash> = canister
            .chunks
            .keys()
            .map(|hash| ChunkHash {
                hash: hash.to_vec(),
            })
            .collect();
        reply(caller, (hashes,))
    }

    pub(super) fn clear_chunk_store(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        let id = decode_one::<CanisterArgument>(argument)?.canister_id;
        let mut state = self.network().write();
        let canister = state
            .canisters
            .get_mut(&id)
            .ok_or_else(|| Failure::canister_not_found(id))?;
        canister.chunks.clear();
        reply(caller, ())
    }
}

/// Puts a module together from the chunks of a store.
pub fn assemble(
    store: &Canister,
    hashes: &[ChunkHash],
    module_hash: &[u8],
) -> Result<Vec<u8>, Failure> {
    let mut module = Vec::new();
    for chunk in hashes {
        let hash: [u8; 32] = chunk
            .hash
            .as_slice()
            .try_into()
            .map_err(|_| store_error("Chunk hash is invalid. The length is not 32"))?;
        let bytes = store.chunks.get(&hash).ok_or_else(|| {
            store_error(format!("Chunk hash {} was not found", hex::encode(hash)))
        })?;
        if module.len() + bytes.len() > MODULE_BYTES_MAX {
            return Err(store_error(format!(
                "Wasm module exceeds the maximum of {MODULE_BYTES_MAX} bytes"
            )));
        }
        module.extend_from_slice(bytes);
    }
    let found: [u8; 32] = Sha256::digest(&module).into();
    if found[..] != *module_hash {
        return Err(store_error(format!(
            "Wasm module hash {} does not match given hash {}",
            hex::encode(found),
            hex::encode(module_hash)
        )));
    }
    Ok(module)
}
