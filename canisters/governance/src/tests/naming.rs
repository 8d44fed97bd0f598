//! Name, texts and logo of the DAO, and the topics of generic functions, change by vote.

use stoa_governance_api::code::ProposalDecisionStatus;

use super::following::follow;
use super::*;
use crate::query_system::{get_metadata, list_topics};

fn nothing() -> ManageSnsMetadata {
    ManageSnsMetadata {
        url: None,
        logo: None,
        name: None,
        description: None,
    }
}

fn metadata(change: ManageSnsMetadata) -> Command {
    proposal(Action::ManageSnsMetadata(change))
}

fn topics(given: &[(u64, Topic)]) -> Command {
    proposal(Action::SetTopicsForCustomProposals(
        SetTopicsForCustomProposals {
            custom_function_id_to_topic: given.to_vec(),
        },
    ))
}

fn logo() -> String {
    format!("data:image/png;base64,{}", "A".repeat(100))
}

#[test]
fn should_change_what_is_given_of_the_texts_and_keep_it_over_an_upgrade() {
    let stable = governance();
    let key = neuron(1, 1_000);
    let before = get_metadata();
    let change = ManageSnsMetadata {
        name: Some("Commons".to_string()),
        logo: Some(logo()),
        ..nothing()
    };
    let id = propose(1, key, metadata(change.clone()));
    let rendering = read(id).payload_text_rendering.unwrap();
    assert!(rendering.contains("Commons") && rendering.contains("Before: Stoa"));
    assert!(!rendering.contains("## Description"), "{rendering}");
    assert_eq!(get_metadata(), before, "not before it is adopted");
    run_jobs();
    assert_eq!(read(id).executed_timestamp_seconds, START);
    upgrade(stable);
    let after = get_metadata();
    assert_eq!(
        after,
        GetMetadataResponse {
            name: change.name.clone(),
            logo: change.logo.clone(),
            ..before
        }
    );
    // A later change leaves the logo as it is.
    propose(
        1,
        key,
        metadata(ManageSnsMetadata {
            url: Some("https://commons.example".to_string()),
            ..nothing()
        }),
    );
    run_jobs();
    assert_eq!(get_metadata().logo, Some(logo()));
    // The whole is with the proposal; a listing leaves the logo out.
    let whole = read(id).proposal.unwrap().action;
    assert_eq!(whole, Some(Action::ManageSnsMetadata(change.clone())));
    let listed = crate::query_proposals::list_proposals(ListProposals {
        include_reward_status: vec![],
        before_proposal: Some(ProposalId { id: id + 1 }),
        limit: 1,
        exclude_type: vec![],
        include_status: vec![],
        include_topics: Some(vec![TopicSelector {
            topic: Some(Topic::DaoCommunitySettings),
        }]),
    });
    let action = listed.proposals[0].proposal.clone().unwrap().action;
    let short = ManageSnsMetadata {
        logo: None,
        ..change
    };
    assert_eq!(action, Some(Action::ManageSnsMetadata(short)));
    check_invariants();
}

#[test]
fn should_refuse_texts_that_say_nothing_or_too_much() {
    governance();
    let key = neuron(1, 1_000);
    let text = |length: usize| Some("t".repeat(length));
    let with = |name, description, url, logo| ManageSnsMetadata {
        name,
        description,
        url,
        logo,
    };
    for change in [
        nothing(),
        with(text(3), None, None, None),
        with(text(256), None, None, None),
        with(Some(" Commons".to_string()), None, None, None),
        with(None, text(9), None, None),
        with(None, text(2_001), None, None),
        with(None, None, text(9), None),
        with(None, None, text(513), None),
        with(None, None, None, Some("https://logo.example".to_string())),
        with(None, None, None, Some(logo() + &"A".repeat(64 * 1024))),
    ] {
        assert_eq!(
            error_of(command(user(1), key, metadata(change.clone()))),
            ErrorType::InvalidProposal,
            "{change:?}"
        );
    }
}

#[test]
fn should_put_functions_under_topics_for_the_proposals_that_follow() {
    governance();
    let key = neuron(1, 1_000);
    let large = neuron(2, 100_000);
    follow(1, key, 0, &[]);
    let before = propose_execution(1, key, b"DIDL\0\0");
    assert_eq!(read(before).topic, Some(Topic::ApplicationBusinessLogic));
    let set = propose(
        1,
        key,
        topics(&[(FUNCTION, Topic::TreasuryAssetManagement)]),
    );
    let rendering = read(set).payload_text_rendering.unwrap();
    assert!(
        rendering.contains("Treasury & asset management, before Application business logic"),
        "{rendering}"
    );
    assert_eq!(read(set).topic, Some(Topic::CriticalDappOperations));
    vote(2, large, set, Vote::Yes);
    run_jobs();
    assert_eq!(read(set).executed_timestamp_seconds, START);
    // What was proposed before keeps its topic and its thresholds; the next has the new ones.
    assert_eq!(read(before).topic, Some(Topic::ApplicationBusinessLogic));
    let after = propose_execution(1, key, b"DIDL\0\0");
    assert_eq!(read(after).topic, Some(Topic::TreasuryAssetManagement));
    let threshold = |id| {
        read(id)
            .minimum_yes_proportion_of_total
            .unwrap()
            .basis_points
    };
    assert_eq!(
        (threshold(before), threshold(after)),
        (Some(300), Some(2_000))
    );
    let listed = list_topics().topics.unwrap();
    let of = |topic| {
        let info = listed
            .iter()
            .find(|info| info.topic == Some(topic))
            .unwrap();
        let custom = info.custom_functions.as_ref().unwrap();
        custom
            .iter()
            .map(|function| function.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(of(Topic::TreasuryAssetManagement), [FUNCTION]);
    assert!(of(Topic::ApplicationBusinessLogic).is_empty());
    check_invariants();
}

#[test]
fn should_refuse_topics_that_cannot_be_set_and_set_all_or_none() {
    governance();
    let key = neuron(1, 1_000);
    let large = neuron(2, 100_000);
    let refused = |given: &[(u64, Topic)]| error_of(command(user(1), key, topics(given)));
    assert_eq!(refused(&[]), ErrorType::InvalidProposal);
    assert_eq!(
        refused(&[(1, Topic::Governance)]),
        ErrorType::InvalidProposal
    );
    let twice = [(FUNCTION, Topic::Governance), (FUNCTION, Topic::Governance)];
    assert_eq!(refused(&twice), ErrorType::InvalidProposal);
    let many: Vec<_> = (0..151)
        .map(|id| (FUNCTION + id, Topic::Governance))
        .collect();
    assert_eq!(refused(&many), ErrorType::InvalidProposal);
    assert_eq!(refused(&[(4_000, Topic::Governance)]), ErrorType::NotFound);
    // One of the two is removed before the vote ends: the other keeps its topic.
    let itself = runtime::canister_self();
    with_state(|state| {
        let second = crate::function::GenericFunction::try_from(function(2_000));
        state.add_function(second.unwrap(), itself).unwrap();
    });
    let both = [(FUNCTION, Topic::Governance), (2_000, Topic::Governance)];
    let set = propose(1, key, topics(&both));
    with_state(|state| state.remove_function(2_000)).unwrap();
    vote(2, large, set, Vote::Yes);
    run_jobs();
    let status = with_state(|state| state.progress_of(set)).unwrap().status();
    assert_eq!(status, ProposalDecisionStatus::Failed);
    let topic = with_state(|state| state.generic_function(FUNCTION))
        .unwrap()
        .topic;
    assert_eq!(topic, Some(crate::topic::Topic::ApplicationBusinessLogic));
}
