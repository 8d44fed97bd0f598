//! Voting rewards: off by default; when on, shared out among ballots, once.

use super::ledger_model::{Fate, LedgerModel};
use super::*;

const ROUND: u64 = 1_000;
const YEAR: u64 = 31_557_600;

fn rewarding(rate: u64) -> NervousSystemParameters {
    NervousSystemParameters {
        voting_rewards_parameters: Some(VotingRewardsParameters {
            initial_reward_rate_basis_points: Some(rate),
            final_reward_rate_basis_points: Some(rate),
            reward_rate_transition_duration_seconds: Some(0),
            round_duration_seconds: Some(ROUND),
        }),
        ..parameters()
    }
}

fn maturity(key: NeuronKey) -> u64 {
    read_neuron(key).maturity_e8s_equivalent
}

#[test]
fn should_pay_nothing_by_default() {
    governance();
    let mut ledger = LedgerModel::default();
    let key = ledger.stake(user(1), 0, 10_000_000_000);
    delay(user(1), key, MIN_DELAY as u32);
    let id = propose(1, key, motion());
    set_time(START + YEAR);
    ledger.housekeep(Fate::Answered);
    ledger.housekeep(Fate::Answered);
    assert!(!read(id).is_eligible_for_rewards);
    assert_eq!(maturity(key), 0);
    assert_eq!(ledger.minted, 0);
}

#[test]
fn should_share_the_purse_by_power_among_those_who_voted() {
    let stable = governance_with(rewarding(1_000));
    let mut ledger = LedgerModel::default();
    let stake = 1_000_000_000_000;
    let keys: Vec<_> = [(1, 1), (2, 3), (3, 6)]
        .iter()
        .map(|(id, share)| {
            let key = ledger.stake(user(*id), 0, stake * share);
            delay(user(*id), key, MIN_DELAY as u32);
            key
        })
        .collect();
    ledger.housekeep(Fate::Answered);
    let id = propose(1, keys[0], motion());
    vote(2, keys[1], id, Vote::No);
    assert!(read(id).is_eligible_for_rewards);
    set_time(START + PERIOD);
    ledger.housekeep(Fate::Answered);
    assert_eq!(maturity(keys[0]), 0, "the round is not over");
    set_time(START + ROUND);
    // A ledger that does not answer only delays it.
    ledger.housekeep(Fate::Vanished);
    assert_eq!(maturity(keys[0]), 0);
    upgrade(stable);
    ledger.housekeep(Fate::Answered);
    ledger.housekeep(Fate::Answered);
    let purse = u128::from(10 * stake) * u128::from(ROUND) / u128::from(YEAR) / 10;
    let paid = maturity(keys[0]) + maturity(keys[1]);
    assert_eq!(maturity(keys[2]), 0, "who does not vote earns nothing");
    assert!(
        u128::from(paid) <= purse && u128::from(paid) + 4 >= purse,
        "{paid} of {purse}"
    );
    assert!(maturity(keys[1]).abs_diff(3 * maturity(keys[0])) <= 4);
    let seen = read(id);
    assert_eq!(seen.reward_event_round, 1);
    let event = crate::query_system::get_latest_reward_event();
    assert_eq!(event.round, 1);
    assert_eq!(event.settled_proposals, vec![ProposalId { id }]);
    assert_eq!(event.distributed_e8s_equivalent, paid);
    let before = paid;
    set_time(START + 2 * ROUND);
    ledger.housekeep(Fate::Answered);
    assert_eq!(maturity(keys[0]) + maturity(keys[1]), before, "once");
    check_invariants();
}

#[test]
fn should_carry_a_round_without_proposals_over() {
    governance_with(rewarding(1_000));
    let mut ledger = LedgerModel::default();
    let stake = 1_000_000_000_000;
    let key = ledger.stake(user(1), 0, stake);
    delay(user(1), key, MIN_DELAY as u32);
    ledger.housekeep(Fate::Answered);
    for round in 1..=3 {
        set_time(START + round * ROUND);
        ledger.housekeep(Fate::Answered);
    }
    propose(1, key, motion());
    set_time(START + 3 * ROUND + PERIOD);
    ledger.housekeep(Fate::Answered);
    set_time(START + 4 * ROUND);
    ledger.housekeep(Fate::Answered);
    let all = u128::from(stake) * u128::from(4 * ROUND) / u128::from(YEAR) / 10;
    assert!(u128::from(maturity(key)).abs_diff(all) <= 2);
}

#[test]
fn should_stake_rewards_where_the_neuron_asks_for_it() {
    governance_with(rewarding(1_000));
    let mut ledger = LedgerModel::default();
    let key = ledger.stake(user(1), 0, 1_000_000_000_000);
    delay(user(1), key, MIN_DELAY as u32);
    configure(
        user(1),
        key,
        Operation::ChangeAutoStakeMaturity(ChangeAutoStakeMaturity {
            requested_setting_for_auto_stake_maturity: true,
        }),
    );
    ledger.housekeep(Fate::Answered);
    propose(1, key, motion());
    set_time(START + PERIOD);
    ledger.housekeep(Fate::Answered);
    set_time(START + ROUND);
    ledger.housekeep(Fate::Answered);
    let seen = read_neuron(key);
    assert_eq!(seen.maturity_e8s_equivalent, 0);
    assert!(seen.staked_maturity_e8s_equivalent.unwrap() > 0);
    assert_eq!(seen.auto_stake_maturity, Some(true));
    check_invariants();
}

/// Ballots are kept for their rewards, which come in bounded messages.
#[test]
fn should_reward_many_ballots_once_each_across_an_upgrade() {
    let stable = governance_with(NervousSystemParameters {
        max_number_of_proposals_with_ballots: Some(1),
        ..rewarding(10_000)
    });
    let mut ledger = LedgerModel::default();
    let leader = ledger.stake(user(1), 0, 1_000_000_000_000);
    delay(user(1), leader, MIN_DELAY as u32);
    let voters = 1_100u64;
    for memo in 1..=voters {
        let key = ledger.stake(user(2), memo, 1_000_000_000);
        delay(user(2), key, MIN_DELAY as u32);
        command(
            user(2),
            key,
            Command::Follow(Follow {
                function_id: 0,
                followees: vec![leader.into()],
            }),
        );
    }
    ledger.housekeep(Fate::Answered);
    propose(1, leader, motion());
    ledger.housekeep(Fate::Answered);
    set_time(START + PERIOD);
    ledger.housekeep(Fate::Answered);
    with_state(|state| assert_eq!(state.ballots.len(), voters + 1));
    set_time(START + ROUND);
    let mut round: Running<()> = Box::pin(crate::housekeeping::run());
    assert!(poll(&mut round).is_none());
    ledger.meet(one_call("icrc1_total_supply"), Fate::Answered);
    assert!(poll(&mut round).is_some());
    with_state(|state| assert!(state.rewards.get().0.distribution.is_some()));
    upgrade(stable);
    ledger.housekeep(Fate::Answered);
    let event = crate::query_system::get_latest_reward_event();
    let credited: u64 = with_state(|state| {
        state
            .neurons
            .values()
            .map(|neuron| neuron.0.maturity.total_e8s())
            .sum()
    });
    assert_eq!(credited, event.distributed_e8s_equivalent);
    assert!(credited <= event.total_available_e8s_equivalent.unwrap());
    assert!(credited + voters + 1 >= event.total_available_e8s_equivalent.unwrap());
    let one = maturity(key_of(user(2), 1));
    assert!(one > 0);
    for memo in 1..=voters {
        assert_eq!(maturity(key_of(user(2), memo)), one);
    }
}

#[test]
fn should_let_the_rate_fall_in_a_parabola() {
    let rules = crate::parameters::RewardRules {
        initial_rate_basis_points: 1_000,
        final_rate_basis_points: 200,
        transition_seconds: 4 * YEAR,
        round_duration_seconds: ROUND,
    };
    let year = |since| rules.purse_e8s(1_000_000, since, YEAR);
    assert_eq!(year(0), 100_000);
    assert_eq!(year(2 * YEAR), 40_000, "a quarter of the way down is left");
    assert_eq!(year(4 * YEAR), 20_000);
    assert_eq!(year(40 * YEAR), 20_000);
}
