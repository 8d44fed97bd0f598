//! Decisions: when the votes, or the deadline, decide a proposal, and what follows.

use std::time::Duration;

use crate::cbor::Cbor;
use crate::execution::{self, Stage};
use crate::memory::State;
use crate::proposal::{Decision, Progress, Terms};
use crate::runtime;

/// The caller stores `progress`.
pub fn decide_if_due(
    state: &mut State,
    proposal: u64,
    progress: &mut Progress,
    terms: &Terms,
    now: u64,
) {
    let Some(decision) = progress.due_decision(&terms.thresholds, now) else {
        return;
    };
    progress.decision = decision;
    progress.decided_at_seconds = now;
    if decision != Decision::Adopted {
        return;
    }
    // Only a rejected proposal costs its proposer something.
    state
        .change_neuron(&terms.proposer, now, |neuron| {
            neuron.fees_e8s = neuron
                .fees_e8s
                .checked_sub(terms.reject_cost_e8s)
                .expect("BUG: a reject cost was given back twice");
            Ok(())
        })
        .expect("BUG: a proposer cannot vanish");
    state.executions.insert(proposal, Cbor(Stage::Queued));
    // A message of its own, so that no failure of it undoes the vote. Should it be
    // lost, housekeeping finds the proposal in the journal.
    runtime::run_after(Duration::ZERO, execution::execute(proposal));
}
