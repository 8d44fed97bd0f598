//! `claim_publisher`: a handle belongs to whom claims it first.

use candid::Principal;
use stoa_registry_api::{ClaimPublisherError, ClaimPublisherResult};
use stoa_types::names::check_handle;

use crate::limits::{HANDLES_PER_CALLER_MAX, PUBLISHERS_MAX};
use crate::runtime::Runtime;
use crate::state::State;
use crate::state::records::{Action, PublisherRecord};

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
    let mut account = state.accounts.get(&caller).unwrap_or_default();
    if account.handles.len() as u64 >= HANDLES_PER_CALLER_MAX {
        return Err(ClaimPublisherError::TooManyHandles {
            max: HANDLES_PER_CALLER_MAX,
        });
    }
    if state.publishers.len() >= PUBLISHERS_MAX {
        return Err(ClaimPublisherError::TooManyPublishers {
            max: PUBLISHERS_MAX,
        });
    }
    let publisher = PublisherRecord {
        owner: caller,
        created_at_nanos: runtime.now_nanos(),
        co_publishers: vec![],
        offered_to: None,
    };
    state.publishers.insert(handle.clone(), publisher);
    account.handles.push(handle.clone());
    state.accounts.insert(caller, account);
    state.record(runtime, caller, Action::ClaimedPublisher { handle });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state;
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
}
