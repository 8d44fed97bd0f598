//! Every call of the payment path, with every fate: whatever happens, the payer has either paid and there is a
//! receipt, or has everything back; the accounts say what the ledger says; no lock stays.

use std::time::Duration;

use stoa_inference_api::{
    ClaimArgs, DepositArgs, GetPaymentError, InferError, MoneyError, Payment, PaymentState,
    SettleArgs, SettleSubject, Token, TransferState, WithdrawArgs,
};
use stoa_types::Sha256;
use stoa_types::manifest::RoyaltyShare;

use super::world::{
    FEE, Fate, PAYER_FUNDS, RESERVE, TOKEN_FUNDS, World, allowance, canister, credit, governance,
    minting, payer, request, world, world_with_digits,
};
use crate::infer::infer;
use crate::money::{claim, deposit, pay_out, withdraw};
use crate::recovery::recover;
use crate::stored::{Holder, Unit};
use crate::{accounts, decisions, journal, load, load_job, queries, receipts, transfers, volatile};

/// Calls of the path to the end: charge and run.
const CALLS: usize = 2;

fn price(version: Sha256) -> u64 {
    queries::quote(version).unwrap().price_e8s
}

fn credit_of(owner: u8) -> u64 {
    accounts::balances_of(payer(owner)).credit_icp_e8s
}

/// Nothing is under way, so the accounts are what the ledgers say, to the last unit.
pub fn check_books(world: &World) {
    accounts::check_invariants();
    let owed = |unit| {
        let totals = accounts::totals(unit);
        totals.received - totals.sent
    };
    assert_eq!(owed(Unit::Icp), u128::from(world.balance(canister())));
    assert_eq!(
        owed(Unit::Governance),
        u128::from(world.token_balance(canister()))
    );
    let icp: u64 = world.with(|inner| inner.balances.values().sum::<u64>() + inner.burnt_fees);
    assert_eq!(icp, 2 * PAYER_FUNDS + RESERVE);
    let token: u64 =
        world.with(|inner| inner.token_balances.values().sum::<u64>() + inner.burnt_token_fees);
    assert_eq!(token, 2 * TOKEN_FUNDS);
    assert_eq!(accounts::balance(Unit::Icp, &Holder::Sending), 0);
}

/// All that must hold once nothing is under way. Returns how many calls were paid for.
fn check_settled(world: &World, version: Sha256) -> u64 {
    assert_eq!(journal::open_ids(100), Vec::<u64>::new());
    assert_eq!(accounts::balance(Unit::Icp, &Holder::Held), 0);
    assert!(volatile::is_at_rest());
    check_books(world);
    let paid = receipts::count();
    // Everything else is in the payer's account or his credit; the fee of a call that failed was the reserve's.
    let fees = if world.balance(payer(0)) == PAYER_FUNDS {
        0
    } else {
        paid * FEE
    };
    let spent = PAYER_FUNDS - world.balance(payer(0)) - credit_of(0);
    assert_eq!(spent, paid * price(version) + fees);
    // No lock stayed: the same caller can call again, and pays once.
    world.restart_calls();
    world.with(|inner| inner.trap_runs = false);
    world
        .finish(infer(world, payer(0), request(version, allowance())))
        .unwrap();
    assert_eq!(receipts::count(), paid + 1);
    check_books(world);
    paid
}

fn isolated(test: impl FnOnce() + Send + 'static) {
    std::thread::spawn(test).join().unwrap();
}

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
            assert!(super::world::poll(first.as_mut()).is_none());
            if revoked {
                let arguments = stoa_inference_api::VersionStatusArgs {
                    version,
                    status: "revoked".into(),
                };
                crate::registration::note_status(&world, super::world::registry(), arguments)
                    .unwrap();
            } else {
                volatile::remove_model(&version);
            }
            world.release(0);
            let failed = super::world::poll(first.as_mut()).unwrap().unwrap_err();
            assert!(
                matches!(failed, InferError::RunFailed { refunded: true, .. }),
                "{failed:?}"
            );
            assert_eq!(credit_of(0), price(version) + FEE);
            check_books(&world);
        });
    }
}

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

/// A world where digits has royalties: a quarter for one owner, and a parent that shares the rest.
fn world_with_royalties() -> (World, Sha256) {
    let world = world();
    let parent = world.admit_digits();
    let share = |number: u8, basis_points| RoyaltyShare {
        owner: payer(number),
        subaccount: None,
        basis_points,
    };
    let version = world.with(|inner| {
        let mut parent_info = inner.versions[&parent].clone();
        parent_info.manifest.royalties = vec![share(8, 5_000)];
        parent_info.manifest.name = "parent".into();
        let parent = parent_info.manifest.digest();
        inner.versions.insert(parent, parent_info.clone());
        let mut info = parent_info;
        info.manifest.name = "child".into();
        info.manifest.royalties = vec![share(7, 2_500)];
        info.manifest.lineage.parents = vec![stoa_types::manifest::Parent {
            version: parent,
            relation: stoa_types::manifest::Relation::Finetune,
        }];
        let version = info.manifest.digest();
        inner.versions.insert(version, info);
        version
    });
    world
        .finish(load::load(&world, payer(0), version, None))
        .unwrap();
    world.finish(load_job::drive(&world));
    world.restart_calls();
    (world, version)
}

#[test]
fn should_share_the_authors_price_down_the_lineage_and_pay_it_out_in_batches() {
    let (world, version) = world_with_royalties();
    let author = queries::quote(version).unwrap().author_price_e8s;
    world
        .finish(infer(&world, payer(0), request(version, allowance())))
        .unwrap();
    // A tenth is the treasury's, a quarter of the rest the owner's, and of what is left the parent's owner has half.
    let shared = author * 9 / 10;
    let royalty = |number: u8| accounts::balances_of(payer(number)).royalties;
    assert_eq!(royalty(7)[0].icp_e8s, shared / 4);
    assert_eq!(royalty(8)[0].icp_e8s, shared * 3 / 4 / 2);
    let treasury = accounts::balance_e8s(Unit::Icp, &Holder::Treasury);
    assert!(treasury >= author / 10);
    check_books(&world);

    // Below the policy's least nothing is sent by itself; its owner may claim it.
    world.finish(pay_out(&world));
    assert_eq!(world.balance(payer(7)), 0);
    let arguments = ClaimArgs {
        token: Token::Icp,
        subaccount: None,
    };
    world.finish(claim(&world, payer(7), arguments)).unwrap();
    assert_eq!(world.balance(payer(7)), shared / 4 - FEE);
    for _ in 0..3 {
        world
            .finish(infer(&world, payer(0), request(version, allowance())))
            .unwrap();
    }
    world.finish(pay_out(&world));
    assert_eq!(
        world.balance(payer(7)),
        shared / 4 - FEE + 3 * (shared / 4) - FEE
    );
    assert_eq!(world.balance(payer(8)), 4 * (shared * 3 / 8) - FEE);
    assert!(royalty(7).is_empty() && royalty(8).is_empty());
    check_books(&world);
}

#[test]
fn should_pay_out_once_whatever_happens_to_any_transfer() {
    for call in 0..3 {
        for fate in Fate::ALL {
            isolated(move || {
                let (world, version) = world_with_royalties();
                for _ in 0..4 {
                    world
                        .finish(infer(&world, payer(0), request(version, allowance())))
                        .unwrap();
                }
                let due = accounts::totals(Unit::Icp).royalties
                    + accounts::balance(Unit::Icp, &Holder::Treasury);
                let calls = world.with(|inner| inner.blocks.len()) as u64;
                world.restart_calls();
                world.set_fate(call, fate);
                let _trapped = world.attempt(pay_out(&world));
                world.upgrade();
                world.run_timers();
                // A transfer that was refused for certain is tried again by the next hour's.
                world.finish(pay_out(&world));
                world.run_timers();
                let arrived: u64 = [payer(7), payer(8), governance()]
                    .map(|owner| world.balance(owner))
                    .iter()
                    .sum();
                let sent = world.with(|inner| inner.blocks.len()) as u64;
                let left = accounts::balance(Unit::Icp, &Holder::Treasury);
                assert!(left < u128::from(super::world::policy().payout_e8s_min));
                assert_eq!(
                    u128::from(arrived + (sent - calls) * FEE) + left,
                    due,
                    "{call} {fate:?}"
                );
                check_books(&world);
            });
        }
    }
}

#[test]
fn should_owe_royalties_in_cycles_to_callers_authors_and_send_them_when_claimed() {
    let (world, version) = world_with_royalties();
    world.with(|inner| inner.attached = 1_000_000_000_000);
    let receipt = world
        .finish(infer(&world, payer(0), request(version, Payment::Cycles)))
        .unwrap()
        .receipt;
    let stoa_inference_api::Price::Cycles(price) = receipt.price else {
        panic!("{:?}", receipt.price);
    };
    let books = accounts::books().cycles;
    assert_eq!(books.received, price);
    assert_eq!(books.reserve.clone() + books.royalties.clone(), price);
    let owed = accounts::balances_of(payer(7)).royalties[0].cycles.clone();
    let to = |_| stoa_inference_api::ClaimCyclesArgs {
        subaccount: None,
        to: minting(),
    };
    // Refused, they are the payee's again.
    world.with(|inner| inner.refuse_deposits = true);
    assert!(
        world
            .finish(crate::money::claim_cycles(&world, payer(7), to(())))
            .is_err()
    );
    assert_eq!(accounts::balances_of(payer(7)).royalties[0].cycles, owed);
    world.with(|inner| inner.refuse_deposits = false);
    let arrived = world
        .finish(crate::money::claim_cycles(&world, payer(7), to(())))
        .unwrap();
    assert_eq!(arrived, owed);
    assert!(accounts::balances_of(payer(7)).royalties.is_empty());
    accounts::check_invariants();
}

#[test]
fn should_charge_for_a_load_that_comes_and_give_back_one_that_does_not() {
    for works in [true, false] {
        isolated(move || {
            let world = world();
            let version = world.admit_digits();
            let policy = stoa_inference_api::Policy {
                load_e8s_per_chunk: 100_000,
                ..super::world::policy()
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
