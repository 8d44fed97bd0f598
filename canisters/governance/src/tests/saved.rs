//! Statement 28: a memory that a release has left is opened by this code, twice, with all
//! that can be seen of it. Saved states are never written anew: a new layout adds its own.
//!
//! `cargo test -p stoa-governance --lib -- --ignored write_saved_state` writes that of the
//! present layout, where it is missing.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::rc::Rc;

use stoa_governance_api::code::action_id;

use super::following::follow;
use super::ledger_model::LedgerModel;
use super::moving::disburse;
use super::*;
use crate::memory::LAYOUT_VERSION;

fn file(layout: u32, ending: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/saved")
        .join(format!("layout-{layout}.{ending}"))
}

/// Something of everything, some of it in the middle.
fn fill() -> DefaultMemoryImpl {
    let stable = governance();
    let mut ledger = LedgerModel::default();
    let keys: Vec<_> = (1..=4).map(|id| neuron(id, 1_000)).collect();
    let leader = neuron(5, 3_500);
    follow(3, keys[2], 0, &[leader]);
    // A proposal of each outcome.
    let added = propose(
        5,
        leader,
        proposal(Action::AddGenericNervousSystemFunction(function(1_001))),
    );
    for id in [1, 2] {
        vote(id, keys[usize::from(id) - 1], added, Vote::Yes);
    }
    drop(run_jobs());
    let rejected = propose(1, keys[0], motion());
    vote(5, leader, rejected, Vote::No);
    for id in [2, 4] {
        vote(id, keys[usize::from(id) - 1], rejected, Vote::No);
    }
    let failed = propose(
        1,
        keys[0],
        proposal(Action::RemoveGenericNervousSystemFunction(1_001)),
    );
    vote(5, leader, failed, Vote::Yes);
    vote(2, keys[1], failed, Vote::Yes);
    with_state(|state| state.remove_function(1_001)).unwrap();
    drop(run_jobs());
    set_time(START + PERIOD);
    drop(housekeep());
    // One open, with ballots, and a state of a voter that it sees and that is past.
    let open = propose(1, keys[0], motion());
    vote(2, keys[1], open, Vote::No);
    claim(user(2), 0, 2_000);
    // A payment and a movement whose answers are not there.
    with_state(|state| {
        state.add_dao_canister(target()).unwrap();
    });
    let free = ledger.stake(user(6), 0, 800);
    let mut waiting = begin(user(6), free, disburse(Some(300)));
    assert!(poll(&mut waiting).is_none());
    runtime::take_sent();
    let pay = proposal(Action::TransferSnsTreasuryFunds(TransferSnsTreasuryFunds {
        from_treasury: 1,
        to_principal: Some(user(9)),
        to_subaccount: None,
        memo: None,
        amount_e8s: 77,
    }));
    let paid = propose(5, leader, pay);
    for id in 1..=4 {
        vote(id, keys[usize::from(id) - 1], paid, Vote::Yes);
    }
    drop(run_jobs());
    runtime::take_sent();
    stable
}

/// Native functions are the code's, not the memory's; these came after the release of layout 2.
const NATIVE_SINCE_2: [u64; 2] = [
    action_id::MANAGE_SNS_METADATA,
    action_id::SET_TOPICS_FOR_CUSTOM_PROPOSALS,
];

/// All that can be seen from outside, but native functions that the release did not have.
fn seen(later: &[u64]) -> String {
    use crate::{query_neurons, query_proposals, query_system, query_treasury};
    runtime::set_caller(user(2));
    let neurons = query_neurons::list_neurons(ListNeurons {
        of_principal: None,
        limit: 0,
        start_page_at: None,
    });
    let proposals = query_proposals::list_proposals(ListProposals {
        include_reward_status: vec![],
        before_proposal: None,
        limit: 0,
        exclude_type: vec![],
        include_topics: None,
        include_status: vec![],
    });
    let payments = query_treasury::list_payments(ListPayments {
        before: None,
        limit: 100,
    });
    let mut functions = query_system::list_nervous_system_functions();
    functions
        .functions
        .retain(|function| !later.contains(&function.id));
    let movements = with_state(|state| {
        let list: Vec<_> = state.movements.iter().map(|entry| entry.value()).collect();
        format!("{list:#?}")
    });
    format!(
        "{neurons:#?}\n{proposals:#?}\n{payments:#?}\n{movements}\n{:#?}\n{:#?}\n{:#?}\n{:?}\n",
        query_system::get_nervous_system_parameters(),
        functions,
        query_treasury::get_treasury(),
        crate::dao_canisters::list_dao_canisters(),
    )
}

#[test]
#[ignore = "writes the file that the other test reads"]
fn write_saved_state() {
    let file = |ending| file(LAYOUT_VERSION, ending);
    assert!(
        !file("bin.gz").exists(),
        "a saved state is never written anew"
    );
    let stable = fill();
    let packed = std::fs::File::create(file("bin.gz")).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(packed, flate2::Compression::best());
    encoder.write_all(&stable.borrow()).unwrap();
    encoder.finish().unwrap();
    std::fs::write(file("txt"), seen(&[])).unwrap();
}

#[test]
fn should_open_what_the_release_of_layout_2_left_with_all_that_could_be_seen() {
    open_saved(2, &NATIVE_SINCE_2);
}

#[test]
fn should_open_what_the_release_of_layout_3_left_with_all_that_could_be_seen() {
    open_saved(3, &[]);
}

fn open_saved(layout: u32, later: &[u64]) {
    let packed = std::fs::File::open(file(layout, "bin.gz")).unwrap();
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed)
        .read_to_end(&mut bytes)
        .unwrap();
    let stable: DefaultMemoryImpl = Rc::new(RefCell::new(bytes));
    let expected = std::fs::read_to_string(file(layout, "txt")).unwrap();
    set_time(START + PERIOD);
    for _ in 0..2 {
        upgrade(stable.clone());
        runtime::take_jobs();
        let seen = seen(later);
        assert!(seen == expected, "{seen}\n\nis not\n\n{expected}");
    }
    check_invariants();
    // And it goes on: the payment is asked for again, the vote is cast.
    let open = with_state(|state| state.newest_proposal()) - 1;
    let before = read(open).latest_tally.unwrap();
    vote(4, key_of(user(4), 0), open, Vote::No);
    assert!(read(open).latest_tally.unwrap().no > before.no);
    let _waiting = housekeep();
    let methods: Vec<String> = runtime::take_sent()
        .into_iter()
        .map(|call| call.method)
        .collect();
    assert!(methods.iter().any(|method| method == "icrc1_transfer"));
}
