//! `list_versions`: all versions, page by page, in the order of their digests, which no later version can disturb.

use std::ops::Bound;

use stoa_registry_api::{ListVersionsArgs, VersionSummary};
use stoa_types::Sha256;

use crate::limits::LIST_MAX;
use crate::state::State;

pub fn list_versions(state: &State, args: &ListVersionsArgs) -> Vec<VersionSummary> {
    let start = match args.after {
        Some(after) => Bound::Excluded(after.0),
        None => Bound::Unbounded,
    };
    let limit = args.limit.unwrap_or(LIST_MAX).min(LIST_MAX);
    state
        .versions
        .range((start, Bound::Unbounded))
        .take(limit as usize)
        .map(|entry| {
            let (version, record) = entry.into_pair();
            VersionSummary {
                version: Sha256(version),
                publisher: record.publisher,
                name: record.name,
                semver: record.semver,
                task: record.task,
                license: record.license,
                status: record.status.into(),
                size_bytes: record.size_bytes,
            }
        })
        .collect()
}
