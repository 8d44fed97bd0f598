//! Wait for quiet: a turn of the outcome leaves time to answer.

use super::*;

const INCREASE: u64 = 100;

fn deadline(id: u64) -> u64 {
    read(id)
        .wait_for_quiet_state
        .unwrap()
        .current_deadline_timestamp_seconds
}

fn begun() -> (Vec<NeuronKey>, u64) {
    governance_with(NervousSystemParameters {
        wait_for_quiet_deadline_increase_seconds: Some(INCREASE),
        ..parameters()
    });
    let keys: Vec<_> = (1..=20).map(|id| neuron(id, 1_000)).collect();
    let id = propose(1, keys[0], motion());
    (keys, id)
}

#[test]
fn should_move_the_deadline_when_the_outcome_turns() {
    let (keys, id) = begun();
    assert_eq!(deadline(id), START + PERIOD);
    // 400 s in: a turn leaves W + (I - elapsed) / 2 = 100 + 50 s.
    set_time(START + 400);
    vote(2, keys[1], id, Vote::No);
    assert_eq!(deadline(id), START + 550);
    set_time(START + 540);
    vote(3, keys[2], id, Vote::No);
    assert_eq!(deadline(id), START + 550, "no turn, no time");
    housekeep();
    assert_eq!(
        read(id).decided_timestamp_seconds,
        0,
        "not at the first one"
    );
    set_time(START + 550);
    housekeep();
    assert_eq!(read(id).decided_timestamp_seconds, START + 550);
    check_invariants();
}

#[test]
fn should_move_it_no_further_than_twice_the_increase() {
    let (keys, id) = begun();
    let mut voter = 1;
    let mut at = START;
    let mut side = Vote::No;
    while voter < 19 {
        at = (at + 60).min(deadline(id) - 1);
        set_time(at);
        // Once for a tie, which is a no, then by turns.
        let response = vote(voter as u8 + 1, keys[voter], id, side);
        assert_eq!(response, CommandResponse::RegisterVote {});
        side = if side == Vote::No {
            Vote::Yes
        } else {
            Vote::No
        };
        voter += 1;
    }
    assert!(deadline(id) <= START + PERIOD + 2 * INCREASE);
    assert!(deadline(id) > START + PERIOD + INCREASE);
    check_invariants();
}

#[test]
fn should_not_move_it_once_decided() {
    let (keys, id) = begun();
    for (voter, key) in (2..=11).zip(&keys[1..11]) {
        vote(voter, *key, id, Vote::Yes);
    }
    assert!(read(id).decided_timestamp_seconds > 0);
    set_time(START + 499);
    for (voter, key) in (12..=20).zip(&keys[11..]) {
        vote(voter, *key, id, Vote::No);
    }
    assert_eq!(deadline(id), START + PERIOD);
}

/// A cascade that turns the outcome turns it in one of its messages. That message's time
/// counts; after the deadline, the last moment before it, as the vote was in time.
#[test]
fn should_move_the_deadline_by_the_message_of_a_cascade_that_turns_the_outcome() {
    for (waited, expected) in [
        // W + (I - elapsed) / 2 from then.
        (10, START + 410 + 145),
        (PERIOD, START + PERIOD - 1 + 101),
    ] {
        governance_with(NervousSystemParameters {
            wait_for_quiet_deadline_increase_seconds: Some(INCREASE),
            ..parameters()
        });
        // Nobody decides early.
        neuron(9, 10_000_000);
        let proposer = neuron(1, 100_000);
        let leader = neuron(2, 1_000);
        for memo in 1..=700 {
            claim(user(3), memo, 200);
            let key = key_of(user(3), memo);
            delay(user(3), key, MIN_DELAY as u32);
            super::following::follow(3, key, 0, &[leader]);
        }
        let id = propose(1, proposer, motion());
        set_time(START + 400);
        vote(2, leader, id, Vote::No);
        assert_eq!(
            deadline(id),
            START + PERIOD,
            "the leader alone turns nothing"
        );
        set_time(START + 400 + waited);
        // The first three hundred do not turn it, the next do, the last change nothing.
        let mut deadlines = Vec::new();
        for _ in 0..4 {
            let slicing = with_state(|state| state.work_off_cascades(now()));
            deadlines.push(deadline(id));
            if slicing == crate::neurons::Slicing::Done {
                break;
            }
        }
        assert_eq!(deadlines[0], START + PERIOD);
        assert_eq!(deadlines[1..], [expected, expected]);
        check_invariants();
    }
}
