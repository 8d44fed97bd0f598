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
