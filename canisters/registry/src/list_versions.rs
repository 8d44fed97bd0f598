//! `list_versions`: all versions, page by page, in the order of their digests, which no later version can disturb; and
//! `list_open_versions`: what one principal has under way.

use std::ops::Bound;

use candid::Principal;
use stoa_registry_api::{ListVersionsArgs, VersionSummary};
use stoa_types::Sha256;

use crate::limits::LIST_MAX;
use crate::state::State;
use crate::summary::{summary, summary_of};

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
            summary(state, Sha256(version), record)
        })
        .collect()
}

/// As many as one principal may have, which fits a reply.
pub fn list_open_versions(state: &State, account: Principal) -> Vec<VersionSummary> {
    state
        .open_versions
        .range((account, [0; 32])..=(account, [255; 32]))
        .filter_map(|(_, version)| summary_of(state, Sha256(version)))
        .collect()
}
