//! `offer_publisher` and `accept_publisher`: a handle passes on when its owner offers it and the other accepts, so that
//! nobody loses one to a typing error and nobody is given one unasked.

use candid::Principal;
use stoa_registry_api::{
    AcceptPublisherError, AcceptPublisherResult, OfferPublisherArgs, OfferPublisherError,
    OfferPublisherResult,
};

use crate::limits::HANDLES_PER_CALLER_MAX;
use crate::runtime::Runtime;
use crate::state::State;
use crate::state::records::{AccountRecord, Action};

pub fn offer_publisher(
    state: &mut State,
    runtime: &impl Runtime,
    caller: Principal,
    args: OfferPublisherArgs,
) -> OfferPublisherResult {
    if caller == Principal::anonymous() {
        return Err(OfferPublisherError::AnonymousCaller);
    }
    let OfferPublisherArgs { handle, to } = args;
    let mut publisher = state
        .publishers
        .get(&handle)
        .ok_or(OfferPublisherError::NotFound)?;
    if publisher.owner != caller {
        let owner = publisher.owner;
        return Err(OfferPublisherError::NotOwner { owner });
    }
    if let Some(to) = to {
        let reason = if to == Principal::anonymous() || to == Principal::management_canister() {
            "nobody could accept it"
        } else if to == caller {
            "the owner has it already"
        } else {
            ""
        };
        if !reason.is_empty() {
            let reason = reason.to_owned();
            return Err(OfferPublisherError::InvalidRecipient { reason });
        }
    }
    if publisher.offered_to != to {
        publisher.offered_to = to;
        state.publishers.insert(handle.clone(), publisher);
        state.record(runtime, caller, Action::OfferedPublisher { handle, to });
    }
    Ok(())
}

/// The co-publishers were the old owner's choice and do not pass on.
pub fn accept_publisher(
    state: &mut State,
    runtime: &impl Runtime,
    caller: Principal,
    handle: String,
) -> AcceptPublisherResult {
    if caller == Principal::anonymous() {
        return Err(AcceptPublisherError::AnonymousCaller);
    }
    let mut publisher = state
        .publishers
        .get(&handle)
        .ok_or(AcceptPublisherError::NotFound)?;
    if publisher.offered_to != Some(caller) {
        return Err(AcceptPublisherError::NotOffered);
    }
    let mut account = state.accounts.get(&caller).unwrap_or_default();
    if account.handles.len() as u64 >= HANDLES_PER_CALLER_MAX {
        return Err(AcceptPublisherError::TooManyHandles {
            max: HANDLES_PER_CALLER_MAX,
        });
    }
    let from = publisher.owner;
    publisher.owner = caller;
    publisher.offered_to = None;
    publisher.co_publishers.clear();
    state.publishers.insert(handle.clone(), publisher);

    account.handles.push(handle.clone());
    state.accounts.insert(caller, account);
    let mut former = state.accounts.get(&from).unwrap_or_default();
    former.handles.retain(|kept| *kept != handle);
    if former == AccountRecord::default() {
        state.accounts.remove(&from);
    } else {
        state.accounts.insert(from, former);
    }
    let to = caller;
    let action = Action::TransferredPublisher { handle, from, to };
    state.record(runtime, caller, action);
    Ok(())
}
