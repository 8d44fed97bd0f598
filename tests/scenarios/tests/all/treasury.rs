//! What the DAO pays, it pays once and to the last unit: whatever the ledger and the minting canister do, and whenever
//! governance is upgraded.

use std::time::{Duration, Instant};

use candid::{Nat, Principal, encode_one};
use ic_agent::Identity;
use icrc_ledger_types::icrc1::account::Account;
use stoa_client::deploy::{DeployPlan, candid_nothing};
use stoa_client::management::Management;
use stoa_cmc_api::{Fault as MintingFault, FaultKind as MintingFaultKind, NotifyError};
use stoa_governance_api::code::TransferFrom;
use stoa_governance_api::{
    Action, CyclesPolicy, ExecuteGenericNervousSystemFunction, PaymentInfo, PaymentPurpose,
    PaymentState, RegisterCanisterResult, RequestCyclesError, RequestCyclesResult,
    TransferSnsTreasuryFunds, token_treasury_subaccount,
};
use stoa_scenarios::{
    LedgerFault, LedgerFaultKind, ONE_TOKEN, PATIENCE, Proxy, World, fresh_identity, run,
    wasm_folder,
};

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

/// An account that nobody used before.
fn somebody() -> Account {
    let owner = fresh_identity().sender().expect("a key");
    Account {
        owner,
        subaccount: Some([7; 32]),
    }
}

fn pay(from: TransferFrom, to: Account, amount_e8s: u64) -> Action {
    Action::TransferSnsTreasuryFunds(TransferSnsTreasuryFunds {
        from_treasury: from.number(),
        to_principal: Some(to.owner),
        to_subaccount: to
            .subaccount
            .map(|subaccount| stoa_governance_api::Subaccount {
                subaccount: subaccount.to_vec(),
            }),
        memo: Some(5),
        amount_e8s,
    })
}

fn execute(function_id: u64, payload: Vec<u8>) -> Action {
    Action::ExecuteGenericNervousSystemFunction(ExecuteGenericNervousSystemFunction {
        function_id,
        payload,
    })
}

async fn until<T>(what: &str, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found().await {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[test]
fn should_pay_from_both_treasuries_to_the_last_unit() {
    run(async {
        let world = world().await;
        let governance = world.deployment.governance;
        let token_treasury = Account {
            owner: governance,
            subaccount: Some(token_treasury_subaccount(governance)),
        };
        let (icp, tokens) = (world.deployer.icp(), world.deployer.tokens());
        let icp_before = world.treasury_icp().await;
        let tokens_before = tokens.balance(token_treasury).await.unwrap();
        let (one, other) = (somebody(), somebody());

        let made = world
            .adopt(pay(TransferFrom::IcpTreasury, one, 3 * ONE_TOKEN))
            .await;
        assert!(made.payload_text_rendering.unwrap().contains("3.00000000"));
        world
            .adopt(pay(TransferFrom::SnsTokenTreasury, other, 4 * ONE_TOKEN))
            .await;

        let fee = icp.fee().await.unwrap();
        assert_eq!(icp.balance(one).await.unwrap(), Nat::from(3 * ONE_TOKEN));
        assert_eq!(
            world.treasury_icp().await,
            icp_before - Nat::from(3 * ONE_TOKEN) - fee.clone()
        );
        assert_eq!(
            tokens.balance(other).await.unwrap(),
            Nat::from(4 * ONE_TOKEN)
        );
        assert_eq!(
            tokens.balance(token_treasury).await.unwrap(),
            tokens_before - Nat::from(4 * ONE_TOKEN) - fee
        );
    });
}

#[test]
fn should_record_that_nothing_was_paid_where_the_treasury_is_too_small() {
    run(async {
        let world = world().await;
        let to = somebody();
        let before = world.treasury_icp().await;
        let proposal = world
            .propose(pay(TransferFrom::IcpTreasury, to, u64::MAX / 2))
            .await;
        let failed = world.outcome(proposal).await.unwrap_err();
        assert!(failed.contains("nothing was paid"), "{failed}");
        assert_eq!(world.treasury_icp().await, before);
        let payment = world
            .payment(&PaymentPurpose::Proposal { id: proposal })
            .await
            .unwrap();
        assert!(matches!(payment.state, PaymentState::Failed { .. }));
    });
}

#[test]
fn should_not_take_two_equal_payments_for_one() {
    run(async {
        let world = world().await;
        let to = somebody();
        let first = world
            .propose(pay(TransferFrom::IcpTreasury, to, ONE_TOKEN))
            .await;
        let second = world
            .propose(pay(TransferFrom::IcpTreasury, to, ONE_TOKEN))
            .await;
        for proposal in [first, second] {
            world.outcome(proposal).await.unwrap();
        }
        assert_eq!(world.deployer.icp_of(to).await, Nat::from(2 * ONE_TOKEN));
    });
}

#[test]
fn should_pay_once_whatever_the_ledger_does() {
    run(async {
        let world = world().await;
        for kinds in [
            vec![LedgerFaultKind::Reject],
            vec![LedgerFaultKind::LoseAnswer],
            vec![LedgerFaultKind::TemporarilyUnavailable],
            vec![LedgerFaultKind::AnswerLate { seconds: 2 }],
            vec![
                LedgerFaultKind::LoseAnswer,
                LedgerFaultKind::TemporarilyUnavailable,
                LedgerFaultKind::Reject,
            ],
        ] {
            let to = somebody();
            let before = world.treasury_icp().await;
            let faults = kinds
                .iter()
                .map(|kind| LedgerFault::next("icrc1_transfer", *kind))
                .collect();
            world
                .order_ledger_faults(world.deployment.icp_ledger, faults)
                .await;
            let proposal = world
                .propose(pay(TransferFrom::IcpTreasury, to, ONE_TOKEN))
                .await;
            world.outcome(proposal).await.unwrap();
            let fee = world.deployer.icp().fee().await.unwrap();
            assert_eq!(
                world.deployer.icp_of(to).await,
                Nat::from(ONE_TOKEN),
                "{kinds:?}"
            );
            assert_eq!(
                world.treasury_icp().await,
                before - Nat::from(ONE_TOKEN) - fee,
                "{kinds:?}"
            );
        }
    });
}

/// The answer to the transfer is lost, and then governance itself: the new code knows from the journal what to ask.
#[test]
fn should_pay_once_when_governance_is_upgraded_before_it_knows_the_answer() {
    run(async {
        let world = world().await;
        let to = somebody();
        let before = world.treasury_icp().await;
        // Until it is upgraded, governance learns nothing.
        let lost = LedgerFault {
            calls: 3,
            ..LedgerFault::next("icrc1_transfer", LedgerFaultKind::LoseAnswer)
        };
        world
            .order_ledger_faults(world.deployment.icp_ledger, vec![lost])
            .await;
        let proposal = world
            .propose(pay(TransferFrom::IcpTreasury, to, ONE_TOKEN))
            .await;
        let purpose = PaymentPurpose::Proposal { id: proposal };
        until("the first attempt", async || {
            let payment = world.payment(&purpose).await?;
            (payment.attempts > 0).then_some(())
        })
        .await;
        let management = Management::new(&world.deployer.connection).await.unwrap();
        let wasm = wasm_folder().read("governance").unwrap();
        for _ in 0..2 {
            management
                .upgrade(world.deployment.governance, &wasm, candid_nothing())
                .await
                .unwrap();
        }
        world.outcome(proposal).await.unwrap();
        let payment = world.payment(&purpose).await.unwrap();
        assert!(matches!(payment.state, PaymentState::Done { .. }));
        assert!(payment.attempts > 1, "{payment:?}");
        let fee = world.deployer.icp().fee().await.unwrap();
        assert_eq!(world.deployer.icp_of(to).await, Nat::from(ONE_TOKEN));
        assert_eq!(
            world.treasury_icp().await,
            before - Nat::from(ONE_TOKEN) - fee
        );
    });
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
        .adopt(execute(
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
        .adopt(execute(SET_CYCLES_POLICY, encode_one(policy).unwrap()))
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
            .propose(execute(
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
            .adopt(execute(
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
