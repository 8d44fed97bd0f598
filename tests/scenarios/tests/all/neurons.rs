//! Neurons on the real canister and the real ledger: stake leaves once, followers follow, hot keys vote.

use std::time::Duration;

use candid::Nat;
use icrc_ledger_types::icrc1::account::Account;
use stoa_client::deploy::DeployPlan;
use stoa_governance_api::code::Vote;
use stoa_governance_api::{
    By, ClaimOrRefresh, Command, CommandResponse, Disburse, Follow, GetNeuron, GetNeuronResponse,
    GetNeuronResult, ManageNeuron, ManageNeuronResponse, MemoAndController, Neuron, Split,
};
use stoa_scenarios::{Actor, ONE_TOKEN, World, run, upgrade_without_stopping};

const FEE_E8S: u64 = 10_000;

async fn world() -> World {
    World::new(DeployPlan {
        inference: 0,
        ..DeployPlan::default()
    })
    .await
}

fn request(neuron: [u8; 32], command: Command) -> (ManageNeuron,) {
    (ManageNeuron {
        subaccount: neuron.to_vec(),
        command: Some(command),
    },)
}

async fn command(actor: &Actor, neuron: [u8; 32], command: Command) -> CommandResponse {
    let (response,): (ManageNeuronResponse,) = actor
        .connection
        .update(
            actor.deployment.governance,
            "manage_neuron",
            request(neuron, command),
        )
        .await
        .unwrap();
    response.command.unwrap()
}

async fn neuron(actor: &Actor, id: [u8; 32]) -> Option<Neuron> {
    let question = GetNeuron {
        neuron_id: Some(id.into()),
    };
    let (answer,): (GetNeuronResponse,) = actor
        .connection
        .query(actor.deployment.governance, "get_neuron", (question,))
        .await
        .unwrap();
    match answer.result {
        Some(GetNeuronResult::Neuron(neuron)) => Some(neuron),
        _ => None,
    }
}

/// A neuron without a dissolve delay, which can be disbursed at once.
async fn claim(actor: &Actor, amount_e8s: u64, memo: u64) -> [u8; 32] {
    let id = actor.governance().neuron_id(memo);
    let account = Account {
        owner: actor.deployment.governance,
        subaccount: Some(id),
    };
    actor
        .tokens()
        .transfer(account, Nat::from(amount_e8s), None)
        .await
        .unwrap();
    let by = By::MemoAndController(MemoAndController {
        controller: None,
        memo,
    });
    let claim = Command::ClaimOrRefresh(ClaimOrRefresh { by: Some(by) });
    let response = command(actor, id, claim).await;
    assert!(
        matches!(response, CommandResponse::ClaimOrRefresh(_)),
        "{response:?}"
    );
    id
}

async fn tokens_of(actor: &Actor) -> Nat {
    let account = Account::from(actor.principal());
    actor.tokens().balance(account).await.unwrap()
}

fn disburse_all() -> Command {
    Command::Disburse(Disburse {
        to_account: None,
        amount: None,
    })
}

#[test]
fn should_split_and_disburse_to_the_last_unit() {
    run(async {
        let world = world().await;
        let owner = world.actor().await;
        let before = tokens_of(&owner).await;
        let parent = claim(&owner, 10 * ONE_TOKEN, 0).await;
        let split = Command::Split(Split {
            memo: 1,
            amount_e8s: 4 * ONE_TOKEN,
        });
        let response = command(&owner, parent, split).await;
        assert!(
            matches!(response, CommandResponse::Split(_)),
            "{response:?}"
        );
        let child = owner.governance().neuron_id(1);
        let stake = |seen: Option<Neuron>| seen.unwrap().cached_neuron_stake_e8s;
        assert_eq!(stake(neuron(&owner, parent).await), 6 * ONE_TOKEN);
        assert_eq!(stake(neuron(&owner, child).await), 4 * ONE_TOKEN - FEE_E8S);
        for id in [parent, child] {
            let response = command(&owner, id, disburse_all()).await;
            assert!(
                matches!(response, CommandResponse::Disburse(_)),
                "{response:?}"
            );
            assert!(
                neuron(&owner, id).await.is_none(),
                "an empty neuron is gone"
            );
        }
        // The stake's transfer, the split and two disbursements.
        assert_eq!(tokens_of(&owner).await, before - Nat::from(4 * FEE_E8S));
    });
}

/// Statement 5: on the network the two run in turns, each message of one between those of the other.
#[test]
fn should_vote_and_pay_once_when_two_calls_interleave() {
    run(async {
        let world = world().await;
        let owner = world.actor().await;
        let before = tokens_of(&owner).await;
        let idle = claim(&owner, 5 * ONE_TOKEN, 0).await;
        let (one, other) = tokio::join!(
            command(&owner, idle, disburse_all()),
            command(&owner, idle, disburse_all()),
        );
        let paid = |response: &CommandResponse| matches!(response, CommandResponse::Disburse(_));
        assert_ne!(paid(&one), paid(&other), "{one:?}, {other:?}");
        assert!(neuron(&owner, idle).await.is_none());
        assert_eq!(tokens_of(&owner).await, before - Nat::from(2 * FEE_E8S));

        let proposer = world.actor().await;
        let theirs = proposer.stake(20 * ONE_TOKEN, 0).await;
        let own = owner.stake(10 * ONE_TOKEN, 1).await;
        let motion = proposer
            .governance()
            .propose_motion(theirs, "A motion", "That votes are counted once.")
            .await
            .unwrap();
        let governance = owner.governance();
        let (one, other) = tokio::join!(
            governance.try_vote(own, motion, Vote::Yes),
            governance.try_vote(own, motion, Vote::No),
        );
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_ne!(one.is_ok(), other.is_ok(), "{one:?}, {other:?}");
        let seen = owner.governance().proposal(motion).await.unwrap();
        let tally = seen.latest_tally.unwrap();
        let [(_, ballot)] = &seen.ballots[..] else {
            panic!("one neuron, one ballot: {:?}", seen.ballots);
        };
        let theirs = proposer.governance().proposal(motion).await.unwrap();
        let cast = theirs.ballots[0].1.voting_power + ballot.voting_power;
        assert_eq!(tally.yes + tally.no, cast);
    });
}

/// Statement 10.
#[test]
fn should_not_vote_twice_with_stake_that_was_moved() {
    run(async {
        let world = world().await;
        let owner = world.actor().await;
        let parent = owner.stake(20 * ONE_TOKEN, 0).await;
        let motion = owner
            .governance()
            .propose_motion(parent, "A motion", "That stake votes once.")
            .await
            .unwrap();
        let tally = async || {
            let seen = owner.governance().proposal(motion).await.unwrap();
            let tally = seen.latest_tally.unwrap();
            (tally.yes, tally.no, tally.total)
        };
        let before = tally().await;
        assert!(before.0 > 0, "the proposer votes yes");
        let split = Command::Split(Split {
            memo: 1,
            amount_e8s: 10 * ONE_TOKEN,
        });
        let response = command(&owner, parent, split).await;
        assert!(
            matches!(response, CommandResponse::Split(_)),
            "{response:?}"
        );
        let child = owner.governance().neuron_id(1);
        for (neuron, vote) in [(child, Vote::Yes), (child, Vote::No), (parent, Vote::No)] {
            let refused = owner.governance().try_vote(neuron, motion, vote).await;
            assert!(refused.unwrap().is_err(), "moved stake voted again");
            assert_eq!(tally().await, before);
        }
        // It votes on what is proposed from now on.
        let next = owner
            .governance()
            .propose_motion(parent, "Another motion", "That it votes again.")
            .await
            .unwrap();
        let voted = owner.governance().try_vote(child, next, Vote::Yes).await;
        voted.unwrap().unwrap();
    });
}

/// An upgrade that does not wait for calls in flight: nothing is lost and nothing is paid twice, whichever message it falls
/// between.
/// Statement 30.
#[test]
fn should_pay_once_when_governance_is_upgraded_in_the_middle_of_a_disburse() {
    run(async {
        let world = world().await;
        let owner = world.actor().await;
        for (memo, delay_milliseconds) in [(0, 0), (1, 5), (2, 30)] {
            let id = claim(&owner, 5 * ONE_TOKEN, memo).await;
            let before = tokens_of(&owner).await;
            let governance = owner.deployment.governance;
            let agent = owner.connection.agent();
            let argument = candid::encode_args(request(id, disburse_all())).unwrap();
            // Sent, and not waited for.
            let sending = agent.update(&governance, "manage_neuron");
            let sent = sending.with_arg(argument).call();
            let upgrade = async {
                tokio::time::sleep(Duration::from_millis(delay_milliseconds)).await;
                upgrade_without_stopping(&world.deployer, governance, "governance").await;
            };
            let (_answered_or_lost, ()) = tokio::join!(sent, upgrade);
            let expected = before.clone() + Nat::from(5 * ONE_TOKEN - FEE_E8S);
            let mut left = 150;
            while tokens_of(&owner).await != expected {
                left -= 1;
                assert!(
                    left > 0,
                    "not paid: {} of {expected}",
                    tokens_of(&owner).await
                );
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            while neuron(&owner, id).await.is_some() {
                left -= 1;
                assert!(left > 0, "the movement is not settled");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            assert_eq!(tokens_of(&owner).await, expected, "paid twice");
        }
    });
}

#[test]
fn should_vote_after_whom_a_neuron_follows() {
    run(async {
        let world = world().await;
        let leader = world.actor().await;
        let follower = world.actor().await;
        let led = leader.stake(30 * ONE_TOKEN, 0).await;
        let following = follower.stake(20 * ONE_TOKEN, 0).await;
        let follow = Command::Follow(Follow {
            function_id: 0,
            followees: vec![led.into()],
        });
        let response = command(&follower, following, follow).await;
        assert_eq!(response, CommandResponse::Follow {});
        let proposer = world.deployer.governance();
        let id = proposer
            .propose_motion(proposer.neuron_id(1), "A motion", "Text.")
            .await
            .unwrap();
        leader.governance().vote(led, id, Vote::No).await.unwrap();
        // It votes in a message of its own, soon.
        for _ in 0..100 {
            let seen = follower.governance().proposal(id).await.unwrap();
            let [(_, ballot)] = &seen.ballots[..] else {
                panic!("one neuron, one ballot: {:?}", seen.ballots);
            };
            if ballot.vote == Vote::No.number() {
                let tally = seen.latest_tally.unwrap();
                assert!(tally.no > ballot.voting_power, "the leader's and its own");
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("the follower did not vote");
    });
}
