//! `get_publisher`, `list_publishers`, `publishers_of`.

use std::ops::Bound;

use candid::Principal;
use stoa_registry_api::{ListPublishersArgs, PublisherInfo};

use crate::limits::LIST_MAX;
use crate::state::State;
use crate::state::records::PublisherRecord;

fn info(handle: String, record: PublisherRecord) -> PublisherInfo {
    PublisherInfo {
        handle,
        owner: record.owner,
        co_publishers: record.co_publishers,
        offered_to: record.offered_to,
        created_at_nanos: record.created_at_nanos,
    }
}

pub fn get_publisher(state: &State, handle: String) -> Option<PublisherInfo> {
    let record = state.publishers.get(&handle)?;
    Some(info(handle, record))
}

/// In the order of their handles.
pub fn list_publishers(state: &State, args: ListPublishersArgs) -> Vec<PublisherInfo> {
    let start = match args.after {
        Some(after) => Bound::Excluded(after),
        None => Bound::Unbounded,
    };
    let limit = args.limit.unwrap_or(LIST_MAX).min(LIST_MAX);
    state
        .publishers
        .range((start, Bound::Unbounded))
        .take(limit as usize)
        .map(|entry| {
            let (handle, record) = entry.into_pair();
            info(handle, record)
        })
        .collect()
}

/// Those that a principal owns.
pub fn publishers_of(state: &State, owner: Principal) -> Vec<PublisherInfo> {
    let account = state.accounts.get(&owner).unwrap_or_default();
    account
        .handles
        .into_iter()
        .filter_map(|handle| get_publisher(state, handle))
        .collect()
}
