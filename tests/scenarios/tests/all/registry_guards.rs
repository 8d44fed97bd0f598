//! Who may call the registry, and with what: every method that the list of exports has, by whichever way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use candid::{Encode, Principal};
use ic_agent::identity::AnonymousIdentity;
use stoa_client::fleet::Fleet;
use stoa_registry_api::*;
use stoa_scenarios::{Actor, Proxy, World, run};
use stoa_types::Sha256;

const EXPORTS: &str = include_str!("exports.txt");

/// Of the registry: `update` or `query`.
fn methods(kind: &str) -> Vec<&'static str> {
    let prefix = format!("registry {kind} ");
    EXPORTS
        .lines()
        .filter_map(|line| line.strip_prefix(&prefix))
        .collect()
}

async fn call(actor: &Actor, method: &str, argument: Vec<u8>) -> Result<Vec<u8>, String> {
    let answer = actor
        .connection
        .agent()
        .update(&actor.deployment.registry, method)
        .with_arg(argument)
        .call_and_wait()
        .await;
    answer.map_err(|error| error.to_string())
}

/// Statement 17: messages between canisters are not inspected, so that each guard stands in its method.
#[test]
fn should_carry_out_no_decision_of_a_stranger_sent_directly_or_through_a_canister() {
    run(async {
        let (world, published) = World::shared().await;
        let stranger = world.actor().await;
        let registry = world.deployment.registry;
        let proxy = Proxy::install(&stranger.connection).await;
        let version = published.version;
        let shard = world.deployment.shards[0];
        let fleet = Fleet::new(&stranger.connection, registry);
        let before = fleet.status().await.unwrap();
        let (parameters,): (RegistryParameters,) = stranger
            .connection
            .query(registry, "get_parameters", ())
            .await
            .unwrap();
        let module = ShardModule {
            hash: version,
            chunk_hashes: vec![version],
        };
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
        let assignment = AssignModelArgs {
            version,
            canisters: vec![],
        };
        let decisions = [
            ("add_inference", Encode!(&proxy.canister)),
            ("add_shard", Encode!(&ShardArgs { shard })),
            ("admit_version", Encode!(&AdmitVersionArgs { version })),
            ("assign_model", Encode!(&assignment)),
            ("deprecate_version", Encode!(&deprecation)),
            ("grow_fleet", Encode!()),
            ("remove_inference", Encode!(&world.deployment.inference[0])),
            ("retire_shard", Encode!(&ShardArgs { shard })),
            ("revoke_version", Encode!(&revocation)),
            ("scrub_shards", Encode!()),
            ("set_fleet_policy", Encode!(&before.policy)),
            ("set_parameters", Encode!(&parameters)),
            ("set_shard_module", Encode!(&module)),
        ];
        for (method, argument) in decisions {
            let argument = argument.unwrap();
            let direct = call(&stranger, method, argument.clone()).await;
            assert!(direct.is_err(), "{method}");
            let through = proxy.forward_raw(registry, method, &argument, 0).await;
            let refusal = through.answer.expect_err(method);
            assert!(
                refusal.contains("only the governance canister"),
                "{method}: {refusal}"
            );
        }
        assert_eq!(fleet.status().await.unwrap().policy, before.policy);
        let proven = stranger.registry().proven_version(version).await.unwrap();
        assert_eq!(proven.status, VersionStatus::Admitted);
    });
}

/// Statements 18 and 19.
#[test]
fn should_take_no_ingress_of_anonymous_none_that_is_oversized_and_none_for_unknown_methods() {
    run(async {
        let (world, _) = World::shared().await;
        let somebody = world.actor().await;
        let mut anonymous = somebody.clone();
        anonymous.connection = anonymous
            .connection
            .with_identity(Arc::new(AnonymousIdentity));
        let updates = methods("update");
        assert!(updates.len() > 20, "{updates:?}");
        for method in updates {
            let refused = call(&anonymous, method, Encode!().unwrap()).await;
            assert!(refused.is_err(), "{method}");
            // A manifest may be long, and a chunk of a module.
            let long = match method {
                "begin_upload" | "put_shard_module_chunk" => 1_500_000,
                _ => 3_000,
            };
            let refused = call(&somebody, method, vec![0; long]).await;
            assert!(refused.is_err(), "{method}");
        }
        let refused = call(&somebody, "no_such_method", vec![]).await;
        assert!(refused.is_err());
    });
}

/// Statement 25: a few bytes that decode to much. They come through a canister, past the inspection of ingress.
#[test]
fn should_answer_candid_bombs_at_once_on_every_method() {
    run(async {
        let (world, published) = World::shared().await;
        let somebody = world.actor().await;
        let registry = world.deployment.registry;
        let proxy = Proxy::install(&somebody.connection).await;
        // vec null of 2^27, as the argument and as one too many; and a type nested 10,000 deep.
        let nulls = b"DIDL\x01\x6d\x7f\x01\x00\x80\x80\x80\x40".to_vec();
        let beside = b"DIDL\x02\x6d\x7b\x6d\x7f\x02\x00\x01\x00\x80\x80\x80\x40".to_vec();
        let mut deep = b"DIDL\x90\x4e".to_vec();
        for index in 0..10_000_u32 {
            // opt of the next; the last of itself.
            deep.push(0x6e);
            let mut next = (index + 1).min(9_999);
            while next >= 0x40 {
                deep.push((next & 0x7f) as u8 | 0x80);
                next >>= 7;
            }
            deep.push(next as u8);
        }
        deep.extend([1, 0, 0]);
        let start = Instant::now();
        let all = methods("update").into_iter().chain(methods("query"));
        let mut refused = 0;
        for method in all.filter(|method| !method.starts_with("__")) {
            for bomb in [&nulls, &beside, &deep] {
                let answer = proxy.forward_raw(registry, method, bomb, 0).await.answer;
                refused += u32::from(answer.is_err());
            }
        }
        assert!(refused > 100, "{refused}");
        assert!(start.elapsed() < Duration::from_secs(300));
        let alive = somebody.registry().version(published.version).await;
        assert!(alive.unwrap().is_ok());
    });
}

/// A majority that proposes has decided before anybody can tell the registry which proposal it is.
#[test]
fn should_log_the_vote_also_where_it_is_decided_at_once() {
    run(async {
        use stoa_governance_api::{Action, ExecuteGenericNervousSystemFunction};
        let (world, _) = World::shared().await;
        let published = world.publish_digits().await;
        let admission = world
            .deployer
            .registry()
            .admission(published.version)
            .await
            .unwrap();
        let adopted = world
            .adopt(Action::ExecuteGenericNervousSystemFunction(
                ExecuteGenericNervousSystemFunction {
                    function_id: admission.function_id,
                    payload: admission.payload,
                },
            ))
            .await;
        let proposal = adopted.id.unwrap().id;
        let entry = admission_entry(&world.deployer, published.version).await;
        assert_eq!(entry.proposal_id, Some(proposal));
        assert_eq!(entry.actor, world.deployment.governance);
    });
}

async fn admission_entry(actor: &Actor, version: Sha256) -> AuditEntry {
    let registry: Principal = actor.deployment.registry;
    let mut start = 0;
    loop {
        let args = AuditLogArgs {
            start,
            limit: Some(500),
        };
        let (page,): (AuditLogPage,) = actor
            .connection
            .query(registry, "audit_log", (args,))
            .await
            .unwrap();
        start += page.entries.len() as u64;
        assert!(!page.entries.is_empty(), "no admission in the log");
        let found = page.entries.into_iter().find(|entry| {
            matches!(&entry.action, AuditAction::ChangedStatus { version: of, to: VersionStatus::Admitted, .. } if *of == version)
        });
        if let Some(entry) = found {
            return entry;
        }
    }
}
