//! Prepaid credit, withdrawals and loads that cost: a balance falls before a ledger is asked, and rises again only when it is
//! certain that nothing moved.

use super::*;

#[test]
fn should_take_deposits_and_pay_calls_from_them_without_a_ledger() {
    let (world, version) = world_with_digits();
    let put = |amount_e8s, token| DepositArgs {
        token,
        amount_e8s,
        from_subaccount: None,
    };
    let small = world.finish(deposit(&world, payer(0), put(FEE, Token::Icp)));
    assert!(matches!(small, Err(MoneyError::AmountTooSmall { .. })));
    let after = world.finish(deposit(&world, payer(0), put(1_000_000, Token::Icp)));
    assert_eq!(after, Ok(1_000_000));
    world
        .finish(deposit(
            &world,
            payer(0),
            put(50_000_000, Token::Governance),
        ))
        .unwrap();
    assert_eq!(world.balance(payer(0)), PAYER_FUNDS - 1_000_000 - FEE);
    world.restart_calls();
    world
        .finish(infer(&world, payer(0), request(version, credit())))
        .unwrap();
    assert_eq!(world.with(|inner| inner.log.clone()), ["c2c_run"]);
    assert_eq!(credit_of(0), 1_000_000 - price(version));
    let in_token = Payment::Credit {
        token: Token::Governance,
    };
    let quote = queries::quote(version).unwrap();
    let receipt = world
        .finish(infer(&world, payer(0), request(version, in_token)))
        .unwrap()
        .receipt;
    let paid = quote.price_token_e8s.unwrap();
    assert_eq!(receipt.price, stoa_inference_api::Price::TokenE8s(paid));
    assert_eq!(
        accounts::balances_of(payer(0)).credit_token_e8s,
        50_000_000 - paid
    );
    // Somebody else's is not his.
    let refused = world
        .finish(infer(&world, payer(1), request(version, credit())))
        .unwrap_err();
    assert_eq!(
        refused,
        InferError::InsufficientCredit {
            credit_e8s: 0,
            needed_e8s: price(version)
        }
    );
    check_books(&world);
}

// Statements 1, 2 and 7.
#[test]
fn should_credit_a_deposit_once_whatever_happens_to_its_call() {
    for fate in Fate::ALL {
        isolated(move || {
            let world = world();
            world.set_fate(0, fate);
            let arguments = DepositArgs {
                token: Token::Icp,
                amount_e8s: 1_000_000,
                from_subaccount: None,
            };
            let _answer = world.attempt(deposit(&world, payer(0), arguments));
            world.run_timers();
            let moved = PAYER_FUNDS - world.balance(payer(0));
            assert_eq!(moved, credit_of(0) + if moved > 0 { FEE } else { 0 });
            assert!(moved > 0 || fate == Fate::Refused, "{fate:?}");
            check_books(&world);
        });
    }
}

// Statement 9.
#[test]
fn should_lower_credit_before_a_withdrawal_and_raise_it_again_only_when_it_definitely_failed() {
    for fate in Fate::ALL {
        isolated(move || {
            let world = world();
            let arguments = DepositArgs {
                token: Token::Icp,
                amount_e8s: 1_000_000,
                from_subaccount: None,
            };
            world.finish(deposit(&world, payer(0), arguments)).unwrap();
            world.restart_calls();
            world.set_fate(0, fate);
            let arguments = WithdrawArgs {
                token: Token::Icp,
                amount_e8s: 600_000,
                to: None,
            };
            let answer = world.attempt(withdraw(&world, payer(0), arguments.clone()));
            let expected = if fate == Fate::Refused {
                1_000_000
            } else {
                400_000
            };
            assert_eq!(credit_of(0), expected, "{fate:?}");
            if let Some(answer) = answer {
                assert!(answer.is_err(), "{fate:?}");
            }
            world.run_timers();
            assert_eq!(credit_of(0), expected, "{fate:?}");
            check_books(&world);
            // Once, and for all that is left of it.
            let rest = WithdrawArgs {
                amount_e8s: expected,
                ..arguments
            };
            let sent = world.finish(withdraw(&world, payer(0), rest)).unwrap();
            assert!(matches!(sent.state, TransferState::Sent { .. }));
            assert_eq!(credit_of(0), 0);
            check_books(&world);
        });
    }
}

#[test]
fn should_refuse_to_withdraw_more_than_there_is() {
    let world = world();
    let arguments = WithdrawArgs {
        token: Token::Icp,
        amount_e8s: 600_000,
        to: None,
    };
    assert!(matches!(
        world.finish(withdraw(&world, payer(0), arguments)),
        Err(MoneyError::InsufficientBalance { .. })
    ));
    assert_eq!(world.with(|inner| inner.log.len()), 0);
}

#[test]
fn should_charge_for_a_load_that_comes_and_give_back_one_that_does_not() {
    for works in [true, false] {
        isolated(move || {
            let world = world();
            let version = world.admit_digits();
            let policy = stoa_inference_api::Policy {
                load_e8s_per_chunk: 100_000,
                ..crate::tests::world::policy()
            };
            crate::policy::set_policy(governance(), &policy).unwrap();
            let refused = world.finish(load::load(&world, payer(0), version, None));
            assert_eq!(
                refused,
                Err(stoa_inference_api::LoadError::PaymentNeeded { price_e8s: 300_000 })
            );
            if !works {
                world.with(|inner| {
                    for bytes in inner.chunks.values_mut() {
                        bytes[0] ^= 1;
                    }
                });
            }
            world
                .finish(load::load(&world, payer(0), version, Some(allowance())))
                .unwrap();
            assert_eq!(world.balance(payer(0)), PAYER_FUNDS - 300_000 - FEE);
            world.upgrade();
            world.run_timers();
            assert_eq!(volatile::has_model(&version), works);
            assert_eq!(credit_of(0), if works { 0 } else { 300_000 + FEE });
            assert_eq!(journal::open_ids(9), Vec::<u64>::new());
            check_books(&world);
            // What governance decides is free.
            assert!(
                world
                    .finish(load::load(&world, governance(), version, None))
                    .is_ok()
            );
        });
    }
}

#[test]
fn should_settle_a_transfer_that_the_ledger_never_answered_for() {
    let world = world();
    let arguments = DepositArgs {
        token: Token::Icp,
        amount_e8s: 1_000_000,
        from_subaccount: None,
    };
    world.finish(deposit(&world, payer(0), arguments)).unwrap();
    world.restart_calls();
    world.set_fate(0, Fate::RequestLost);
    let arguments = WithdrawArgs {
        token: Token::Icp,
        amount_e8s: 600_000,
        to: None,
    };
    let pending = world.finish(withdraw(&world, payer(0), arguments));
    assert!(matches!(pending, Err(MoneyError::Pending { id: 0, .. })));
    world.pass(Duration::from_secs(24 * 3_600));
    world.run_timers();
    assert!(matches!(
        transfers::get_transfer(0).unwrap().state,
        TransferState::Unresolved { .. }
    ));
    assert_eq!(credit_of(0), 400_000);
    let settle = SettleArgs {
        subject: SettleSubject::Transfer(0),
        block: None,
    };
    decisions::settle_payment(governance(), &settle).unwrap();
    assert_eq!(credit_of(0), 1_000_000);
    check_books(&world);
}
