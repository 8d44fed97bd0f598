//! Deposits on a real ledger, votes that go either way, and a log that a stranger can check to the root key.

use std::time::{Duration, Instant};

use candid::{CandidType, Nat, encode_args};
use icrc_ledger_types::icrc3::blocks::{GetBlocksRequest, GetBlocksResult, ICRC3DataCertificate};
use stoa_client::Accepted;
use stoa_client::certified::CertifiedTree;
use stoa_governance_api::code::Vote;
use stoa_registry_api::*;
use stoa_scenarios::{Actor, Proxy, Published, World, digits, run};
use stoa_types::Sha256;

const PATIENCE: Duration = Duration::from_secs(300);
/// The least deposit; the model has less than a mebibyte.
const DEPOSIT: u64 = 1_000_000;
const FEE: u64 = 10_000;

async fn details(actor: &Actor, version: Sha256) -> VersionDetails {
    let answer = actor.registry().describe_version(version).await;
    answer.expect("answered").accepted().expect("there")
}

async fn deposit(actor: &Actor, id: u64) -> DepositState {
    let registry = actor.deployment.registry;
    let (info,): (Option<DepositInfo>,) = actor
        .connection
        .query(registry, "get_deposit", (id,))
        .await
        .expect("answered");
    info.expect("a deposit").state
}

async fn wait_settled(actor: &Actor, id: u64) -> DepositState {
    let start = Instant::now();
    loop {
        let state = deposit(actor, id).await;
        if !matches!(state, DepositState::Returning | DepositState::Forwarding) {
            return state;
        }
        assert!(start.elapsed() < PATIENCE, "the deposit is still {state:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn icp(actor: &Actor) -> u64 {
    u64::try_from(actor.icp_balance().await.0).expect("a balance")
}

/// Somebody new, what they had, and the digits model that they submitted.
async fn submitted(world: &World) -> (u64, Published) {
    let publisher = world.actor().await;
    let handle = publisher.claim_handle().await;
    let before = icp(&publisher).await;
    let published = world.publish(publisher, digits(&handle)).await;
    (before, published)
}

fn call(function_id: u64, payload: impl CandidType, title: &str) -> AdmissionProposal {
    AdmissionProposal {
        function_id,
        payload: candid::encode_one(payload).expect("arguments encode"),
        title: title.to_owned(),
        summary: String::new(),
    }
}

#[test]
fn should_return_the_deposit_of_a_withdrawn_version_to_the_last_unit_but_the_ledgers_fees() {
    run(async {
        let (world, _) = World::shared().await;
        let (before, published) = submitted(world).await;
        let publisher = &published.publisher;
        let info = details(publisher, published.version).await;
        let held = info.deposit.expect("a deposit is asked for");
        assert!(matches!(held.state, DepositState::Held { .. }));
        assert_eq!(held.amount_e8s, DEPOSIT);
        // The approval was paid for before.
        assert_eq!(icp(publisher).await, before - DEPOSIT - FEE);

        let withdrawn = publisher.registry().withdraw(published.version).await;
        withdrawn.expect("answered").accepted().expect("withdrawn");
        let settled = wait_settled(publisher, held.id).await;
        assert!(matches!(settled, DepositState::Returned { .. }));
        assert_eq!(icp(publisher).await, before - 2 * FEE);
        let gone = publisher.registry().version(published.version).await;
        assert_eq!(gone.unwrap().unwrap_err(), GetVersionError::NotFound);
    });
}

#[test]
fn should_reject_a_version_that_voters_refused_and_return_its_deposit() {
    run(async {
        let (world, _) = World::shared().await;
        let (before, published) = submitted(world).await;
        let publisher = &published.publisher;
        let version = published.version;
        let held = details(publisher, version)
            .await
            .deposit
            .expect("a deposit");
        let admission = publisher
            .registry()
            .admission(version)
            .await
            .expect("submitted");
        let proposal_id = world.decide(&admission, Vote::No).await;
        let note = NoteProposalArgs {
            version,
            proposal_id,
        };
        let registry = publisher.registry();
        let noted = registry.note_proposal(note).await.expect("answered");
        assert_eq!(noted, Ok(VersionStatus::Rejected));

        let proven = registry.proven_version(version).await.expect("proven");
        assert_eq!(proven.status, VersionStatus::Rejected);
        let info = details(publisher, version).await;
        assert_eq!(info.proposal_id, Some(proposal_id));
        assert!(!info.is_stored);
        let settled = wait_settled(publisher, held.id).await;
        assert!(matches!(settled, DepositState::Returned { .. }));
        assert_eq!(icp(publisher).await, before - 2 * FEE);
    });
}

#[test]
fn should_admit_deprecate_and_revoke_by_votes_and_prove_what_names_mean() {
    run(async {
        let (world, _) = World::shared().await;
        let (_, published) = submitted(world).await;
        let publisher = &published.publisher;
        let version = published.version;
        let held = details(publisher, version)
            .await
            .deposit
            .expect("a deposit");
        world.admit(version).await;
        let settled = wait_settled(publisher, held.id).await;
        assert!(matches!(settled, DepositState::Forwarded { .. }));

        let registry = publisher.registry();
        let manifest = &published.model.manifest;
        let name = format!("{}/{}", manifest.publisher, manifest.name);
        for proven in ["", "@stable", "@latest", "@1.0.0"] {
            let meant = registry.resolve(&format!("{name}{proven}")).await;
            assert_eq!(meant.expect("resolved"), version);
        }
        let found = registry
            .search(&SearchArgs {
                publisher: Some(manifest.publisher.clone()),
                status: Some(VersionStatus::Admitted),
                ..SearchArgs::default()
            })
            .await
            .expect("answered")
            .expect("a query within its limits");
        assert_eq!(found.versions.len(), 1);

        let deprecation = DeprecateVersionArgs {
            version,
            successor: None,
            reason: "a better one comes".to_owned(),
        };
        let deprecate = call(DEPRECATE_VERSION_FUNCTION_ID, deprecation, "Deprecate");
        world.decide(&deprecate, Vote::Yes).await;
        let proven = registry.proven_version(version).await.expect("proven");
        assert_eq!(proven.status, VersionStatus::Deprecated);

        let revocation = RevokeVersionArgs {
            version,
            reason: "the data were not theirs".to_owned(),
            delete_bytes: false,
        };
        let revoke = call(REVOKE_VERSION_FUNCTION_ID, revocation, "Revoke");
        world.decide(&revoke, Vote::Yes).await;
        let proven = registry.proven_version(version).await.expect("proven");
        assert_eq!(proven.status, VersionStatus::Revoked);
        assert!(registry.resolve(&name).await.is_err());
        let info = details(publisher, version).await;
        assert_eq!(info.reason.as_deref(), Some("the data were not theirs"));
        assert!(info.is_stored);
    });
}

#[test]
fn should_prove_that_a_version_is_absent() {
    run(async {
        let (world, _) = World::shared().await;
        let actor = &world.deployer;
        let registry = actor.deployment.registry;
        let absent = Sha256::of(b"nobody made this");
        let (answer,): (CertifiedStatus,) = actor
            .connection
            .query(registry, "get_status_certified", (absent,))
            .await
            .expect("answered");
        assert_eq!(answer.status, None);
        let agent = actor.connection.agent();
        let tree = CertifiedTree::verify(agent, registry, &answer.certificate, &answer.witness)
            .expect("certified");
        let path: [&[u8]; 3] = [b"version", absent.as_bytes(), b"status"];
        assert_eq!(tree.value_or_absence(&path).expect("proven"), None);
        let inference = actor.deployment.first_inference().expect("deployed");
        assert!(
            CertifiedTree::verify(agent, inference, &answer.certificate, &answer.witness).is_err(),
            "another canister's"
        );
    });
}

#[test]
fn should_chain_the_audit_log_up_to_a_tip_that_the_network_certifies() {
    run(async {
        let (world, _) = World::shared().await;
        let actor = &world.deployer;
        let registry = actor.deployment.registry;
        // Others write at the same time: the tip first, then everything up to it.
        let (tip,): (Option<ICRC3DataCertificate>,) = actor
            .connection
            .query(registry, "icrc3_get_tip_certificate", ())
            .await
            .expect("answered");
        let tip = tip.expect("a certificate");
        let agent = actor.connection.agent();
        let tree = CertifiedTree::verify(agent, registry, &tip.certificate, &tip.hash_tree)
            .expect("certified");
        let hash = tree.value(&[b"last_block_hash"]).expect("a hash").to_vec();
        let mut index = tree.value(&[b"last_block_index"]).expect("an index");
        let last = Nat::decode(&mut index).expect("LEB128");

        let mut parent: Option<[u8; 32]> = None;
        let mut start = Nat::from(0_u8);
        while start <= last {
            let range = GetBlocksRequest {
                start: start.clone(),
                length: last.clone() + Nat::from(1_u8) - start.clone(),
            };
            let (page,): (GetBlocksResult,) = actor
                .connection
                .query(registry, "icrc3_get_blocks", (vec![range],))
                .await
                .expect("answered");
            assert!(!page.blocks.is_empty());
            for block in page.blocks {
                assert_eq!(block.id, start);
                let icrc_ledger_types::icrc::generic_value::ICRC3Value::Map(fields) = &block.block
                else {
                    panic!("a block is a map");
                };
                let named = fields.get("phash").cloned();
                let expected = parent.map(|hash| {
                    icrc_ledger_types::icrc::generic_value::ICRC3Value::Blob(hash.to_vec().into())
                });
                assert_eq!(named, expected);
                parent = Some(block.block.hash());
                start += Nat::from(1_u8);
            }
        }
        assert_eq!(parent.expect("a block").to_vec(), hash);
    });
}

/// Whoever calls, and by whichever way: messages between canisters are not inspected.
#[test]
fn should_decide_for_governance_alone_whether_called_from_outside_or_by_a_canister() {
    run(async {
        let (world, published) = World::shared().await;
        let registry = world.deployment.registry;
        let stranger = world.actor().await;
        let proxy = Proxy::install(&stranger.connection).await;
        let version = published.version;
        let deprecation = DeprecateVersionArgs {
            version,
            successor: None,
            reason: "mine".to_owned(),
        };
        let revocation = RevokeVersionArgs {
            version,
            reason: "mine".to_owned(),
            delete_bytes: true,
        };
        let (parameters,): (RegistryParameters,) = stranger
            .connection
            .query(registry, "get_parameters", ())
            .await
            .expect("answered");
        let attempts: [(&str, Vec<u8>); 3] = [
            (
                "deprecate_version",
                encode_args((deprecation.clone(),)).unwrap(),
            ),
            (
                "revoke_version",
                encode_args((revocation.clone(),)).unwrap(),
            ),
            (
                "set_parameters",
                encode_args((parameters.clone(),)).unwrap(),
            ),
        ];
        for (method, argument) in attempts {
            let direct = stranger
                .connection
                .agent()
                .update(&registry, method)
                .with_arg(argument)
                .call_and_wait()
                .await;
            assert!(direct.is_err(), "{method}");
        }
        let by_canister = [
            proxy
                .forward::<_, ()>(registry, "deprecate_version", (deprecation,), 0)
                .await
                .answer,
            proxy
                .forward::<_, ()>(registry, "revoke_version", (revocation,), 0)
                .await
                .answer,
            proxy
                .forward::<_, ()>(registry, "set_parameters", (parameters,), 0)
                .await
                .answer,
        ];
        for refused in by_canister {
            let message = refused.expect_err("refused");
            assert!(
                message.contains("only the governance canister"),
                "{message}"
            );
        }
        let registry = stranger.registry();
        let proven = registry.proven_version(version).await.expect("proven");
        assert_eq!(proven.status, VersionStatus::Admitted);
    });
}
