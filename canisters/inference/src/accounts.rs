//! Whose money is what, in double entry: every change takes from one holder what it gives to another, or is written to
//! the totals of what came in and what went out.
//!
//! What must hold: of each unit, what all holders have is what was received less what was sent. On a ledger, this
//! canister's account holds at least that, and exactly that once no transfer is under way.

use candid::Principal;
use stoa_inference_api::{AllBooks, Balances, Books, RoyaltyBalance};
use stoa_types::Sha256;

use crate::limits::ROYALTY_ACCOUNTS_SHOWN_MAX;
use crate::state;
use crate::stored::{AccountKey, Holder, StoredTotals, Totals, Unit};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Short {
    pub balance: u128,
    pub needed: u128,
}

pub fn balance(unit: Unit, holder: &Holder) -> u128 {
    let key = AccountKey::new(unit, holder);
    state::with(|state| state.accounts.get(&key)).unwrap_or(0)
}

/// Of a unit that a ledger counts, whose amounts have 64 bits.
pub fn balance_e8s(unit: Unit, holder: &Holder) -> u64 {
    u64::try_from(balance(unit, holder)).expect("BUG: more of a token than 64 bits count")
}

/// From outside to a holder.
pub fn receive(unit: Unit, to: &Holder, amount: u128) {
    change_totals(unit, |totals| {
        totals.received = add(totals.received, amount);
    });
    give(unit, to, amount);
}

/// From a holder to outside.
pub fn send(unit: Unit, from: &Holder, amount: u128) {
    take(unit, from, amount).expect("BUG: more is sent than was set aside");
    change_totals(unit, |totals| totals.sent = add(totals.sent, amount));
}

/// From one holder to another: all of it or nothing.
pub fn transfer(unit: Unit, from: &Holder, to: &Holder, amount: u128) -> Result<(), Short> {
    take(unit, from, amount)?;
    give(unit, to, amount);
    Ok(())
}

/// Of what was set aside before, so that it is there.
pub fn release(unit: Unit, from: &Holder, to: &Holder, amount: u128) {
    transfer(unit, from, to, amount).expect("BUG: more is released than was set aside");
}

fn give(unit: Unit, to: &Holder, amount: u128) {
    let old = balance(unit, to);
    put(unit, to, old, add(old, amount));
}

fn take(unit: Unit, from: &Holder, amount: u128) -> Result<(), Short> {
    let balance = balance(unit, from);
    let left = balance.checked_sub(amount).ok_or(Short {
        balance,
        needed: amount,
    })?;
    put(unit, from, balance, left);
    Ok(())
}

/// An empty account takes no room.
fn put(unit: Unit, holder: &Holder, old: u128, new: u128) {
    let key = AccountKey::new(unit, holder);
    state::with_mut(|state| {
        if new == 0 {
            state.accounts.remove(&key);
        } else {
            state.accounts.insert(key, new);
        }
    });
    let change = |sum: u128| add(sum, new) - old;
    match holder {
        Holder::Credit(_) => change_totals(unit, |totals| totals.credit = change(totals.credit)),
        Holder::Royalty { .. } => {
            change_totals(unit, |totals| totals.royalties = change(totals.royalties));
        }
        Holder::Treasury | Holder::Reserve | Holder::Held | Holder::Sending => {}
    }
}

fn add(a: u128, b: u128) -> u128 {
    a.checked_add(b).expect("BUG: more money than there is")
}

fn all_totals() -> [Totals; 3] {
    state::with(|state| {
        let StoredTotals::V1(totals) = state.totals.get();
        *totals
    })
}

fn change_totals(unit: Unit, change: impl FnOnce(&mut Totals)) {
    let mut totals = all_totals();
    change(&mut totals[unit as usize]);
    state::with_mut(|state| state.totals.set(StoredTotals::V1(totals)));
}

pub fn totals(unit: Unit) -> Totals {
    all_totals()[unit as usize]
}

/// Royalties of at least `min`, from `after` on, at most `max` of them.
pub fn royalties_from(
    unit: Unit,
    after: Option<AccountKey>,
    min: u128,
    max: usize,
) -> Vec<(AccountKey, u128)> {
    let all = AccountKey::royalties(unit);
    let start = after.map_or(
        std::ops::Bound::Included(all.start),
        std::ops::Bound::Excluded,
    );
    state::with(|state| {
        state
            .accounts
            .range((start, std::ops::Bound::Excluded(all.end)))
            .map(|entry| (*entry.key(), entry.value()))
            .filter(|(_, amount)| *amount >= min)
            .take(max)
            .collect()
    })
}

pub fn balances_of(owner: Principal) -> Balances {
    let credit = |unit| balance_e8s(unit, &Holder::Credit(owner));
    let mut subaccounts: Vec<Option<Sha256>> = Unit::ALL
        .iter()
        .flat_map(|unit| {
            state::with(|state| {
                state
                    .accounts
                    .range(AccountKey::royalties_of(*unit, owner))
                    .take(ROYALTY_ACCOUNTS_SHOWN_MAX)
                    .map(|entry| match entry.key().holder() {
                        Holder::Royalty { subaccount, .. } => subaccount,
                        other => panic!("BUG: {other:?} among royalties"),
                    })
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    subaccounts.sort_unstable();
    subaccounts.dedup();
    subaccounts.truncate(ROYALTY_ACCOUNTS_SHOWN_MAX);
    Balances {
        credit_icp_e8s: credit(Unit::Icp),
        credit_token_e8s: credit(Unit::Governance),
        royalties: subaccounts
            .into_iter()
            .map(|subaccount| {
                let holder = Holder::Royalty { owner, subaccount };
                RoyaltyBalance {
                    subaccount,
                    icp_e8s: balance_e8s(Unit::Icp, &holder),
                    token_e8s: balance_e8s(Unit::Governance, &holder),
                    cycles: balance(Unit::Cycles, &holder).into(),
                }
            })
            .collect(),
    }
}

pub fn books() -> AllBooks {
    AllBooks {
        icp: books_of(Unit::Icp),
        governance_token: books_of(Unit::Governance),
        cycles: books_of(Unit::Cycles),
    }
}

fn books_of(unit: Unit) -> Books {
    let totals = totals(unit);
    let of = |holder: Holder| balance(unit, &holder).into();
    Books {
        received: totals.received.into(),
        sent: totals.sent.into(),
        credit: totals.credit.into(),
        royalties: totals.royalties.into(),
        treasury: of(Holder::Treasury),
        reserve: of(Holder::Reserve),
        held: of(Holder::Held),
        sending: of(Holder::Sending),
    }
}

/// Every holder and what it has; the sums agree with the totals.
#[cfg(test)]
pub fn check_invariants() {
    for unit in Unit::ALL {
        let all: Vec<(Holder, u128)> = state::with(|state| {
            let entries = state.accounts.iter();
            entries
                .filter(|entry| entry.key().unit() == unit)
                .map(|entry| (entry.key().holder(), entry.value()))
                .collect()
        });
        let sum = |wanted: fn(&Holder) -> bool| -> u128 {
            let of = all.iter().filter(|(holder, _)| wanted(holder));
            of.map(|(_, amount)| amount).sum()
        };
        let totals = totals(unit);
        assert_eq!(sum(|_| true), totals.received - totals.sent, "{unit:?}");
        assert_eq!(
            sum(|holder| matches!(holder, Holder::Credit(_))),
            totals.credit
        );
        assert_eq!(
            sum(|holder| matches!(holder, Holder::Royalty { .. })),
            totals.royalties
        );
        assert!(all.iter().all(|(_, amount)| *amount > 0));
    }
}
