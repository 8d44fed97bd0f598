//! Followers vote after whom they follow, as an SNS has it, and in bounded messages.

use super::*;

fn follow(id: u8, key: NeuronKey, function_id: u64, followees: &[NeuronKey]) -> CommandResponse {
    command(
        user(id),
        key,
        Command::Follow(Follow {
            function_id,
            followees: followees.iter().map(|key| (*key).into()).collect(),
        }),
    )
}

fn follow_topic(id: u8, key: NeuronKey, topic: Topic, followees: &[NeuronKey]) -> CommandResponse {
    command(
        user(id),
        key,
        Command::SetFollowing(SetFollowing {
            topic_following: vec![FolloweesForTopic {
                topic: Some(topic),
                followees: followees
                    .iter()
                    .map(|key| Followee {
                        neuron_id: Some((*key).into()),
                        alias: Some("a friend".to_string()),
                    })
                    .collect(),
            }],
        }),
    )
}

fn has_voted(key: NeuronKey, proposal: u64) -> Option<Vote> {
    with_state(|state| {
        state
            .ballots
            .get(&(proposal, key))
            .map(|ballot| ballot.vote)
    })
}

const MOTION: u64 = 1;
const REMOVE: u64 = 5;

#[test]
fn should_follow_by_majority_of_followees() {
    governance();
    let keys: Vec<_> = (1..=5).map(|id| neuron(id, 1_000)).collect();
    let silent = neuron(6, 90_000);
    follow(4, keys[3], MOTION, &keys[..3]);
    let id = propose(1, keys[0], motion());
    run_jobs();
    assert_eq!(has_voted(keys[3], id), None, "one of three is no majority");
    vote(2, keys[1], id, Vote::Yes);
    run_jobs();
    assert_eq!(has_voted(keys[3], id), Some(Vote::Yes));
    assert_eq!(read(id).latest_tally.unwrap().yes, 3 * 1_100);
    // Half of the followees make a no.
    follow(5, keys[4], MOTION, &[keys[0], keys[1]]);
    let id = propose(6, silent, motion());
    vote(1, keys[0], id, Vote::No);
    run_jobs();
    assert_eq!(has_voted(keys[4], id), Some(Vote::No));
    check_invariants();
}

#[test]
fn should_follow_along_chains_and_circles_once() {
    governance();
    let keys: Vec<_> = (1..=6).map(|id| neuron(id, 1_000)).collect();
    neuron(7, 90_000);
    for (id, next) in (2..=6).zip(&keys) {
        follow(id, keys[id as usize - 1], MOTION, &[*next]);
    }
    follow(1, keys[0], MOTION, &[keys[5]]);
    let id = propose(1, keys[0], motion());
    run_jobs();
    for key in &keys {
        assert_eq!(has_voted(*key, id), Some(Vote::Yes));
    }
    assert_eq!(read(id).latest_tally.unwrap().yes, 6 * 1_100);
    with_state(|state| assert!(state.cascades.is_empty()));
    check_invariants();
}

#[test]
fn should_prefer_the_topic_then_the_function_then_the_catch_all() {
    governance();
    let keys: Vec<_> = (1..=4).map(|id| neuron(id, 1_000)).collect();
    neuron(7, 90_000);
    let follower = keys[3];
    follow(4, follower, 0, &[keys[0]]);
    follow(4, follower, MOTION, &[keys[1]]);
    let id = propose(1, keys[0], motion());
    run_jobs();
    assert_eq!(has_voted(follower, id), None, "the function goes first");
    vote(2, keys[1], id, Vote::No);
    run_jobs();
    assert_eq!(has_voted(follower, id), Some(Vote::No));
    follow_topic(4, follower, Topic::Governance, &[keys[2]]);
    let shown = read_neuron(follower);
    assert_eq!(shown.followees.len(), 1, "its functions are replaced");
    assert_eq!(shown.followees[0].0, 0);
    let topics = shown.topic_followees.unwrap().topic_id_to_followees;
    assert_eq!(topics[0].1.topic, Some(Topic::Governance));
    assert_eq!(topics[0].1.followees[0].alias.as_deref(), Some("a friend"));
    let id = propose(1, keys[0], motion());
    vote(2, keys[1], id, Vote::No);
    run_jobs();
    assert_eq!(has_voted(follower, id), None);
    vote(3, keys[2], id, Vote::Yes);
    run_jobs();
    assert_eq!(has_voted(follower, id), Some(Vote::Yes));
    check_invariants();
}

#[test]
fn should_not_follow_by_the_catch_all_on_critical_proposals() {
    governance();
    let keys: Vec<_> = (1..=3).map(|id| neuron(id, 1_000)).collect();
    neuron(7, 90_000);
    follow(2, keys[1], 0, &[keys[0]]);
    follow(3, keys[2], REMOVE, &[keys[0]]);
    let critical = propose(
        1,
        keys[0],
        proposal(Action::RemoveGenericNervousSystemFunction(FUNCTION)),
    );
    run_jobs();
    assert_eq!(has_voted(keys[1], critical), None);
    assert_eq!(has_voted(keys[2], critical), Some(Vote::Yes));
    let plain = propose(1, keys[0], motion());
    run_jobs();
    assert_eq!(has_voted(keys[1], plain), Some(Vote::Yes));
}

#[test]
fn should_let_an_own_vote_stand_and_end_following_with_none() {
    governance();
    let keys: Vec<_> = (1..=3).map(|id| neuron(id, 1_000)).collect();
    neuron(7, 90_000);
    follow(2, keys[1], 0, &[keys[0]]);
    follow(3, keys[2], 0, &[keys[0]]);
    follow(3, keys[2], 0, &[]);
    let id = propose(1, keys[0], motion());
    vote(2, keys[1], id, Vote::No);
    run_jobs();
    assert_eq!(has_voted(keys[1], id), Some(Vote::No));
    assert_eq!(has_voted(keys[2], id), None);
    check_invariants();
}

#[test]
fn should_not_vote_with_a_follower_that_came_after_the_proposal() {
    governance();
    let keys: Vec<_> = (1..=3).map(|id| neuron(id, 1_000)).collect();
    neuron(7, 90_000);
    let id = propose(1, keys[0], motion());
    let late = neuron(8, 50_000);
    follow(8, late, 0, &[keys[1]]);
    vote(2, keys[1], id, Vote::Yes);
    run_jobs();
    assert_eq!(has_voted(late, id), None);
    check_invariants();
}

#[test]
fn should_refuse_following_that_is_too_much_or_makes_no_sense() {
    governance();
    let key = neuron(1, 1_000);
    let others: Vec<NeuronKey> = (0..16).map(|n| [n; 32]).collect();
    assert_eq!(
        error_of(follow(1, key, MOTION, &others)),
        ErrorType::InvalidCommand
    );
    assert_eq!(
        error_of(follow(1, key, MOTION, &[key])),
        ErrorType::InvalidCommand
    );
    assert_eq!(
        error_of(follow(1, key, MOTION, &[[1; 32], [1; 32]])),
        ErrorType::InvalidCommand
    );
    assert_eq!(
        error_of(follow(1, key, 999, &[[1; 32]])),
        ErrorType::NotFound
    );
    assert_eq!(
        error_of(follow(2, key, MOTION, &[[1; 32]])),
        ErrorType::NotAuthorized
    );
    let twice = Command::SetFollowing(SetFollowing {
        topic_following: vec![
            FolloweesForTopic {
                topic: Some(Topic::Governance),
                followees: vec![],
            };
            2
        ],
    });
    assert_eq!(
        error_of(command(user(1), key, twice)),
        ErrorType::InvalidCommand
    );
    with_state(|state| assert!(state.following.is_empty()));
}

#[test]
fn should_bound_what_a_neuron_follows_in_all() {
    governance();
    let key = neuron(1, 1_000);
    let others: Vec<NeuronKey> = (0..15).map(|n| [n; 32]).collect();
    let topics = [
        Topic::DaoCommunitySettings,
        Topic::SnsFrameworkManagement,
        Topic::DappCanisterManagement,
        Topic::ApplicationBusinessLogic,
        Topic::Governance,
        Topic::TreasuryAssetManagement,
        Topic::CriticalDappOperations,
    ];
    for topic in topics {
        assert_eq!(
            follow_topic(1, key, topic, &others),
            CommandResponse::SetFollowing {}
        );
    }
    let another = function(1_001).try_into().unwrap();
    with_state(|state| state.add_function(another, runtime::canister_self())).unwrap();
    let mut last = CommandResponse::Follow {};
    for function in [0, 1, 2, 4, 5, FUNCTION, 1_001] {
        last = follow(1, key, function, &others);
    }
    assert_eq!(
        error_of(last.clone()),
        ErrorType::InvalidCommand,
        "{last:?}"
    );
    check_invariants();
}

/// Statements 23 and 24: however many follow, a vote's message does not look at them.
#[test]
fn should_cast_the_votes_of_many_followers_in_bounded_messages() {
    let stable = governance();
    let leader = neuron(1, 1_000);
    neuron(7, 250_000);
    let followers = 700;
    for memo in 1..=followers {
        claim(user(2), memo, 200);
        let key = key_of(user(2), memo);
        delay(user(2), key, MIN_DELAY as u32);
        follow(2, key, 0, &[leader]);
    }
    let id = propose(1, leader, motion());
    let ballots = || with_state(|state| state.ballots.len());
    assert_eq!(ballots(), 1);
    let mut rounds = 0;
    loop {
        let jobs = runtime::take_jobs();
        if with_state(|state| state.cascades.is_empty()) {
            break;
        }
        rounds += 1;
        let before = ballots();
        for mut job in jobs {
            assert!(poll(&mut job).is_some());
        }
        assert!(ballots() - before <= 600, "two jobs of 300 at most");
        if rounds == 2 {
            // Whatever is left goes on after an upgrade.
            upgrade(stable.clone());
        }
    }
    assert!(rounds >= 2);
    assert_eq!(ballots(), followers + 1);
    let tally = read(id).latest_tally.unwrap();
    assert_eq!(tally.yes, 1_100 + followers * 220);
    check_invariants();
}

#[test]
fn should_let_followers_of_a_vote_in_time_vote_before_the_proposal_is_closed() {
    governance();
    let leader = neuron(1, 1_000);
    let follower = neuron(2, 5_000);
    let other = neuron(3, 5_500);
    follow(2, follower, 0, &[leader]);
    let id = propose(3, other, motion());
    runtime::take_jobs();
    set_time(START + PERIOD - 1);
    vote(1, leader, id, Vote::No);
    runtime::take_jobs();
    set_time(START + PERIOD + 5);
    housekeep();
    assert_eq!(has_voted(follower, id), Some(Vote::No));
    let at = with_state(|state| state.ballots.get(&(id, follower)).unwrap().at_seconds);
    assert!(at < START + PERIOD + 5);
    check_invariants();
}
