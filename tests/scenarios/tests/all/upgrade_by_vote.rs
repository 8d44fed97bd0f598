//! After genesis code changes by vote alone, that of governance itself included.

use candid::Principal;
use stoa_client::deploy::{DeployPlan, hand_over};
use stoa_client::governance::Texts;
use stoa_client::management::Management;
use stoa_client::shard::Shard;
use stoa_client::wasm::Wasm;
use stoa_scenarios::{PATIENCE, WHALE, World, run, wasm_folder};
use stoa_types::Sha256;

/// The same code under another hash: without gzip around it.
fn other_build_of(name: &str) -> Wasm {
    let packed = wasm_folder().read(name).unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(
        &mut flate2::read::GzDecoder::new(packed.bytes.as_slice()),
        &mut bytes,
    )
    .expect("a canister in gzip");
    Wasm {
        hash: Sha256::of(&bytes),
        bytes,
    }
}

async fn handed_over() -> (World, Management) {
    let world = World::new(DeployPlan {
        inference: 0,
        ..DeployPlan::default()
    })
    .await;
    let connection = &world.deployer.connection;
    hand_over(connection, &world.deployment, |_, _| {})
        .await
        .unwrap();
    let management = Management::new(connection).await.unwrap();
    (world, management)
}

async fn propose(world: &World, canister: Principal, wasm: &Wasm, store: Option<Principal>) -> u64 {
    let governance = world.deployer.governance();
    governance
        .propose_upgrade(
            governance.neuron_id(WHALE),
            Texts::titled("Other code"),
            canister,
            wasm,
            None,
            store,
        )
        .await
        .unwrap()
}

#[test]
fn should_upgrade_a_child_to_the_module_that_the_proposal_names() {
    run(async {
        let (world, management) = handed_over().await;
        let shard = world.deployment.shards[0];
        let wasm = other_build_of("shard");
        let before = Shard::new(&world.deployer.connection, shard)
            .status()
            .await
            .unwrap();
        let proposal = propose(&world, shard, &wasm, None).await;
        let data = world.outcome(proposal).await.unwrap();
        let rendering = data.payload_text_rendering.unwrap();
        assert!(rendering.contains(&wasm.hash.to_string()), "{rendering}");
        assert_eq!(
            management.module_hash(shard).await.unwrap(),
            Some(wasm.hash)
        );
        // It runs, with what it had.
        let after = Shard::new(&world.deployer.connection, shard)
            .status()
            .await
            .unwrap();
        assert_eq!(after.capacity_bytes, before.capacity_bytes);
    });
}

#[test]
fn should_upgrade_a_child_from_chunks_in_a_proposers_store() {
    run(async {
        let (world, management) = handed_over().await;
        let registry = world.deployment.registry;
        let wasm = other_build_of("registry");
        let store = management.create(10_000_000_000_000, None).await.unwrap();
        let proposal = propose(&world, registry, &wasm, Some(store)).await;
        world.outcome(proposal).await.unwrap();
        assert_eq!(
            management.module_hash(registry).await.unwrap(),
            Some(wasm.hash)
        );
        world.deployer.claim_handle().await;
    });
}

#[test]
fn should_leave_a_child_running_whose_new_module_is_refused() {
    run(async {
        let (world, management) = handed_over().await;
        let shard = world.deployment.shards[0];
        let before = management.module_hash(shard).await.unwrap();
        let bytes = b"\0asm\x01\0\0\0and then nonsense".to_vec();
        let broken = Wasm {
            hash: Sha256::of(&bytes),
            bytes,
        };
        let proposal = propose(&world, shard, &broken, None).await;
        let failed = world.outcome(proposal).await.unwrap_err();
        assert!(failed.contains("not installed"), "{failed}");
        assert_eq!(management.module_hash(shard).await.unwrap(), before);
        Shard::new(&world.deployer.connection, shard)
            .status()
            .await
            .unwrap();
        world.deployer.claim_handle().await;
    });
}

#[test]
fn should_upgrade_governance_itself_once_and_record_it() {
    run(async {
        let (world, management) = handed_over().await;
        let governance = world.deployment.governance;
        let wasm = other_build_of("governance");
        let neurons = world
            .deployer
            .governance()
            .neurons(Some(world.deployer.principal()))
            .await
            .unwrap();
        let proposal = propose(&world, governance, &wasm, None).await;
        let data = world.outcome(proposal).await.unwrap();
        assert!(data.executed_timestamp_seconds >= data.decided_timestamp_seconds);
        assert_eq!(
            management.module_hash(governance).await.unwrap(),
            Some(wasm.hash)
        );
        // The certified state still says who controls it, and nothing of the DAO is lost.
        assert_eq!(
            management.controllers(governance).await.unwrap(),
            Some(vec![governance])
        );
        let after = world
            .deployer
            .governance()
            .neurons(Some(world.deployer.principal()))
            .await
            .unwrap();
        assert_eq!(after.len(), neurons.len());
        // It goes on: its timers too, and back to the other build as well.
        let packed = wasm_folder().read("governance").unwrap();
        let back = propose(&world, governance, &packed, None).await;
        world
            .deployer
            .governance()
            .wait_executed(back, PATIENCE)
            .await
            .unwrap();
        assert_eq!(
            management.module_hash(governance).await.unwrap(),
            Some(packed.hash)
        );
    });
}
