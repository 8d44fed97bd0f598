//! Several inference canisters: a vote says which there are and which of them runs a model, and whoever asks the registry is sent
//! there.

use candid::{CandidType, Principal, encode_one};
use icrc_ledger_types::icrc1::account::Account;
use stoa_client::deploy::DeployPlan;
use stoa_client::governance::Texts;
use stoa_client::inference::Inference;
use stoa_inference_api::{LoadState, LoadStatusError};
use stoa_registry_api::AssignModelArgs;
use stoa_scenarios::{ONE_TOKEN, WHALE, World, execute_function, run, until};

const ADD_INFERENCE: u64 = 1_100;
const ASSIGN_MODEL: u64 = 1_101;
const REMOVE_INFERENCE: u64 = 1_102;

async fn adopt(world: &World, function: u64, payload: impl CandidType) {
    let payload = encode_one(payload).unwrap();
    world.adopt(execute_function(function, payload)).await;
}

#[test]
fn should_send_callers_where_a_vote_assigns_a_model() {
    run(async {
        let world = World::new(DeployPlan {
            inference: 2,
            ..DeployPlan::default()
        })
        .await;
        let version = world.publish_digits().await.version;
        world.admit(version).await;
        let registry = world.deployer.registry();
        let [first, second] = world.deployment.inference[..] else {
            panic!("{:?}", world.deployment.inference);
        };
        let sorted = |mut canisters: Vec<Principal>| {
            canisters.sort();
            canisters
        };
        let both = sorted(vec![first, second]);
        assert_eq!(sorted(registry.route(version).await.unwrap()), both);

        // One leaves by a vote, is nothing that a model could be assigned to, and comes back by another.
        adopt(&world, REMOVE_INFERENCE, second).await;
        assert_eq!(registry.list_inference().await.unwrap(), [first]);
        assert_eq!(registry.route(version).await.unwrap(), [first]);
        let assign = || AssignModelArgs {
            version,
            canisters: vec![second],
        };
        let governance = world.deployer.governance();
        let refused = governance
            .propose_action(
                governance.neuron_id(WHALE),
                Texts::titled("Nowhere"),
                execute_function(ASSIGN_MODEL, encode_one(assign()).unwrap()),
            )
            .await
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("no registered inference canister"),
            "{refused}"
        );
        adopt(&world, ADD_INFERENCE, second).await;
        assert_eq!(sorted(registry.list_inference().await.unwrap()), both);

        // Who is assigned a model loads it without being asked by anybody else, and the other does not.
        adopt(&world, ASSIGN_MODEL, assign()).await;
        assert_eq!(registry.route(version).await.unwrap(), [second]);
        let (user, stoa) = world.actor_at_command_line().await;
        let of = |canister| Inference::new(&user.connection, canister);
        until("the load", async || {
            let status = of(second).load_status(version).await.unwrap().ok()?;
            matches!(status.state, LoadState::Ready { .. }).then_some(())
        })
        .await;
        let elsewhere = of(first).load_status(version).await.unwrap();
        assert_eq!(elsewhere, Err(LoadStatusError::NotFound { version }));

        // A caller who names no canister is sent to the one that has it.
        let spender = Account::from(second);
        user.icp().approve(spender, ONE_TOKEN.into()).await.unwrap();
        let quote = of(second).quote(version).await.unwrap().unwrap();
        let version = version.to_string();
        let quoted = stoa.json(&["quote", &version]);
        assert_eq!(quoted["price_e8s"], quote.price_e8s);
        let sample = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../examples/models/digits/samples/one-digit.json"
        );
        let answer = stoa.json(&["infer", &version, sample]);
        let id = answer["receipt"]["id"].as_u64().unwrap();
        let receipt = of(second).proven_receipt(id).await.unwrap();
        assert_eq!(answer["receipt"]["hash"], receipt.hash.to_string());
        assert_eq!(receipt.caller, user.principal());
        assert_eq!(of(first).status().await.unwrap().receipts, 0);

        // Each canister numbers its own receipts: the newest of all is found, and a number is the first canister's unless another
        // one is named.
        assert_eq!(answer["receipt"]["inference"], second.to_text());
        let proven = stoa.json(&["receipt", "verify", "latest"]);
        assert_eq!(proven["inference"], second.to_text());
        assert_eq!(proven["hash"], receipt.hash.to_string());
        let id = id.to_string();
        let named = ["receipt", "verify", &id, "--inference", &second.to_text()];
        assert_eq!(stoa.json(&named)["hash"], receipt.hash.to_string());
        stoa.error(&["receipt", "verify", &id]);
    });
}
