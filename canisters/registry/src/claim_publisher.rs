//! `claim_publisher`: a handle belongs to whom claims it first.
//!
//! Handles cost nothing, and principals neither, so somebody could claim as many as there may be. Therefore nobody keeps for nothing
//! what others need: where every place is taken, a handle that nothing is published under goes back, an hour after it was claimed.
//! A draft is enough to keep one, and a draft takes a deposit. So newcomers are kept out by whoever claims all handles anew every hour.

use std::cell::RefCell;
use std::ops::Bound::{Excluded, Unbounded};

use candid::Principal;
use stoa_registry_api::{ClaimPublisherError, ClaimPublisherResult};
use stoa_types::names::check_handle;

use crate::limits::{HANDLES_PER_CALLER_MAX, PUBLISHERS_MAX};
use crate::runtime::Runtime;
use crate::state::State;
use crate::state::records::{Action, PublisherRecord};

/// For a publisher to begin the first upload.
const KEPT_UNUSED_NANOS: u64 = 3_600 * 1_000_000_000;
/// Handles that one claim looks at for one that is not used, at some 0.2 M instructions each.
const LOOKED_AT_MAX: usize = 100;

thread_local! {
    /// The last handle that was looked at: the next claim goes on behind it.
    static UNSTABLE_LOOKED_AT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Claiming one's own handle again changes nothing.
pub fn claim_publisher(
    state: &mut State,
    runtime: &impl Runtime,
    caller: Principal,
    handle: String,
) -> ClaimPublisherResult {
    if caller == Principal::anonymous() {
        return Err(ClaimPublisherError::AnonymousCaller);
    }
    check_handle(&handle).map_err(|problem| ClaimPublisherError::InvalidHandle {
        reason: problem.to_string(),
    })?;
    if let Some(publisher) = state.publishers.get(&handle) {
        return if publisher.owner == caller {
            Ok(())
        } else {
            Err(ClaimPublisherError::Taken)
        };
    }
    let own = state.accounts.get(&caller).unwrap_or_default().handles;
    if own.len() as u64 >= HANDLES_PER_CALLER_MAX {
        return Err(ClaimPublisherError::TooManyHandles {
            max: HANDLES_PER_CALLER_MAX,
        });
    }
    if state.publishers.len() >= PUBLISHERS_MAX {
        let unused = find_unused(state, runtime.now_nanos()).ok_or(
            ClaimPublisherError::TooManyPublishers {
                max: PUBLISHERS_MAX,
            },
        )?;
        take_back(state, runtime, caller, unused);
    }
    let publisher = PublisherRecord {
        owner: caller,
        created_at_nanos: runtime.now_nanos(),
        co_publishers: vec![],
        offered_to: None,
    };
    state.publishers.insert(handle.clone(), publisher);
    // One that was the caller's own may have gone back.
    let mut account = state.accounts.get(&caller).unwrap_or_default();
    account.handles.push(handle.clone());
    state.accounts.insert(caller, account);
    state.record(runtime, caller, Action::ClaimedPublisher { handle });
    Ok(())
}

/// Where none of those it looks at is unused, the next claim looks at others.
fn find_unused(state: &State, now_nanos: u64) -> Option<String> {
    UNSTABLE_LOOKED_AT.with_borrow_mut(|last| {
        let behind = state.publishers.range((Excluded(last.clone()), Unbounded));
        let mut looked_at = behind.chain(state.publishers.iter()).take(LOOKED_AT_MAX);
        looked_at.find_map(|entry| {
            let (handle, publisher) = entry.into_pair();
            last.clone_from(&handle);
            let kept_until = publisher.created_at_nanos.saturating_add(KEPT_UNUSED_NANOS);
            (kept_until <= now_nanos && !has_models(state, &handle)).then_some(handle)
        })
    })
}

fn has_models(state: &State, handle: &str) -> bool {
    // '/' is followed by '0'.
    let range = format!("{handle}/")..format!("{handle}0");
    state.models.range(range).next().is_some()
}

/// For the log it passes to the registry, which has all handles that are nobody's.
fn take_back(state: &mut State, runtime: &impl Runtime, caller: Principal, handle: String) {
    let publisher = state.publishers.remove(&handle);
    let from = publisher.expect("BUG: an unused handle is gone").owner;
    let mut account = state.accounts.get(&from).unwrap_or_default();
    account.handles.retain(|own| *own != handle);
    state.accounts.insert(from, account);
    let to = runtime.own_id();
    let action = Action::TransferredPublisher { handle, from, to };
    state.record(runtime, caller, action);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state;
    use crate::state::records::{AccountRecord, ModelRecord};
    use crate::testing::{TestRuntime, install, principal};

    fn claim(caller: Principal, handle: &str) -> ClaimPublisherResult {
        let runtime = TestRuntime::new();
        state::with_mut(|state| claim_publisher(state, &runtime, caller, handle.to_owned()))
    }

    #[test]
    fn should_give_a_handle_to_the_first_who_claims_it() {
        install();
        assert_eq!(claim(principal(1), "stoa"), Ok(()));
        assert_eq!(claim(principal(1), "stoa"), Ok(()));
        assert_eq!(claim(principal(2), "stoa"), Err(ClaimPublisherError::Taken));
    }

    #[test]
    fn should_refuse_anonymous_malformed_and_too_many() {
        install();
        let anonymous = claim(Principal::anonymous(), "stoa");
        assert_eq!(anonymous, Err(ClaimPublisherError::AnonymousCaller));
        let malformed = claim(principal(1), "Stoa!");
        assert!(matches!(
            malformed,
            Err(ClaimPublisherError::InvalidHandle { .. })
        ));
        for number in 0..8 {
            assert_eq!(claim(principal(1), &format!("handle-{number}")), Ok(()));
        }
        let max = 8;
        assert_eq!(
            claim(principal(1), "one-more"),
            Err(ClaimPublisherError::TooManyHandles { max })
        );
    }

    /// All handles that there may be, each of an owner of its own.
    fn fill(created_at_nanos: u64) {
        state::with_mut(|state| {
            for number in 0..PUBLISHERS_MAX {
                let publisher = PublisherRecord {
                    owner: owner(number),
                    created_at_nanos,
                    co_publishers: vec![],
                    offered_to: None,
                };
                state.publishers.insert(handle(number), publisher);
            }
        });
    }

    fn handle(number: u64) -> String {
        format!("squat-{number:0>5}")
    }

    fn owner(number: u64) -> Principal {
        Principal::from_slice(&number.to_be_bytes())
    }

    /// Statements 21 and 26: to claim is free, and who claims every handle keeps nobody out for longer than an hour.
    #[test]
    fn should_take_an_unused_handle_back_where_every_place_is_taken() {
        install();
        let runtime = TestRuntime::new();
        let claim = |handle: &str| {
            state::with_mut(|state| {
                claim_publisher(state, &runtime, principal(9), handle.to_owned())
            })
        };
        fill(runtime.now_nanos());
        state::with_mut(|state| {
            let account = AccountRecord {
                handles: vec![handle(150)],
                ..AccountRecord::default()
            };
            state.accounts.insert(owner(150), account);
            for number in 0..150 {
                let model = format!("{}/model", handle(number));
                state.models.insert(model, ModelRecord::default());
            }
        });
        let full = Err(ClaimPublisherError::TooManyPublishers {
            max: PUBLISHERS_MAX,
        });
        assert_eq!(claim("newcomer"), full, "all were claimed just now");
        UNSTABLE_LOOKED_AT.set(String::new());
        runtime.pass(std::time::Duration::from_nanos(KEPT_UNUSED_NANOS));
        // The first hundred and fifty are used, and one call looks at a hundred.
        assert_eq!(claim("newcomer"), full);
        assert_eq!(claim("newcomer"), Ok(()));
        state::with(|state| {
            assert_eq!(state.publishers.len(), PUBLISHERS_MAX);
            assert!(!state.publishers.contains_key(&handle(150)));
            assert!((0..150).all(|number| state.publishers.contains_key(&handle(number))));
            assert!(state.accounts.get(&owner(150)).unwrap().handles.is_empty());
            let logged = state.audit.get(state.audit.len() - 2).unwrap();
            let taken_back = Action::TransferredPublisher {
                handle: handle(150),
                from: owner(150),
                to: runtime.own_id(),
            };
            assert_eq!((logged.actor, logged.action), (principal(9), taken_back));
        });
        // Behind the last one it begins again, and the newcomer's own is too young to go.
        UNSTABLE_LOOKED_AT.set(handle(PUBLISHERS_MAX - 2));
        assert_eq!(claim("second"), Ok(()));
        assert_eq!(claim("third"), full);
        assert_eq!(claim("newcomer"), Ok(()), "it is the caller's");
    }
}
