//! A call's payment, with every fate of every call that it makes: whatever happens, the payer has paid and there is a
//! receipt, or has everything back.

use super::*;

/// Calls of the path to the end: charge and run.
const CALLS: usize = 2;

#[test]
fn should_charge_once_for_a_call_and_write_a_receipt() {
    let (world, version) = world_with_digits();
    let price = price(version);
    let response = world
        .finish(infer(&world, payer(0), request(version, allowance())))
        .unwrap();
    assert_eq!(response.receipt.payment_block, Some(0));
    assert_eq!(world.balance(payer(0)), PAYER_FUNDS - price - FEE);
    assert_eq!(
        journal::get_payment(0).unwrap().state,
        PaymentState::Earned {
            block: Some(0),
            receipt: 0,
            price: price.into()
        }
    );
    assert_eq!(check_settled(&world, version), 1);
}

// Statements 1, 2 and 13.
#[test]
fn should_leave_balances_journal_and_locks_consistent_whatever_happens_after_any_await() {
    for traps in [false, true] {
        for call in 0..CALLS {
            for fate in Fate::ALL {
                isolated(move || {
                    let (world, version) = world_with_digits();
                    world.with(|inner| inner.trap_runs = traps);
                    world.set_fate(call, fate);
                    let answer =
                        world.attempt(infer(&world, payer(0), request(version, allowance())));
                    assert!(!matches!(answer, Some(Ok(_))), "call {call} {fate:?}");
                    world.run_timers();
                    // The answer did not come, so nothing is earned.
                    assert_eq!(check_settled(&world, version), 0, "call {call} {fate:?}");
                });
            }
        }
    }
}

// Statement 30.
#[test]
fn should_settle_when_an_upgrade_comes_between_any_call_and_its_answer() {
    for call in 0..CALLS {
        for fate in [Fate::TrapAfter, Fate::TrapBefore] {
            isolated(move || {
                let (world, version) = world_with_digits();
                world.set_fate(call, fate);
                let trapped = world.attempt(infer(&world, payer(0), request(version, allowance())));
                assert!(trapped.is_none());
                world.upgrade();
                world.run_timers();
                assert_eq!(check_settled(&world, version), 0, "call {call} {fate:?}");
            });
        }
    }
}

// Statement 7: unknown means unknown, a retry is the same transfer, and its duplicate counts as done.
#[test]
fn should_settle_whatever_happens_to_two_calls_of_a_path() {
    for first in 0..CALLS {
        for second in first + 1..CALLS + 3 {
            for (a, b) in [
                (Fate::AnswerLost, Fate::AnswerLost),
                (Fate::TrapAfter, Fate::AnswerLost),
                (Fate::RequestLost, Fate::TrapAfter),
                (Fate::TrapAfter, Fate::TrapBefore),
                (Fate::AnswerLost, Fate::Refused),
            ] {
                isolated(move || {
                    let (world, version) = world_with_digits();
                    world.with(|inner| inner.trap_runs = true);
                    world.set_fate(first, a);
                    world.set_fate(second, b);
                    let _answer =
                        world.attempt(infer(&world, payer(0), request(version, allowance())));
                    world.run_timers();
                    let paid = check_settled(&world, version);
                    assert_eq!(paid, 0, "{first} {a:?}, {second} {b:?}");
                });
            }
        }
    }
}

#[test]
fn should_refuse_for_free_what_the_ledger_refuses() {
    let (world, version) = world_with_digits();
    let price = price(version);
    let call = || world.finish(infer(&world, payer(0), request(version, allowance())));
    world.with(|inner| inner.allowances.insert(payer(0), price));
    assert_eq!(
        call().unwrap_err(),
        InferError::InsufficientAllowance {
            allowance_e8s: price.into(),
            needed_e8s: (price + FEE).into()
        }
    );
    world.with(|inner| {
        inner.allowances.insert(payer(0), PAYER_FUNDS);
        inner.balances.insert(payer(0), price);
    });
    assert_eq!(
        call().unwrap_err(),
        InferError::InsufficientFunds {
            balance_e8s: price.into(),
            needed_e8s: (price + FEE).into()
        }
    );
    world.with(|inner| inner.balances.insert(payer(0), PAYER_FUNDS));
    assert!(matches!(
        journal::get_payment(1).unwrap().state,
        PaymentState::NotCharged { .. }
    ));
    assert_eq!(
        journal::get_payment(2).unwrap_err(),
        GetPaymentError::NotFound { id: 2 }
    );
    assert_eq!(check_settled(&world, version), 0);
}

#[test]
fn should_learn_the_ledgers_fee_from_its_refusal() {
    let (world, version) = world_with_digits();
    world.with(|inner| inner.fee = 2 * FEE);
    let refused = world
        .finish(infer(&world, payer(0), request(version, allowance())))
        .unwrap_err();
    assert!(
        matches!(
            refused,
            InferError::PaymentFailed {
                journal_id: Some(0),
                ..
            }
        ),
        "{refused:?}"
    );
    assert_eq!(queries::quote(version).unwrap().ledger_fee_e8s, 2 * FEE);
    world
        .finish(infer(&world, payer(0), request(version, allowance())))
        .unwrap();
    check_books(&world);
}

#[test]
fn should_give_a_failed_call_back_with_its_fee_at_once_and_use_it_for_the_next() {
    let (world, version) = world_with_digits();
    let price = price(version);
    assert!(queries::quote(version).unwrap().ledger_fee_is_backed);
    world.with(|inner| inner.trap_runs = true);
    let failed = world
        .finish(infer(&world, payer(0), request(version, allowance())))
        .unwrap_err();
    assert!(matches!(
        failed,
        InferError::RunFailed { refunded: true, .. }
    ));
    assert_eq!(credit_of(0), price + FEE);
    assert_eq!(
        accounts::balance_e8s(Unit::Icp, &Holder::Reserve),
        RESERVE - FEE
    );
    // One transfer in all: nothing was paid for giving it back, and the next call asks no ledger.
    world.with(|inner| inner.trap_runs = false);
    let calls = || world.with(|inner| inner.blocks.len());
    assert_eq!(calls(), 1);
    world
        .finish(infer(&world, payer(0), request(version, allowance())))
        .unwrap();
    assert_eq!(calls(), 1);
    assert_eq!(credit_of(0), FEE);
    check_books(&world);
}

#[test]
fn should_say_before_the_call_that_an_empty_reserve_gives_no_fee_back() {
    let (world, version) = world_with_digits();
    accounts::send(Unit::Icp, &Holder::Reserve, RESERVE.into());
    world.with(|inner| inner.balances.insert(canister(), 0));
    assert!(!queries::quote(version).unwrap().ledger_fee_is_backed);
    world.with(|inner| inner.trap_runs = true);
    world
        .finish(infer(&world, payer(0), request(version, allowance())))
        .unwrap_err();
    // Nothing is owed that is not there.
    assert_eq!(credit_of(0), price(version));
    accounts::check_invariants();
    assert_eq!(
        accounts::totals(Unit::Icp).credit,
        u128::from(world.balance(canister()))
    );
}

// Statement 8.
#[test]
fn should_not_ask_again_past_the_ledgers_window_and_let_governance_settle_it() {
    for happened in [false, true] {
        isolated(move || {
            let (world, version) = world_with_digits();
            let fate = if happened {
                Fate::AnswerLost
            } else {
                Fate::RequestLost
            };
            world.set_fate(0, fate);
            let failed = world
                .finish(infer(&world, payer(0), request(version, allowance())))
                .unwrap_err();
            assert!(matches!(
                failed,
                InferError::PaymentFailed {
                    journal_id: Some(0),
                    ..
                }
            ));
            world.pass(Duration::from_secs(24 * 3_600));
            world.run_timers();
            assert!(matches!(
                journal::get_payment(0).unwrap().state,
                PaymentState::Unresolved { .. }
            ));
            let asked = |method: &str| {
                world.with(|inner| inner.log.iter().filter(|name| **name == method).count())
            };
            assert_eq!(asked("icrc2_transfer_from"), 1);
            let settle = SettleArgs {
                subject: SettleSubject::Payment(0),
                block: happened.then_some(0),
            };
            assert!(decisions::settle_payment(payer(0), &settle).is_err());
            decisions::validate_settle_payment(&settle).unwrap();
            decisions::settle_payment(governance(), &settle).unwrap();
            // Once only.
            assert!(decisions::settle_payment(governance(), &settle).is_err());
            assert_eq!(credit_of(0), if happened { price(version) } else { 0 });
            check_books(&world);
        });
    }
}

// Statements 5 and 6.
#[test]
fn should_not_charge_a_caller_twice_at_a_time() {
    let (world, version) = world_with_digits();
    for held in 0..2 {
        world.restart_calls();
        world.set_fate(held, Fate::Held);
        let mut first = std::pin::pin!(infer(&world, payer(0), request(version, allowance())));
        assert!(crate::tests::world::poll(first.as_mut()).is_none());
        // The same caller is refused, another is not, and recovery lets the payment be.
        for _ in 0..2 {
            let rival = infer(&world, payer(0), request(version, allowance()));
            assert_eq!(world.finish(rival).unwrap_err(), InferError::Busy);
        }
        world
            .finish(infer(&world, payer(1), request(version, allowance())))
            .unwrap();
        world.finish(recover(&world));
        world.release(held);
        crate::tests::world::poll(first.as_mut()).unwrap().unwrap();
    }
    assert_eq!(receipts::count(), 4);
    let paid = 2 * (price(version) + FEE);
    assert_eq!(world.balance(payer(0)), PAYER_FUNDS - paid);
    assert_eq!(world.balance(payer(1)), PAYER_FUNDS - paid);
    assert_eq!(journal::open_ids(9), Vec::<u64>::new());
    check_books(&world);
}

#[test]
fn should_give_back_when_the_model_went_or_was_revoked_while_the_ledger_answered() {
    for revoked in [false, true] {
        isolated(move || {
            let (world, version) = world_with_digits();
            world.set_fate(0, Fate::Held);
            let mut first = std::pin::pin!(infer(&world, payer(0), request(version, allowance())));
            assert!(crate::tests::world::poll(first.as_mut()).is_none());
            if revoked {
                let arguments = stoa_inference_api::VersionStatusArgs {
                    version,
                    status: "revoked".into(),
                };
                crate::registration::note_status(
                    &world,
                    crate::tests::world::registry(),
                    arguments,
                )
                .unwrap();
            } else {
                volatile::remove_model(&version);
            }
            world.release(0);
            let failed = crate::tests::world::poll(first.as_mut())
                .unwrap()
                .unwrap_err();
            assert!(
                matches!(failed, InferError::RunFailed { refunded: true, .. }),
                "{failed:?}"
            );
            assert_eq!(credit_of(0), price(version) + FEE);
            check_books(&world);
        });
    }
}
