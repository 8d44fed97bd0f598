//! `list_shards`: every shard, in the order in which they came.

use candid::Principal;

use crate::state::State;

pub fn list_shards(state: &State) -> Vec<Principal> {
    state
        .shards
        .iter()
        .map(|entry| entry.value().principal)
        .collect()
}
