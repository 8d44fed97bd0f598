//! Statement 12: a callee that never answers keeps governance neither from being stopped nor from being upgraded, from
//! outside or by itself. It can delay both by the time that governance gives to a call: a minute for the validator here,
//! which is why these two take that long.

use candid::Principal;
use stoa_client::deploy::{DeployPlan, hand_over};
use stoa_client::governance::Texts;
use stoa_client::management::Management;
use stoa_governance_api::{
    Action, FunctionType, GenericNervousSystemFunction, NervousSystemFunction, Topic,
};
use stoa_scenarios::{
    Actor, ONE_TOKEN, Stalled, WHALE, World, execute_function, other_build_of, run, until,
    wasm_folder,
};

const FUNCTION: u64 = 5_000;

/// A world with a function whose validator does not answer, and somebody who can propose it.
async fn world() -> (World, Stalled, Actor, [u8; 32]) {
    let world = World::new(DeployPlan {
        inference: 0,
        ..DeployPlan::default()
    })
    .await;
    let stalled = Stalled::install(&world.deployer.connection).await;
    let method = |canister: Principal| (Some(canister), Some("work".to_owned()));
    let (validator_canister_id, validator_method_name) = method(stalled.canister);
    let (target_canister_id, target_method_name) = method(stalled.canister);
    let function = NervousSystemFunction {
        id: FUNCTION,
        name: "To a canister that does not answer".to_owned(),
        description: None,
        function_type: Some(FunctionType::GenericNervousSystemFunction(
            GenericNervousSystemFunction {
                validator_canister_id,
                target_canister_id,
                validator_method_name,
                target_method_name,
                topic: Some(Topic::ApplicationBusinessLogic),
            },
        )),
    };
    world
        .adopt(Action::AddGenericNervousSystemFunction(function))
        .await;
    let proposer = world.actor().await;
    let neuron = proposer.stake(50 * ONE_TOKEN, 0).await;
    (world, stalled, proposer, neuron)
}

/// Proposes the function: what governance says when it gives the validator up, while `meanwhile` goes on.
async fn while_governance_waits(
    stalled: &Stalled,
    proposer: &Actor,
    neuron: [u8; 32],
    meanwhile: impl Future<Output = ()>,
) -> String {
    let governance = proposer.governance();
    let nothing = candid::encode_args(()).unwrap();
    let action = execute_function(FUNCTION, nothing);
    let proposing = governance.propose_action(neuron, Texts::titled("Stall"), action);
    let (proposed, ()) = tokio::join!(proposing, async {
        until("the call of the validator", async || {
            stalled.is_waited_for().await.then_some(())
        })
        .await;
        meanwhile.await;
    });
    assert!(stalled.is_waited_for().await, "it has not answered");
    proposed.unwrap_err().to_string()
}

#[test]
fn should_upgrade_itself_by_vote_while_a_callee_never_answers() {
    run(async {
        let (world, stalled, proposer, neuron) = world().await;
        let governance = world.deployment.governance;
        let connection = &world.deployer.connection;
        hand_over(connection, &world.deployment, |_, _| {})
            .await
            .unwrap();
        let management = Management::new(connection).await.unwrap();
        let module = other_build_of("governance");
        let refused = while_governance_waits(&stalled, &proposer, neuron, async {
            let whale = world.deployer.governance();
            let texts = Texts::titled("Other code");
            let proposal = whale
                .propose_upgrade(
                    whale.neuron_id(WHALE),
                    texts,
                    governance,
                    &module,
                    None,
                    None,
                )
                .await
                .unwrap();
            world.outcome(proposal).await.unwrap();
        })
        .await;
        assert!(refused.contains("did not answer"), "{refused}");
        let runs = management.module_hash(governance).await.unwrap();
        assert_eq!(runs, Some(module.hash));
        // The neuron is not locked by what was given up.
        let again = proposer
            .governance()
            .propose_motion(neuron, "A motion", "Text.")
            .await;
        again.unwrap();
    });
}

#[test]
fn should_stop_and_be_upgraded_while_a_callee_never_answers() {
    run(async {
        let (world, stalled, proposer, neuron) = world().await;
        let governance = world.deployment.governance;
        let management = Management::new(&world.deployer.connection).await.unwrap();
        let module = other_build_of("governance");
        let refused = while_governance_waits(&stalled, &proposer, neuron, async {
            management.stop(governance).await.unwrap();
            assert!(stalled.is_waited_for().await, "it has not answered");
            // Stopped already; the client's upgrade stops, installs and starts.
            management
                .upgrade(governance, &module, Vec::new())
                .await
                .unwrap();
        })
        .await;
        assert!(refused.contains("did not answer"), "{refused}");
        let runs = management.module_hash(governance).await.unwrap();
        assert_eq!(runs, Some(module.hash));
        let again = proposer
            .governance()
            .propose_motion(neuron, "A motion", "Text.")
            .await;
        again.unwrap();
        let packed = wasm_folder().read("governance").unwrap();
        assert_ne!(packed.hash, module.hash, "it was another build");
    });
}
