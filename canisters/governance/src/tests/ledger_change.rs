//! Fee, name, symbol and logo of the token's ledger: by an upgrade to the code that it runs.

use candid::CandidType;
use ic_management_canister_types::{ChunkHash, InstallChunkedCodeArgs};
use icrc_ledger_types::icrc::generic_metadata_value::MetadataValue;
use serde::Deserialize;

use super::*;
use crate::runtime::CallFailure;

const CODE: [u8; 32] = [7; 32];

#[derive(CandidType, Deserialize)]
enum LedgerArgument {
    Upgrade(Option<UpgradeArgs>),
}

#[derive(CandidType, Deserialize)]
struct UpgradeArgs {
    token_name: Option<String>,
    token_symbol: Option<String>,
    transfer_fee: Option<Nat>,
    metadata: Option<Vec<(String, MetadataValue)>>,
}

fn no_change() -> ManageLedgerParameters {
    ManageLedgerParameters {
        token_symbol: None,
        transfer_fee: None,
        token_logo: None,
        token_name: None,
    }
}

fn change() -> ManageLedgerParameters {
    ManageLedgerParameters {
        transfer_fee: Some(7),
        token_name: Some("Library".to_string()),
        ..no_change()
    }
}

fn nothing() -> Result<Vec<u8>, CallFailure> {
    Ok(candid::encode_args(()).unwrap())
}

/// What the management canister says of the ledger's code.
fn answer_about_code<T>(running: &mut Running<T>, stored: &[[u8; 32]]) -> Option<T> {
    let asked = one_call("canister_status");
    asked.answer(Ok(status(0, Some(CODE.to_vec()))));
    assert!(poll(running).is_none());
    let stored: Vec<ChunkHash> = stored
        .iter()
        .map(|hash| ChunkHash {
            hash: hash.to_vec(),
        })
        .collect();
    reply(one_call("stored_chunks"), stored);
    poll(running)
}

fn begin_change(change: ManageLedgerParameters) -> Running<CommandResponse> {
    let key = key_of(user(1), 0);
    let action = proposal(Action::ManageLedgerParameters(change));
    begin(user(1), key, action)
}

fn proposed(change: ManageLedgerParameters) -> u64 {
    let mut running = begin_change(change);
    assert!(poll(&mut running).is_none());
    id_of(answer_about_code(&mut running, &[[1; 32], CODE]).expect("proposed"))
}

/// Adopted, and up to where the install is under way.
fn installing() -> (DefaultMemoryImpl, u64, Job, SentCall) {
    let stable = governance();
    neuron(1, 1_000);
    let id = proposed(change());
    let mut waiting = run_jobs();
    assert_eq!(waiting.len(), 1);
    let mut job = waiting.remove(0);
    assert!(answer_about_code(&mut job, &[CODE]).is_none());
    one_call("stop_canister").answer(nothing());
    assert!(poll(&mut job).is_none());
    (stable, id, job, one_call("install_chunked_code"))
}

fn fee() -> Option<u64> {
    crate::query_system::get_nervous_system_parameters().transaction_fee_e8s
}

#[test]
fn should_upgrade_the_ledger_to_its_own_code_with_the_change_and_take_over_the_fee() {
    let (_, id, mut job, install) = installing();
    let rendering = read(id).payload_text_rendering.unwrap();
    for part in ["7 e8s", "Library", "(unchanged)", &hex::encode(CODE)] {
        assert!(rendering.contains(part), "{part} in {rendering}");
    }
    let argument: InstallChunkedCodeArgs = candid::decode_one(&install.arguments).unwrap();
    assert_eq!(argument.target_canister, ledger());
    assert_eq!(argument.store_canister, Some(ledger()));
    assert_eq!(argument.wasm_module_hash, CODE);
    assert_eq!(argument.chunk_hashes_list.len(), 1);
    let LedgerArgument::Upgrade(Some(given)) = candid::decode_one(&argument.arg).unwrap() else {
        panic!("nothing to change");
    };
    assert_eq!(given.transfer_fee, Some(Nat::from(7u8)));
    assert_eq!(given.token_name.as_deref(), Some("Library"));
    assert!(given.token_symbol.is_none() && given.metadata.is_none());
    assert_eq!(fee(), Some(1), "not before the ledger has it");
    install.answer(nothing());
    assert!(poll(&mut job).is_none());
    one_call("start_canister").answer(nothing());
    assert!(poll(&mut job).is_some());
    assert!(read(id).executed_timestamp_seconds > 0);
    assert_eq!(fee(), Some(7));
}

#[test]
fn should_leave_the_fee_where_the_ledger_does_not_take_it() {
    let (_, id, mut job, install) = installing();
    install.answer(Err(CallFailure {
        refused: false,
        message: "no such field".to_string(),
    }));
    assert!(poll(&mut job).is_none());
    one_call("start_canister").answer(nothing());
    assert!(poll(&mut job).is_some());
    let failure = read(id).failure_reason.unwrap().error_message;
    assert!(failure.contains("no such field"), "{failure}");
    assert_eq!(fee(), Some(1));
}

#[test]
fn should_ask_the_ledger_what_it_has_when_governance_was_upgraded_in_the_middle() {
    for has_it in [true, false] {
        let (stable, id, job, install) = installing();
        drop((job, install));
        upgrade(stable);
        let mut waiting = run_jobs();
        waiting.extend(housekeep());
        for call in runtime::take_sent() {
            assert_eq!(call.method, "start_canister", "nothing is installed again");
            call.answer(nothing());
        }
        waiting.retain_mut(|job| poll(job).is_none());
        let metadata: Vec<(String, MetadataValue)> = vec![
            (
                "icrc1:fee".to_string(),
                Nat::from(if has_it { 7u8 } else { 1 }).into(),
            ),
            ("icrc1:name".to_string(), "Library".into()),
        ];
        reply(one_call("icrc1_metadata"), metadata);
        waiting.retain_mut(|job| poll(job).is_none());
        assert!(waiting.is_empty());
        let data = read(id);
        assert_eq!(data.executed_timestamp_seconds > 0, has_it);
        assert_eq!(data.failure_reason.is_none(), has_it);
        assert_eq!(fee(), Some(if has_it { 7 } else { 1 }));
    }
}

#[test]
fn should_say_what_to_propose_where_the_code_is_not_in_the_store() {
    governance();
    neuron(1, 1_000);
    let mut running = begin_change(change());
    assert!(poll(&mut running).is_none());
    let refused = answer_about_code(&mut running, &[[1; 32]]).expect("refused");
    let text = format!("{refused:?}");
    assert!(text.contains("UpgradeSnsControlledCanister"), "{text}");
    assert_eq!(error_of(refused), ErrorType::InvalidProposal);
}

#[test]
fn should_refuse_changes_of_the_ledger_that_make_no_sense() {
    governance();
    neuron(1, 1_000);
    let text = |text: &str| Some(text.to_string());
    let long = format!("data:image/png;base64,{}", "A".repeat(64 * 1024));
    for wire in [
        no_change(),
        // Governance could not pay it from the least stake.
        ManageLedgerParameters {
            transfer_fee: Some(MIN_STAKE),
            ..no_change()
        },
        ManageLedgerParameters {
            token_name: text("abc"),
            ..no_change()
        },
        ManageLedgerParameters {
            token_name: text("Internet Computer"),
            ..no_change()
        },
        ManageLedgerParameters {
            token_symbol: text("icp"),
            ..no_change()
        },
        ManageLedgerParameters {
            token_symbol: text(" STOA"),
            ..no_change()
        },
        ManageLedgerParameters {
            token_logo: text("https://example.org/logo.png"),
            ..no_change()
        },
        ManageLedgerParameters {
            token_logo: Some(long),
            ..no_change()
        },
    ] {
        let response = poll(&mut begin_change(wire)).expect("refused without asking anybody");
        assert_eq!(error_of(response), ErrorType::InvalidProposal);
    }
}

#[test]
fn should_keep_the_code_of_an_upgraded_ledger_in_its_store_and_a_logo_out_of_listings() {
    governance();
    let key = neuron(1, 1_000);
    let logo = format!("data:image/png;base64,{}", "A".repeat(5_000));
    let id = proposed(ManageLedgerParameters {
        token_logo: Some(logo.clone()),
        ..no_change()
    });
    let logo_in = |data: ProposalData| match data.proposal.unwrap().action {
        Some(Action::ManageLedgerParameters(change)) => change.token_logo,
        other => panic!("{other:?}"),
    };
    assert_eq!(logo_in(read(id)), Some(logo));
    let listed = crate::query_proposals::list_proposals(ListProposals {
        include_reward_status: vec![],
        before_proposal: None,
        limit: 1,
        exclude_type: vec![],
        include_topics: None,
        include_status: vec![],
    });
    assert_eq!(logo_in(listed.proposals[0].clone()), None);
    drop(run_jobs());
    runtime::take_sent();
    crate::actions::forget_upgrading();

    let wasm = b"\0asm\x01\0\0\0".to_vec();
    let action = proposal(Action::UpgradeSnsControlledCanister(
        UpgradeSnsControlledCanister {
            new_canister_wasm: wasm.clone(),
            chunked_canister_wasm: None,
            mode: None,
            canister_id: Some(ledger()),
            canister_upgrade_arg: None,
        },
    ));
    propose(1, key, action);
    let mut job = run_jobs().remove(0);
    for method in [
        "stop_canister",
        "install_code",
        "start_canister",
        "clear_chunk_store",
    ] {
        one_call(method).answer(nothing());
        assert!(poll(&mut job).is_none(), "after {method}");
    }
    let upload = one_call("upload_chunk");
    assert!(
        upload
            .arguments
            .windows(wasm.len())
            .any(|part| part == wasm)
    );
    upload.answer(nothing());
    assert!(poll(&mut job).is_some());
}
