//! Random operations by several principals with clock moves; after each step the
//! invariants, and the total against the neurons visited one by one.

use proptest::prelude::*;

use super::*;
use crate::neurons::Slicing;

#[derive(Clone, Debug)]
enum Step {
    Stake(u8, u64),
    Delay(u8, u32),
    Start(u8),
    Stop(u8),
    Propose(u8),
    Vote(u8, u64, bool),
    Wait(u64),
    Housekeep,
    Upgrade,
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 1..6u8;
    prop_oneof![
        3 => (who(), 50..5_000u64).prop_map(|(id, stake)| Step::Stake(id, stake)),
        3 => (who(), 0..1_200u32).prop_map(|(id, seconds)| Step::Delay(id, seconds)),
        2 => who().prop_map(Step::Start),
        2 => who().prop_map(Step::Stop),
        3 => who().prop_map(Step::Propose),
        6 => (who(), 0..6u64, any::<bool>()).prop_map(|(id, back, yes)| Step::Vote(id, back, yes)),
        4 => (0..300u64).prop_map(Step::Wait),
        2 => Just(Step::Housekeep),
        1 => Just(Step::Upgrade),
    ]
}

/// The totals by visiting every neuron: by the SNS's rounded powers, and how many
/// there are.
fn visited() -> (u64, u64) {
    with_state(|state| {
        let rules = state.parameters().power;
        let powers: Vec<u64> = state
            .neurons
            .values()
            .map(|neuron| neuron.0.voting_state().voting_power(now(), &rules))
            .collect();
        (powers.iter().sum(), powers.len() as u64)
    })
}

fn check_total() {
    let (floor, neurons) = visited();
    let total = with_state(|state| {
        assert_eq!(state.work_off_recounts(now()), Slicing::Done);
        state.total_voting_power(now()).unwrap()
    });
    assert!(floor <= total, "{floor} of ballots and a total of {total}");
    // Each neuron loses less than 1 to the rounding of each bonus, the first of which
    // the second may multiply by 1.25; the total is rounded up.
    assert!(
        total <= floor + 3 * neurons + 1,
        "{total} is far above {floor}"
    );
}

fn perform(step: &Step, stable: &DefaultMemoryImpl) {
    let configured = |id: u8, operation| {
        configure(user(id), key_of(user(id), 0), operation);
    };
    match step {
        Step::Stake(id, stake) => {
            claim(user(*id), 0, *stake);
        }
        Step::Delay(id, seconds) => configured(
            *id,
            Operation::IncreaseDissolveDelay(IncreaseDissolveDelay {
                additional_dissolve_delay_seconds: *seconds,
            }),
        ),
        Step::Start(id) => configured(*id, Operation::StartDissolving {}),
        Step::Stop(id) => configured(*id, Operation::StopDissolving {}),
        Step::Propose(id) => {
            command(user(*id), key_of(user(*id), 0), motion());
        }
        Step::Vote(id, back, yes) => {
            let newest = with_state(|state| state.newest_proposal());
            let choice = if *yes { Vote::Yes } else { Vote::No };
            vote(
                *id,
                key_of(user(*id), 0),
                newest.saturating_sub(*back),
                choice,
            );
        }
        Step::Wait(seconds) => set_time(now() + seconds),
        Step::Housekeep => {
            housekeep();
        }
        Step::Upgrade => upgrade(stable.clone()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn should_hold_its_invariants_under_random_operations(
        steps in proptest::collection::vec(step(), 1..80)
    ) {
        let stable = governance();
        for step in &steps {
            perform(step, &stable);
            check_invariants();
        }
        check_total();
    }

    #[test]
    fn should_know_the_total_at_any_time_without_visiting_neurons(
        steps in proptest::collection::vec(step(), 1..40),
        least_delay in prop_oneof![Just(0u64), Just(1), Just(MIN_DELAY)],
        longest_age in prop_oneof![Just(0u64), Just(MAX_AGE)],
        waits in proptest::collection::vec(0..400u64, 1..6),
    ) {
        let stable = governance_with(NervousSystemParameters {
            neuron_minimum_dissolve_delay_to_vote_seconds: Some(least_delay),
            max_neuron_age_for_age_bonus: Some(longest_age),
            ..parameters()
        });
        for step in &steps {
            perform(step, &stable);
            check_total();
        }
        for wait in waits {
            set_time(now() + wait);
            check_total();
        }
    }

    /// What a neuron had when each proposal was made is what it votes with, whatever it
    /// did since.
    #[test]
    fn should_see_every_open_proposals_power_as_it_was(
        steps in proptest::collection::vec(step(), 1..60)
    ) {
        let stable = governance_with(NervousSystemParameters {
            initial_voting_period_seconds: Some(1_000_000),
            ..parameters()
        });
        let mut expected: Vec<Vec<(u8, u64)>> = Vec::new();
        for step in &steps {
            let powers: Vec<(u8, u64)> = with_state(|state| {
                let rules = state.parameters().power;
                (1..6)
                    .filter_map(|id| {
                        let neuron = state.neuron(&key_of(user(id), 0)).ok()?;
                        Some((id, neuron.voting_state().voting_power(now(), &rules)))
                    })
                    .collect()
            });
            let before = with_state(|state| state.newest_proposal());
            perform(step, &stable);
            if with_state(|state| state.newest_proposal()) > before {
                expected.push(powers);
            }
        }
        for (index, powers) in expected.iter().enumerate() {
            let proposal = index as u64 + 1;
            for id in 1..6 {
                let key = key_of(user(id), 0);
                let seen = with_state(|state| {
                    let terms = state.terms_of(proposal).unwrap();
                    state.ballot_power(&key, proposal, &terms).unwrap_or(0)
                });
                let was = powers.iter().find(|(other, _)| *other == id).map_or(0, |p| p.1);
                prop_assert_eq!(seen, was, "neuron {} on proposal {}", id, proposal);
            }
        }
    }
}
