//! The registry and a shard are upgraded, stopped and started while somebody owes them an answer or while they have something to do by
//! themselves, and a shard is full: nothing is lost, done twice or half done.

use ic_management_canister_types::CanisterStatusType;
use stoa_client::deploy::{DeployPlan, candid_nothing};
use stoa_client::management::Management;
use stoa_client::push::push;
use stoa_registry_api::{
    AuditAction, AuditLogArgs, AuditLogPage, DepositInfo, DepositState, GetVersionError,
    ListDepositsArgs, RegistryParameters, RemovalCause,
};
use stoa_scenarios::{
    Actor, LedgerFault, LedgerFaultKind, LoneShard, Slow, World, digits, execute_function,
    other_build_of, run, until, upgrade_in_flight, upgrade_without_stopping, wasm_folder,
};
use stoa_shard_api::{
    Chunk, ExpectError, GetChunkError, GetChunksResult, PullArgs, PullResult, Pulled,
    PutChunkError, ReleaseArgs, ReleaseResult, ScrubResult,
};
use stoa_types::Sha256;

/// The least deposit; the model has less than a mebibyte.
const DEPOSIT: u64 = 1_000_000;
const SET_PARAMETERS: u64 = 1_003;
const MIB: usize = 1 << 20;

async fn world() -> World {
    World::new(DeployPlan {
        inference: 0,
        frontend: false,
        ..DeployPlan::default()
    })
    .await
}

async fn icp(actor: &Actor) -> u64 {
    u64::try_from(actor.icp_balance().await.0).unwrap()
}

/// Statements 2 and 30: the ledger has the deposit, and the registry that would have heard of it is gone.
#[test]
fn should_take_one_deposit_when_the_registry_is_upgraded_before_the_ledger_answers() {
    run(async {
        let world = world().await;
        let registry = world.deployment.registry;
        let publisher = world.actor().await;
        let model = digits(&publisher.claim_handle().await);
        let late = LedgerFaultKind::AnswerLate { seconds: 8 };
        world
            .order_ledger_faults(
                world.deployment.icp_ledger,
                vec![LedgerFault::next("icrc2_transfer_from", late)],
            )
            .await;
        let before = icp(&publisher).await;
        let of_publisher = publisher.registry();
        let pushing = push(&publisher.connection, &of_publisher, &model, |_| {});
        let upgrading = async {
            until("the deposit", async || {
                (before - icp(&publisher).await >= DEPOSIT).then_some(())
            })
            .await;
            let version = publisher.registry().version(model.version()).await.unwrap();
            assert_eq!(
                version.unwrap_err(),
                GetVersionError::NotFound,
                "the registry waits for the ledger"
            );
            upgrade_without_stopping(&world.deployer, registry, "registry").await;
        };
        // The first one may hear that its call was lost; whoever pushes again goes on.
        let (_pushed_or_lost, ()) = tokio::join!(pushing, upgrading);
        push(&publisher.connection, &of_publisher, &model, |_| {})
            .await
            .unwrap();

        let of_payer = ListDepositsArgs {
            payer: publisher.principal(),
            before: None,
            limit: None,
        };
        let (deposits,): (Vec<DepositInfo>,) = publisher
            .connection
            .query(registry, "list_deposits", (of_payer,))
            .await
            .unwrap();
        assert_eq!(deposits.len(), 1, "{deposits:?}");
        assert!(matches!(deposits[0].state, DepositState::Held { .. }));
        assert_eq!(deposits[0].amount_e8s, DEPOSIT);
        let spent = before - icp(&publisher).await;
        assert!(spent < 2 * DEPOSIT, "paid once, and fees: {spent}");
    });
}

/// Statement 29: nobody sends a message that could remove the draft.
#[test]
fn should_remove_a_draft_at_its_deadline_after_an_upgrade_a_stop_and_a_start() {
    run(async {
        let world = world().await;
        let registry = world.deployment.registry;
        let (parameters,): (RegistryParameters,) = world
            .deployer
            .connection
            .query(registry, "get_parameters", ())
            .await
            .unwrap();
        let parameters = RegistryParameters {
            draft_lifetime_seconds: 12,
            deposit_e8s_per_mib: 0,
            deposit_e8s_min: 0,
            ..parameters
        };
        let payload = candid::encode_one(parameters).unwrap();
        world.adopt(execute_function(SET_PARAMETERS, payload)).await;
        let publisher = world.actor().await;
        let model = digits(&publisher.claim_handle().await);
        let begun = publisher.registry().begin_upload(&model.manifest).await;
        let deadline_nanos = begun.unwrap().unwrap().expires_at_nanos.unwrap();

        upgrade_without_stopping(&world.deployer, registry, "registry").await;
        let management = Management::new(&world.deployer.connection).await.unwrap();
        management.stop(registry).await.unwrap();
        management.start(registry).await.unwrap();
        until("the end of the draft", async || {
            let version = publisher.registry().version(model.version()).await.unwrap();
            version.is_err().then_some(())
        })
        .await;
        let args = AuditLogArgs {
            start: 0,
            limit: None,
        };
        let (log,): (AuditLogPage,) = publisher
            .connection
            .query(registry, "audit_log", (args,))
            .await
            .unwrap();
        let removed = log.entries.last().unwrap();
        let expired = AuditAction::RemovedVersion {
            version: model.version(),
            cause: RemovalCause::Expired,
        };
        assert_eq!(removed.action, expired);
        assert!(removed.timestamp_nanos >= deadline_nanos, "not before");
    });
}

/// Statements 28 and 29: the check of all chunks, of which a message does 32 MiB, is in its middle, and nobody asks for the rest.
#[test]
fn should_end_the_check_of_all_chunks_after_an_upgrade_a_stop_and_a_start() {
    run(async {
        let lone = LoneShard::new(1 << 30).await;
        let chunks = 70;
        lone.expect(1, 0..chunks).await.unwrap();
        for number in 0..chunks {
            lone.put(number).await;
        }
        let started = lone.registry.forward(lone.canister, "c2c_scrub", (), 0);
        let started: ScrubResult = started.await.answer.unwrap();
        started.unwrap();
        until("the first slice", async || {
            (lone.scrub_report().await.checked_chunks > 0).then_some(())
        })
        .await;
        let report = lone.scrub_report().await;
        assert!(report.is_running && report.passes == 0, "{report:?}");

        let management = Management::new(&lone.connection).await.unwrap();
        let module = wasm_folder().read("shard").unwrap();
        management
            .upgrade(lone.canister, &module, candid_nothing())
            .await
            .unwrap();
        management.stop(lone.canister).await.unwrap();
        management.start(lone.canister).await.unwrap();
        let report = until("the end of the check", async || {
            let report = lone.scrub_report().await;
            (report.passes > 0).then_some(report)
        })
        .await;
        assert_eq!(report.checked_chunks, chunks as u64, "each once");
        assert_eq!(report.damaged_chunks, 0);
    });
}

/// Statement 22: a shard that is full says so, keeps what it has, and has room again when something goes.
#[test]
fn should_answer_an_error_and_store_nothing_by_halves_where_a_shard_is_full() {
    run(async {
        let lone = LoneShard::new(3 * MIB as u64 + 5).await;
        let shard = lone.shard();
        let before = shard.status().await.unwrap();
        // One chunk too many: none of them is taken.
        assert_eq!(
            lone.expect(1, 0..4).await,
            Err(ExpectError::CapacityExceeded {
                needed_bytes: 4 * MIB as u64,
                free_bytes: 3 * MIB as u64 + 5,
            })
        );
        let after = shard.status().await.unwrap();
        assert_eq!(after.reserved_bytes, before.reserved_bytes);
        let refused = lone.try_put(0).await.unwrap();
        assert!(matches!(refused, Err(PutChunkError::NotExpected { .. })));

        lone.expect(1, 0..2).await.unwrap();
        lone.expect(2, 2..3).await.unwrap();
        for number in 0..3 {
            lone.put(number).await;
        }
        let refused = lone.expect(3, 3..4).await;
        assert!(
            matches!(
                refused,
                Err(ExpectError::CapacityExceeded { free_bytes: 5, .. })
            ),
            "{refused:?}"
        );
        let refused = lone.try_put(3).await.unwrap();
        assert!(matches!(refused, Err(PutChunkError::NotExpected { .. })));
        // What is there already takes no room.
        lone.expect(3, 0..3).await.unwrap();
        lone.assert_holds(0..3).await;

        let of_version = |version: u8| ReleaseArgs {
            version: Sha256([version; 32]),
            chunks: None,
        };
        for version in [1, 3] {
            let released: ReleaseResult = lone.ask("c2c_release", of_version(version)).await;
            released.unwrap();
        }
        assert_eq!(shard.status().await.unwrap().used_bytes, MIB as u64);
        lone.expect(4, 3..5).await.unwrap();
        for number in 3..5 {
            lone.put(number).await;
        }
        lone.assert_holds(2..5).await;
    });
}

/// A shard that waits for another one's chunk, and that other one.
async fn pulling() -> (LoneShard, Slow, PullArgs, Vec<u8>) {
    let lone = LoneShard::new(1 << 30).await;
    let chunk = vec![9; 1_000];
    lone.expect_bytes(1, std::slice::from_ref(&chunk))
        .await
        .unwrap();
    let answer: GetChunksResult = Ok(vec![Ok(Chunk {
        data: chunk.clone(),
    })]);
    let answer = candid::encode_one(answer).unwrap();
    let source = Slow::answering(&lone.connection, "get_chunks", &answer).await;
    let args = PullArgs {
        source: source.canister,
        hashes: vec![Sha256::of(&chunk)],
    };
    (lone, source, args, chunk)
}

async fn until_it_waits_for(source: &Slow) {
    until("the pull", async || {
        (source.count().await > 0).then_some(())
    })
    .await;
}

/// Statement 30: whoever upgrades a shard stops it first, and it stops when the answer is there and stored.
#[test]
fn should_store_what_it_pulls_before_it_stops_for_an_upgrade() {
    run(async {
        let (lone, source, args, chunk) = pulling().await;
        let management = Management::new(&lone.connection).await.unwrap();
        let module = other_build_of("shard");
        let pull = lone.ask::<_, PullResult>("c2c_pull", &args);
        let upgrade = async {
            until_it_waits_for(&source).await;
            let upgraded = management.upgrade(lone.canister, &module, candid_nothing());
            let answer = async {
                until("the shard to be stopping", async || {
                    let status = management.status(lone.canister).await.unwrap().status;
                    (status == CanisterStatusType::Stopping).then_some(())
                })
                .await;
                source.release().await;
            };
            let (upgraded, ()) = tokio::join!(upgraded, answer);
            upgraded.unwrap();
        };
        let (pulled, ()) = tokio::join!(pull, upgrade);
        let (copied, held) = (1, 0);
        assert_eq!(pulled, Ok(Pulled { copied, held }));
        let runs = management.module_hash(lone.canister).await.unwrap();
        assert_eq!(runs, Some(module.hash));
        let shard = lone.shard();
        assert!(shard.chunk(Sha256::of(&chunk)).await.unwrap() == chunk);
        assert_eq!(shard.status().await.unwrap().used_bytes, 1_000);
    });
}

/// Statement 30, where nobody stopped it: the pull is lost, and nothing else; the registry orders it again.
#[test]
fn should_lose_nothing_but_the_pull_when_a_shard_is_upgraded_while_it_waits() {
    run(async {
        let (lone, source, args, chunk) = pulling().await;
        let pull = lone
            .registry
            .forward::<_, PullResult>(lone.canister, "c2c_pull", (&args,), 0);
        let upgrade = async {
            until_it_waits_for(&source).await;
            upgrade_in_flight(&lone.connection, lone.canister, "shard").await;
            source.release().await;
        };
        let (pulled, ()) = tokio::join!(pull, upgrade);
        assert!(pulled.answer.is_err(), "nobody is there to answer");
        let shard = lone.shard();
        let hash = Sha256::of(&chunk);
        let status = shard.status().await.unwrap();
        assert_eq!((status.used_bytes, status.reserved_bytes), (0, 1_000));
        let (absent,): (stoa_shard_api::GetChunkResult,) = lone
            .connection
            .query(lone.canister, "get_chunk", (hash,))
            .await
            .unwrap();
        assert_eq!(absent, Err(GetChunkError::NotFound { hash }));

        let again: PullResult = lone.ask("c2c_pull", &args).await;
        let (copied, held) = (1, 0);
        assert_eq!(again, Ok(Pulled { copied, held }));
        assert!(shard.chunk(hash).await.unwrap() == chunk);
    });
}
