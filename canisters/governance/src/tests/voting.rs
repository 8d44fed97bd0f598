//! Who votes with what, and when that decides.

use super::*;

fn tally(id: u64) -> (u64, u64, u64) {
    let tally = read(id).latest_tally.unwrap();
    (tally.yes, tally.no, tally.total)
}

#[test]
fn should_cast_the_proposers_yes_and_count_every_ballot_once() {
    governance();
    let keys: Vec<_> = (1..=4).map(|id| neuron(id, 1_000)).collect();
    let id = propose(1, keys[0], motion());
    assert_eq!(tally(id), (1_100, 0, 4_400));
    assert_eq!(
        vote(2, keys[1], id, Vote::No),
        CommandResponse::RegisterVote {}
    );
    assert_eq!(tally(id), (1_100, 1_100, 4_400));
    assert_eq!(
        error_of(vote(2, keys[1], id, Vote::No)),
        ErrorType::PreconditionFailed
    );
    assert_eq!(
        error_of(vote(1, keys[0], id, Vote::No)),
        ErrorType::PreconditionFailed
    );
    assert_eq!(tally(id), (1_100, 1_100, 4_400));
    check_invariants();
}

#[test]
fn should_adopt_at_once_with_more_than_half_of_all_power() {
    governance();
    let keys: Vec<_> = (1..=4).map(|id| neuron(id, 1_000)).collect();
    let id = propose(1, keys[0], motion());
    vote(2, keys[1], id, Vote::Yes);
    assert_eq!(
        read(id).decided_timestamp_seconds,
        0,
        "half is not more than half"
    );
    set_time(START + 7);
    vote(3, keys[2], id, Vote::Yes);
    let decided = read(id);
    assert_eq!(decided.decided_timestamp_seconds, START + 7);
    assert_eq!(
        read_neuron(keys[0]).neuron_fees_e8s,
        0,
        "the cost is given back"
    );
    assert!(run_jobs().is_empty());
    assert_eq!(read(id).executed_timestamp_seconds, START + 7);
    check_invariants();
}

#[test]
fn should_reject_at_once_with_half_of_all_power_and_keep_the_cost() {
    governance();
    let keys: Vec<_> = (1..=4).map(|id| neuron(id, 1_000)).collect();
    let id = propose(1, keys[0], motion());
    vote(2, keys[1], id, Vote::No);
    vote(3, keys[2], id, Vote::No);
    assert_eq!(read(id).decided_timestamp_seconds, START);
    assert_eq!(read_neuron(keys[0]).neuron_fees_e8s, REJECT_COST);
    assert!(run_jobs().is_empty());
    assert_eq!(read(id).executed_timestamp_seconds, 0);
    check_invariants();
}

#[test]
fn should_decide_by_the_votes_cast_at_the_deadline() {
    governance();
    let keys: Vec<_> = (1..=10).map(|id| neuron(id, 1_000)).collect();
    let adopted = propose(1, keys[0], motion());
    let tied = propose(1, keys[0], motion());
    vote(2, keys[1], tied, Vote::No);
    set_time(START + PERIOD - 1);
    housekeep();
    assert_eq!(read(adopted).decided_timestamp_seconds, 0);
    set_time(START + PERIOD);
    housekeep();
    assert_eq!(read(adopted).executed_timestamp_seconds, START + PERIOD);
    let rejected = read(tied);
    assert_eq!(rejected.decided_timestamp_seconds, START + PERIOD);
    assert_eq!(rejected.executed_timestamp_seconds, 0);
    assert_eq!(read_neuron(keys[0]).neuron_fees_e8s, REJECT_COST);
    assert_eq!(
        error_of(vote(3, keys[2], tied, Vote::Yes)),
        ErrorType::PreconditionFailed
    );
    check_invariants();
}

#[test]
fn should_set_one_timer_for_the_next_deadline() {
    governance();
    let key = neuron(1, 1_000);
    neuron(2, 9_000);
    propose(1, key, motion());
    assert_eq!(runtime::take_jobs().len(), 1);
    set_time(START + 1);
    propose(1, key, motion());
    assert!(
        runtime::take_jobs().is_empty(),
        "the earlier one will set it"
    );
    set_time(START + PERIOD);
    let mut round: Running<()> = Box::pin(crate::housekeeping::run());
    assert!(poll(&mut round).is_some());
    assert_eq!(read(1).decided_timestamp_seconds, START + PERIOD);
    let jobs = runtime::take_jobs().len();
    assert_eq!(jobs, 2, "the execution, and the timer for the second");
}

#[test]
fn should_reject_at_the_deadline_without_the_quorum() {
    governance();
    let small = neuron(1, 200);
    neuron(2, 100_000);
    let id = propose(1, small, motion());
    set_time(START + PERIOD);
    housekeep();
    assert_eq!(read(id).decided_timestamp_seconds, START + PERIOD);
    assert_eq!(read(id).executed_timestamp_seconds, 0);
}

#[test]
fn should_ask_more_votes_for_a_critical_proposal() {
    governance();
    let keys: Vec<_> = (1..=10).map(|id| neuron(id, 1_000)).collect();
    let id = propose(
        1,
        keys[0],
        proposal(Action::AddGenericNervousSystemFunction(function(1_001))),
    );
    for (voter, key) in (2..=6).zip(&keys[1..6]) {
        vote(voter, *key, id, Vote::Yes);
    }
    assert_eq!(read(id).decided_timestamp_seconds, 0, "60 % are not 67 %");
    vote(7, keys[6], id, Vote::Yes);
    assert_eq!(read(id).decided_timestamp_seconds, START);
    assert_eq!(
        read(id)
            .minimum_yes_proportion_of_total
            .unwrap()
            .basis_points,
        Some(2_000)
    );
}

#[test]
fn should_accept_votes_after_an_early_decision_without_changing_it() {
    governance();
    let large = neuron(1, 10_000);
    let small = neuron(2, 1_000);
    let id = propose(1, large, motion());
    let decided = read(id);
    assert_eq!(decided.decided_timestamp_seconds, START);
    assert_eq!(
        vote(2, small, id, Vote::No),
        CommandResponse::RegisterVote {}
    );
    assert_eq!(tally(id).1, 1_100);
    run_jobs();
    assert_eq!(read(id).executed_timestamp_seconds, START);
    check_invariants();
}

#[test]
fn should_weigh_a_ballot_by_the_power_at_creation() {
    governance();
    let proposer = neuron(1, 10_000);
    let keys: Vec<_> = (2..=5).map(|id| neuron(id, 10_000)).collect();
    let first = propose(1, proposer, motion());
    // Whatever happens to the neuron after, the first proposal sees what was then.
    delay(user(2), keys[0], 500);
    let between = propose(1, proposer, motion());
    set_time(START + 10);
    claim(user(2), 0, 99_000);
    configure(user(2), keys[0], Operation::StartDissolving {});
    let after = propose(1, proposer, motion());
    let power = |id| {
        vote(2, keys[0], id, Vote::No);
        let tally = read(id).latest_tally.unwrap();
        assert!(tally.yes + tally.no <= tally.total);
        tally.no
    };
    assert_eq!(power(first), 11_000);
    assert_eq!(power(between), 16_000);
    // 99,000 and the bonus for 600 of 1,000 s; dissolving, it has no age.
    assert_eq!(power(after), 158_400);
    check_invariants();
}

#[test]
fn should_give_no_vote_to_a_neuron_that_came_after_the_proposal() {
    governance();
    let first = neuron(1, 1_000);
    neuron(2, 5_000);
    let id = propose(1, first, motion());
    let late = neuron(3, 100_000);
    assert_eq!(
        error_of(vote(3, late, id, Vote::No)),
        ErrorType::NotAuthorized
    );
    let next = propose(1, first, motion());
    assert_eq!(
        vote(3, late, next, Vote::No),
        CommandResponse::RegisterVote {}
    );
    check_invariants();
}

#[test]
fn should_give_no_vote_to_a_neuron_that_could_not_vote_at_creation() {
    governance();
    let first = neuron(1, 1_000);
    neuron(2, 5_000);
    claim(user(3), 0, 9_000);
    let key = key_of(user(3), 0);
    let id = propose(1, first, motion());
    assert_eq!(read(id).latest_tally.unwrap().total, 6_600);
    delay(user(3), key, 500);
    assert_eq!(
        error_of(vote(3, key, id, Vote::No)),
        ErrorType::NotAuthorized
    );
    check_invariants();
}

#[test]
fn should_charge_the_cost_after_the_power_was_taken() {
    governance();
    let key = neuron(1, 1_000);
    neuron(2, 5_000);
    let first = propose(1, key, motion());
    let second = propose(1, key, motion());
    assert_eq!(tally(first).0, 1_100);
    assert_eq!(tally(second).0, 1_089, "(1,000 - 10) and a tenth");
    assert_eq!(read_neuron(key).neuron_fees_e8s, 2 * REJECT_COST);
    check_invariants();
}

#[test]
fn should_refuse_a_proposer_without_delay_or_stake_for_the_cost() {
    governance_with(NervousSystemParameters {
        reject_cost_e8s: Some(600),
        ..parameters()
    });
    claim(user(1), 0, 1_000);
    let key = key_of(user(1), 0);
    assert_eq!(
        error_of(command(user(1), key, motion())),
        ErrorType::PreconditionFailed
    );
    delay(user(1), key, MIN_DELAY as u32);
    neuron(2, 9_000);
    propose(1, key, motion());
    assert_eq!(
        error_of(command(user(1), key, motion())),
        ErrorType::InsufficientFunds
    );
}

#[test]
fn should_refuse_no_vote_unknown_proposals_and_missing_fields() {
    governance();
    let key = neuron(1, 1_000);
    let cast = |vote, proposal: Option<u64>| {
        error_of(command(
            user(1),
            key,
            Command::RegisterVote(RegisterVote {
                vote,
                proposal: proposal.map(|id| ProposalId { id }),
            }),
        ))
    };
    assert_eq!(cast(0, Some(1)), ErrorType::InvalidCommand);
    assert_eq!(cast(3, Some(1)), ErrorType::InvalidCommand);
    assert_eq!(cast(1, Some(0)), ErrorType::NotFound);
    assert_eq!(cast(1, Some(1)), ErrorType::NotFound);
    assert_eq!(cast(1, None), ErrorType::InvalidCommand);
}
