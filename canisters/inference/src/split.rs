//! Who gets what of a price. Every part is rounded down; what rounding and shares leave is the reserve's, so that the
//! parts always add up to the whole.
//!
//! ```text
//! price = author's part + metered part
//! author's part:  treasury's basis points | royalties by the manifest's shares, down the lineage | rest: reserve
//! metered part:   reserve's basis points  | rest: treasury
//! ```
//!
//! What nobody is named for goes to the reserve rather than the treasury, since the canister lives from its own revenue
//! first. Cycles cannot be sent to the treasury's ledgers: what would be the treasury's of them stays in the reserve, as
//! fuel that need not be bought.

use crate::accounts;
use crate::limits::PARTS;
use crate::state;
use crate::stored::{Holder, Payee, Unit};

const BASIS_POINTS: u128 = 10_000;

/// Parts of an amount, one for each holder.
pub type Parts = Vec<(Holder, u128)>;

pub fn split(
    unit: Unit,
    price: u128,
    author_part: u128,
    payees: &[Payee],
    treasury_basis_points: u16,
    reserve_basis_points: u16,
) -> Parts {
    let author = author_part.min(price);
    let metered = price - author;
    let of_treasury = author * u128::from(treasury_basis_points) / BASIS_POINTS;
    let shared = author - of_treasury;
    let mut parts: Parts = payees
        .iter()
        .map(|payee| {
            let holder = Holder::Royalty {
                owner: payee.owner,
                subaccount: payee.subaccount,
            };
            (holder, shared * u128::from(payee.parts) / PARTS)
        })
        .collect();
    let of_reserve = metered * u128::from(reserve_basis_points) / BASIS_POINTS;
    if unit != Unit::Cycles {
        parts.push((Holder::Treasury, of_treasury + (metered - of_reserve)));
    }
    let given: u128 = parts.iter().map(|(_, amount)| amount).sum();
    let rest = price
        .checked_sub(given)
        .expect("BUG: shares are more than the whole");
    parts.push((Holder::Reserve, rest));
    parts
}

/// `from` is where the money was set aside; `None`: it comes from outside now.
pub fn share_out(
    unit: Unit,
    from: Option<&Holder>,
    price: u128,
    author_part: u128,
    payees: &[Payee],
) {
    let policy = state::policy();
    let parts = split(
        unit,
        price,
        author_part,
        payees,
        policy.treasury_basis_points,
        policy.reserve_basis_points,
    );
    for (holder, amount) in parts {
        match from {
            Some(from) => accounts::release(unit, from, &holder, amount),
            None => accounts::receive(unit, &holder, amount),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candid::Principal;

    fn payee(number: u8, parts: u64) -> Payee {
        Payee {
            owner: Principal::from_slice(&[number]),
            subaccount: None,
            parts,
        }
    }

    #[test]
    fn should_split_to_the_last_unit_whatever_the_numbers() {
        let thirds = [payee(1, 333_333_333), payee(2, 333_333_333), payee(1, 7)];
        for unit in Unit::ALL {
            for price in [0, 1, 2, 3, 99, 10_001, 123_456_789, u128::from(u64::MAX)] {
                for author in [0, 1, 50, 10_000, u128::from(u64::MAX)] {
                    for payees in [&thirds[..], &[payee(1, 1_000_000_000)], &[]] {
                        for basis_points in [0, 1, 3_333, 10_000] {
                            let parts =
                                split(unit, price, author, payees, basis_points, basis_points);
                            let sum: u128 = parts.iter().map(|(_, amount)| amount).sum();
                            assert_eq!(sum, price);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn should_give_each_what_the_shares_say() {
        let payees = [payee(1, 250_000_000), payee(2, 500_000_000)];
        let of = |parts: &Parts, wanted: Holder| -> u128 {
            let held = parts.iter().filter(|(holder, _)| *holder == wanted);
            held.map(|(_, amount)| amount).sum()
        };
        let royalty = |number: u8| Holder::Royalty {
            owner: Principal::from_slice(&[number]),
            subaccount: None,
        };
        let parts = split(Unit::Icp, 1_500, 1_000, &payees, 1_000, 6_000);
        assert_eq!(of(&parts, royalty(1)), 225);
        assert_eq!(of(&parts, royalty(2)), 450);
        // Its part of the metered part, and what no share names of the author's.
        assert_eq!(of(&parts, Holder::Reserve), 300 + 225);
        assert_eq!(of(&parts, Holder::Treasury), 100 + 200);
        let parts = split(Unit::Cycles, 1_500, 1_000, &payees, 1_000, 6_000);
        assert_eq!(of(&parts, Holder::Treasury), 0);
        assert_eq!(of(&parts, Holder::Reserve), 825);
    }
}
