//! Random stakes, splits and disbursements over a ledger whose answers get lost; after
//! each step what neurons have, and what is on its way, is what their accounts hold.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::ledger_model::{Fate, LedgerModel, account_of, neuron_account};
use super::moving::{disburse, split};
use super::*;
use crate::movement::Kind;

#[derive(Clone, Debug)]
enum Step {
    Deposit(u8, u64, u64),
    Refresh(u8, u64),
    Split(u8, u64, u64, u64),
    Disburse(u8, u64, Option<u64>),
    DisburseMaturity(u8, u64, u32),
    Earn(u8, u64, u64),
    StakeMaturity(u8, u64, u32),
    Delay(u8, u64, u32),
    StartDissolving(u8, u64),
    Propose(u8, u64),
    Vote(u8, u64, u64, bool),
    Wait(u64),
    Housekeep(Fate),
    Upgrade,
    UpgradeInTheMiddle(u8, u64),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Answered),
        1 => Just(Fate::AnswerLost),
        1 => Just(Fate::Vanished),
        1 => Just(Fate::Undelivered),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 1..4u8;
    let memo = || 0..3u64;
    prop_oneof![
        4 => (who(), memo(), 1..2_000u64).prop_map(|(u, m, a)| Step::Deposit(u, m, a)),
        4 => (who(), memo()).prop_map(|(u, m)| Step::Refresh(u, m)),
        3 => (who(), memo(), memo(), 50..1_000u64).prop_map(|(u, m, n, a)| Step::Split(u, m, n, a)),
        4 => (who(), memo(), proptest::option::of(1..1_500u64))
            .prop_map(|(u, m, a)| Step::Disburse(u, m, a)),
        2 => (who(), memo(), 0..110u32).prop_map(|(u, m, p)| Step::DisburseMaturity(u, m, p)),
        1 => (who(), memo(), 1..300u64).prop_map(|(u, m, a)| Step::Earn(u, m, a)),
        1 => (who(), memo(), 1..101u32).prop_map(|(u, m, p)| Step::StakeMaturity(u, m, p)),
        2 => (who(), memo(), 1..300u32).prop_map(|(u, m, s)| Step::Delay(u, m, s)),
        2 => (who(), memo()).prop_map(|(u, m)| Step::StartDissolving(u, m)),
        2 => (who(), memo()).prop_map(|(u, m)| Step::Propose(u, m)),
        3 => (who(), memo(), 0..4u64, any::<bool>()).prop_map(|(u, m, b, y)| Step::Vote(u, m, b, y)),
        3 => (0..300u64).prop_map(Step::Wait),
        3 => fate().prop_map(Step::Housekeep),
        1 => Just(Step::Upgrade),
        1 => (who(), memo()).prop_map(|(u, m)| Step::UpgradeInTheMiddle(u, m)),
    ]
}

struct World {
    stable: DefaultMemoryImpl,
    ledger: LedgerModel,
    /// Deposited and not yet counted.
    uncounted: BTreeMap<NeuronKey, u64>,
    earned: u64,
}

impl World {
    fn perform(&mut self, step: &Step, fates: &[Fate]) {
        let key = |id: u8, memo: u64| key_of(user(id), memo);
        match step {
            Step::Deposit(id, memo, amount) => {
                self.ledger.issue(neuron_account(key(*id, *memo)), *amount);
                *self.uncounted.entry(key(*id, *memo)).or_default() += amount;
            }
            Step::Refresh(id, memo) => {
                let claim = claim_command(user(*id), *memo);
                let response = self.ledger.command(user(*id), [0; 32], claim, fates);
                if matches!(response, CommandResponse::ClaimOrRefresh(_)) {
                    self.uncounted.remove(&key(*id, *memo));
                }
            }
            Step::Split(id, memo, child, amount) => {
                let command = split(*child, *amount);
                self.ledger
                    .command(user(*id), key(*id, *memo), command, fates);
            }
            Step::Disburse(id, memo, amount) => {
                let command = disburse(*amount);
                self.ledger
                    .command(user(*id), key(*id, *memo), command, fates);
            }
            Step::DisburseMaturity(id, memo, percentage) => {
                let command = Command::DisburseMaturity(DisburseMaturity {
                    to_account: None,
                    percentage_to_disburse: *percentage,
                });
                self.ledger
                    .command(user(*id), key(*id, *memo), command, fates);
            }
            Step::Earn(id, memo, amount) => {
                let earned = with_state(|state| {
                    state.change_neuron(&key(*id, *memo), now(), |neuron| {
                        neuron.maturity.add(*amount);
                        Ok(*amount)
                    })
                });
                self.earned += earned.unwrap_or(0);
            }
            Step::StakeMaturity(id, memo, percentage) => {
                command(
                    user(*id),
                    key(*id, *memo),
                    Command::StakeMaturity(StakeMaturity {
                        percentage_to_stake: Some(*percentage),
                    }),
                );
            }
            Step::Delay(id, memo, seconds) => {
                configure(
                    user(*id),
                    key(*id, *memo),
                    Operation::IncreaseDissolveDelay(IncreaseDissolveDelay {
                        additional_dissolve_delay_seconds: *seconds,
                    }),
                );
            }
            Step::StartDissolving(id, memo) => {
                configure(user(*id), key(*id, *memo), Operation::StartDissolving {});
            }
            Step::Propose(id, memo) => {
                command(user(*id), key(*id, *memo), motion());
            }
            Step::Vote(id, memo, back, yes) => {
                let newest = with_state(|state| state.newest_proposal());
                let choice = if *yes { Vote::Yes } else { Vote::No };
                vote(*id, key(*id, *memo), newest.saturating_sub(*back), choice);
            }
            Step::Wait(seconds) => set_time(now() + seconds),
            Step::Housekeep(fate) => self.ledger.housekeep(*fate),
            Step::Upgrade => upgrade(self.stable.clone()),
            Step::UpgradeInTheMiddle(id, memo) => {
                let mut running = begin(user(*id), key(*id, *memo), disburse(None));
                let answered = poll(&mut running);
                for call in runtime::take_sent() {
                    let fate = fates.first().copied().unwrap_or(Fate::Answered);
                    self.ledger.meet(call, fate);
                }
                drop((running, answered));
                upgrade(self.stable.clone());
            }
        }
    }

    fn check(&self) {
        self.ledger.check_supply();
        check_invariants();
        with_state(|state| {
            for id in 1..4 {
                for memo in 0..3 {
                    let key = key_of(user(id), memo);
                    let stake = state.neuron(&key).map_or(0, |neuron| neuron.stake_e8s);
                    let moving: u64 =
                        state
                            .movements
                            .get(&key)
                            .map_or(0, |movement| match movement.0.kind {
                                Kind::Disburse | Kind::Split { .. } => {
                                    movement.0.legs.iter().map(|leg| leg.cost_e8s()).sum()
                                }
                                Kind::DisburseMaturity | Kind::Arrival => 0,
                            });
                    // A split's transfer may have arrived before that is known.
                    let arriving: u64 = state
                        .movements
                        .values()
                        .filter(|movement| movement.0.kind == Kind::Split { child: key })
                        .flat_map(|movement| movement.0.legs)
                        .map(|leg| leg.amount_e8s)
                        .sum();
                    let uncounted = self.uncounted.get(&key).copied().unwrap_or(0);
                    let held = self.ledger.balance(neuron_account(key));
                    assert!(
                        held >= stake,
                        "neuron {id}/{memo} has {stake}, its account {held}"
                    );
                    // Costs that were too small to burn stay behind in the account.
                    let dust = 2;
                    let gone_or_there = stake + moving + arriving + uncounted;
                    assert!(
                        held <= gone_or_there + dust,
                        "account of {id}/{memo} holds {held}, known are {gone_or_there}"
                    );
                }
            }
        });
    }

    /// Everything is settled: books agree to the unit.
    fn settle_and_check(&mut self) {
        for _ in 0..3 {
            self.ledger.housekeep(Fate::Answered);
        }
        self.check();
        with_state(|state| {
            assert!(state.movements.is_empty(), "every movement ends");
            let maturity: u64 = state
                .neurons
                .values()
                .map(|neuron| neuron.0.maturity.total_e8s())
                .sum();
            assert_eq!(maturity + self.ledger.minted, self.earned);
            for id in 1..4 {
                for memo in 0..3 {
                    let key = key_of(user(id), memo);
                    let stake = state.neuron(&key).map_or(0, |neuron| neuron.stake_e8s);
                    let uncounted = self.uncounted.get(&key).copied().unwrap_or(0);
                    let held = self.ledger.balance(neuron_account(key));
                    assert!((stake..=stake + uncounted + 2).contains(&held));
                }
            }
        });
        let paid: u64 = (1..4)
            .map(|id| self.ledger.balance(account_of(user(id))))
            .sum();
        assert!(paid <= self.ledger.issued + self.ledger.minted);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn should_conserve_stake_under_random_movements_and_lost_answers(
        steps in proptest::collection::vec((step(), proptest::collection::vec(fate(), 0..4)), 1..60)
    ) {
        let mut world = World {
            stable: governance(),
            ledger: LedgerModel::default(),
            uncounted: BTreeMap::new(),
            earned: 0,
        };
        for (step, fates) in &steps {
            world.perform(step, fates);
            world.check();
        }
        world.settle_and_check();
    }
}
