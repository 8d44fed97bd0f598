//! New code for children and for governance itself: once, recorded, and never with a
//! callback of the old code left.

use super::*;
use crate::runtime::CallFailure;
use crate::self_upgrade;

const WASM: &[u8] = b"\0asm\x01\0\0\0";

fn child() -> Principal {
    Principal::from_slice(&[92])
}

fn upgrade_action(canister: Principal) -> Command {
    proposal(Action::UpgradeSnsControlledCanister(
        UpgradeSnsControlledCanister {
            new_canister_wasm: WASM.to_vec(),
            chunked_canister_wasm: None,
            mode: None,
            canister_id: Some(canister),
            canister_upgrade_arg: None,
        },
    ))
}

fn hash() -> Vec<u8> {
    use sha2::Digest;
    sha2::Sha256::digest(WASM).to_vec()
}

fn adopted(canister: Principal) -> (DefaultMemoryImpl, u64, Vec<Job>) {
    let stable = governance();
    let key = neuron(1, 1_000);
    let id = propose(1, key, upgrade_action(canister));
    (stable, id, run_jobs())
}

fn poll_all(waiting: Vec<Job>) -> Vec<Job> {
    waiting
        .into_iter()
        .filter_map(|mut job| poll(&mut job).is_none().then_some(job))
        .collect()
}

fn failed(message: &str) -> Result<Vec<u8>, CallFailure> {
    Err(CallFailure {
        refused: false,
        message: message.to_string(),
    })
}

fn nothing() -> Result<Vec<u8>, CallFailure> {
    Ok(candid::encode_args(()).unwrap())
}

fn failure(proposal: u64) -> String {
    let data = read(proposal);
    assert_eq!(data.executed_timestamp_seconds, 0);
    data.failure_reason.expect("a reason").error_message
}

#[test]
fn should_stop_install_and_start_a_child_and_show_voters_the_hash() {
    let (_, id, waiting) = adopted(child());
    let rendering = read(id).payload_text_rendering.unwrap();
    assert!(rendering.contains(&hex::encode(hash())), "{rendering}");
    one_call("stop_canister").answer(nothing());
    let waiting = poll_all(waiting);
    let install = one_call("install_code");
    assert!(
        install
            .arguments
            .windows(WASM.len())
            .any(|part| part == WASM)
    );
    install.answer(nothing());
    let waiting = poll_all(waiting);
    one_call("start_canister").answer(nothing());
    assert!(poll_all(waiting).is_empty());
    assert!(read(id).executed_timestamp_seconds > 0);
    with_state(|state| assert!(state.stopped_canisters.is_empty()));
    // The module is not needed any more.
    assert!(housekeep().is_empty());
    with_state(|state| assert!(state.wasm_modules.is_empty()));
}

#[test]
fn should_keep_the_module_out_of_what_listings_read() {
    governance();
    let key = neuron(1, 1_000);
    let id = propose(1, key, upgrade_action(child()));
    let data = read(id);
    let Some(Action::UpgradeSnsControlledCanister(shown)) = data.proposal.unwrap().action else {
        panic!("not an upgrade");
    };
    assert!(shown.new_canister_wasm.is_empty());
    assert_eq!(
        shown.chunked_canister_wasm.unwrap().wasm_module_hash,
        hash()
    );
}

#[test]
fn should_start_a_child_that_could_not_be_stopped_and_leave_its_code() {
    let (_, id, waiting) = adopted(child());
    one_call("stop_canister").answer(failed("it waits for an answer"));
    let waiting = poll_all(waiting);
    one_call("start_canister").answer(nothing());
    assert!(poll_all(waiting).is_empty());
    assert!(failure(id).contains("could not be stopped"));
}

#[test]
fn should_start_a_child_whose_module_was_refused_also_if_starting_fails_at_first() {
    let (_, id, waiting) = adopted(child());
    one_call("stop_canister").answer(nothing());
    let waiting = poll_all(waiting);
    one_call("install_code").answer(failed("not a module"));
    let waiting = poll_all(waiting);
    one_call("start_canister").answer(failed("busy"));
    assert!(poll_all(waiting).is_empty());
    assert!(failure(id).contains("not a module"));
    // The list remembers it.
    let waiting = housekeep();
    one_call("start_canister").answer(nothing());
    assert!(poll_all(waiting).is_empty());
    assert!(housekeep().is_empty() && runtime::take_sent().is_empty());
}

#[test]
fn should_start_a_child_that_an_upgrade_of_governance_left_stopped_and_not_install_again() {
    let (stable, id, waiting) = adopted(child());
    one_call("stop_canister").answer(nothing());
    let waiting = poll_all(waiting);
    let install = one_call("install_code");
    drop((waiting, install));
    upgrade(stable);
    let mut waiting = run_jobs();
    waiting.extend(housekeep());
    let sent = runtime::take_sent();
    assert!(
        !sent.is_empty() && sent.iter().all(|call| call.method == "start_canister"),
        "nothing is installed again"
    );
    for call in sent {
        call.answer(nothing());
    }
    let waiting = poll_all(waiting);
    one_call("canister_status").answer(failed("no answer"));
    assert!(poll_all(waiting).is_empty());
    assert!(failure(id).contains("not known"));
}

#[test]
fn should_refuse_modules_that_cannot_be_and_reinstalling_itself() {
    governance();
    let key = neuron(1, 1_000);
    let refuse = |change: &dyn Fn(&mut UpgradeSnsControlledCanister)| {
        let Command::MakeProposal(mut content) = upgrade_action(child()) else {
            panic!("not a proposal");
        };
        let Some(Action::UpgradeSnsControlledCanister(wire)) = &mut content.action else {
            panic!("not an upgrade");
        };
        change(wire);
        let response = command(user(1), key, Command::MakeProposal(content));
        assert_eq!(error_of(response), ErrorType::InvalidProposal);
    };
    refuse(&|wire| wire.new_canister_wasm = b"MZ".to_vec());
    refuse(&|wire| wire.new_canister_wasm = Vec::new());
    refuse(&|wire| wire.canister_id = None);
    refuse(&|wire| wire.canister_id = Some(Principal::management_canister()));
    refuse(&|wire| wire.mode = Some(4));
    refuse(&|wire| wire.canister_upgrade_arg = Some(vec![0; 600_000].into()));
    refuse(&|wire| {
        wire.canister_id = Some(runtime::canister_self());
        wire.mode = Some(2);
    });
    let chunked = |hashes: usize, length: usize| ChunkedCanisterWasm {
        wasm_module_hash: vec![1; 32],
        store_canister_id: Some(child()),
        chunk_hashes_list: vec![vec![2; length].into(); hashes],
    };
    refuse(&|wire| wire.chunked_canister_wasm = Some(chunked(1, 32)));
    for (hashes, length) in [(0, 32), (101, 32), (1, 31)] {
        refuse(&|wire| {
            wire.new_canister_wasm = Vec::new();
            wire.chunked_canister_wasm = Some(chunked(hashes, length));
        });
    }
}

#[test]
fn should_install_a_module_from_chunks() {
    governance();
    let key = neuron(1, 1_000);
    let action = proposal(Action::UpgradeSnsControlledCanister(
        UpgradeSnsControlledCanister {
            new_canister_wasm: Vec::new(),
            chunked_canister_wasm: Some(ChunkedCanisterWasm {
                wasm_module_hash: vec![1; 32],
                store_canister_id: Some(target()),
                chunk_hashes_list: vec![vec![2; 32].into(), vec![3; 32].into()],
            }),
            mode: Some(3),
            canister_id: Some(child()),
            canister_upgrade_arg: Some(vec![9].into()),
        },
    ));
    propose(1, key, action);
    let waiting = run_jobs();
    one_call("stop_canister").answer(nothing());
    let waiting = poll_all(waiting);
    let install = one_call("install_chunked_code");
    let argument: ic_management_canister_types::InstallChunkedCodeArgs =
        candid::decode_one(&install.arguments).unwrap();
    assert_eq!(argument.target_canister, child());
    assert_eq!(argument.store_canister, Some(target()));
    assert_eq!(argument.chunk_hashes_list.len(), 2);
    assert_eq!(argument.wasm_module_hash, [1; 32]);
    assert_eq!(argument.arg, [9]);
    drop(waiting);
}

// Governance itself.

/// Governance's own upgrade is adopted, and its jobs run until it is sealed. What is left
/// is the last timer.
fn adopted_itself() -> (DefaultMemoryImpl, u64) {
    let stable = governance();
    let key = neuron(1, 1_000);
    let id = propose(1, key, upgrade_action(runtime::canister_self()));
    run_until_sealed();
    (stable, id)
}

fn run_until_sealed() {
    for _ in 0..10 {
        if runtime::traffic() == runtime::Traffic::Sealed {
            return;
        }
        for mut job in runtime::take_jobs() {
            assert!(poll(&mut job).is_some());
        }
    }
    panic!("it does not come to rest");
}

/// Messages to itself, delivered in their order, until one goes elsewhere.
fn deliver_to_itself() -> SentCall {
    for _ in 0..10 {
        let call = {
            let mut sent = runtime::take_sent();
            assert_eq!(sent.len(), 1, "one message is under way");
            sent.remove(0)
        };
        if call.canister != runtime::canister_self() {
            return call;
        }
        assert_eq!(call.method, self_upgrade::METHOD);
        self_upgrade::step(
            runtime::canister_self(),
            candid::decode_one(&call.arguments).unwrap(),
        );
    }
    panic!("it talks to itself for ever");
}

#[test]
fn should_install_itself_when_no_call_is_outstanding_and_learn_the_outcome_in_the_new_code() {
    let (stable, id) = adopted_itself();
    let install = deliver_to_itself();
    assert_eq!(install.method, "install_code");
    assert_eq!(read(id).executed_timestamp_seconds, 0);
    upgrade(stable);
    let waiting = run_jobs();
    one_call("canister_status").answer(failed("not now"));
    let waiting = poll_all(waiting);
    assert!(waiting.is_empty());
    let waiting = run_jobs();
    assert_eq!(runtime::calls_in_flight(), 1);
    one_call("canister_status").answer(Ok(status(0, Some(hash()))));
    assert!(poll_all(waiting).is_empty());
    assert!(read(id).executed_timestamp_seconds > 0);
    with_state(|state| assert!(state.self_upgrade.get().0.is_none()));
}

#[test]
fn should_wait_with_its_own_upgrade_for_every_call_and_refuse_new_ones_meanwhile() {
    governance();
    let key = neuron(1, 1_000);
    // Somebody else's claim waits for a silent ledger.
    let mut claiming = begin(user(2), [0; 32], claim_command(user(2), 0));
    assert!(poll(&mut claiming).is_none());
    let silent = one_call("icrc1_balance_of");
    let id = propose(1, key, upgrade_action(runtime::canister_self()));
    // `run_jobs` would go round for ever here: each round sets the next.
    for _ in 0..5 {
        for mut job in runtime::take_jobs() {
            assert!(poll(&mut job).is_some());
        }
        assert_eq!(runtime::calls_in_flight(), 1);
        assert!(runtime::take_sent().is_empty(), "nothing is installed yet");
    }
    let refused = poll(&mut begin(user(3), [0; 32], claim_command(user(3), 0))).unwrap();
    assert!(format!("{refused:?}").contains("about to be upgraded"));
    // The system answers in the callee's place.
    silent.answer(failed("timed out"));
    assert!(poll(&mut claiming).is_some());
    run_until_sealed();
    let install = deliver_to_itself();
    assert_eq!(install.method, "install_code");
    assert_eq!(read(id).executed_timestamp_seconds, 0);
}

#[test]
fn should_go_on_with_the_old_code_where_the_new_does_not_install() {
    let (_, id) = adopted_itself();
    // Sealing took all timers but the last.
    let mut last = runtime::take_jobs();
    let _install = deliver_to_itself();
    assert_eq!(last.len(), 1, "one timer is left");
    set_time(START + 150);
    assert!(poll(&mut last.remove(0)).is_some());
    assert!(failure(id).contains("was not installed"));
    assert!(
        !runtime::take_jobs().is_empty(),
        "the timers are there again"
    );
    let refused = poll(&mut begin(user(3), [0; 32], claim_command(user(3), 0)));
    assert!(refused.is_none(), "calls go out again");
}

#[test]
fn should_leave_other_executions_in_the_queue_while_it_upgrades_itself() {
    let (stable, _) = adopted_itself();
    let key = key_of(user(1), 0);
    let other = propose(1, key, motion());
    let mut round: Running<()> = Box::pin(crate::housekeeping::run());
    assert!(poll(&mut round).is_some());
    assert_eq!(read(other).executed_timestamp_seconds, 0);
    let install = deliver_to_itself();
    assert_eq!(install.method, "install_code");
    upgrade(stable);
    let waiting = run_jobs();
    one_call("canister_status").answer(Ok(status(0, Some(hash()))));
    assert!(poll_all(waiting).is_empty());
    assert!(housekeep().is_empty());
    assert!(read(other).executed_timestamp_seconds > 0);
}

#[test]
fn should_take_no_orders_to_upgrade_itself_from_others() {
    let (_, _) = adopted_itself();
    let refused = std::panic::catch_unwind(|| self_upgrade::step(user(1), 3));
    assert!(refused.is_err());
}
