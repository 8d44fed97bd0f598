//! Cycles for the canisters of the DAO: bought once, within the limits, for nobody else.

use candid::{Nat, Principal, encode_one};
use stoa_client::deploy::{DeployPlan, candid_nothing};
use stoa_client::management::Management;
use stoa_client::shard::Shard;
use stoa_cmc_api::{Fault as MintingFault, FaultKind as MintingFaultKind, NotifyError};
use stoa_governance_api::{
    CyclesPolicy, PaymentInfo, PaymentPurpose, PaymentState, RegisterCanisterResult,
    RequestCyclesError, RequestCyclesResult,
};
use stoa_registry_api::RegistryParameters;
use stoa_scenarios::{
    LedgerFault, LedgerFaultKind, ONE_TOKEN, Proxy, World, execute_function, run, until,
    upgrade_without_stopping, wasm_folder,
};

const SET_REGISTRY_PARAMETERS: u64 = 1_003;
const SET_CYCLES_POLICY: u64 = 1_200;
const ADD_DAO_CANISTER: u64 = 1_201;
const REMOVE_DAO_CANISTER: u64 = 1_202;

/// Governance without a fleet.
async fn world() -> World {
    World::new(DeployPlan {
        inference: 0,
        ..DeployPlan::default()
    })
    .await
}

/// A canister that only governance controls, known to the DAO, and a policy by which it is always low.
async fn canister_of_the_dao(world: &World) -> Proxy {
    let proxy = Proxy::install(&world.deployer.connection).await;
    let management = Management::new(&world.deployer.connection).await.unwrap();
    management
        .set_controllers(proxy.canister, vec![world.deployment.governance])
        .await
        .unwrap();
    world
        .adopt(execute_function(
            ADD_DAO_CANISTER,
            encode_one(proxy.canister).unwrap(),
        ))
        .await;
    proxy
}

async fn set_policy(world: &World, low_balance_cycles: u128, canister_e8s_per_day: u64) {
    let policy = CyclesPolicy {
        low_balance_cycles: Nat::from(low_balance_cycles),
        top_up_e8s: ONE_TOKEN,
        canister_e8s_per_day,
        total_e8s_per_day: 100 * ONE_TOKEN,
    };
    world
        .adopt(execute_function(
            SET_CYCLES_POLICY,
            encode_one(policy).unwrap(),
        ))
        .await;
}

const ALWAYS_LOW: u128 = 1_000_000_000_000_000_000;

async fn ask(world: &World, proxy: &Proxy) -> RequestCyclesResult {
    proxy
        .forward(world.deployment.governance, "request_cycles", (), 0)
        .await
        .answer
        .expect("governance answers")
}

async fn settled(world: &World, canister: Principal) -> PaymentInfo {
    until("the top-up", async || {
        let payment = world.payment(&PaymentPurpose::TopUp { canister }).await?;
        let open = matches!(
            payment.state,
            PaymentState::Transferring | PaymentState::Notifying { .. }
        );
        (!open).then_some(payment)
    })
    .await
}

/// All payments, newest first, and what the treasury holds, at a moment when nothing is on its way.
async fn at_rest(world: &World) -> (Vec<PaymentInfo>, Nat) {
    let governance = world.deployer.governance();
    until("a moment without payments", async || {
        let payments = governance.payments(None, 100).await.unwrap();
        let balance = world.treasury_icp().await;
        let open = payments.iter().any(|payment| {
            matches!(
                payment.state,
                PaymentState::Transferring | PaymentState::Notifying { .. }
            )
        });
        let unchanged = governance.payments(None, 100).await.unwrap() == payments;
        (!open && unchanged).then_some((payments, balance))
    })
    .await
}

#[test]
fn should_turn_treasury_into_cycles_for_a_canister_that_runs_low_within_its_limit() {
    run(async {
        let world = world().await;
        let proxy = canister_of_the_dao(&world).await;
        set_policy(&world, 1, ONE_TOKEN).await;
        let refused = ask(&world, &proxy).await.unwrap_err();
        assert!(
            matches!(refused, RequestCyclesError::NotNeeded { .. }),
            "{refused:?}"
        );

        // Another, since each may ask once a minute.
        let proxy = canister_of_the_dao(&world).await;
        set_policy(&world, ALWAYS_LOW, ONE_TOKEN).await;
        let before = world.treasury_icp().await;
        let begun = ask(&world, &proxy).await.unwrap();
        assert_eq!(begun.amount_e8s, ONE_TOKEN);
        let payment = settled(&world, proxy.canister).await;
        let plan = DeployPlan::default();
        let expected = Nat::from(ONE_TOKEN) * plan.xdr_permyriad_per_icp;
        assert!(
            matches!(&payment.state, PaymentState::Done { cycles: Some(cycles), .. } if *cycles == expected),
            "{payment:?}"
        );
        let fee = world.deployer.icp().fee().await.unwrap();
        assert_eq!(
            world.treasury_icp().await,
            before - Nat::from(ONE_TOKEN) - fee
        );
        let refused = ask(&world, &proxy).await.unwrap_err();
        assert_eq!(
            refused,
            RequestCyclesError::LimitReached {
                spent_e8s: ONE_TOKEN,
                limit_e8s: ONE_TOKEN
            }
        );
    });
}

/// Statements 2, 7 and 14.
#[test]
fn should_buy_cycles_once_whatever_ledger_and_minting_canister_do() {
    run(async {
        let world = world().await;
        set_policy(&world, ALWAYS_LOW, 10 * ONE_TOKEN).await;
        let once = |kind| MintingFault {
            kind,
            after_calls: 0,
            calls: 1,
        };
        let plan = DeployPlan::default();
        let expected = Nat::from(ONE_TOKEN) * plan.xdr_permyriad_per_icp;
        for (ledger, minting, upgraded) in [
            (Some(LedgerFaultKind::LoseAnswer), vec![], false),
            (None, vec![once(MintingFaultKind::LoseAnswer)], false),
            (
                None,
                vec![
                    once(MintingFaultKind::Answer(NotifyError::Processing)),
                    once(MintingFaultKind::Reject),
                    once(MintingFaultKind::AnswerLate { seconds: 1 }),
                ],
                false,
            ),
            (
                Some(LedgerFaultKind::LoseAnswer),
                vec![once(MintingFaultKind::LoseAnswer)],
                true,
            ),
        ] {
            let proxy = canister_of_the_dao(&world).await;
            let (paid_before, before) = at_rest(&world).await;
            let faults = ledger
                .map(|kind| LedgerFault::next("icrc1_transfer", kind))
                .into_iter()
                .collect();
            world
                .order_ledger_faults(world.deployment.icp_ledger, faults)
                .await;
            world.order_minting_faults(minting.clone()).await;
            ask(&world, &proxy).await.unwrap();
            if upgraded {
                let management = Management::new(&world.deployer.connection).await.unwrap();
                let wasm = wasm_folder().read("governance").unwrap();
                management
                    .upgrade(world.deployment.governance, &wasm, candid_nothing())
                    .await
                    .unwrap();
            }
            let payment = settled(&world, proxy.canister).await;
            assert!(
                matches!(&payment.state, PaymentState::Done { cycles: Some(cycles), .. } if *cycles == expected),
                "{minting:?}: {payment:?}"
            );
            // Others of the DAO are low by this policy as well and may have asked meanwhile: each payment counts once.
            let (paid, after) = at_rest(&world).await;
            let new = &paid[..paid.len() - paid_before.len()];
            let purpose = PaymentPurpose::TopUp {
                canister: proxy.canister,
            };
            let of_proxy = new.iter().filter(|payment| payment.purpose == purpose);
            assert_eq!(of_proxy.count(), 1, "{minting:?}: {new:?}");
            let fee = world.deployer.icp().fee().await.unwrap();
            let each = Nat::from(ONE_TOKEN) + fee;
            assert_eq!(
                after,
                before - each * new.len() as u64,
                "{minting:?}: {new:?}"
            );
        }
    });
}

#[test]
fn should_see_a_refund_and_what_the_minting_canister_does_not_accept() {
    run(async {
        let world = world().await;
        set_policy(&world, ALWAYS_LOW, 10 * ONE_TOKEN).await;
        for kind in [
            MintingFaultKind::Undeliverable,
            MintingFaultKind::Answer(NotifyError::TransactionTooOld(9)),
            MintingFaultKind::Answer(NotifyError::InvalidTransaction("no".to_owned())),
        ] {
            let proxy = canister_of_the_dao(&world).await;
            world
                .order_minting_faults(vec![MintingFault {
                    kind: kind.clone(),
                    after_calls: 0,
                    calls: 1,
                }])
                .await;
            ask(&world, &proxy).await.unwrap();
            let payment = settled(&world, proxy.canister).await;
            let fits = match kind {
                MintingFaultKind::Undeliverable => {
                    matches!(payment.state, PaymentState::Refunded { block: Some(_), .. })
                }
                _ => matches!(payment.state, PaymentState::NotCredited { .. }),
            };
            assert!(fits, "{kind:?}: {payment:?}");
        }
    });
}

#[test]
fn should_pay_for_nobody_but_canisters_of_the_dao_that_governance_alone_controls() {
    run(async {
        let world = world().await;
        let stranger = Proxy::install(&world.deployer.connection).await;
        assert_eq!(
            ask(&world, &stranger).await,
            Err(RequestCyclesError::NotOfTheDao)
        );
        let refused: RegisterCanisterResult = stranger
            .forward(
                world.deployment.governance,
                "register_dao_canister",
                (stranger.canister,),
                0,
            )
            .await
            .answer
            .expect("governance answers");
        assert!(refused.is_err());
        // By vote, but with another controller.
        let proposal = world
            .propose(execute_function(
                ADD_DAO_CANISTER,
                encode_one(stranger.canister).unwrap(),
            ))
            .await;
        let failed = world.outcome(proposal).await.unwrap_err();
        assert!(failed.contains("NotControlled"), "{failed}");

        let proxy = canister_of_the_dao(&world).await;
        let listed = world.deployer.governance().dao_canisters().await.unwrap();
        assert!(listed.contains(&proxy.canister) && !listed.contains(&stranger.canister));
        world
            .adopt(execute_function(
                REMOVE_DAO_CANISTER,
                encode_one(proxy.canister).unwrap(),
            ))
            .await;
        assert_eq!(
            ask(&world, &proxy).await,
            Err(RequestCyclesError::NotOfTheDao)
        );
        // And nobody sets the rules but a proposal.
        let policy = CyclesPolicy {
            low_balance_cycles: Nat::from(1u8),
            top_up_e8s: 1,
            canister_e8s_per_day: 1,
            total_e8s_per_day: 1,
        };
        let answer: stoa_client::Result<()> = world
            .deployer
            .connection
            .update(world.deployment.governance, "set_cycles_policy", (policy,))
            .await;
        assert!(answer.unwrap_err().is_reject());
    });
}

/// The bought cycles are paid for and not yet credited, or not yet known to be; then governance is another.
#[test]
fn should_buy_cycles_once_when_governance_is_upgraded_before_it_knows_the_answer() {
    const LATE_SECONDS: u64 = 4;
    run(async {
        let world = world().await;
        set_policy(&world, ALWAYS_LOW, 10 * ONE_TOKEN).await;
        for late_ledger in [true, false] {
            let proxy = canister_of_the_dao(&world).await;
            let (paid_before, before) = at_rest(&world).await;
            if late_ledger {
                let late = LedgerFaultKind::AnswerLate {
                    seconds: LATE_SECONDS,
                };
                world
                    .order_ledger_faults(
                        world.deployment.icp_ledger,
                        vec![LedgerFault::next("icrc1_transfer", late)],
                    )
                    .await;
            } else {
                world
                    .order_minting_faults(vec![MintingFault {
                        kind: MintingFaultKind::AnswerLate {
                            seconds: LATE_SECONDS,
                        },
                        after_calls: 0,
                        calls: 1,
                    }])
                    .await;
            }
            ask(&world, &proxy).await.unwrap();
            let purpose = PaymentPurpose::TopUp {
                canister: proxy.canister,
            };
            until("the middle of it", async || {
                let payment = world.payment(&purpose).await?;
                match payment.state {
                    PaymentState::Transferring => {
                        (late_ledger && world.treasury_icp().await < before).then_some(())
                    }
                    PaymentState::Notifying { .. } => (!late_ledger).then_some(()),
                    other => panic!("it was quicker than the upgrade: {other:?}"),
                }
            })
            .await;
            let governance = world.deployment.governance;
            upgrade_without_stopping(&world.deployer, governance, "governance").await;
            let payment = settled(&world, proxy.canister).await;
            let expected = Nat::from(ONE_TOKEN) * DeployPlan::default().xdr_permyriad_per_icp;
            assert!(
                matches!(&payment.state, PaymentState::Done { cycles: Some(cycles), .. } if *cycles == expected),
                "{payment:?}"
            );
            let (paid, after) = at_rest(&world).await;
            let new = &paid[..paid.len() - paid_before.len()];
            let of_proxy = new.iter().filter(|payment| payment.purpose == purpose);
            assert_eq!(of_proxy.count(), 1, "{new:?}");
            let each = Nat::from(ONE_TOKEN) + world.deployer.icp().fee().await.unwrap();
            assert_eq!(after, before - each * new.len() as u64, "{new:?}");
        }
    });
}

/// So that governance may read the balance; the deployer can still upgrade them.
async fn let_governance_see(world: &World, canisters: &[Principal]) {
    let management = Management::new(&world.deployer.connection).await.unwrap();
    for canister in canisters {
        let controllers = vec![world.deployer.principal(), world.deployment.governance];
        management
            .set_controllers(*canister, controllers)
            .await
            .unwrap();
    }
}

/// What one that is low has got, in cycles, once it is there.
async fn bought(world: &World, canister: Principal) -> Nat {
    match settled(world, canister).await.state {
        PaymentState::Done {
            cycles: Some(cycles),
            ..
        } => cycles,
        other => panic!("{other:?}"),
    }
}

async fn balance(world: &World, canister: Principal) -> Nat {
    let management = Management::new(&world.deployer.connection).await.unwrap();
    management.status(canister).await.unwrap().cycles
}

/// Governance sees itself from its first minute on, and all others after an upgrade at the latest.
#[test]
fn should_remember_the_cycles_of_each_canister_over_an_upgrade_and_until_it_leaves() {
    run(async {
        let world = world().await;
        let (governance, registry) = (world.deployment.governance, world.deployment.registry);
        let history = async |canister| {
            let told = world.deployer.governance();
            told.cycles_history(canister).await.unwrap()
        };
        let own = until("governance to see itself", async || {
            let samples = history(governance).await;
            (!samples.is_empty()).then_some(samples)
        })
        .await;
        let_governance_see(&world, &[registry]).await;
        upgrade_without_stopping(&world.deployer, governance, "governance").await;
        let seen = until("the registry to be seen", async || {
            history(registry).await.into_iter().next_back()
        })
        .await;
        assert!(seen.cycles >= balance(&world, registry).await, "{seen:?}");
        assert!(history(governance).await.starts_with(&own));

        set_policy(&world, 1, ONE_TOKEN).await;
        let proxy = canister_of_the_dao(&world).await;
        assert_eq!(history(proxy.canister).await, []);
        ask(&world, &proxy).await.unwrap_err();
        assert_eq!(history(proxy.canister).await.len(), 1);
        let leaves = encode_one(proxy.canister).unwrap();
        world
            .adopt(execute_function(REMOVE_DAO_CANISTER, leaves))
            .await;
        assert_eq!(history(proxy.canister).await, []);
    });
}

#[test]
fn should_keep_the_registry_alive_which_asks_when_it_runs_low() {
    run(async {
        let world = world().await;
        let registry = world.deployment.registry;
        let_governance_see(&world, &[registry]).await;
        set_policy(&world, ALWAYS_LOW, ONE_TOKEN).await;
        // By vote the registry takes itself for low as well.
        let (mut parameters,): (RegistryParameters,) = world
            .deployer
            .connection
            .query(registry, "get_parameters", ())
            .await
            .unwrap();
        parameters.cycles_min = 1_000_000_000_000_000;
        let payload = encode_one(parameters).unwrap();
        world
            .adopt(execute_function(SET_REGISTRY_PARAMETERS, payload))
            .await;
        let before = balance(&world, registry).await;
        // It looks every hour, and when it starts.
        let management = Management::new(&world.deployer.connection).await.unwrap();
        let wasm = wasm_folder().read("registry").unwrap();
        management
            .upgrade(registry, &wasm, candid_nothing())
            .await
            .unwrap();
        let gained = bought(&world, registry).await;
        let burnt_at_most = Nat::from(500_000_000_000u64);
        assert!(gained > burnt_at_most);
        assert!(balance(&world, registry).await + burnt_at_most > before + gained);
    });
}

#[test]
fn should_keep_shards_alive_which_do_not_ask() {
    run(async {
        let world = world().await;
        let shards = world.deployment.shards.clone();
        let_governance_see(&world, &shards).await;
        set_policy(&world, ALWAYS_LOW, ONE_TOKEN).await;
        let mut before = Vec::new();
        for shard in &shards {
            let shard = Shard::new(&world.deployer.connection, *shard);
            before.push(shard.status().await.unwrap().cycles);
        }
        // Governance looks after them every hour, and when it starts.
        let governance = world.deployment.governance;
        upgrade_without_stopping(&world.deployer, governance, "governance").await;
        for (shard, before) in shards.iter().zip(before) {
            let gained = bought(&world, *shard).await;
            let after = Shard::new(&world.deployer.connection, *shard)
                .status()
                .await
                .unwrap()
                .cycles;
            let burnt_at_most = Nat::from(500_000_000_000u64);
            assert!(gained > burnt_at_most);
            assert!(after + burnt_at_most > before + gained);
        }
    });
}
