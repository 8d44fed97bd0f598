//! From one layout of stable memory to the next, within the upgrade's message.
//!
//! | from | what is done | cost |
//! |---|---|---|
//! | 1 | each proposal: digest, bits, place in the certified tree | linear in proposals, some 1 M instructions each; version 1 was never used with more than a few |
//! | 2 | the newest proposal is noted as the last whose ballots are by proposal only | the same whatever there is |
//!
//! What must hold: a version that is not in the table is refused by a trap, so that the
//! upgrade is undone; everything that a version wrote is still read.

use crate::cbor::{Added, Cbor};
use crate::certification::digest;
use crate::memory::{LAYOUT_VERSION, State};
use crate::proposal::Digest;
use stoa_governance_api::code::ProposalRewardStatus;

pub fn migrate(state: &mut State) {
    let found = *state.layout_version.get();
    match found {
        LAYOUT_VERSION => return,
        1 => {
            from_1(state);
            from_2(state);
        }
        2 => from_2(state),
        _ => panic!("stable memory has layout {found}, this code knows up to {LAYOUT_VERSION}"),
    }
    state.layout_version.set(LAYOUT_VERSION);
}

fn from_2(state: &mut State) {
    let newest = state.newest_proposal();
    state.ballots_by_neuron_after.set(newest);
}

/// The first version had neither following nor rewards nor movements, so there is
/// nothing of them to bring over.
fn from_1(state: &mut State) {
    let newest = state.newest_proposal();
    for proposal in 1..=newest {
        let (Ok(progress), Ok(content), Ok(mut terms)) = (
            state.progress_of(proposal),
            state.content_of(proposal),
            state.terms_of(proposal),
        ) else {
            panic!("BUG: proposal {proposal} lacks a part");
        };
        terms.digest = Added(Digest(digest(&content)));
        state.terms.insert(proposal, Cbor(terms.clone()));
        let reward = if state.voting.contains_key(&proposal) {
            ProposalRewardStatus::AcceptVotes
        } else {
            ProposalRewardStatus::Settled
        };
        state.index_new(proposal, progress.status(), progress.topic, reward);
        state.append_certified(proposal, &progress, &terms);
    }
}
