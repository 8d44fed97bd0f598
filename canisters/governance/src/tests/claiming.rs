//! Stake on the ledger becomes a neuron, and stays in step with it.

use super::*;
use crate::runtime::CallFailure;

#[test]
fn should_claim_a_neuron_with_all_permissions_for_its_controller() {
    governance();
    let owner = user(1);
    let mut running = begin(owner, [0; 32], claim_command(owner, 7));
    assert!(poll(&mut running).is_none());
    let call = one_call("icrc1_balance_of");
    assert_eq!(call.canister, ledger());
    reply(call, Nat::from(500u64));
    let key = key_of(owner, 7);
    assert_eq!(
        poll(&mut running),
        Some(CommandResponse::ClaimOrRefresh(ClaimOrRefreshResponse {
            refreshed_neuron_id: Some(key.into())
        }))
    );
    let neuron = read_neuron(key);
    assert_eq!(neuron.cached_neuron_stake_e8s, 500);
    assert_eq!(
        neuron.dissolve_state,
        Some(DissolveState::DissolveDelaySeconds(0))
    );
    assert_eq!(neuron.permissions[0].principal, Some(owner));
    assert_eq!(
        neuron.permissions[0].permission_type,
        (1..=10).collect::<Vec<i32>>()
    );
    check_invariants();
}

#[test]
fn should_let_anybody_claim_for_a_controller_whose_neuron_it_becomes() {
    governance();
    let mut running = begin(user(9), [0; 32], claim_command(user(1), 0));
    assert!(poll(&mut running).is_none());
    reply(one_call("icrc1_balance_of"), Nat::from(500u64));
    assert!(poll(&mut running).is_some());
    let neuron = read_neuron(key_of(user(1), 0));
    assert_eq!(neuron.permissions.len(), 1);
    assert_eq!(neuron.permissions[0].principal, Some(user(1)));
}

#[test]
fn should_refuse_a_stake_below_the_minimum_and_a_silent_ledger() {
    governance();
    assert_eq!(
        error_of(claim(user(1), 0, MIN_STAKE - 1)),
        ErrorType::InsufficientFunds
    );
    let mut running = begin(user(1), [0; 32], claim_command(user(1), 0));
    assert!(poll(&mut running).is_none());
    one_call("icrc1_balance_of").answer(Err(CallFailure {
        refused: true,
        message: "stopped".to_string(),
    }));
    assert_eq!(error_of(poll(&mut running).unwrap()), ErrorType::External);
    let mut running = begin(user(1), [0; 32], claim_command(user(1), 0));
    assert!(poll(&mut running).is_none());
    reply(one_call("icrc1_balance_of"), "not a number");
    assert_eq!(error_of(poll(&mut running).unwrap()), ErrorType::External);
    with_state(|state| assert!(state.neurons.is_empty()));
}

#[test]
fn should_refuse_the_anonymous_principal_as_caller_and_as_controller() {
    governance();
    let anonymous = Principal::anonymous();
    assert_eq!(
        error_of(command(anonymous, [0; 32], claim_command(user(1), 0))),
        ErrorType::NotAuthorized
    );
    assert_eq!(
        error_of(command(user(1), [0; 32], claim_command(anonymous, 0))),
        ErrorType::NotAuthorized
    );
}

/// Statement 5.
#[test]
fn should_have_one_command_of_a_neuron_in_flight() {
    governance();
    let mut first = begin(user(1), [0; 32], claim_command(user(1), 0));
    assert!(poll(&mut first).is_none());
    assert_eq!(
        error_of(command(user(2), [0; 32], claim_command(user(1), 0))),
        ErrorType::NeuronLocked
    );
    reply(one_call("icrc1_balance_of"), Nat::from(500u64));
    assert!(poll(&mut first).is_some());
    assert!(matches!(
        claim(user(1), 0, 600),
        CommandResponse::ClaimOrRefresh(_)
    ));
}

/// Statement 3; that a guard is never bound to `_` is the lint `let_underscore_must_use`.
#[test]
fn should_release_the_lock_when_the_call_dies_in_its_callback() {
    governance();
    let mut first = begin(user(1), [0; 32], claim_command(user(1), 0));
    assert!(poll(&mut first).is_none());
    // The platform drops the future of a callback that trapped.
    drop(first);
    runtime::take_sent();
    assert!(matches!(
        claim(user(1), 0, 500),
        CommandResponse::ClaimOrRefresh(_)
    ));
}

#[test]
fn should_bound_the_commands_in_flight() {
    governance();
    let mut running: Vec<_> = (0..lock::IN_FLIGHT_MAX as u64)
        .map(|memo| {
            let mut claiming = begin(user(1), [0; 32], claim_command(user(1), memo));
            assert!(poll(&mut claiming).is_none());
            claiming
        })
        .collect();
    let one_more = || command(user(1), [0; 32], claim_command(user(1), u64::MAX));
    assert_eq!(error_of(one_more()), ErrorType::ResourceExhausted);
    running.pop();
    runtime::take_sent();
    let mut claiming = begin(user(1), [0; 32], claim_command(user(1), u64::MAX));
    assert!(poll(&mut claiming).is_none());
}

/// Statement 6.
#[test]
fn should_keep_the_limit_on_neurons_when_claims_race() {
    governance_with(NervousSystemParameters {
        max_number_of_neurons: Some(1),
        ..parameters()
    });
    let mut racers: Vec<_> = (0..2)
        .map(|memo| {
            let mut running = begin(user(1), [0; 32], claim_command(user(1), memo));
            assert!(poll(&mut running).is_none());
            running
        })
        .collect();
    for call in runtime::take_sent() {
        reply(call, Nat::from(500u64));
    }
    assert!(matches!(
        poll(&mut racers[0]),
        Some(CommandResponse::ClaimOrRefresh(_))
    ));
    assert_eq!(
        error_of(poll(&mut racers[1]).unwrap()),
        ErrorType::ResourceExhausted
    );
    with_state(|state| assert_eq!(state.neurons.len(), 1));
}

#[test]
fn should_refresh_by_neuron_id_and_spread_the_age_over_the_larger_stake() {
    governance();
    let key = neuron(1, 300);
    set_time(START + 90);
    let refresh = || {
        Command::ClaimOrRefresh(ClaimOrRefresh {
            by: Some(By::NeuronId {}),
        })
    };
    let mut running = begin(user(2), key, refresh());
    assert!(poll(&mut running).is_none());
    reply(one_call("icrc1_balance_of"), Nat::from(900u64));
    assert!(poll(&mut running).is_some());
    let neuron = read_neuron(key);
    assert_eq!(neuron.cached_neuron_stake_e8s, 900);
    assert_eq!(neuron.aging_since_timestamp_seconds, START + 90 - 30);
    assert_eq!(
        error_of(command(user(2), [5; 32], refresh())),
        ErrorType::NotFound
    );
    assert_eq!(
        error_of(claim(user(1), 0, 800)),
        ErrorType::PreconditionFailed
    );
    check_invariants();
}
