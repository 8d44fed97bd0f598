//! Buying cycles: once, from own revenue, whatever happens to any call.

use stoa_cmc_api::NotifyError;
use stoa_inference_api::{TopUpError, TopUpState};

use super::world::{FEE, Fate, RESERVE, World, canister, minting, world};
use crate::limits::FEES_KEPT;
use crate::stored::{Holder, Unit};
use crate::top_up::{run, top_up};
use crate::{accounts, cycles, queries, state};

const REVENUE: u64 = 3_000_000;
/// What a purchase leaves for the fees of calls that fail.
const KEPT: u64 = FEES_KEPT * FEE;

/// Low on cycles, with revenue.
fn poor_world() -> World {
    let world = world();
    accounts::receive(
        Unit::Icp,
        &Holder::Reserve,
        (REVENUE + KEPT - RESERVE).into(),
    );
    world.with(|inner| {
        *inner.balances.get_mut(&canister()).unwrap() += REVENUE + KEPT - RESERVE;
        inner.cycles = 500_000_000_000;
    });
    world
}

fn check_books(world: &World) {
    accounts::check_invariants();
    let totals = accounts::totals(Unit::Icp);
    assert_eq!(
        totals.received - totals.sent,
        u128::from(world.balance(canister()))
    );
}

#[test]
fn should_turn_revenue_into_cycles() {
    let world = poor_world();
    let done = world.finish(top_up(&world)).unwrap();
    let amount = REVENUE - FEE;
    assert_eq!(done.amount_e8s, amount);
    assert_eq!(
        done.state,
        TopUpState::Done {
            block: 0,
            cycles: (u128::from(amount) * 1_000_000).into()
        }
    );
    assert_eq!(world.balance(minting()), amount);
    assert_eq!(queries::status(&world).revenue_e8s, KEPT);
    assert_eq!(queries::status(&world).top_ups, [done]);
    check_books(&world);
}

/// Statement 15: the freezing limit grows with what a canister holds, and what it keeps is nobody's to spend.
#[test]
fn should_buy_cycles_where_the_balance_is_large_and_the_freezing_limit_too() {
    let world = poor_world();
    world.with(|inner| {
        inner.cycles = 100_000_000_000_000;
        inner.frozen_cycles = 99_000_000_000_001;
    });
    let done = world.finish(top_up(&world)).unwrap();
    assert_eq!(done.amount_e8s, REVENUE - FEE);
    check_books(&world);
}

#[test]
fn should_convert_no_more_than_the_policy_says() {
    let world = poor_world();
    accounts::receive(Unit::Icp, &Holder::Reserve, 10_000_000);
    world.with(|inner| *inner.balances.get_mut(&canister()).unwrap() += 10_000_000);
    assert_eq!(world.finish(top_up(&world)).unwrap().amount_e8s, 5_000_000);
    check_books(&world);
}

#[test]
fn should_do_nothing_above_the_threshold_or_without_revenue() {
    let world = poor_world();
    world.with(|inner| inner.cycles = 1_000_000_000_000);
    assert!(matches!(
        world.finish(top_up(&world)),
        Err(TopUpError::NotNeeded { .. })
    ));
    world.with(|inner| inner.cycles -= 1);
    accounts::send(Unit::Icp, &Holder::Reserve, (REVENUE - 2 * FEE + 1).into());
    // What is in the account but not in the books is not this canister's to spend.
    assert_eq!(
        world.finish(top_up(&world)),
        Err(TopUpError::NotEnoughRevenue {
            revenue_e8s: 2 * FEE - 1,
            needed_e8s: 2 * FEE
        })
    );
    assert_eq!(world.with(|inner| inner.log.len()), 0);
}

// Statements 1, 2, 7 and 14.
#[test]
fn should_buy_once_whatever_happens_to_any_call() {
    for call in 0..2 {
        for fate in Fate::ALL {
            for upgraded in [false, true] {
                std::thread::spawn(move || {
                    let world = poor_world();
                    world.set_fate(call, fate);
                    let _answer = world.attempt(run(&world));
                    if upgraded {
                        world.upgrade();
                    }
                    world.run_timers();
                    // A transfer that was refused for certain is over; the next tick begins anew.
                    world.attempt(run(&world));
                    world.run_timers();
                    assert_eq!(
                        world.balance(minting()),
                        REVENUE - FEE,
                        "{call} {fate:?} {upgraded}"
                    );
                    let bought = u128::from(REVENUE - FEE) * 1_000_000;
                    assert_eq!(world.with(|inner| inner.cycles), 500_000_000_000 + bought);
                    assert_eq!(queries::status(&world).revenue_e8s, KEPT);
                    check_books(&world);
                })
                .join()
                .unwrap();
            }
        }
    }
}

// Statement 14: `Processing`, and an answer that did not come.
#[test]
fn should_ask_again_while_the_minting_canister_works_on_it() {
    let world = poor_world();
    world.with(|inner| {
        inner.notify_answers = vec![
            NotifyError::Other {
                error_code: 1,
                error_message: "later".into(),
            },
            NotifyError::Processing,
        ];
    });
    let first = world.finish(top_up(&world)).unwrap();
    assert_eq!(first.state, TopUpState::Notifying { block: 0 });
    world.run_timers();
    assert!(matches!(
        queries::status(&world).top_ups[0].state,
        TopUpState::Done { .. }
    ));
    assert_eq!(world.balance(minting()), REVENUE - FEE);
}

// Statement 14: `Refunded` and `TransactionTooOld`.
#[test]
fn should_end_a_top_up_that_was_refunded_or_came_too_late() {
    for (answer, ends_refunded) in [
        (
            NotifyError::Refunded {
                block_index: Some(7),
                reason: "closed".into(),
            },
            true,
        ),
        (NotifyError::TransactionTooOld(5), false),
        (NotifyError::InvalidTransaction("not for you".into()), false),
    ] {
        std::thread::spawn(move || {
            let world = poor_world();
            world.with(|inner| inner.notify_answers = vec![answer]);
            world.attempt(run(&world));
            let state = &queries::status(&world).top_ups[0].state;
            assert_eq!(
                matches!(state, TopUpState::Refunded { .. }),
                ends_refunded,
                "{state:?}"
            );
            assert_eq!(
                matches!(state, TopUpState::Failed { .. }),
                !ends_refunded,
                "{state:?}"
            );
            // Not booked back: the books may be too low, never too high.
            assert_eq!(queries::status(&world).revenue_e8s, KEPT);
        })
        .join()
        .unwrap();
    }
}

#[test]
fn should_run_one_top_up_at_a_time() {
    let world = poor_world();
    world.set_fate(0, Fate::Held);
    let mut first = std::pin::pin!(top_up(&world));
    assert!(super::world::poll(first.as_mut()).is_none());
    assert_eq!(
        world.finish(top_up(&world)),
        Err(TopUpError::Busy { id: 0 })
    );
    world.release(0);
    super::world::poll(first.as_mut()).unwrap().unwrap();
    assert_eq!(world.balance(minting()), REVENUE - FEE);
}

#[test]
fn should_ask_governance_for_cycles_once_an_hour_when_the_reserve_buys_none() {
    let world = world();
    accounts::send(Unit::Icp, &Holder::Reserve, RESERVE.into());
    world.with(|inner| inner.cycles = 500_000_000_000);
    for _ in 0..3 {
        world.attempt(run(&world));
        // As if nothing had come of it.
        world.with(|inner| inner.cycles = 500_000_000_000);
    }
    assert_eq!(world.with(|inner| inner.cycles_requests), 1);
    let request = queries::status(&world).cycles_request.unwrap();
    assert_eq!(request.outcome, Some(Ok(())));
    world.pass(std::time::Duration::from_secs(3_601));
    world.attempt(run(&world));
    assert_eq!(world.with(|inner| inner.cycles_requests), 2);
    assert_eq!(
        world.with(|inner| inner.cycles),
        500_000_000_000 + 3_000_000_000_000
    );
}

#[test]
fn should_tell_how_fast_cycles_go_without_what_came_in() {
    let world = world();
    assert_eq!(queries::status(&world).cycles_burnt_per_day, None);
    cycles::sample(&world);
    world.with(|inner| inner.cycles -= 5_000);
    accounts::receive(Unit::Cycles, &Holder::Reserve, 2_000);
    world.with(|inner| inner.cycles += 2_000);
    cycles::note_bought(1_000);
    world.with(|inner| inner.cycles += 1_000);
    world.pass(std::time::Duration::from_secs(43_200));
    assert_eq!(
        queries::status(&world).cycles_burnt_per_day,
        Some(10_000_u32.into())
    );
    for _ in 0..100 {
        world.pass(std::time::Duration::from_secs(3_600));
        cycles::sample(&world);
    }
    assert_eq!(state::with(|state| state.cycles_samples.len()), 48);
}
