//! `set_co_publishers`: who may publish under a handle besides its owner. They may do everything with its models, but neither hand
//! the handle on nor change this list.

use std::collections::BTreeSet;

use candid::Principal;
use stoa_registry_api::{SetCoPublishersArgs, SetCoPublishersError, SetCoPublishersResult};

use crate::limits::CO_PUBLISHERS_MAX;
use crate::runtime::Runtime;
use crate::state::State;
use crate::state::records::Action;

pub fn set_co_publishers(
    state: &mut State,
    runtime: &impl Runtime,
    caller: Principal,
    args: SetCoPublishersArgs,
) -> SetCoPublishersResult {
    if caller == Principal::anonymous() {
        return Err(SetCoPublishersError::AnonymousCaller);
    }
    let SetCoPublishersArgs {
        handle,
        co_publishers,
    } = args;
    let mut publisher = state
        .publishers
        .get(&handle)
        .ok_or(SetCoPublishersError::NotFound)?;
    if publisher.owner != caller {
        let owner = publisher.owner;
        return Err(SetCoPublishersError::NotOwner { owner });
    }
    let given = co_publishers.len() as u64;
    if given > CO_PUBLISHERS_MAX {
        return Err(SetCoPublishersError::TooMany {
            given,
            max: CO_PUBLISHERS_MAX,
        });
    }
    let mut seen = BTreeSet::new();
    for principal in &co_publishers {
        let reason = if *principal == Principal::anonymous()
            || *principal == Principal::management_canister()
        {
            "it is nobody's own"
        } else if *principal == caller {
            "the owner may publish already"
        } else if !seen.insert(*principal) {
            "it is there twice"
        } else {
            continue;
        };
        return Err(SetCoPublishersError::InvalidPrincipal {
            principal: *principal,
            reason: reason.to_owned(),
        });
    }
    if publisher.co_publishers != co_publishers {
        publisher.co_publishers.clone_from(&co_publishers);
        state.publishers.insert(handle.clone(), publisher);
        let action = Action::SetCoPublishers {
            handle,
            co_publishers,
        };
        state.record(runtime, caller, action);
    }
    Ok(())
}
