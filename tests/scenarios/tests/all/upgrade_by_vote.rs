//! After genesis code changes by vote alone, that of governance itself included.

use std::time::{Duration, Instant};

use candid::{Nat, Principal};
use icrc_ledger_types::icrc1::account::Account;
use stoa_client::Accepted;
use stoa_client::deploy::{DeployPlan, candid_nothing, hand_over};
use stoa_client::fleet;
use stoa_client::governance::Texts;
use stoa_client::management::Management;
use stoa_client::push::push;
use stoa_client::shard::Shard;
use stoa_client::wasm::Wasm;
use stoa_governance_api::{Action, ManageLedgerParameters, RolloutInfo, RolloutState};
use stoa_scenarios::{
    ONE_TOKEN, PATIENCE, WHALE, World, model_with_extra_file, other_build_of, run, wasm_folder,
};
use stoa_types::Sha256;

/// The same code under another hash: compressed anew.
fn recompressed(name: &str) -> Wasm {
    let plain = other_build_of(name);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &plain.bytes).expect("written to memory");
    let bytes = encoder.finish().expect("written to memory");
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

/// Proposed, adopted and begun.
async fn roll_out(world: &World, shards: &[Principal], module: &Wasm) {
    let governance = world.deployer.governance();
    let stored = governance.store(module, None).await.unwrap();
    let decision = fleet::upgrade(shards.to_vec(), &stored, candid_nothing()).unwrap();
    let proposal = governance
        .propose_execution(
            governance.neuron_id(WHALE),
            Texts::titled("All shards"),
            decision.function_id,
            decision.payload,
        )
        .await
        .unwrap();
    world.outcome(proposal).await.unwrap();
}

async fn rolled_out(world: &World) -> RolloutInfo {
    let start = Instant::now();
    loop {
        let rollout = world.deployer.governance().rollout().await.unwrap();
        let rollout = rollout.expect("one was begun");
        if rollout.state != RolloutState::UnderWay {
            return rollout;
        }
        assert!(start.elapsed() < PATIENCE, "{rollout:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[test]
fn should_upgrade_every_shard_by_one_vote_in_the_middle_of_an_upload_and_stop_at_a_bad_module() {
    run(async {
        let (world, management) = handed_over().await;
        let shards = world.deployment.shards.clone();
        let publisher = world.actor().await;
        let registry = publisher.registry();
        let handle = publisher.claim_handle().await;
        let (folder, model) = model_with_extra_file(&handle, 3 << 20);
        let plan = registry
            .begin_upload(&model.manifest)
            .await
            .unwrap()
            .accepted()
            .unwrap();
        let extra = std::fs::read(folder.path().join("extra.bin")).unwrap();
        let first = Shard::new(&publisher.connection, shards[0]);
        first
            .put_chunk(&extra[..1 << 20])
            .await
            .unwrap()
            .accepted()
            .unwrap();

        let module = other_build_of("shard");
        roll_out(&world, &shards, &module).await;
        let done = rolled_out(&world).await;
        assert_eq!((done.state, done.upgraded), (RolloutState::Done, 2));
        for shard in &shards {
            let runs = management.module_hash(*shard).await.unwrap();
            assert_eq!(runs, Some(module.hash));
        }
        let pushed = push(&publisher.connection, &registry, &model, |_| {})
            .await
            .unwrap();
        assert_eq!(pushed.version, plan.version);
        assert!(pushed.present_bytes >= 1 << 20, "{pushed:?}");

        // The registry's module is none of a shard: it does not know the memory that it finds.
        roll_out(&world, &shards, &other_build_of("registry")).await;
        let failed = rolled_out(&world).await;
        assert_eq!(failed.upgraded, 0);
        let RolloutState::Failed { reason } = failed.state else {
            panic!("{failed:?}");
        };
        assert!(reason.contains(&shards[0].to_text()), "{reason}");
        for shard in &shards {
            let runs = management.module_hash(*shard).await.unwrap();
            assert_eq!(runs, Some(module.hash), "it runs what it ran");
            let status = Shard::new(&publisher.connection, *shard).status().await;
            assert!(status.unwrap().used_bytes > 3 << 20);
        }
    });
}

/// Statement 12.
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

/// The ledger takes them with an upgrade to the code that it runs, which lies in its own chunk store: from the deployment,
/// and from an upgrade by vote.
#[test]
fn should_change_the_tokens_fee_and_name_by_vote_also_after_the_ledger_has_other_code() {
    run(async {
        let (world, management) = handed_over().await;
        let ledger = world.deployment.token_ledger;
        let tokens = world.deployer.tokens();
        let own = Account::from(world.deployer.principal());
        let balance = tokens.balance(own).await.unwrap();
        let change = |fee: u64, name: &str| {
            Action::ManageLedgerParameters(ManageLedgerParameters {
                transfer_fee: Some(fee),
                token_name: Some(name.to_owned()),
                token_symbol: None,
                token_logo: None,
            })
        };
        let seen = async || {
            let (name,): (String,) = world
                .deployer
                .connection
                .query(ledger, "icrc1_name", ())
                .await
                .unwrap();
            let parameters = world.deployer.governance().parameters().await.unwrap();
            let fee = tokens.fee().await.unwrap();
            (name, fee, parameters.transaction_fee_e8s)
        };
        let code = management.module_hash(ledger).await.unwrap();
        let adopted = world.adopt(change(20_000, "Library")).await;
        let rendering = adopted.payload_text_rendering.unwrap();
        assert!(rendering.contains("20000 e8s"), "{rendering}");
        assert_eq!(
            seen().await,
            ("Library".to_owned(), Nat::from(20_000u32), Some(20_000))
        );
        assert_eq!(management.module_hash(ledger).await.unwrap(), code);
        assert_eq!(tokens.balance(own).await.unwrap(), balance);

        // Short enough for one chunk, as the official ledger is.
        let wasm = recompressed("ledger");
        let proposal = propose(&world, ledger, &wasm, None).await;
        world.outcome(proposal).await.unwrap();
        assert_eq!(
            management.module_hash(ledger).await.unwrap(),
            Some(wasm.hash)
        );
        world.adopt(change(30_000, "Commons")).await;
        assert_eq!(
            seen().await,
            ("Commons".to_owned(), Nat::from(30_000u32), Some(30_000))
        );
        // Staking pays the new fee.
        world.actor().await.stake(50 * ONE_TOKEN, 0).await;
    });
}
