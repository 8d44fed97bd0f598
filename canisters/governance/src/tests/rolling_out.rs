//! One module for many canisters: one after the other, resumed wherever it is interrupted, and ended by the first refusal.

use ic_management_canister_types::CanisterInfoResult;
use serde_bytes::ByteBuf;

use super::*;
use crate::runtime::CallFailure;
use crate::{dao_canisters, own_functions, rollout};

const OLD: [u8; 32] = [1; 32];
const NEW: [u8; 32] = [2; 32];

fn canister(number: u8) -> Principal {
    Principal::from_slice(&[90, number])
}

fn arguments(count: u8) -> UpgradeCanistersArgs {
    UpgradeCanistersArgs {
        canisters: (0..count).map(canister).collect(),
        wasm_module_hash: ByteBuf::from(NEW),
        store_canister_id: canister(9),
        chunk_hashes_list: vec![ByteBuf::from([3; 32])],
        upgrade_argument: ByteBuf::new(),
    }
}

fn with_canisters(count: u8) -> DefaultMemoryImpl {
    let stable = governance();
    // Nothing else asks the canisters meanwhile.
    dao_canisters::next_sweep_at(u64::MAX);
    with_state(|state| {
        for number in 0..count {
            state.add_dao_canister(canister(number)).unwrap();
        }
    });
    stable
}

fn begin_rollout(count: u8) {
    own_functions::upgrade_canisters(runtime::canister_self(), arguments(count));
}

fn seen() -> RolloutInfo {
    with_state(|state| rollout::info(state)).expect("one was begun")
}

fn runs(hash: [u8; 32]) -> Result<Vec<u8>, CallFailure> {
    let info = CanisterInfoResult {
        total_num_changes: 0,
        recent_changes: vec![],
        module_hash: Some(hash.to_vec()),
        controllers: vec![],
    };
    Ok(candid::encode_one(info).unwrap())
}

fn nothing() -> Result<Vec<u8>, CallFailure> {
    Ok(candid::encode_args(()).unwrap())
}

fn failed(message: &str) -> Result<Vec<u8>, CallFailure> {
    Err(CallFailure {
        refused: false,
        message: message.to_string(),
    })
}

fn poll_all(waiting: Vec<Job>) -> Vec<Job> {
    let mut left: Vec<Job> = waiting
        .into_iter()
        .filter_map(|mut job| poll(&mut job).is_none().then_some(job))
        .collect();
    left.extend(run_jobs());
    left
}

/// Answers the one call that is under way, and runs what waited for it.
fn answer(waiting: Vec<Job>, method: &str, with: Result<Vec<u8>, CallFailure>) -> Vec<Job> {
    one_call(method).answer(with);
    poll_all(waiting)
}

fn upgraded(waiting: Vec<Job>) -> Vec<Job> {
    let waiting = answer(waiting, "canister_info", runs(OLD));
    let waiting = answer(waiting, "stop_canister", nothing());
    let waiting = answer(waiting, "install_chunked_code", nothing());
    answer(waiting, "start_canister", nothing())
}

#[test]
fn should_upgrade_one_canister_after_the_other() {
    with_canisters(3);
    begin_rollout(3);
    let mut waiting = run_jobs();
    for number in 0..3 {
        assert_eq!(seen().upgraded, u64::from(number));
        assert_eq!(seen().next, Some(canister(number)));
        waiting = upgraded(waiting);
    }
    assert!(waiting.is_empty());
    assert_eq!((seen().state, seen().next), (RolloutState::Done, None));
    with_state(|state| assert!(state.stopped_canisters.is_empty()));
}

#[test]
fn should_end_with_the_first_canister_that_refuses_the_module_and_start_it_again() {
    with_canisters(3);
    begin_rollout(3);
    let waiting = upgraded(run_jobs());
    let waiting = answer(waiting, "canister_info", runs(OLD));
    let waiting = answer(waiting, "stop_canister", nothing());
    let waiting = answer(waiting, "install_chunked_code", failed("it traps"));
    let waiting = answer(waiting, "start_canister", nothing());
    let waiting = answer(waiting, "canister_info", runs(OLD));
    assert!(waiting.is_empty() && runtime::take_sent().is_empty());
    assert_eq!(seen().upgraded, 1);
    let RolloutState::Failed { reason } = seen().state else {
        panic!("{:?}", seen());
    };
    assert!(reason.contains("it traps") && reason.contains(&canister(1).to_text()));
    assert!(housekeep().is_empty(), "it does not begin again by itself");
    // A better module may be voted in.
    begin_rollout(3);
    assert_eq!(seen().state, RolloutState::UnderWay);
}

#[test]
fn should_take_a_lost_answer_for_what_the_canister_runs() {
    with_canisters(1);
    begin_rollout(1);
    let waiting = answer(run_jobs(), "canister_info", runs(OLD));
    let waiting = answer(waiting, "stop_canister", nothing());
    let waiting = answer(waiting, "install_chunked_code", failed("no answer"));
    let waiting = answer(waiting, "start_canister", nothing());
    let waiting = answer(waiting, "canister_info", runs(NEW));
    assert!(waiting.is_empty());
    assert_eq!(seen().state, RolloutState::Done);
}

#[test]
fn should_go_on_where_an_upgrade_of_governance_interrupts_it_at_any_call() {
    // Before the question, the stop, the install and the start.
    for calls in 0..4 {
        let stable = with_canisters(2);
        begin_rollout(2);
        let mut waiting = run_jobs();
        let answers = [
            ("canister_info", runs(OLD)),
            ("stop_canister", nothing()),
            ("install_chunked_code", nothing()),
        ];
        for (method, with) in answers.into_iter().take(calls) {
            waiting = answer(waiting, method, with);
        }
        let is_installed = calls == 3;
        drop((waiting, runtime::take_sent()));
        upgrade(stable);
        let mut waiting = run_jobs();
        waiting.extend(housekeep());
        // What was stopped is started; and whose turn it is, is asked what it runs.
        let mut asked = 0;
        for _ in 0..20 {
            for call in runtime::take_sent() {
                let is_first = call
                    .arguments
                    .windows(canister(0).as_slice().len())
                    .any(|part| part == canister(0).as_slice());
                let with = match call.method.as_str() {
                    "canister_info" => {
                        asked += 1;
                        runs(if is_first && is_installed { NEW } else { OLD })
                    }
                    "install_chunked_code" => {
                        assert!(!(is_first && is_installed), "it is not installed again");
                        nothing()
                    }
                    _ => nothing(),
                };
                call.answer(with);
            }
            waiting = poll_all(waiting);
            waiting.extend(housekeep());
        }
        assert!(asked >= 2, "after {calls} calls");
        assert_eq!(seen().state, RolloutState::Done, "after {calls} calls");
        with_state(|state| assert!(state.stopped_canisters.is_empty()));
    }
}

#[test]
fn should_try_a_canister_that_cannot_be_stopped_so_often_and_then_give_up() {
    with_canisters(2);
    begin_rollout(2);
    let mut waiting = run_jobs();
    for attempt in 1..=10 {
        assert_eq!(seen().attempts, attempt);
        waiting = answer(waiting, "canister_info", runs(OLD));
        waiting = answer(waiting, "stop_canister", failed("it waits for an answer"));
        waiting = answer(waiting, "start_canister", nothing());
        waiting.extend(housekeep());
    }
    assert!(matches!(seen().state, RolloutState::Failed { .. }));
    assert!(runtime::take_sent().is_empty());
}

#[test]
fn should_show_voters_every_canister_and_refuse_lists_that_make_no_sense() {
    with_canisters(2);
    let text = own_functions::validate_upgrade_canisters(arguments(2)).unwrap();
    for part in [
        canister(0).to_text(),
        canister(1).to_text(),
        hex::encode(NEW),
    ] {
        assert!(text.contains(&part), "{text}");
    }
    let refuse = |change: &dyn Fn(&mut UpgradeCanistersArgs), part: &str| {
        let mut args = arguments(2);
        change(&mut args);
        let reason = own_functions::validate_upgrade_canisters(args).unwrap_err();
        assert!(reason.contains(part), "{reason}");
    };
    refuse(&|args| args.canisters.clear(), "from 1 to 500");
    refuse(&|args| args.canisters.push(canister(0)), "twice");
    refuse(
        &|args| args.canisters.push(canister(7)),
        "not a canister of the DAO",
    );
    refuse(
        &|args| args.canisters.push(runtime::canister_self()),
        "a proposal of its own",
    );
    refuse(&|args| args.chunk_hashes_list.clear(), "from 1 to 100");
    refuse(
        &|args| args.wasm_module_hash = ByteBuf::from([1; 31]),
        "32 bytes",
    );
    refuse(
        &|args| args.upgrade_argument = ByteBuf::from([0; 16_385]),
        "16384",
    );
    begin_rollout(2);
    refuse(&|_| (), "under way");
}

#[test]
#[should_panic(expected = "only governance itself")]
fn should_roll_out_for_governance_alone() {
    with_canisters(1);
    own_functions::upgrade_canisters(user(1), arguments(1));
}
