//! Answers whose types are written once. A Candid message begins with the table of its types;
//! for answers that hold proposals or commands the library makes that table of some hundred
//! types anew each time, which costs more than the values.
//!
//! What must hold: the bytes are the library's (a test compares them). The tables are made at
//! install and after each upgrade, since what a query puts on the heap is gone with it.

use std::cell::OnceCell;
use std::thread::LocalKey;

use candid::CandidType;
use candid::ser::ValueSerializer;
use stoa_governance_api::{
    CommandResponse, GetNeuronResponse, GetProposalResponse, ListNeuronsResponse, ListProposals,
    ListProposalsResponse, ManageNeuronResponse,
};

type Table = OnceCell<Vec<u8>>;

thread_local! {
    static UNSTABLE_COMMAND: Table = const { OnceCell::new() };
    static UNSTABLE_PROPOSAL: Table = const { OnceCell::new() };
    static UNSTABLE_PROPOSALS: Table = const { OnceCell::new() };
    static UNSTABLE_NEURON: Table = const { OnceCell::new() };
    static UNSTABLE_NEURONS: Table = const { OnceCell::new() };
}

fn encode<T: CandidType>(table: &'static LocalKey<Table>, answer: &T) -> Vec<u8> {
    let mut values = ValueSerializer::new();
    answer
        .idl_serialize(&mut values)
        .expect("BUG: an answer does not encode");
    let values = values.get_result();
    let by_library = || {
        let mut bytes = candid::encode_one(answer).expect("BUG: an answer does not encode");
        // The values end the message.
        bytes.truncate(bytes.len() - values.len());
        bytes
    };
    table.with(|table| [table.get_or_init(by_library).as_slice(), values].concat())
}

pub fn command(answer: ManageNeuronResponse) -> Vec<u8> {
    encode(&UNSTABLE_COMMAND, &answer)
}

pub fn proposal(answer: GetProposalResponse) -> Vec<u8> {
    encode(&UNSTABLE_PROPOSAL, &answer)
}

pub fn proposals(answer: ListProposalsResponse) -> Vec<u8> {
    encode(&UNSTABLE_PROPOSALS, &answer)
}

pub fn neuron(answer: GetNeuronResponse) -> Vec<u8> {
    encode(&UNSTABLE_NEURON, &answer)
}

pub fn neurons(answer: ListNeuronsResponse) -> Vec<u8> {
    encode(&UNSTABLE_NEURONS, &answer)
}

/// To be called at install and after an upgrade. The library remembers the types of
/// arguments itself.
pub fn prepare() {
    command(ManageNeuronResponse {
        command: Some(CommandResponse::RegisterVote {}),
    });
    proposal(GetProposalResponse { result: None });
    proposals(ListProposalsResponse {
        include_ballots_by_caller: None,
        include_topic_filtering: None,
        proposals: vec![],
    });
    neuron(GetNeuronResponse { result: None });
    neurons(ListNeuronsResponse { neurons: vec![] });
    ListProposals::ty();
}
