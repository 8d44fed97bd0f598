//! What the DAO pays, it pays once and to the last unit: whatever the ledger does, and whenever governance is upgraded.

use candid::Nat;
use ic_agent::Identity;
use icrc_ledger_types::icrc1::account::Account;
use stoa_client::deploy::{DeployPlan, candid_nothing};
use stoa_client::management::Management;
use stoa_governance_api::code::TransferFrom;
use stoa_governance_api::{
    Action, PaymentPurpose, PaymentState, TransferSnsTreasuryFunds, token_treasury_subaccount,
};
use stoa_scenarios::{
    LedgerFault, LedgerFaultKind, ONE_TOKEN, World, fresh_identity, run, until, wasm_folder,
};

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

/// Statements 2 and 7.
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
