//! Handles: who has them, who publishes under them, how they pass on.

use stoa_registry_api::{
    AcceptPublisherError, OfferPublisherArgs, OfferPublisherError, SetCoPublishersArgs,
    SetCoPublishersError,
};

use super::*;
use crate::hand_over_publisher::{accept_publisher, offer_publisher};
use crate::list_publishers::{get_publisher, list_publishers, publishers_of};
use crate::set_co_publishers::set_co_publishers;

fn offer(runtime: &TestRuntime, caller: u8, to: Option<u8>) -> Result<(), OfferPublisherError> {
    let args = OfferPublisherArgs {
        handle: "stoa".into(),
        to: to.map(principal),
    };
    with_mut(|state| offer_publisher(state, runtime, principal(caller), args))
}

fn accept(runtime: &TestRuntime, caller: u8) -> Result<(), AcceptPublisherError> {
    with_mut(|state| accept_publisher(state, runtime, principal(caller), "stoa".into()))
}

fn share(
    runtime: &TestRuntime,
    caller: u8,
    with_whom: Vec<Principal>,
) -> Result<(), SetCoPublishersError> {
    let args = SetCoPublishersArgs {
        handle: "stoa".into(),
        co_publishers: with_whom,
    };
    with_mut(|state| set_co_publishers(state, runtime, principal(caller), args))
}

#[test]
fn should_hand_a_handle_over_only_to_whom_it_was_offered_and_who_accepts() {
    let runtime = prepared();
    let owner = principal(OWNER);
    assert_eq!(accept(&runtime, 2), Err(AcceptPublisherError::NotOffered));
    assert_eq!(
        offer(&runtime, 2, Some(2)),
        Err(OfferPublisherError::NotOwner { owner })
    );
    offer(&runtime, OWNER, Some(2)).unwrap();
    assert_eq!(accept(&runtime, 3), Err(AcceptPublisherError::NotOffered));
    offer(&runtime, OWNER, None).unwrap();
    assert_eq!(accept(&runtime, 2), Err(AcceptPublisherError::NotOffered));
    offer(&runtime, OWNER, Some(2)).unwrap();
    share(&runtime, OWNER, vec![principal(5)]).unwrap();
    accept(&runtime, 2).unwrap();

    let info = with(|state| get_publisher(state, "stoa".into())).unwrap();
    assert_eq!((info.owner, info.offered_to), (principal(2), None));
    assert_eq!(info.co_publishers, []);
    assert!(with(|state| publishers_of(state, owner)).is_empty());
    assert_eq!(with(|state| publishers_of(state, principal(2))).len(), 1);
    let publisher = "stoa".to_owned();
    assert_eq!(
        begin(&runtime, manifest()),
        Err(BeginUploadError::NotPublisher { publisher })
    );
    assert!(begin_by(&runtime, 2, manifest()).is_ok());
}

#[test]
fn should_refuse_offers_that_nobody_could_accept_and_handles_beyond_the_cap() {
    let runtime = prepared();
    for nobody in [Principal::anonymous(), Principal::management_canister()] {
        let args = OfferPublisherArgs {
            handle: "stoa".into(),
            to: Some(nobody),
        };
        let refused = with_mut(|state| offer_publisher(state, &runtime, principal(OWNER), args));
        assert!(matches!(
            refused,
            Err(OfferPublisherError::InvalidRecipient { .. })
        ));
    }
    assert!(matches!(
        offer(&runtime, OWNER, Some(OWNER)),
        Err(OfferPublisherError::InvalidRecipient { .. })
    ));
    for number in 0..8 {
        let handle = format!("of-two-{number}");
        with_mut(|state| claim_publisher(state, &runtime, principal(2), handle)).unwrap();
    }
    offer(&runtime, OWNER, Some(2)).unwrap();
    assert_eq!(
        accept(&runtime, 2),
        Err(AcceptPublisherError::TooManyHandles { max: 8 })
    );
    let anonymous = Principal::anonymous();
    let refused = with_mut(|state| accept_publisher(state, &runtime, anonymous, "stoa".into()));
    assert_eq!(refused, Err(AcceptPublisherError::AnonymousCaller));
    let unknown = with_mut(|state| accept_publisher(state, &runtime, principal(2), "no".into()));
    assert_eq!(unknown, Err(AcceptPublisherError::NotFound));
}

#[test]
fn should_let_co_publishers_publish_but_not_give_the_handle_away() {
    let runtime = prepared();
    share(&runtime, OWNER, vec![principal(2)]).unwrap();
    let plan = begin_by(&runtime, 2, manifest()).unwrap();
    put_all(&runtime, &plan);
    Running::start(seal(&runtime, principal(2), plan.version))
        .finish()
        .unwrap();
    let owner = principal(OWNER);
    assert_eq!(
        offer(&runtime, 2, Some(2)),
        Err(OfferPublisherError::NotOwner { owner })
    );
    assert_eq!(
        share(&runtime, 2, vec![]),
        Err(SetCoPublishersError::NotOwner { owner })
    );
    share(&runtime, OWNER, vec![]).unwrap();
    let refused = with_mut(|state| submit(state, &runtime, principal(2), plan.version));
    let publisher = "stoa".to_owned();
    assert_eq!(refused, Err(SubmitError::NotPublisher { publisher }));
}

#[test]
fn should_refuse_lists_of_co_publishers_that_make_no_sense() {
    let runtime = prepared();
    let many: Vec<_> = (10..27).map(principal).collect();
    assert_eq!(
        share(&runtime, OWNER, many),
        Err(SetCoPublishersError::TooMany { given: 17, max: 16 })
    );
    for list in [
        vec![Principal::anonymous()],
        vec![Principal::management_canister()],
        vec![principal(OWNER)],
        vec![principal(2), principal(2)],
    ] {
        assert!(matches!(
            share(&runtime, OWNER, list),
            Err(SetCoPublishersError::InvalidPrincipal { .. })
        ));
    }
}

#[test]
fn should_list_publishers_over_pages() {
    let runtime = prepared();
    for number in 0..5 {
        let handle = format!("lab-{number}");
        with_mut(|state| claim_publisher(state, &runtime, principal(2), handle)).unwrap();
    }
    let mut seen = vec![];
    let mut after = None;
    loop {
        let args = stoa_registry_api::ListPublishersArgs {
            after,
            limit: Some(4),
        };
        let page = with(|state| list_publishers(state, args));
        let Some(last) = page.last() else { break };
        after = Some(last.handle.clone());
        seen.extend(page.into_iter().map(|info| info.handle));
    }
    assert_eq!(seen, ["lab-0", "lab-1", "lab-2", "lab-3", "lab-4", "stoa"]);
}
