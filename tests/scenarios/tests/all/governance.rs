//! Votes: each neuron once, with its power, and a tally that is their sum.

use stoa_client::deploy::DeployPlan;
use stoa_client::governance::decision;
use stoa_governance_api::code::{ProposalDecisionStatus, Vote};
use stoa_governance_api::{Ballot, ProposalData};
use stoa_scenarios::{Actor, ONE_TOKEN, World, run};

/// Governance without a fleet; nobody else votes in it.
async fn world() -> World {
    World::new(DeployPlan {
        inference: 0,
        ..DeployPlan::default()
    })
    .await
}

fn ballots(proposal: &ProposalData) -> Vec<Ballot> {
    proposal.ballots.iter().map(|(_, ballot)| *ballot).collect()
}

async fn own_ballot(voter: &Actor, proposal: u64) -> Ballot {
    let seen = voter.governance().proposal(proposal).await.unwrap();
    let [ballot] = ballots(&seen)[..] else {
        panic!("one neuron, one ballot: {:?}", seen.ballots);
    };
    ballot
}

#[test]
fn should_refuse_a_second_vote_and_tally_exactly_the_ballots() {
    run(async {
        let world = world().await;
        let voters = [
            world.actor().await,
            world.actor().await,
            world.actor().await,
        ];
        let mut neurons = Vec::new();
        for (voter, tokens) in voters.iter().zip([40, 30, 20]) {
            neurons.push(voter.stake(tokens * ONE_TOKEN, 0).await);
        }
        let id = voters[0]
            .governance()
            .propose_motion(neurons[0], "A motion", "That votes are counted.")
            .await
            .unwrap();
        // The proposer's own yes may be cast already.
        if own_ballot(&voters[0], id).await.vote == 0 {
            voters[0]
                .governance()
                .vote(neurons[0], id, Vote::Yes)
                .await
                .unwrap();
        }
        voters[1]
            .governance()
            .vote(neurons[1], id, Vote::No)
            .await
            .unwrap();

        for (voter, neuron) in voters.iter().zip(&neurons).take(2) {
            for vote in [Vote::Yes, Vote::No] {
                let before = voter.governance().proposal(id).await.unwrap();
                let refused = voter
                    .governance()
                    .try_vote(*neuron, id, vote)
                    .await
                    .unwrap();
                assert!(refused.is_err(), "a second vote was taken");
                let after = voter.governance().proposal(id).await.unwrap();
                let votes = |proposal: &ProposalData| {
                    let tally = proposal.latest_tally.unwrap();
                    (tally.yes, tally.no, tally.total)
                };
                assert_eq!(votes(&before), votes(&after));
                assert_eq!(ballots(&before), ballots(&after));
            }
        }

        let [yes, no, silent] = [
            own_ballot(&voters[0], id).await,
            own_ballot(&voters[1], id).await,
            own_ballot(&voters[2], id).await,
        ];
        assert_eq!((yes.vote, no.vote, silent.vote), (1, 2, 0));
        // The deployer's two neurons are all the others that there are.
        let others = world.deployer.governance().proposal(id).await.unwrap();
        let others: u64 = ballots(&others)
            .iter()
            .map(|ballot| ballot.voting_power)
            .sum();
        let seen = voters[2].governance().proposal(id).await.unwrap();
        let tally = seen.latest_tally.unwrap();
        assert_eq!(tally.yes, yes.voting_power);
        assert_eq!(tally.no, no.voting_power);
        // Each ballot is rounded down to a unit; the total, which nobody's neuron is visited for, is rounded up.
        let all = yes.voting_power + no.voting_power + silent.voting_power + others;
        let neurons = 5;
        assert!(
            (all..=all + neurons).contains(&tally.total),
            "{} of {all}",
            tally.total
        );
        assert_eq!(decision(&seen), ProposalDecisionStatus::Open);
    });
}

#[test]
fn should_not_let_anybody_vote_with_a_neuron_of_somebody_else() {
    run(async {
        let world = world().await;
        let owner = world.actor().await;
        let stranger = world.actor().await;
        let neuron = owner.stake(50 * ONE_TOKEN, 0).await;
        let id = owner
            .governance()
            .propose_motion(neuron, "A motion", "Text.")
            .await
            .unwrap();
        let before = owner.governance().proposal(id).await.unwrap();
        let whale = world.deployer.governance().neuron_id(0);
        for taken in [neuron, whale] {
            let refused = stranger
                .governance()
                .try_vote(taken, id, Vote::Yes)
                .await
                .unwrap();
            assert!(refused.is_err());
            let proposed = stranger
                .governance()
                .propose_motion(taken, "Not mine", "Text.")
                .await;
            assert!(proposed.is_err());
        }
        let after = owner.governance().proposal(id).await.unwrap();
        assert_eq!(
            before.latest_tally.map(|t| t.yes),
            after.latest_tally.map(|t| t.yes)
        );
    });
}

#[test]
fn should_not_give_a_vote_to_a_neuron_that_was_staked_after_the_proposal() {
    run(async {
        let world = world().await;
        let early = world.actor().await;
        let neuron = early.stake(50 * ONE_TOKEN, 0).await;
        let id = early
            .governance()
            .propose_motion(neuron, "A motion", "Text.")
            .await
            .unwrap();
        let late = world.actor().await;
        let late_neuron = late.stake(50 * ONE_TOKEN, 0).await;
        let refused = late
            .governance()
            .try_vote(late_neuron, id, Vote::No)
            .await
            .unwrap();
        assert!(refused.is_err());
    });
}

#[test]
fn should_decide_by_absolute_majority_and_execute_once() {
    run(async {
        let world = world().await;
        let published = world.publish_digits().await;
        let id = world.admit(published.version).await;
        let governance = world.deployer.governance();
        let executed = governance.proposal(id).await.unwrap();
        assert_eq!(decision(&executed), ProposalDecisionStatus::Executed);
        assert!(executed.executed_timestamp_seconds >= executed.decided_timestamp_seconds);
        // The same admission again is refused by the validator, before anybody votes.
        let again = world.deployer.registry().admission(published.version).await;
        assert!(again.is_err());
        let payload = stoa_registry_api::AdmitVersionArgs {
            version: published.version,
        };
        let forced = stoa_registry_api::AdmissionProposal {
            function_id: stoa_registry_api::ADMIT_VERSION_FUNCTION_ID,
            payload: candid::encode_one(payload).unwrap(),
            title: "Again".to_owned(),
            summary: String::new(),
        };
        let refused = governance
            .propose_admission(governance.neuron_id(1), &forced)
            .await;
        assert!(refused.is_err());
    });
}
