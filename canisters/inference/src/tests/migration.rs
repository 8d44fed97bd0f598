//! Statements 27 and 28: what layout 1 wrote is taken over to the last unit, twice is as once, and an unknown layout is
//! refused.

use stoa_inference_api::PaymentState;
use stoa_types::Sha256;

use super::money::check_books;
use super::world::{
    FEE, RESERVE, World, canister, governance, ledger, minting, payer, registry, world,
};
use crate::memory::LAYOUT_VERSION;
use crate::migration::migrate;
use crate::stored::v1::{Books, Configuration, PaymentStateV1, PaymentV1, Refund};
use crate::stored::{
    Holder, StoredBooks, StoredConfiguration, StoredPayment, StoredTopUp, StoredTopUpState, TopUp,
    Unit,
};
use crate::{accounts, journal, queries, state};

const PRICE: u64 = 100_000;

fn payment(id: u64, state: PaymentStateV1) -> PaymentV1 {
    PaymentV1 {
        id,
        caller: payer(0),
        from_subaccount: None,
        version: Sha256([1; 32]),
        price_e8s: PRICE,
        fee_e8s: FEE,
        created_at_nanos: 1_700_000_000_000_000_000,
        state,
        attempts: 1,
    }
}

/// As layout 1 left it: two calls earned, one charged and not run, a refund and a purchase of cycles on their way.
fn world_of_layout_1() -> World {
    let world = world();
    accounts::send(Unit::Icp, &Holder::Reserve, RESERVE.into());
    state::with_mut(|state| {
        state
            .totals
            .set(crate::stored::StoredTotals::V1(Default::default()));
        state.layout.set(1);
        state
            .configuration
            .set(StoredConfiguration::V1(Configuration {
                registry: registry(),
                governance: governance(),
                icp_ledger: ledger(),
                cycles_minting: minting(),
                rate_e8s_per_billion_instructions: 20_000_000,
                rate_cycles_per_billion_instructions: 1,
                cycles_per_e8: 2,
                top_up_below_cycles: 3,
                top_up_e8s: 4,
                ledger_fee_e8s: FEE,
            }));
        for (id, payment_state) in [
            (
                0,
                PaymentStateV1::Earned {
                    block: 0,
                    receipt: 0,
                },
            ),
            (1, PaymentStateV1::Charged { block: 1 }),
            (
                2,
                PaymentStateV1::Refunding {
                    block: 2,
                    refund: Refund {
                        created_at_nanos: 1_700_000_000_000_000_000,
                        fee_e8s: FEE,
                    },
                },
            ),
            (3, PaymentStateV1::Charging),
        ] {
            let stored = StoredPayment::V1(payment(id, payment_state));
            state.payments.insert(id, stored);
            if id > 0 {
                state.open_payments.insert(id);
            }
        }
        let top_up = TopUp {
            id: 0,
            amount_e8s: 30_000,
            fee_e8s: FEE,
            created_at_nanos: 1_700_000_000_000_000_000,
            state: StoredTopUpState::Transferring,
            attempts: 1,
        };
        state.top_ups.insert(0, StoredTopUp::V1(top_up));
        // Both fees of the refund, and the purchase.
        state.retired_books.set(StoredBooks::V1(Books {
            earned_e8s: RESERVE,
            spent_e8s: 2 * FEE + 30_000 + FEE,
        }));
    });
    // On the ledger: what was earned, and the two charges. Their payer had that much more.
    world.with(|inner| {
        *inner.balances.get_mut(&canister()).unwrap() += 2 * PRICE;
        *inner.balances.get_mut(&payer(0)).unwrap() -= 2 * (PRICE + FEE);
        inner.burnt_fees += 2 * FEE;
    });
    world
}

#[test]
fn should_take_over_layout_1_to_the_last_unit() {
    let world = world_of_layout_1();
    migrate().unwrap();
    accounts::check_invariants();
    let of = |holder| accounts::balance_e8s(Unit::Icp, &holder);
    assert_eq!(of(Holder::Held), PRICE);
    assert_eq!(
        of(Holder::Sending),
        PRICE + FEE + FEE + 30_000 + FEE,
        "the refund and the purchase"
    );
    assert_eq!(of(Holder::Reserve), RESERVE - 3 * FEE - 30_000);
    let totals = accounts::totals(Unit::Icp);
    assert_eq!(
        totals.received - totals.sent,
        u128::from(world.balance(canister()))
    );
    let policy = queries::status(&world).policy;
    assert_eq!(policy.rate_e8s_per_billion_instructions, 20_000_000);
    assert_eq!(
        (policy.reserve_basis_points, policy.token_e8s_per_icp),
        (10_000, None)
    );
    assert!(matches!(
        journal::get_payment(0).unwrap().state,
        PaymentState::Earned { receipt: 0, .. }
    ));

    // Again is nothing, and everything under way comes to its end.
    migrate().unwrap();
    assert_eq!(state::with(|state| *state.layout.get()), LAYOUT_VERSION);
    world.upgrade();
    world.run_timers();
    assert_eq!(journal::open_ids(9), Vec::<u64>::new());
    check_books(&world);
    // The refund arrived. The charge that nobody ran is credit, and so is the one whose outcome was not known: the ledger
    // was asked again, and made it.
    let credit = accounts::balances_of(payer(0)).credit_icp_e8s;
    assert_eq!(credit, 2 * PRICE);
}

#[test]
fn should_refuse_a_layout_that_it_does_not_know() {
    let _world = world();
    for unknown in [0, LAYOUT_VERSION + 1] {
        state::with_mut(|state| state.layout.set(unknown));
        assert!(migrate().unwrap_err().contains(&unknown.to_string()));
    }
}
