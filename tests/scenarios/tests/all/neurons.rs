//! Neurons on the real canister and the real ledger: stake leaves once, followers follow, hot keys vote.

use std::time::Duration;

use candid::{Nat, Principal};
use ic_management_canister_types::{CanisterInstallMode, InstallCodeArgs};
use icrc_ledger_types::icrc1::account::Account;
use stoa_client::deploy::{DeployPlan, candid_nothing};
use stoa_governance_api::code::Vote;
use stoa_governance_api::{
    By, ClaimOrRefresh, Command, CommandResponse, Disburse, Follow, GetNeuron, GetNeuronResponse,
    GetNeuronResult, ManageNeuron, ManageNeuronResponse, MemoAndController, Neuron, Split,
};
use stoa_scenarios::{Actor, ONE_TOKEN, World, run, wasm_folder};

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

/// An upgrade that does not wait for calls in flight: nothing is lost and nothing is paid twice, whichever message it falls
/// between.
#[test]
fn should_pay_once_when_governance_is_upgraded_in_the_middle_of_a_disburse() {
    run(async {
        let world = world().await;
        let owner = world.actor().await;
        let wasm = wasm_folder().read("governance").unwrap();
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
                upgrade_without_stopping(&world.deployer, governance, &wasm.bytes).await;
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

async fn upgrade_without_stopping(controller: &Actor, canister: Principal, wasm: &[u8]) {
    let argument = InstallCodeArgs {
        mode: CanisterInstallMode::Upgrade(None),
        canister_id: canister,
        wasm_module: wasm.to_vec(),
        arg: candid_nothing(),
        sender_canister_version: None,
    };
    controller
        .connection
        .agent()
        .update(&Principal::management_canister(), "install_code")
        .with_effective_canister_id(canister)
        .with_arg(candid::encode_one(argument).unwrap())
        .call_and_wait()
        .await
        .unwrap();
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
