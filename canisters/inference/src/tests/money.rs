//! Every call of the payment path, with every fate: whatever happens, the payer has either paid and there is a
//! receipt, or has everything back; the accounts say what the ledger says; no lock stays.

mod calls;
mod credit;
mod royalties;

use std::time::Duration;

use stoa_inference_api::{
    ClaimArgs, DepositArgs, GetPaymentError, InferError, MoneyError, Payment, PaymentState,
    SettleArgs, SettleSubject, Token, TransferState, WithdrawArgs,
};
use stoa_types::Sha256;
use stoa_types::manifest::RoyaltyShare;

use super::world::{
    FEE, Fate, PAYER_FUNDS, RESERVE, TOKEN_FUNDS, World, allowance, author, canister, credit,
    governance, minting, payer, request, world, world_with_digits,
};
use crate::claims::claim_cycles;
use crate::infer::infer;
use crate::money::{claim, deposit, pay_out, withdraw};
use crate::recovery::recover;
use crate::stored::{Holder, Unit};
use crate::{accounts, decisions, journal, load, load_job, queries, receipts, transfers, volatile};

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
