//! Parameters change by proposal, and voting power with them.

use super::*;

fn change(parameters: NervousSystemParameters) -> Command {
    proposal(Action::ManageNervousSystemParameters(parameters))
}

#[test]
fn should_change_what_is_given_and_nothing_else() {
    governance();
    let key = neuron(1, 1_000);
    let before = crate::query_system::get_nervous_system_parameters();
    let id = propose(
        1,
        key,
        change(NervousSystemParameters {
            reject_cost_e8s: Some(77),
            ..Default::default()
        }),
    );
    let rendering = read(id).payload_text_rendering.unwrap();
    assert!(rendering.contains("77"), "{rendering}");
    run_jobs();
    assert_eq!(read(id).executed_timestamp_seconds, START);
    let after = crate::query_system::get_nervous_system_parameters();
    assert_eq!(
        after,
        NervousSystemParameters {
            reject_cost_e8s: Some(77),
            ..before
        }
    );
    check_invariants();
}

#[test]
fn should_refuse_what_could_not_be_executed() {
    governance();
    let key = neuron(1, 1_000);
    let refused = |parameters| error_of(command(user(1), key, change(parameters)));
    assert_eq!(refused(Default::default()), ErrorType::InvalidProposal);
    assert_eq!(
        refused(NervousSystemParameters {
            initial_voting_period_seconds: Some(0),
            ..Default::default()
        }),
        ErrorType::InvalidProposal
    );
    assert_eq!(
        refused(NervousSystemParameters {
            automatically_advance_target_version: Some(true),
            ..Default::default()
        }),
        ErrorType::InvalidProposal
    );
}

#[test]
fn should_fail_when_it_does_not_fit_what_has_changed_meanwhile() {
    governance();
    let key = neuron(1, 1_000);
    let first = propose(
        1,
        key,
        change(NervousSystemParameters {
            max_dissolve_delay_seconds: Some(MIN_DELAY),
            ..Default::default()
        }),
    );
    let second = propose(
        1,
        key,
        change(NervousSystemParameters {
            neuron_minimum_dissolve_delay_to_vote_seconds: Some(MIN_DELAY + 1),
            ..Default::default()
        }),
    );
    run_jobs();
    assert!(read(first).executed_timestamp_seconds > 0);
    assert!(read(second).failed_timestamp_seconds > 0);
}

/// Open proposals keep their rules, later ones have the new; between them every neuron
/// is counted anew in bounded messages.
#[test]
fn should_count_every_neuron_anew_when_the_rules_of_power_change() {
    let stable = governance();
    let keys: Vec<_> = (1..=4).map(|id| neuron(id, 1_000)).collect();
    let whale = neuron(9, 1_000_000);
    for memo in 1..=600u64 {
        claim(user(10), memo, 200);
        delay(user(10), key_of(user(10), memo), MIN_DELAY as u32);
    }
    let open = propose(1, keys[0], motion());
    let adopted = propose(
        9,
        whale,
        change(NervousSystemParameters {
            max_dissolve_delay_bonus_percentage: Some(0),
            neuron_minimum_dissolve_delay_to_vote_seconds: Some(0),
            ..Default::default()
        }),
    );
    let mut execution: Running<()> = Box::pin(crate::execution::execute(adopted));
    assert!(poll(&mut execution).is_some());
    assert_eq!(
        error_of(command(user(1), keys[0], motion())),
        ErrorType::ResourceExhausted,
        "the total is not known yet"
    );
    vote(2, keys[1], open, Vote::No);
    assert_eq!(read(open).latest_tally.unwrap().no, 1_100, "the old rules");
    upgrade(stable);
    run_jobs();
    let next = propose(1, keys[0], motion());
    let tally = read(next).latest_tally.unwrap();
    assert_eq!(tally.total, 4_000 - REJECT_COST + 1_000_000 + 600 * 200);
    assert_eq!(tally.yes, 1_000 - REJECT_COST);
    check_invariants();
}
