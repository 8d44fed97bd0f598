//! The code of new shards, in chunks. The DAO names the hashes; the bytes may come from anybody, since nothing else hashes to them.

use candid::Principal;
use stoa_registry_api::{PutModuleChunkError, PutModuleChunkResult};
use stoa_types::Sha256;

use super::records::{Digest, Module};
use crate::state::State;

/// Chunks are 1 MiB at most (by what an ingress message may carry), and one installation message carries 2 MiB between subnets.
pub const MODULE_CHUNKS_MAX: usize = 2;

/// Names the module. Chunks of an earlier one that it does not share go.
pub fn choose(state: &mut State, module: Module) {
    let stale: Vec<[u8; 32]> = state
        .fleet
        .module
        .iter()
        .map(|entry| *entry.key())
        .filter(|hash| !module.chunks.contains(&Digest::new(*hash)))
        .collect();
    for hash in stale {
        state.fleet.module.remove(&hash);
    }
    let mut settings = state.fleet.settings.get().clone();
    settings.module = Some(module);
    state.fleet.settings.set(settings);
}

pub fn put_chunk(state: &mut State, caller: Principal, bytes: Vec<u8>) -> PutModuleChunkResult {
    if caller == Principal::anonymous() {
        return Err(PutModuleChunkError::AnonymousCaller);
    }
    let hash = Sha256::of(&bytes);
    let digest = Digest::new(hash.0);
    let wanted = state.fleet.settings.get().module.clone();
    let wanted = wanted.map(|module| module.chunks).unwrap_or_default();
    if !wanted.contains(&digest) {
        return Err(PutModuleChunkError::NotWanted { hash });
    }
    if !state.fleet.module.contains_key(&hash.0) {
        state.fleet.module.insert(hash.0, bytes);
    }
    let missing = wanted
        .iter()
        .filter(|hash| !state.fleet.module.contains_key(&hash.into_array()))
        .count();
    Ok(missing as u64)
}

pub fn is_complete(state: &State) -> bool {
    state
        .fleet
        .settings
        .get()
        .module
        .as_ref()
        .is_some_and(|module| {
            module
                .chunks
                .iter()
                .all(|hash| state.fleet.module.contains_key(&hash.into_array()))
        })
}

/// The module, if it is all here and hashes to what the DAO named.
pub fn bytes(state: &State) -> Option<Vec<u8>> {
    let module = state.fleet.settings.get().module.clone()?;
    let mut bytes = Vec::new();
    for hash in &module.chunks {
        bytes.extend(state.fleet.module.get(&hash.into_array())?);
    }
    (Sha256::of(&bytes).0 == module.hash.into_array()).then_some(bytes)
}
