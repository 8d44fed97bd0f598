//! What is certified of proposals can be checked with a witness alone.

use ic_certification::{HashTree, LookupResult};

use super::*;

fn tree(id: u64) -> HashTree {
    let bytes = with_state(|state| state.witness(id)).unwrap();
    serde_cbor::from_slice(&bytes).unwrap()
}

fn path(id: u64) -> [Vec<u8>; 2] {
    [b"proposals".to_vec(), id.to_be_bytes().to_vec()]
}

fn certified(id: u64) -> Vec<u8> {
    let tree = tree(id);
    assert_eq!(tree.digest(), runtime::certified_data());
    match tree.lookup_path(path(id)) {
        LookupResult::Found(value) => value.to_vec(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn should_certify_tally_state_and_digest_of_every_proposal() {
    let stable = governance();
    let key = neuron(1, 1_000);
    let other = neuron(2, 9_000);
    for made in 1..=20u64 {
        propose(1, key, motion());
        for id in 1..=made {
            let value = certified(id);
            let progress = with_state(|state| state.progress_of(id)).unwrap();
            assert_eq!(value[..75], progress.as_bytes());
            let content = with_state(|state| state.content_of(id)).unwrap();
            assert_eq!(value[75..], crate::certification::digest(&content));
        }
    }
    vote(2, other, 7, Vote::No);
    let value = certified(7);
    assert_eq!(value[1], 2, "rejected");
    assert_eq!(u64::from_be_bytes(value[27..35].try_into().unwrap()), 9_900);
    let before = runtime::certified_data();
    runtime::set_certified_data(&[0; 32]);
    upgrade(stable);
    assert_eq!(
        runtime::certified_data(),
        before,
        "set again after an upgrade"
    );
    check_invariants();
}

#[test]
fn should_not_prove_another_proposal_than_the_one_asked_for() {
    governance();
    let key = neuron(1, 1_000);
    neuron(2, 9_000);
    for _ in 0..5 {
        propose(1, key, motion());
    }
    let tree = tree(3);
    for id in [1, 2, 4, 5, 6] {
        assert!(!matches!(
            tree.lookup_path(path(id)),
            LookupResult::Found(_)
        ));
    }
    assert!(with_state(|state| state.witness(6)).is_err());
    assert!(with_state(|state| state.witness(0)).is_err());
}

#[test]
fn should_have_another_root_for_any_other_tally() {
    governance();
    let key = neuron(1, 1_000);
    let other = neuron(2, 9_000);
    let id = propose(1, key, motion());
    let before = runtime::certified_data();
    vote(2, other, id, Vote::Yes);
    assert_ne!(runtime::certified_data(), before);
    let mut forged = serde_cbor::to_vec(&tree(id)).unwrap();
    let end = forged.len() - 1;
    forged[end] ^= 1;
    let forged: Result<HashTree, _> = serde_cbor::from_slice(&forged);
    assert!(forged.is_err() || forged.unwrap().digest() != runtime::certified_data());
}

#[test]
fn should_answer_with_proposal_certificate_and_witness() {
    governance();
    let key = neuron(1, 1_000);
    let id = propose(1, key, motion());
    let ask = |id| {
        crate::query_certified::get_proposal_certified(GetProposal {
            proposal_id: Some(ProposalId { id }),
        })
    };
    let answer = ask(id).unwrap();
    assert_eq!(answer.proposal, read(id));
    assert!(!answer.witness.is_empty() && !answer.certificate.is_empty());
    assert_eq!(
        ask(id + 1).unwrap_err().error_type,
        ErrorType::NotFound.number()
    );
}
