//! What is read without the Candid library is what the library reads.

use candid::CandidType;
use proptest::prelude::*;

use super::*;
use crate::plain_command::read;

fn by_library(bytes: &[u8]) -> Option<ManageNeuron> {
    candid::decode_one(bytes).ok()
}

fn plain_action() -> impl Strategy<Value = Action> {
    let payload = proptest::collection::vec(any::<u8>(), 0..200);
    prop_oneof![
        ".{0,300}".prop_map(|motion_text| Action::Motion(Motion { motion_text })),
        (any::<u64>(), payload).prop_map(|(function_id, payload)| {
            Action::ExecuteGenericNervousSystemFunction(ExecuteGenericNervousSystemFunction {
                function_id,
                payload,
            })
        }),
    ]
}

fn plain_command() -> impl Strategy<Value = Command> {
    let vote = (any::<i32>(), proptest::option::of(any::<u64>())).prop_map(|(vote, id)| {
        Command::RegisterVote(RegisterVote {
            vote,
            proposal: id.map(|id| ProposalId { id }),
        })
    });
    let proposal = (
        ".{0,50}",
        ".{0,200}",
        ".{0,50}",
        proptest::option::of(plain_action()),
    )
        .prop_map(|(title, summary, url, action)| {
            Command::MakeProposal(Proposal {
                url,
                title,
                action,
                summary,
            })
        });
    prop_oneof![vote, proposal]
}

fn plain_request() -> impl Strategy<Value = ManageNeuron> {
    let subaccount = proptest::collection::vec(any::<u8>(), 0..40);
    (subaccount, proptest::option::of(plain_command())).prop_map(|(subaccount, command)| {
        ManageNeuron {
            subaccount,
            command,
        }
    })
}

/// A client that knows no other command; its types are fewer.
#[derive(CandidType)]
enum FewCommands {
    RegisterVote(RegisterVote),
    #[allow(dead_code)]
    Disburse(Disburse),
}

#[derive(CandidType)]
struct FewManageNeuron {
    subaccount: Vec<u8>,
    command: Option<FewCommands>,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn should_read_votes_and_plain_proposals_as_the_library_does(request in plain_request()) {
        let bytes = Encode!(&request).unwrap();
        let seen = read(&bytes);
        prop_assert_eq!(seen.as_ref(), Some(&request));
        prop_assert_eq!(seen, by_library(&bytes));
    }

    #[test]
    fn should_read_nothing_into_a_damaged_message_that_the_library_does_not(
        request in plain_request(),
        damages in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = Encode!(&request).unwrap();
        for (at, byte) in damages {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        if let Some(seen) = read(&bytes) {
            prop_assert_eq!(Some(seen), by_library(&bytes));
        }
    }
}

#[test]
fn should_read_a_vote_of_a_client_that_knows_fewer_types() {
    let vote = RegisterVote {
        vote: 1,
        proposal: Some(ProposalId { id: 7 }),
    };
    let bytes = Encode!(&FewManageNeuron {
        subaccount: vec![3; 32],
        command: Some(FewCommands::RegisterVote(vote.clone())),
    })
    .unwrap();
    let expected = ManageNeuron {
        subaccount: vec![3; 32],
        command: Some(Command::RegisterVote(vote)),
    };
    assert_eq!(read(&bytes), Some(expected));
}

#[test]
fn should_leave_to_the_library_what_it_does_not_know() {
    for command in [
        claim_command(user(1), 0),
        Command::Disburse(Disburse {
            to_account: None,
            amount: None,
        }),
        proposal(Action::RemoveGenericNervousSystemFunction(5)),
        proposal(Action::Unspecified {}),
    ] {
        let request = ManageNeuron {
            subaccount: vec![1; 32],
            command: Some(command),
        };
        let bytes = Encode!(&request).unwrap();
        assert_eq!(read(&bytes), None);
        assert_eq!(crate::decode_command(bytes), request);
    }
}

#[test]
fn should_answer_as_the_library_does() {
    governance();
    let key = neuron(1, 1_000);
    let id = propose(1, key, motion());
    crate::answer::prepare();
    let made = |id| {
        CommandResponse::MakeProposal(GetProposal {
            proposal_id: Some(ProposalId { id }),
        })
    };
    for response in [
        made(1),
        made(u64::MAX),
        CommandResponse::RegisterVote {},
        CommandResponse::Follow {},
    ] {
        let response = ManageNeuronResponse {
            command: Some(response),
        };
        let expected = Encode!(&response).unwrap();
        assert_eq!(crate::answer::command(response), expected);
    }
    runtime::set_caller(user(1));
    let proposal = crate::query_proposals::get_proposal(GetProposal {
        proposal_id: Some(ProposalId { id }),
    });
    let expected = Encode!(&proposal).unwrap();
    assert_eq!(crate::answer::proposal(proposal), expected);
    let listed = crate::query_proposals::list_proposals(ListProposals {
        include_reward_status: vec![],
        before_proposal: None,
        limit: 0,
        exclude_type: vec![],
        include_topics: None,
        include_status: vec![],
    });
    assert_eq!(listed.proposals.len(), 1);
    let expected = Encode!(&listed).unwrap();
    assert_eq!(crate::answer::proposals(listed), expected);
    let neuron = crate::query_neurons::get_neuron(GetNeuron {
        neuron_id: Some(key.into()),
    });
    let expected = Encode!(&neuron).unwrap();
    assert_eq!(crate::answer::neuron(neuron), expected);
    let neurons = crate::query_neurons::list_neurons(ListNeurons {
        of_principal: None,
        limit: 0,
        start_page_at: None,
    });
    let expected = Encode!(&neurons).unwrap();
    assert_eq!(crate::answer::neurons(neurons), expected);
}
