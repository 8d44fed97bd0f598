//! Random interleavings of everything that moves money: calls paid in every way, deposits, withdrawals, claims, payouts,
//! purchases of cycles, with ledgers that fail, callbacks that trap, runs that trap, fees that change, upgrades and time.
//! After each, once nothing is under way: no unit is lost, none is made, every payment has ended and every lock is free.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use stoa_inference_api::{ClaimArgs, DepositArgs, Payment, Token, WithdrawArgs};
use stoa_types::Sha256;

use super::money::check_books;
use super::world::{
    FEE, Fate, World, allowance, canister, credit, payer, poll, request, world_with_digits,
};
use crate::stored::{Holder, Unit};
use crate::{accounts, infer, journal, money, receipts, state, top_up, volatile};

/// SplitMix64: the same seeds give the same interleavings everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn token(&mut self) -> Token {
        if self.below(3) == 0 {
            Token::Governance
        } else {
            Token::Icp
        }
    }
}

type Message = Pin<Box<dyn Future<Output = ()>>>;

fn message(world: &World, version: Sha256, random: &mut Random) -> Message {
    let world = world.clone();
    let who = payer(random.below(2) as u8);
    let token = random.token();
    let amount_e8s = FEE * (9 + random.below(60));
    match random.below(8) {
        0 | 1 => {
            let payment = match random.below(4) {
                0 => Payment::Credit { token },
                1 => Payment::Allowance {
                    token,
                    from_subaccount: None,
                },
                2 => credit(),
                _ => allowance(),
            };
            let request = request(version, payment);
            Box::pin(async move {
                let _refused = infer::infer(&world, who, request).await;
            })
        }
        2 => {
            let request = request(version, allowance());
            Box::pin(async move {
                let _refused = infer::submit(&world, who, request).await;
            })
        }
        3 => Box::pin(async move {
            let arguments = DepositArgs {
                token,
                amount_e8s,
                from_subaccount: None,
            };
            let _refused = money::deposit(&world, who, arguments).await;
        }),
        4 => Box::pin(async move {
            let arguments = WithdrawArgs {
                token,
                amount_e8s,
                to: None,
            };
            let _refused = money::withdraw(&world, who, arguments).await;
        }),
        5 => Box::pin(async move {
            let arguments = ClaimArgs {
                token,
                subaccount: None,
            };
            let _refused = money::claim(&world, who, arguments).await;
        }),
        6 => Box::pin(async move { money::pay_out(&world).await }),
        _ => Box::pin(async move { top_up::run(&world).await }),
    }
}

fn nothing_is_open() -> bool {
    let newest = state::top_ups_newest_first(1);
    journal::open_ids(1).is_empty()
        && state::with(|state| state.open_transfers.is_empty())
        && newest.iter().all(|bought| !top_up::is_open(&bought.state))
}

fn interleave(seed: u64) {
    let mut random = Random(seed);
    let (world, version) = world_with_digits();
    // Both payers share the author's price, so that claims find something.
    let mut load = state::load(&version).unwrap();
    load.registered.payees = (0..2)
        .map(|number| crate::stored::Payee {
            owner: payer(number),
            subaccount: None,
            parts: 400_000_000,
        })
        .collect();
    state::put_load(load);
    let mut under_way: Vec<Message> = Vec::new();
    for step in 0..60 {
        let call = world.calls();
        let fate = match random.below(12) {
            0 => Some(Fate::TrapAfter),
            1 => Some(Fate::TrapBefore),
            2 => Some(Fate::AnswerLost),
            3 => Some(Fate::RequestLost),
            4 => Some(Fate::Refused),
            5 | 6 => Some(Fate::Held),
            _ => None,
        };
        if let Some(fate) = fate {
            world.set_fate(call + random.below(3) as usize, fate);
        }
        match random.below(16) {
            0 => {
                // An upgrade: messages under way never come back.
                under_way.clear();
                world.upgrade();
                world.put_digits(version);
            }
            1 => world.run_timers_once(),
            2 => world.pass(Duration::from_secs(random.below(4_000))),
            3 => world.with(|inner| inner.trap_runs = !inner.trap_runs),
            // A ledger that changes its fee answers a retry with that, whatever became of the first: such a transfer ends
            // with the window, which is another test's.
            4 if nothing_is_open() => {
                let fee = FEE + (step % 3) * 1_000;
                world.with(|inner| inner.fee = fee);
                state::set_ledger_fee(Unit::Icp, fee);
                state::set_ledger_fee(Unit::Governance, fee);
            }
            5 => world.with(|inner| inner.cycles = 500_000_000_000),
            6 | 7 => {
                // A held answer arrives, at any time later.
                world.release_all();
                under_way.retain_mut(|message| poll(message.as_mut()).is_none());
            }
            _ => {
                let mut message = message(&world, version, &mut random);
                if poll(message.as_mut()).is_none() && fate == Some(Fate::Held) {
                    under_way.push(message);
                }
            }
        }
        accounts::check_invariants();
    }
    // Everything comes to an end once nothing goes wrong any more.
    world.release_all();
    under_way.retain_mut(|message| poll(message.as_mut()).is_none());
    drop(under_way);
    world.forget_fates();
    world.with(|inner| inner.trap_runs = false);
    world.upgrade();
    world.put_digits(version);
    world.run_timers();
    assert_eq!(journal::open_ids(100), Vec::<u64>::new(), "seed {seed}");
    assert!(volatile::is_at_rest(), "seed {seed}");
    for unit in [Unit::Icp, Unit::Governance] {
        assert_eq!(accounts::balance(unit, &Holder::Held), 0, "seed {seed}");
        assert_eq!(accounts::balance(unit, &Holder::Sending), 0, "seed {seed}");
    }
    check_books(&world);
    // Who paid has a receipt: prices of receipts are what was earned.
    let earned: u64 = (0..receipts::count())
        .map(|id| match receipts::read(id).unwrap().price {
            stoa_inference_api::Price::IcpE8s(e8s) => e8s,
            _ => 0,
        })
        .sum();
    let totals = accounts::totals(Unit::Icp);
    assert!(u128::from(earned) <= totals.received, "seed {seed}");
    let held = world.balance(canister());
    assert_eq!(
        totals.received - totals.sent,
        u128::from(held),
        "seed {seed}"
    );
}

#[test]
fn should_conserve_every_unit_under_random_interleavings() {
    // Two threads, a state each: the state of a canister belongs to its thread.
    let threads: Vec<_> = (0..2)
        .map(|half| {
            std::thread::spawn(move || {
                for seed in 0..150 {
                    std::thread::spawn(move || interleave(2 * seed + half))
                        .join()
                        .unwrap_or_else(|_| panic!("seed {}", 2 * seed + half));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}
