//! A version as listings show it: at most 5 KiB, of which its tags are the most.

use stoa_registry_api::VersionSummary;
use stoa_types::Sha256;

use crate::state::State;
use crate::state::records::VersionRecord;

pub fn summary(state: &State, version: Sha256, record: VersionRecord) -> VersionSummary {
    let price_per_call_e8s = state.price_per_call_e8s(&record);
    VersionSummary {
        version,
        publisher: record.publisher,
        name: record.name,
        semver: record.semver,
        task: record.task,
        license: record.license,
        status: record.status.into(),
        size_bytes: record.size_bytes,
        tags: record.tags,
        created_at_nanos: record.created_at_nanos,
        price_per_call_e8s,
    }
}

/// Of a version that may be gone.
pub fn summary_of(state: &State, version: Sha256) -> Option<VersionSummary> {
    let record = state.version(&version)?;
    Some(summary(state, version, record))
}
