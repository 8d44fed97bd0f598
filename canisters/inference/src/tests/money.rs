//! Every call of the payment path, with every fate: whatever happens, the payer has either paid and there is a
//! receipt, or has everything back; the books say what the ledger says; no lock stays.

use std::time::Duration;

use stoa_inference_api::{GetPaymentError, InferError, PaymentState};
use stoa_types::Sha256;

use super::world::{
    AUTHOR_PRICE, FEE, Fate, PAYER_FUNDS, RESERVE, World, allowance, canister, minting, payer,
    request, world_with_digits,
};
use crate::infer::infer;
use crate::recovery::recover;
use crate::{journal, queries, receipts, state};

/// Author's price, and a million instructions at 0.2 ICP a billion.
const PRICE: u64 = AUTHOR_PRICE + 20_000;

/// Calls of the path to the end: charge, run, and after a failed run the refund.
const CALLS: usize = 3;

fn open_payments() -> Vec<u64> {
    journal::open_ids(100)
}

fn check_books(world: &World) {
    let books = state::books();
    let balance = world.balance(canister());
    // Nothing is under way, so what there is is what was earned and not spent, and the reserve.
    assert_eq!(RESERVE + books.earned_e8s - books.spent_e8s, balance);
    let payers = world.balance(payer(0)) + world.balance(payer(1));
    let burnt = world.with(|inner| inner.burnt_fees);
    assert_eq!(
        payers + balance + world.balance(minting()) + burnt,
        2 * PAYER_FUNDS + RESERVE
    );
}

/// All that must hold once nothing is under way. Returns how many calls were paid for.
fn check_settled(world: &World, version: Sha256) -> u64 {
    assert_eq!(open_payments(), Vec::<u64>::new());
    check_books(world);
    let paid = receipts::count();
    assert_eq!(state::books().earned_e8s, paid * PRICE);
    assert_eq!(world.balance(payer(0)), PAYER_FUNDS - paid * (PRICE + FEE));
    // No lock stayed: the same caller can call again, and pays once.
    world.restart_calls();
    world.with(|inner| inner.trap_runs = false);
    world
        .finish(infer(world, payer(0), request(version, allowance())))
        .unwrap();
    assert_eq!(
        world.balance(payer(0)),
        PAYER_FUNDS - (paid + 1) * (PRICE + FEE)
    );
    paid
}

#[test]
fn should_charge_once_for_a_call_and_write_a_receipt() {
    let (world, version) = world_with_digits();
    assert_eq!(queries::quote(version).unwrap().price_e8s, PRICE);
    let response = world
        .finish(infer(&world, payer(0), request(version, allowance())))
        .unwrap();
    assert_eq!(response.outputs[0].shape, [1, 10]);
    assert_eq!(response.receipt.payment_block, Some(0));
    assert_eq!(
        journal::get_payment(0).unwrap().state,
        PaymentState::Earned {
            block: 0,
            receipt: 0
        }
    );
    assert_eq!(queries::status(&world).revenue_e8s, PRICE);
    assert_eq!(check_settled(&world, version), 1);
}

#[test]
fn should_settle_whatever_happens_to_any_call_of_a_run_that_works() {
    for call in 0..2 {
        for fate in Fate::ALL {
            std::thread::spawn(move || {
                let (world, version) = world_with_digits();
                world.set_fate(call, fate);
                let answer = world.attempt(infer(&world, payer(0), request(version, allowance())));
                assert!(!matches!(answer, Some(Ok(_))), "call {call} {fate:?}");
                world.run_timers();
                // The answer did not come, so nothing is earned.
                assert_eq!(check_settled(&world, version), 0, "call {call} {fate:?}");
            })
            .join()
            .unwrap();
        }
    }
}

#[test]
fn should_give_back_whatever_happens_to_any_call_of_a_run_that_traps() {
    for call in 0..CALLS {
        for fate in Fate::ALL {
            std::thread::spawn(move || {
                let (world, version) = world_with_digits();
                world.with(|inner| inner.trap_runs = true);
                world.set_fate(call, fate);
                let answer = world.attempt(infer(&world, payer(0), request(version, allowance())));
                assert!(!matches!(answer, Some(Ok(_))), "call {call} {fate:?}");
                world.run_timers();
                assert_eq!(check_settled(&world, version), 0, "call {call} {fate:?}");
            })
            .join()
            .unwrap();
        }
    }
}

#[test]
fn should_settle_when_an_upgrade_comes_between_any_call_and_its_answer() {
    for call in 0..CALLS {
        for fate in [Fate::TrapAfter, Fate::TrapBefore] {
            std::thread::spawn(move || {
                let (world, version) = world_with_digits();
                world.with(|inner| inner.trap_runs = true);
                world.set_fate(call, fate);
                let _trapped =
                    world.attempt(infer(&world, payer(0), request(version, allowance())));
                world.upgrade();
                world.run_timers();
                assert_eq!(check_settled(&world, version), 0, "call {call} {fate:?}");
            })
            .join()
            .unwrap();
        }
    }
}

#[test]
fn should_settle_whatever_happens_to_two_calls_of_a_path() {
    for first in 0..CALLS {
        for second in first + 1..CALLS + 4 {
            for (a, b) in [
                (Fate::AnswerLost, Fate::AnswerLost),
                (Fate::TrapAfter, Fate::AnswerLost),
                (Fate::RequestLost, Fate::TrapAfter),
                (Fate::TrapAfter, Fate::TrapBefore),
                (Fate::AnswerLost, Fate::Refused),
            ] {
                std::thread::spawn(move || {
                    let (world, version) = world_with_digits();
                    world.with(|inner| inner.trap_runs = true);
                    world.set_fate(first, a);
                    world.set_fate(second, b);
                    let _answer =
                        world.attempt(infer(&world, payer(0), request(version, allowance())));
                    world.run_timers();
                    assert_eq!(
                        check_settled(&world, version),
                        0,
                        "{first} {a:?}, {second} {b:?}"
                    );
                })
                .join()
                .unwrap();
            }
        }
    }
}

#[test]
fn should_refuse_for_free_what_the_ledger_refuses() {
    let (world, version) = world_with_digits();
    let call = || world.finish(infer(&world, payer(0), request(version, allowance())));
    world.with(|inner| inner.allowances.insert(payer(0), PRICE));
    assert_eq!(
        call().unwrap_err(),
        InferError::InsufficientAllowance {
            allowance_e8s: PRICE.into(),
            needed_e8s: (PRICE + FEE).into()
        }
    );
    world.with(|inner| {
        inner.allowances.insert(payer(0), PAYER_FUNDS);
        inner.balances.insert(payer(0), PRICE);
    });
    assert_eq!(
        call().unwrap_err(),
        InferError::InsufficientFunds {
            balance_e8s: PRICE.into(),
            needed_e8s: (PRICE + FEE).into()
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

    // It changes between a charge and its refund.
    let before = world.balance(payer(0));
    world.restart_calls();
    world.with(|inner| inner.trap_runs = true);
    world.set_fate(1, Fate::Held);
    let mut call = std::pin::pin!(infer(&world, payer(0), request(version, allowance())));
    assert!(super::world::poll(call.as_mut()).is_none());
    world.with(|inner| inner.fee = FEE);
    world.release(1);
    let failed = super::world::poll(call.as_mut()).unwrap().unwrap_err();
    assert!(
        matches!(failed, InferError::RunFailed { refunded: true, .. }),
        "{failed:?}"
    );
    assert_eq!(world.balance(payer(0)), before);
    check_books(&world);
}

#[test]
fn should_owe_a_refund_until_there_are_funds_for_its_fees() {
    let (world, version) = world_with_digits();
    world.with(|inner| {
        inner.trap_runs = true;
        inner.balances.insert(canister(), 0);
    });
    let failed = world
        .finish(infer(&world, payer(0), request(version, allowance())))
        .unwrap_err();
    assert!(
        matches!(
            failed,
            InferError::RunFailed {
                refunded: false,
                ..
            }
        ),
        "{failed:?}"
    );
    assert_eq!(open_payments(), [0]);
    assert_eq!(
        journal::get_payment(0).unwrap().state,
        PaymentState::Charged { block: 0 }
    );
    world.with(|inner| *inner.balances.get_mut(&canister()).unwrap() += RESERVE);
    world.run_timers();
    assert_eq!(check_settled(&world, version), 0);
}

#[test]
fn should_not_ask_again_past_the_ledgers_window() {
    let (world, version) = world_with_digits();
    world.set_fate(0, Fate::AnswerLost);
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
    assert_eq!(open_payments(), Vec::<u64>::new());
    let transfers = world.with(|inner| {
        inner
            .log
            .iter()
            .filter(|method| **method == "icrc2_transfer_from")
            .count()
    });
    assert_eq!(transfers, 1);
}

#[test]
fn should_not_charge_a_caller_twice_at_a_time() {
    let (world, version) = world_with_digits();
    for held in 0..2 {
        world.restart_calls();
        world.set_fate(held, Fate::Held);
        let mut first = std::pin::pin!(infer(&world, payer(0), request(version, allowance())));
        assert!(super::world::poll(first.as_mut()).is_none());
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
        super::world::poll(first.as_mut()).unwrap().unwrap();
    }
    assert_eq!(receipts::count(), 4);
    assert_eq!(world.balance(payer(0)), PAYER_FUNDS - 2 * (PRICE + FEE));
    assert_eq!(world.balance(payer(1)), PAYER_FUNDS - 2 * (PRICE + FEE));
    assert_eq!(open_payments(), Vec::<u64>::new());
    check_books(&world);
}

#[test]
fn should_give_back_when_the_model_went_while_the_ledger_answered() {
    let (world, version) = world_with_digits();
    world.set_fate(0, Fate::Held);
    let mut first = std::pin::pin!(infer(&world, payer(0), request(version, allowance())));
    assert!(super::world::poll(first.as_mut()).is_none());
    crate::volatile::remove_model(&version);
    world.release(0);
    let failed = super::world::poll(first.as_mut()).unwrap().unwrap_err();
    assert!(
        matches!(failed, InferError::RunFailed { refunded: true, .. }),
        "{failed:?}"
    );
    world.run_timers();
    assert_eq!(check_settled(&world, version), 0);
}
