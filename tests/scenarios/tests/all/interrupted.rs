//! Governance is upgraded while somebody owes it an answer, and nothing is lost or done twice. The answers are late on
//! purpose, and each test sees that the upgrade really falls in the middle.

use candid::{Nat, Principal};
use icrc_ledger_types::icrc1::account::Account;
use stoa_client::deploy::DeployPlan;
use stoa_client::management::Management;
use stoa_governance_api::{
    Action, By, ClaimOrRefresh, Command, CommandResponse, Disburse, FunctionType,
    GenericNervousSystemFunction, GetNeuron, GetNeuronResponse, GetNeuronResult, ManageNeuron,
    ManageNeuronResponse, MemoAndController, NervousSystemFunction, Topic,
};
use stoa_scenarios::{
    Actor, LedgerFault, LedgerFaultKind, ONE_TOKEN, Slow, World, execute_function, run, until,
    upgrade_without_stopping,
};

const FEE_E8S: u64 = 10_000;
const LATE_SECONDS: u64 = 8;

async fn world() -> World {
    World::new(DeployPlan {
        inference: 0,
        ..DeployPlan::default()
    })
    .await
}

async fn add_function(world: &World, id: u64, canister: Principal, method: &str) {
    let function = NervousSystemFunction {
        id,
        name: format!("To {method}"),
        description: None,
        function_type: Some(FunctionType::GenericNervousSystemFunction(
            GenericNervousSystemFunction {
                validator_canister_id: Some(canister),
                target_canister_id: Some(canister),
                validator_method_name: Some("validate".to_owned()),
                target_method_name: Some(method.to_owned()),
                topic: Some(Topic::ApplicationBusinessLogic),
            },
        )),
    };
    world
        .adopt(Action::AddGenericNervousSystemFunction(function))
        .await;
}

/// Statements 11 and 30.
#[test]
fn should_execute_once_when_governance_is_upgraded_before_the_target_answers() {
    run(async {
        let world = world().await;
        let governance = world.deployment.governance;
        let slow = Slow::install(&world.deployer.connection).await;
        add_function(&world, 5_000, slow.canister, "work").await;
        add_function(&world, 5_001, slow.canister, "trap").await;
        let nothing = candid::encode_args(()).unwrap();
        let proposal = world
            .propose(execute_function(5_000, nothing.clone()))
            .await;
        until("the execution", async || {
            (slow.count().await == 1).then_some(())
        })
        .await;
        let state = world
            .deployer
            .governance()
            .proposal(proposal)
            .await
            .unwrap();
        assert_eq!(
            (
                state.executed_timestamp_seconds,
                state.failed_timestamp_seconds
            ),
            (0, 0),
            "the target has not answered"
        );
        upgrade_without_stopping(&world.deployer, governance, "governance").await;
        let outcome = world.outcome(proposal).await.unwrap_err();
        assert!(outcome.contains("not known"), "{outcome}");
        slow.release().await;
        // Again, through everything that looks for what was left over.
        upgrade_without_stopping(&world.deployer, governance, "governance").await;
        assert_eq!(world.outcome(proposal).await.unwrap_err(), outcome);
        assert_eq!(slow.count().await, 1, "executed once");

        // A target that traps is not called again either.
        let proposal = world
            .propose(execute_function(5_001, nothing.clone()))
            .await;
        let outcome = world.outcome(proposal).await.unwrap_err();
        assert!(
            outcome.contains("failed, possibly after a part"),
            "{outcome}"
        );
        assert_eq!(slow.count().await, 2);
        // And with nobody in the way the same function works.
        let proposal = world.propose(execute_function(5_000, nothing)).await;
        world.outcome(proposal).await.unwrap();
        assert_eq!(slow.count().await, 3);
    });
}

async fn command(actor: &Actor, neuron: [u8; 32], command: Command) -> CommandResponse {
    let request = ManageNeuron {
        subaccount: neuron.to_vec(),
        command: Some(command),
    };
    let (response,): (ManageNeuronResponse,) = actor
        .connection
        .update(actor.deployment.governance, "manage_neuron", (request,))
        .await
        .unwrap();
    response.command.unwrap()
}

async fn is_there(actor: &Actor, neuron: [u8; 32]) -> bool {
    let question = GetNeuron {
        neuron_id: Some(neuron.into()),
    };
    let (answer,): (GetNeuronResponse,) = actor
        .connection
        .query(actor.deployment.governance, "get_neuron", (question,))
        .await
        .unwrap();
    matches!(answer.result, Some(GetNeuronResult::Neuron(_)))
}

/// Statements 2, 9 and 30: the ledger has paid, and governance does not know it.
#[test]
fn should_pay_once_when_governance_is_upgraded_before_the_ledger_answers_a_disburse() {
    run(async {
        let world = world().await;
        let owner = world.actor().await;
        let neuron = owner.governance().neuron_id(0);
        let account = Account {
            owner: world.deployment.governance,
            subaccount: Some(neuron),
        };
        let tokens = owner.tokens();
        let stake = Nat::from(5 * ONE_TOKEN);
        tokens.transfer(account, stake.clone(), None).await.unwrap();
        let by = By::MemoAndController(MemoAndController {
            controller: None,
            memo: 0,
        });
        let claimed = command(
            &owner,
            neuron,
            Command::ClaimOrRefresh(ClaimOrRefresh { by: Some(by) }),
        )
        .await;
        assert!(
            matches!(claimed, CommandResponse::ClaimOrRefresh(_)),
            "{claimed:?}"
        );
        let late = LedgerFaultKind::AnswerLate {
            seconds: LATE_SECONDS,
        };
        world
            .order_ledger_faults(
                world.deployment.token_ledger,
                vec![LedgerFault::next("icrc1_transfer", late)],
            )
            .await;
        let own = Account::from(owner.principal());
        let before = tokens.balance(own).await.unwrap();
        let expected = before + stake - Nat::from(FEE_E8S);
        let disburse = Command::Disburse(Disburse {
            to_account: None,
            amount: None,
        });
        let request = ManageNeuron {
            subaccount: neuron.to_vec(),
            command: Some(disburse.clone()),
        };
        // Sent, and its answer is lost with the old code.
        let sending = owner
            .connection
            .agent()
            .update(&world.deployment.governance, "manage_neuron");
        let sent = sending
            .with_arg(candid::encode_one(request).unwrap())
            .call();
        let upgrade = async {
            until("the payment", async || {
                (tokens.balance(own).await.unwrap() == expected).then_some(())
            })
            .await;
            assert!(
                is_there(&owner, neuron).await,
                "governance waits for the ledger"
            );
            let governance = world.deployment.governance;
            upgrade_without_stopping(&world.deployer, governance, "governance").await;
        };
        let (_answered_or_lost, ()) = tokio::join!(sent, upgrade);
        until("the end of the disburse", async || {
            (!is_there(&owner, neuron).await).then_some(())
        })
        .await;
        let again = command(&owner, neuron, disburse).await;
        assert!(matches!(again, CommandResponse::Error(_)), "{again:?}");
        assert_eq!(tokens.balance(own).await.unwrap(), expected, "paid once");
        assert_eq!(tokens.balance(account).await.unwrap(), Nat::from(0u8));
    });
}

/// Statement 29: timers are armed by the upgrade and go on after a stop and a start. Nobody sends a message that could
/// decide the proposal.
#[test]
fn should_decide_at_the_deadline_after_an_upgrade_a_stop_and_a_start() {
    run(async {
        let world = world().await;
        let governance = world.deployment.governance;
        let change = stoa_governance_api::NervousSystemParameters {
            initial_voting_period_seconds: Some(8),
            wait_for_quiet_deadline_increase_seconds: Some(0),
            ..Default::default()
        };
        world
            .adopt(Action::ManageNervousSystemParameters(change))
            .await;
        let voter = world.actor().await;
        let neuron = voter.stake(50 * ONE_TOKEN, 0).await;
        let motion = voter
            .governance()
            .propose_motion(neuron, "A motion", "Text.")
            .await
            .unwrap();
        upgrade_without_stopping(&world.deployer, governance, "governance").await;
        let management = Management::new(&world.deployer.connection).await.unwrap();
        management.stop(governance).await.unwrap();
        management.start(governance).await.unwrap();
        let seen = until("the decision", async || {
            let seen = voter.governance().proposal(motion).await.unwrap();
            (seen.decided_timestamp_seconds > 0).then_some(seen)
        })
        .await;
        let deadline = seen.proposal_creation_timestamp_seconds + 8;
        assert!(seen.decided_timestamp_seconds >= deadline, "not before");
        // A rejected proposal: its votes did not make the quorum.
        assert_eq!(seen.executed_timestamp_seconds, 0);
    });
}
