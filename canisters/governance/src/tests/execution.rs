//! What is adopted happens once, whatever goes wrong.

use super::*;
use crate::runtime::CallFailure;

const PAYLOAD: &[u8] = b"DIDL\0\0";

/// Adopted by its proposer alone, and its target called.
fn adopted() -> (DefaultMemoryImpl, u64, Job, SentCall) {
    let stable = governance();
    let key = neuron(1, 1_000);
    let id = propose_execution(1, key, PAYLOAD);
    assert_eq!(read(id).decided_timestamp_seconds, START);
    let mut waiting = run_jobs();
    assert_eq!(waiting.len(), 1);
    let call = one_call("admit_version");
    assert_eq!(call.canister, target());
    assert_eq!(call.arguments, PAYLOAD);
    (stable, id, waiting.remove(0), call)
}

fn unresolved(id: u64) -> bool {
    let data = read(id);
    data.executed_timestamp_seconds == 0 && data.failed_timestamp_seconds == 0
}

#[test]
fn should_call_the_target_with_the_payload_and_record_success() {
    let (_, id, mut job, call) = adopted();
    assert!(unresolved(id));
    set_time(START + 3);
    reply(call, ());
    assert!(poll(&mut job).is_some());
    let data = read(id);
    assert_eq!(data.executed_timestamp_seconds, START + 3);
    assert_eq!(data.payload_text_rendering.as_deref(), Some("rendered"));
    assert_eq!(data.action, FUNCTION);
    assert_eq!(data.topic, Some(Topic::ApplicationBusinessLogic));
    assert!(housekeep().is_empty() && runtime::take_sent().is_empty());
}

#[test]
fn should_record_why_the_target_refused_and_not_call_again() {
    let (_, id, mut job, call) = adopted();
    call.answer(Err(CallFailure {
        refused: false,
        message: "trapped: no such version".to_string(),
    }));
    assert!(poll(&mut job).is_some());
    let data = read(id);
    assert_eq!(data.failed_timestamp_seconds, START);
    assert_eq!(data.executed_timestamp_seconds, 0);
    let reason = data.failure_reason.unwrap();
    assert_eq!(reason.error_type, ErrorType::External.number());
    assert!(reason.error_message.contains("no such version"));
    assert!(housekeep().is_empty() && runtime::take_sent().is_empty());
}

/// Statement 11.
#[test]
fn should_not_execute_twice_while_the_target_is_silent() {
    let (_, id, _job, _call) = adopted();
    for minute in 1..5 {
        set_time(START + minute * 60);
        assert!(housekeep().is_empty());
    }
    let mut again: Running<()> = Box::pin(crate::execution::execute(id));
    assert!(poll(&mut again).is_some());
    assert!(runtime::take_sent().is_empty());
    assert!(unresolved(id));
}

/// Statement 11.
#[test]
fn should_record_an_unknown_outcome_when_governance_was_upgraded_in_the_middle() {
    let (stable, id, job, call) = adopted();
    drop((job, call));
    upgrade(stable.clone());
    assert!(run_jobs().is_empty());
    assert!(runtime::take_sent().is_empty(), "the call is not repeated");
    let data = read(id);
    assert_eq!(data.failed_timestamp_seconds, START);
    assert!(
        data.failure_reason
            .unwrap()
            .error_message
            .contains("not known")
    );
    upgrade(stable);
    assert!(run_jobs().is_empty() && runtime::take_sent().is_empty());
}

/// Statements 1 and 11: recovery ends in one outcome.
#[test]
fn should_record_an_unknown_outcome_when_the_callback_trapped() {
    let (_, id, job, call) = adopted();
    // The platform drops the future of a callback that trapped.
    drop((job, call));
    assert!(housekeep().is_empty());
    assert_eq!(read(id).failed_timestamp_seconds, START);
    assert!(runtime::take_sent().is_empty());
}

#[test]
fn should_execute_after_an_upgrade_what_was_adopted_and_not_begun() {
    let stable = governance();
    let key = neuron(1, 1_000);
    let id = propose_execution(1, key, PAYLOAD);
    upgrade(stable);
    assert!(unresolved(id));
    let waiting = run_jobs();
    assert_eq!(waiting.len(), 1);
    let _call = one_call("admit_version");
}

#[test]
fn should_refuse_a_proposal_whose_validator_refuses_or_is_silent_or_nonsensical() {
    governance();
    let key = neuron(1, 1_000);
    let answered = |answer: Result<Vec<u8>, CallFailure>| {
        let mut running = begin(user(1), key, execute_function(PAYLOAD));
        assert!(poll(&mut running).is_none());
        one_call("validate_admit_version").answer(answer);
        error_of(poll(&mut running).unwrap())
    };
    let refusal: Result<String, String> = Err("no".to_string());
    let failure = CallFailure {
        refused: true,
        message: "no such method".to_string(),
    };
    assert_eq!(
        answered(Ok(Encode!(&refusal).unwrap())),
        ErrorType::InvalidProposal
    );
    assert_eq!(answered(Err(failure)), ErrorType::InvalidProposal);
    assert_eq!(answered(Ok(vec![1, 2, 3])), ErrorType::InvalidProposal);
    let long: Result<String, String> = Ok("x".repeat(30_001));
    assert_eq!(
        answered(Ok(Encode!(&long).unwrap())),
        ErrorType::InvalidProposal
    );
    assert_eq!(with_state(|state| state.newest_proposal()), 0);
    assert_eq!(read_neuron(key).neuron_fees_e8s, 0);
}

/// Statement 6.
#[test]
fn should_check_the_proposer_again_after_the_validator_answered() {
    governance();
    let key = neuron(1, 1_000);
    let mut running = begin(user(1), key, execute_function(PAYLOAD));
    assert!(poll(&mut running).is_none());
    // The neuron is locked, so only time can change it meanwhile; the function can go.
    with_state(|state| state.remove_function(FUNCTION)).unwrap();
    reply(
        one_call("validate_admit_version"),
        Ok::<String, String>("rendered".to_string()),
    );
    assert_eq!(error_of(poll(&mut running).unwrap()), ErrorType::NotFound);
    assert_eq!(with_state(|state| state.newest_proposal()), 0);
}

#[test]
fn should_hold_the_neuron_while_the_validator_is_asked() {
    governance();
    let key = neuron(1, 1_000);
    let mut running = begin(user(1), key, execute_function(PAYLOAD));
    assert!(poll(&mut running).is_none());
    assert_eq!(
        error_of(configure(user(1), key, Operation::StartDissolving {})),
        ErrorType::NeuronLocked
    );
    assert_eq!(
        error_of(command(user(1), key, motion())),
        ErrorType::NeuronLocked
    );
}

#[test]
fn should_add_a_function_use_it_and_remove_it_for_good() {
    governance();
    let key = neuron(1, 1_000);
    let add = || proposal(Action::AddGenericNervousSystemFunction(function(1_001)));
    let added = propose(1, key, add());
    assert!(run_jobs().is_empty());
    assert_eq!(read(added).executed_timestamp_seconds, START);
    let ids = || {
        let listed = crate::query_system::list_nervous_system_functions();
        let ids: Vec<u64> = listed
            .functions
            .iter()
            .map(|function| function.id)
            .collect();
        (ids, listed.reserved_ids)
    };
    assert_eq!(
        ids(),
        (vec![1, 2, 3, 4, 5, 8, 9, 13, 16, 1_000, 1_001], vec![])
    );
    assert_eq!(
        error_of(command(user(1), key, add())),
        ErrorType::InvalidProposal
    );
    let removed = propose(
        1,
        key,
        proposal(Action::RemoveGenericNervousSystemFunction(1_001)),
    );
    assert!(run_jobs().is_empty());
    assert_eq!(read(removed).executed_timestamp_seconds, START);
    assert_eq!(
        ids(),
        (vec![1, 2, 3, 4, 5, 8, 9, 13, 16, 1_000], vec![1_001])
    );
    assert_eq!(
        error_of(command(user(1), key, add())),
        ErrorType::InvalidProposal
    );
}

#[test]
fn should_fail_an_execution_whose_function_went_meanwhile() {
    governance();
    let key = neuron(1, 1_000);
    let id = propose_execution(1, key, PAYLOAD);
    with_state(|state| state.remove_function(FUNCTION)).unwrap();
    assert!(run_jobs().is_empty());
    let data = read(id);
    assert_eq!(data.failed_timestamp_seconds, START);
    assert_eq!(
        data.failure_reason.unwrap().error_type,
        ErrorType::NotFound.number()
    );
    assert!(runtime::take_sent().is_empty());
}

#[test]
fn should_refuse_generic_functions_on_canisters_that_obey_governances_bare_word() {
    governance();
    let key = neuron(1, 1_000);
    for canister in [
        Principal::management_canister(),
        runtime::canister_self(),
        ledger(),
        Principal::from_slice(&[79]),
        Principal::from_slice(&[80]),
    ] {
        let mut reserved = function(2_000);
        if let Some(FunctionType::GenericNervousSystemFunction(generic)) =
            &mut reserved.function_type
        {
            generic.target_canister_id = Some(canister);
        }
        let add = proposal(Action::AddGenericNervousSystemFunction(reserved));
        assert_eq!(
            error_of(command(user(1), key, add)),
            ErrorType::InvalidProposal
        );
    }
    let native = proposal(Action::AddGenericNervousSystemFunction(function(999)));
    assert_eq!(
        error_of(command(user(1), key, native)),
        ErrorType::InvalidProposal
    );
}
