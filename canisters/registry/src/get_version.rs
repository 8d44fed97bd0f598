//! `get_version`: a version with its manifest, status, price and where its chunks are.

use stoa_registry_api::{GetVersionError, GetVersionResult, StoredChunk, VersionInfo};
use stoa_types::Sha256;

use crate::shards::Targets;
use crate::state::State;

pub fn get_version(state: &State, version: Sha256) -> GetVersionResult {
    let record = state.version(&version).ok_or(GetVersionError::NotFound)?;
    let placement = Targets::of(state, version)
        .chunks()
        .iter()
        .map(|(chunk, shards)| StoredChunk {
            hash: chunk.hash,
            size_bytes: chunk.size_bytes,
            shards: shards.clone(),
        })
        .collect();
    Ok(VersionInfo {
        version,
        manifest: state.manifest(&version),
        status: record.status.into(),
        created_at_nanos: record.created_at_nanos,
        price_per_call_e8s: state.price_per_call_e8s(&record),
        placement,
    })
}
