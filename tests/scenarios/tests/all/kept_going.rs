//! The registry and a shard are upgraded, stopped and started while somebody owes them an answer or while they have something to do by
//! themselves, and a shard is full: nothing is lost, done twice or half done.

use candid::{CandidType, Principal};
use serde::de::DeserializeOwned;
use stoa_client::Connection;
use stoa_client::deploy::{DeployPlan, candid_nothing};
use stoa_client::management::Management;
use stoa_client::push::push;
use stoa_client::shard::Shard;
use stoa_registry_api::{
    AuditAction, AuditLogArgs, AuditLogPage, DepositInfo, DepositState, GetVersionError,
    ListDepositsArgs, RegistryParameters, RemovalCause,
};
use stoa_scenarios::{
    Actor, LedgerFault, LedgerFaultKind, Proxy, World, connect, digits, execute_function,
    fresh_identity, run, until, upgrade_without_stopping, wasm_folder,
};
use stoa_shard_api::{
    ExpectArgs, ExpectError, ExpectResult, ExpectedChunk, InitArgs, PutChunkError, PutOutcome,
    ReleaseArgs, ReleaseResult, ScrubReport, ScrubResult,
};
use stoa_types::Sha256;

/// The least deposit; the model has less than a mebibyte.
const DEPOSIT: u64 = 1_000_000;
const SET_PARAMETERS: u64 = 1_003;
const MIB: usize = 1 << 20;
const CYCLES: u128 = 100_000_000_000_000;

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

/// A shard whose registry does what the test says.
struct LoneShard {
    connection: Connection,
    registry: Proxy,
    canister: Principal,
}

impl LoneShard {
    async fn new(capacity_bytes: u64) -> Self {
        let connection = connect(fresh_identity()).await;
        let management = Management::new(&connection).await.unwrap();
        let registry = Proxy::install(&connection).await;
        let canister = management.create(CYCLES, None).await.unwrap();
        let arguments = candid::encode_one(InitArgs {
            registry: registry.canister,
            capacity_bytes,
        });
        let module = wasm_folder().read("shard").unwrap();
        management
            .install(canister, &module, arguments.unwrap())
            .await
            .unwrap();
        Self {
            connection,
            registry,
            canister,
        }
    }

    fn shard(&self) -> Shard {
        Shard::new(&self.connection, self.canister)
    }

    async fn ask<A: CandidType, R: CandidType + DeserializeOwned>(
        &self,
        method: &str,
        argument: A,
    ) -> R {
        let forwarded = self
            .registry
            .forward(self.canister, method, (argument,), 0)
            .await;
        forwarded.answer.unwrap()
    }

    async fn expect(&self, version: u8, numbers: std::ops::Range<usize>) -> ExpectResult {
        let args = ExpectArgs {
            version: Sha256([version; 32]),
            uploader: self.connection.principal(),
            chunks: numbers
                .map(|number| ExpectedChunk {
                    hash: Sha256::of(&chunk(number)),
                    size_bytes: MIB as u64,
                })
                .collect(),
        };
        self.ask("c2c_expect", args).await
    }

    async fn put(&self, number: usize) {
        let put = self.shard().put_chunk(&chunk(number)).await.unwrap();
        assert_eq!(put, Ok(PutOutcome::Stored));
    }

    async fn scrub_report(&self) -> ScrubReport {
        let (report,): (ScrubReport,) = self
            .connection
            .query(self.canister, "scrub_report", ())
            .await
            .unwrap();
        report
    }
}

fn chunk(number: usize) -> Vec<u8> {
    let mut bytes = vec![7; MIB];
    bytes[..8].copy_from_slice(&(number as u64).to_le_bytes());
    bytes
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
        let refused = shard.put_chunk(&chunk(0)).await.unwrap();
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
        let refused = shard.put_chunk(&chunk(3)).await.unwrap();
        assert!(matches!(refused, Err(PutChunkError::NotExpected { .. })));
        // What is there already takes no room.
        lone.expect(3, 0..3).await.unwrap();
        for number in 0..3 {
            assert!(shard.chunk(Sha256::of(&chunk(number))).await.unwrap() == chunk(number));
        }

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
        for number in 2..5 {
            assert!(shard.chunk(Sha256::of(&chunk(number))).await.unwrap() == chunk(number));
        }
    });
}
