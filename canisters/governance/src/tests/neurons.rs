//! Dissolve states and voting power, against numbers worked out by hand.

use super::*;
use crate::neuron::{Dissolve, NOT_AGING, VotingState};
use crate::parameters::{ParameterError, Parameters, PowerRules};

const RULES: PowerRules = PowerRules {
    min_dissolve_delay_seconds: MIN_DELAY,
    max_dissolve_delay_seconds: MAX_DELAY,
    max_dissolve_delay_bonus_percentage: 100,
    max_age_seconds: MAX_AGE,
    max_age_bonus_percentage: 25,
};

fn state(stake_e8s: u64, dissolve: Dissolve, aging_since_seconds: u64) -> VotingState {
    VotingState {
        stake_e8s,
        dissolve,
        aging_since_seconds,
    }
}

#[test]
fn should_weigh_stake_with_both_bonuses_as_the_sns_does() {
    let still = |delay, age| state(1_000, Dissolve::Delay(delay), START - age);
    // No age: half of the longest delay gives half of the bonus.
    assert_eq!(still(500, 0).voting_power(START, &RULES), 1_500);
    assert_eq!(still(MAX_DELAY, 0).voting_power(START, &RULES), 2_000);
    assert_eq!(still(2 * MAX_DELAY, 0).voting_power(START, &RULES), 2_000);
    // The age bonus is on top of the delay bonus.
    assert_eq!(still(MAX_DELAY, MAX_AGE).voting_power(START, &RULES), 2_500);
    assert_eq!(
        still(MAX_DELAY, 9 * MAX_AGE).voting_power(START, &RULES),
        2_500
    );
    assert_eq!(still(500, MAX_AGE / 2).voting_power(START, &RULES), 1_687);
    // Roundings go down, after each bonus.
    assert_eq!(
        state(3, Dissolve::Delay(150), START).voting_power(START, &RULES),
        3
    );
}

#[test]
fn should_give_no_power_below_the_least_dissolve_delay() {
    let still = |delay| state(1_000, Dissolve::Delay(delay), START);
    assert_eq!(still(MIN_DELAY - 1).voting_power(START, &RULES), 0);
    assert_eq!(still(MIN_DELAY).voting_power(START, &RULES), 1_100);
    let dissolving = state(1_000, Dissolve::At(START + MIN_DELAY), NOT_AGING);
    assert_eq!(dissolving.voting_power(START, &RULES), 1_100);
    assert_eq!(dissolving.voting_power(START + 1, &RULES), 0);
}

#[test]
fn should_not_overflow_at_the_largest_numbers() {
    let largest = PowerRules {
        min_dissolve_delay_seconds: 0,
        max_dissolve_delay_seconds: crate::parameters::DURATION_SECONDS_MAX,
        max_dissolve_delay_bonus_percentage: 900,
        max_age_seconds: crate::parameters::DURATION_SECONDS_MAX,
        max_age_bonus_percentage: 900,
    };
    let all = state(u64::MAX, Dissolve::Delay(u64::MAX), 0);
    assert_eq!(all.voting_power(u64::MAX, &largest), u64::MAX);
}

#[test]
fn should_dissolve_and_stop_and_lose_its_age() {
    governance();
    let key = neuron(1, 300);
    set_time(START + 50);
    let owner = user(1);
    assert_eq!(
        configure(owner, key, Operation::StartDissolving {}),
        CommandResponse::Configure {}
    );
    let dissolving = read_neuron(key);
    assert_eq!(
        dissolving.dissolve_state,
        Some(DissolveState::WhenDissolvedTimestampSeconds(
            START + 50 + MIN_DELAY
        ))
    );
    assert_eq!(dissolving.aging_since_timestamp_seconds, u64::MAX);
    assert_eq!(
        error_of(configure(owner, key, Operation::StartDissolving {})),
        ErrorType::RequiresNotDissolving
    );
    set_time(START + 80);
    assert_eq!(
        configure(owner, key, Operation::StopDissolving {}),
        CommandResponse::Configure {}
    );
    let stopped = read_neuron(key);
    assert_eq!(
        stopped.dissolve_state,
        Some(DissolveState::DissolveDelaySeconds(MIN_DELAY - 30))
    );
    assert_eq!(stopped.aging_since_timestamp_seconds, START + 80);
    assert_eq!(
        error_of(configure(owner, key, Operation::StopDissolving {})),
        ErrorType::RequiresDissolving
    );
    check_invariants();
}

#[test]
fn should_raise_the_delay_up_to_the_longest_and_begin_anew_when_dissolved() {
    governance();
    let key = neuron(1, 300);
    let owner = user(1);
    delay(owner, key, u32::MAX);
    assert_eq!(
        read_neuron(key).dissolve_state,
        Some(DissolveState::DissolveDelaySeconds(MAX_DELAY))
    );
    let more = || {
        Operation::IncreaseDissolveDelay(IncreaseDissolveDelay {
            additional_dissolve_delay_seconds: 1,
        })
    };
    assert_eq!(
        error_of(configure(owner, key, more())),
        ErrorType::InvalidCommand
    );
    configure(owner, key, Operation::StartDissolving {});
    set_time(START + MAX_DELAY + 5);
    assert_eq!(configure(owner, key, more()), CommandResponse::Configure {});
    let again = read_neuron(key);
    assert_eq!(
        again.dissolve_state,
        Some(DissolveState::DissolveDelaySeconds(1))
    );
    assert_eq!(again.aging_since_timestamp_seconds, START + MAX_DELAY + 5);
    check_invariants();
}

#[test]
fn should_move_the_end_only_to_a_later_time() {
    governance();
    let key = neuron(1, 300);
    let to = |dissolve_timestamp_seconds| {
        configure(
            user(1),
            key,
            Operation::SetDissolveTimestamp(SetDissolveTimestamp {
                dissolve_timestamp_seconds,
            }),
        )
    };
    assert_eq!(error_of(to(START + MIN_DELAY)), ErrorType::InvalidCommand);
    assert_eq!(error_of(to(0)), ErrorType::InvalidCommand);
    assert_eq!(to(START + 2 * MIN_DELAY), CommandResponse::Configure {});
    assert_eq!(
        read_neuron(key).dissolve_state,
        Some(DissolveState::DissolveDelaySeconds(2 * MIN_DELAY))
    );
}

/// All of them but the claim, with which anybody may come.
fn commands_on_a_neuron(proposal: u64) -> Vec<Command> {
    let list = || {
        Some(NeuronPermissionList {
            permissions: vec![4],
        })
    };
    vec![
        Command::Configure(Configure {
            operation: Some(Operation::StartDissolving {}),
        }),
        motion(),
        Command::RegisterVote(RegisterVote {
            vote: Vote::No.number(),
            proposal: Some(ProposalId { id: proposal }),
        }),
        Command::Split(Split {
            memo: 9,
            amount_e8s: 150,
        }),
        Command::Follow(Follow {
            function_id: 0,
            followees: vec![],
        }),
        Command::SetFollowing(SetFollowing {
            topic_following: vec![FolloweesForTopic {
                topic: Some(Topic::Governance),
                followees: vec![],
            }],
        }),
        Command::Disburse(Disburse {
            to_account: None,
            amount: None,
        }),
        Command::DisburseMaturity(DisburseMaturity {
            to_account: None,
            percentage_to_disburse: 100,
        }),
        Command::StakeMaturity(StakeMaturity {
            percentage_to_stake: None,
        }),
        Command::AddNeuronPermissions(AddNeuronPermissions {
            permissions_to_add: list(),
            principal_id: Some(user(2)),
        }),
        Command::RemoveNeuronPermissions(RemoveNeuronPermissions {
            permissions_to_remove: list(),
            principal_id: Some(user(1)),
        }),
    ]
}

/// Statement 19 too: the method itself refuses the anonymous principal, without
/// `inspect_message`.
#[test]
fn should_refuse_strangers_and_the_anonymous_principal_every_command_on_a_neuron() {
    governance();
    let key = neuron(1, 300);
    let id = propose(1, key, motion());
    let before = (read_neuron(key), read(id));
    for wanted in commands_on_a_neuron(id) {
        for caller in [user(2), Principal::anonymous()] {
            let response = command(caller, key, wanted.clone());
            let kind = error_of(response);
            assert!(
                matches!(kind, ErrorType::NotAuthorized | ErrorType::InvalidPrincipal),
                "{wanted:?} of {caller}: {kind:?}"
            );
        }
    }
    runtime::set_caller(user(1));
    assert_eq!((read_neuron(key), read(id)), before);
    assert!(runtime::take_sent().is_empty());
}

#[test]
fn should_name_what_it_does_not_support() {
    governance();
    let key = neuron(1, 300);
    let merge = Command::MergeMaturity(MergeMaturity {
        percentage_to_merge: 50,
    });
    assert_eq!(
        error_of(command(user(1), key, merge)),
        ErrorType::Unavailable
    );
    let unspecified = proposal(Action::Unspecified {});
    assert_eq!(
        error_of(command(user(1), key, unspecified)),
        ErrorType::Unavailable
    );
}

#[test]
fn should_refuse_parameters_that_would_break_an_invariant() {
    let refused =
        |wire: NervousSystemParameters| Parameters::default().changed_by(&wire).unwrap_err();
    assert!(matches!(
        refused(NervousSystemParameters {
            initial_voting_period_seconds: Some(0),
            ..Default::default()
        }),
        ParameterError::OutOfRange {
            given: 0,
            min: 1,
            ..
        }
    ));
    assert!(matches!(
        refused(NervousSystemParameters {
            neuron_minimum_stake_e8s: Some(10_000),
            ..Default::default()
        }),
        ParameterError::OutOfRange { min: 10_001, .. }
    ));
    assert!(matches!(
        refused(NervousSystemParameters {
            neuron_claimer_permissions: Some(NeuronPermissionList {
                permissions: vec![11]
            }),
            ..Default::default()
        }),
        ParameterError::UnknownPermission { number: 11, .. }
    ));
}

#[test]
fn should_show_the_parameters_that_it_was_given() {
    governance();
    let shown = crate::query_system::get_nervous_system_parameters();
    assert_eq!(shown.reject_cost_e8s, Some(REJECT_COST));
    assert_eq!(shown.max_number_of_neurons, Some(200_000));
    let again = Parameters::default().changed_by(&shown).unwrap();
    assert_eq!(NervousSystemParameters::from(&again), shown);
}
