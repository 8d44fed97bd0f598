//! Pages, filters and what a stranger may see.

use super::*;
use stoa_governance_api::code::{ProposalDecisionStatus, ProposalRewardStatus};

fn everything() -> ListProposals {
    ListProposals {
        include_reward_status: vec![],
        before_proposal: None,
        limit: 0,
        exclude_type: vec![],
        include_status: vec![],
        include_topics: None,
    }
}

fn ids(request: ListProposals) -> Vec<u64> {
    crate::query_proposals::list_proposals(request)
        .proposals
        .iter()
        .map(|proposal| proposal.id.unwrap().id)
        .collect()
}

#[test]
fn should_page_proposals_from_the_newest() {
    governance();
    let key = neuron(1, 1_000);
    neuron(2, 9_000);
    for _ in 0..5 {
        propose(1, key, motion());
    }
    let page = |before: Option<u64>, limit| {
        ids(ListProposals {
            before_proposal: before.map(|id| ProposalId { id }),
            limit,
            ..everything()
        })
    };
    assert_eq!(page(None, 0), [5, 4, 3, 2, 1]);
    assert_eq!(page(None, 2), [5, 4]);
    assert_eq!(page(Some(4), 2), [3, 2]);
    assert_eq!(page(Some(1), 2), [0; 0]);
    assert_eq!(page(Some(0), 2), [0; 0]);
    assert_eq!(page(Some(u64::MAX), 1), [5]);
}

#[test]
fn should_filter_proposals_by_status_type_and_topic() {
    governance();
    let key = neuron(1, 1_000);
    let large = neuron(2, 9_000);
    let open = propose(1, key, motion());
    let executed = propose(2, large, motion());
    run_jobs();
    let critical = propose(
        1,
        key,
        proposal(Action::RemoveGenericNervousSystemFunction(FUNCTION)),
    );
    let status = |status: ProposalDecisionStatus| {
        ids(ListProposals {
            include_status: vec![status.number()],
            ..everything()
        })
    };
    assert_eq!(status(ProposalDecisionStatus::Open), [critical, open]);
    assert_eq!(status(ProposalDecisionStatus::Executed), [executed]);
    let without_motions = ListProposals {
        exclude_type: vec![1],
        ..everything()
    };
    assert_eq!(ids(without_motions), [critical]);
    let topic = ListProposals {
        include_topics: Some(vec![TopicSelector {
            topic: Some(Topic::Governance),
        }]),
        ..everything()
    };
    assert_eq!(ids(topic), [executed, open]);
    let settled = |status: ProposalRewardStatus| ListProposals {
        include_reward_status: vec![status.number()],
        ..everything()
    };
    assert!(ids(settled(ProposalRewardStatus::Settled)).is_empty());
    let ready = |status| ids(settled(status)).len();
    set_time(START + PERIOD);
    assert_eq!(ready(ProposalRewardStatus::ReadyToSettle), 3);
    assert_eq!(ready(ProposalRewardStatus::AcceptVotes), 0);
    housekeep();
    assert_eq!(ready(ProposalRewardStatus::ReadyToSettle), 0);
    assert_eq!(ready(ProposalRewardStatus::Settled), 3);
}

#[test]
fn should_show_the_ballots_of_the_callers_neurons_only() {
    governance();
    let key = neuron(1, 1_000);
    let other = neuron(2, 2_000);
    let id = propose(1, key, motion());
    let seen_by = |caller| {
        runtime::set_caller(caller);
        let listed = crate::query_proposals::list_proposals(everything());
        assert_eq!(listed.proposals[0].ballots, read(id).ballots);
        read(id).ballots
    };
    let own = seen_by(user(1));
    assert_eq!(own.len(), 1);
    assert_eq!(own[0].0, hex::encode(key));
    assert_eq!((own[0].1.vote, own[0].1.voting_power), (1, 1_100));
    let empty = seen_by(user(2));
    assert_eq!(empty[0].0, hex::encode(other));
    assert_eq!((empty[0].1.vote, empty[0].1.voting_power), (0, 2_200));
    assert!(seen_by(user(3)).is_empty());
    assert!(seen_by(Principal::anonymous()).is_empty());
}

/// Statement 23.
#[test]
fn should_stop_a_listing_before_the_answer_outgrows_a_message() {
    governance_with(NervousSystemParameters {
        reject_cost_e8s: Some(0),
        ..parameters()
    });
    let key = neuron(1, 1_000);
    neuron(2, 9_000);
    for _ in 0..100 {
        let Command::MakeProposal(mut proposal) = motion() else {
            panic!("a motion is a proposal");
        };
        proposal.summary = "x".repeat(30_000);
        propose(1, key, Command::MakeProposal(proposal));
    }
    let listed = crate::query_proposals::list_proposals(everything());
    assert!(listed.proposals.len() < 100);
    assert!(Encode!(&listed).unwrap().len() < 2 * 1024 * 1024);
    let last = listed.proposals.last().unwrap().id;
    let next = ids(ListProposals {
        before_proposal: last,
        ..everything()
    });
    assert_eq!(next[0], last.unwrap().id - 1);
}

/// Statement 23.
#[test]
fn should_page_neurons_of_all_and_of_a_principal() {
    governance();
    let mut own: Vec<NeuronKey> = (0..5)
        .map(|memo| {
            claim(user(1), memo, 500);
            key_of(user(1), memo)
        })
        .collect();
    own.sort();
    neuron(2, 500);
    let page = |of: Option<Principal>, after: Option<NeuronKey>, limit| {
        crate::query_neurons::list_neurons(ListNeurons {
            of_principal: of,
            limit,
            start_page_at: after.map(NeuronId::from),
        })
        .neurons
        .into_iter()
        .map(|neuron| neuron.id.unwrap().id)
        .collect::<Vec<_>>()
    };
    assert_eq!(page(None, None, 0).len(), 6);
    assert_eq!(page(Some(user(1)), None, 0), own);
    assert_eq!(page(Some(user(1)), None, 2), own[..2]);
    assert_eq!(page(Some(user(1)), Some(own[1]), 2), own[2..4]);
    assert!(page(Some(user(3)), None, 0).is_empty());
    let all = page(None, None, 3);
    let last: NeuronKey = all[2].as_slice().try_into().unwrap();
    let rest = page(None, Some(last), 0);
    assert_eq!(rest.len(), 3);
    assert!(rest.iter().all(|key| !all.contains(key)));
}

#[test]
fn should_answer_not_found_for_unknown_neurons_and_proposals() {
    governance();
    let neuron =
        |id: Option<NeuronId>| match crate::query_neurons::get_neuron(GetNeuron { neuron_id: id })
            .result
        {
            Some(GetNeuronResult::Error(error)) => ErrorType::try_from(error.error_type).unwrap(),
            other => panic!("{other:?}"),
        };
    assert_eq!(neuron(None), ErrorType::InvalidCommand);
    assert_eq!(neuron(Some([1; 32].into())), ErrorType::NotFound);
    assert_eq!(
        neuron(Some(NeuronId { id: vec![1] })),
        ErrorType::InvalidNeuronId
    );
    for id in [0, 1, u64::MAX] {
        let answer = crate::query_proposals::get_proposal(GetProposal {
            proposal_id: Some(ProposalId { id }),
        });
        assert!(matches!(answer.result, Some(GetProposalResult::Error(_))));
    }
}

#[test]
fn should_name_a_missing_neuron_in_the_words_that_the_stock_client_looks_for() {
    governance();
    let answer = crate::query_neurons::get_neuron(GetNeuron {
        neuron_id: Some([1; 32].into()),
    });
    let Some(GetNeuronResult::Error(error)) = answer.result else {
        panic!("{answer:?}");
    };
    assert!(error.error_message.contains("No neuron for given NeuronId"));
}

#[test]
fn should_list_topics_with_their_functions() {
    governance();
    let topics = crate::query_system::list_topics().topics.unwrap();
    let of = |topic| {
        topics
            .iter()
            .find(|info| info.topic == Some(topic))
            .unwrap()
            .clone()
    };
    assert_eq!(
        of(Topic::ApplicationBusinessLogic)
            .custom_functions
            .unwrap()[0]
            .id,
        FUNCTION
    );
    assert_eq!(of(Topic::Governance).native_functions.unwrap()[0].id, 1);
    assert_eq!(of(Topic::CriticalDappOperations).is_critical, Some(true));
}

/// Statement 23: any combination of filters over 100,000 proposals reads their bits, 1,563
/// records, and no proposal that does not match.
#[test]
fn should_find_the_few_that_match_among_a_hundred_thousand() {
    use crate::planes::Filter;
    use crate::topic::Topic as Kind;
    governance();
    let rare = [3, 64, 65, 50_000, 99_999];
    with_state(|state| {
        for id in 1..=100_000 {
            let (status, topic) = if rare.contains(&id) {
                (ProposalDecisionStatus::Failed, Some(Kind::Governance))
            } else if id % 2 == 0 {
                (ProposalDecisionStatus::Failed, None)
            } else {
                (ProposalDecisionStatus::Executed, Some(Kind::Governance))
            };
            state.index_new(id, status, topic, ProposalRewardStatus::Settled);
        }
        assert_eq!(state.planes.len(), 1_563);
        let mut filter = Filter::default();
        filter.include_status(ProposalDecisionStatus::Failed);
        filter.include_topic(Some(Kind::Governance));
        let found = |newest| state.matching(&filter, newest).collect::<Vec<_>>();
        assert_eq!(found(100_000), [99_999, 50_000, 65, 64, 3]);
        assert_eq!(found(99_998), [50_000, 65, 64, 3]);
        assert_eq!(found(64), [64, 3]);
        assert_eq!(found(2), [0; 0]);
        state.index_status(64, ProposalDecisionStatus::Executed);
        assert_eq!(state.matching(&filter, 64).collect::<Vec<_>>(), [3]);
    });
}

/// Proposals from before the second order of ballots (layout 3) are shown as those after it.
#[test]
fn should_show_the_same_ballots_in_whichever_order_they_lie() {
    governance();
    let keys: Vec<_> = (1..=3).map(|id| neuron(id, 1_000)).collect();
    neuron(4, 9_000);
    let proposals = [(); 6].map(|()| propose(1, keys[0], motion()));
    // The second neuron votes on every other one, the third on none.
    for id in proposals.iter().step_by(2) {
        vote(2, keys[1], *id, Vote::No);
    }
    let listed = || {
        [1, 2, 3, 4].map(|id| {
            runtime::set_caller(user(id));
            crate::query_proposals::list_proposals(everything()).proposals
        })
    };
    let before = listed();
    let cast = |caller: usize| {
        let own = before[caller].iter().rev().map(|shown| &shown.ballots[0].1);
        own.map(|ballot| ballot.vote).collect::<Vec<_>>()
    };
    assert_eq!(cast(0), [1; 6]);
    assert_eq!(cast(1), [2, 0, 2, 0, 2, 0]);
    assert_eq!(cast(2), [0; 6]);
    with_state(|state| {
        let old: Vec<_> = state
            .ballots_by_neuron
            .keys()
            .filter(|(_, proposal)| *proposal <= 3)
            .collect();
        assert_eq!(old.len(), 5);
        for key in &old {
            state.ballots_by_neuron.remove(key);
        }
        state.ballots_by_neuron_after.set(3);
    });
    check_invariants();
    assert_eq!(listed(), before);
    // A vote on one of them lies with the others of it.
    vote(3, keys[2], 2, Vote::Yes);
    check_invariants();
    runtime::set_caller(user(3));
    assert_eq!(read(2).ballots[0].1.vote, 1);
}
