use ic_certification::LookupResult;
use proptest::prelude::*;

use super::*;
use crate::received_tree::ReceivedTree;
use crate::replica::{Rejection, RequestId};
use crate::state_tree::{Metadata, RequestEntry, RequestStatus};

const CALLER: Principal = Principal::from_slice(&[4]);

/// Ids whose first bytes collide often, so that groups grow and shrink.
fn request_id(seed: u8) -> RequestId {
    let mut id = [seed; 32];
    id[0] = seed % 3 * 100;
    RequestId(id)
}

fn canister_id(seed: u8) -> Principal {
    let length = usize::from(seed % 3) + 1;
    Principal::from_slice(&[seed; 3][..length])
}

fn request(status: RequestStatus) -> RequestEntry {
    RequestEntry {
        sender: CALLER,
        canister_id: CALLER,
        status,
        forget_at_nanos: u64::MAX,
    }
}

fn rejected() -> RequestStatus {
    RequestStatus::Rejected(Rejection {
        code: 4,
        message: "no".to_owned(),
        error_code: "IC0406".to_owned(),
    })
}

#[derive(Clone, Debug)]
enum Change {
    Receive(u8),
    Reply(u8),
    Reject(u8),
    Forget(u8),
    Drop(u8),
    Install(u8, u8),
    Certify(u8, u8),
    Describe(u8, bool),
    Delete(u8),
}

fn change() -> impl Strategy<Value = Change> {
    let seed = 0u8..20;
    prop_oneof![
        seed.clone().prop_map(Change::Receive),
        seed.clone().prop_map(Change::Reply),
        seed.clone().prop_map(Change::Reject),
        seed.clone().prop_map(Change::Forget),
        seed.clone().prop_map(Change::Drop),
        (0u8..6, any::<u8>()).prop_map(|(id, hash)| Change::Install(id, hash)),
        (0u8..6, any::<u8>()).prop_map(|(id, data)| Change::Certify(id, data)),
        (0u8..6, any::<bool>()).prop_map(|(id, public)| Change::Describe(id, public)),
        (0u8..6).prop_map(Change::Delete),
    ]
}

fn apply(state: &mut StateTree, change: &Change) {
    match *change {
        Change::Receive(seed) => {
            let entry = request(RequestStatus::Received);
            state.requests.entry(request_id(seed)).or_insert(entry);
        }
        Change::Reply(seed) => answer(state, seed, RequestStatus::Replied(vec![seed; 9])),
        Change::Reject(seed) => answer(state, seed, rejected()),
        Change::Forget(seed) => {
            if let Some(entry) = state.requests.get_mut(&request_id(seed)) {
                entry.status = RequestStatus::Done;
            }
        }
        Change::Drop(seed) => {
            state.requests.remove(&request_id(seed));
        }
        Change::Install(seed, hash) => canister(state, seed).module_hash = Some([hash; 32]),
        Change::Certify(seed, data) => canister(state, seed).certified_data = vec![data; 32],
        Change::Describe(seed, public) => {
            let metadata = Metadata {
                public,
                content: vec![u8::from(public)],
            };
            let entry = canister(state, seed);
            entry.metadata.insert("about".to_owned(), metadata);
        }
        Change::Delete(seed) => {
            state.canisters.remove(&canister_id(seed));
        }
    }
}

fn answer(state: &mut StateTree, seed: u8, status: RequestStatus) {
    if let Some(entry) = state.requests.get_mut(&request_id(seed))
        && !entry.status.is_final()
    {
        entry.status = status;
    }
}

fn canister(state: &mut StateTree, seed: u8) -> &mut CanisterEntry {
    state.canisters.entry(canister_id(seed)).or_default()
}

/// The same facts with no digest kept from before.
fn fresh(state: &StateTree) -> StateTree {
    StateTree {
        canisters: state.canisters.clone(),
        requests: state.requests.clone(),
        digests: Default::default(),
    }
}

proptest! {
    #[test]
    fn should_give_the_tree_of_a_fresh_start_after_any_changes(
        changes in proptest::collection::vec(change(), 1..60),
        asked in 0u8..20,
    ) {
        let keys = Keys::from_seed([1; 32]);
        let mut state = StateTree::default();
        let id = request_id(asked);
        for change in &changes {
            apply(&mut state, change);
            let mut reveal = Reveal::nothing();
            reveal.add(&[b"request_status".as_slice(), &id.0]);
            let kept = pruned_state_tree(&keys, &state, 7, reveal.clone());
            let started = pruned_state_tree(&keys, &fresh(&state), 7, reveal);
            prop_assert_eq!(&kept, &started);
            let expected: Option<&[u8]> = state.requests.get(&id).map(|entry| match &entry.status {
                RequestStatus::Received => b"received".as_slice(),
                RequestStatus::Processing => b"processing",
                RequestStatus::Replied(_) => b"replied",
                RequestStatus::Rejected(_) => b"rejected",
                RequestStatus::Done => b"done",
            });
            let path = [b"request_status".as_slice(), &id.0, b"status"];
            let found = match expected {
                Some(status) => LookupResult::Found(status),
                None => LookupResult::Absent,
            };
            prop_assert_eq!(kept.lookup_path(path), found);
        }
    }
}

#[derive(serde::Deserialize)]
struct Received {
    tree: ReceivedTree,
    signature: serde_bytes::ByteBuf,
}

#[test]
fn should_show_certified_data_in_a_data_certificate_and_nothing_else() {
    let keys = Keys::from_seed([1; 32]);
    let mut state = StateTree::default();
    canister(&mut state, 1).module_hash = Some([3; 32]);
    canister(&mut state, 1).certified_data = b"certified".to_vec();
    state.requests.insert(
        request_id(1),
        request(RequestStatus::Replied(b"reply".to_vec())),
    );
    let certificate = keys.data_certificate(&state, canister_id(1));
    let certificate: Received =
        ciborium::from_reader(certificate.as_slice()).expect("a certificate");
    let id = canister_id(1);
    let below = |label: &'static [u8]| [b"canister".as_slice(), id.as_slice(), label];
    let lookup = |label| certificate.tree.0.lookup_path(below(label));
    assert_eq!(lookup(b"certified_data"), LookupResult::Found(b"certified"));
    assert_eq!(lookup(b"module_hash"), LookupResult::Unknown);
    let reply = [b"request_status".as_slice(), &request_id(1).0, b"reply"];
    assert_eq!(certificate.tree.0.lookup_path(reply), LookupResult::Unknown);
    assert!(matches!(
        certificate.tree.0.lookup_path([b"time"]),
        LookupResult::Found(_)
    ));
    let message = [&STATE_ROOT_DOMAIN[..], &certificate.tree.0.digest()].concat();
    let key = keys.root_key_raw();
    let verified =
        ic_verify_bls_signature::verify_bls_signature(&certificate.signature, &message, key);
    assert_eq!(verified, Ok(()));
}

#[test]
fn should_say_of_an_empty_canister_who_controls_it_and_nothing_else() {
    let keys = Keys::from_seed([1; 32]);
    let mut state = StateTree::default();
    canister(&mut state, 1).controllers = vec![CALLER];
    let mut reveal = Reveal::nothing();
    for label in [b"controllers".as_slice(), b"module_hash"] {
        reveal.add(&[b"canister".as_slice(), canister_id(1).as_slice(), label]);
    }
    let tree = pruned_state_tree(&keys, &state, 7, reveal);
    let id = canister_id(1);
    let lookup = |label: &'static [u8]| tree.lookup_path([b"canister", id.as_slice(), label]);
    let controllers = [0xd9, 0xd9, 0xf7, 0x81, 0x41, 0x04];
    assert_eq!(lookup(b"controllers"), LookupResult::Found(&controllers));
    assert_eq!(lookup(b"module_hash"), LookupResult::Absent);
}
