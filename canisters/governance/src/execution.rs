//! Executing what was adopted, once.
//!
//! ```text
//! Queued --(journal entry and call in one message)--> Started ------> outcome recorded, entry gone
//!                                                      |    |                  ^
//!                                                      |    +--> InJournal ----+  the action's own
//!                                                      v                          journal goes on
//!                     nobody waits for an answer any more: `Action::recover`, else outcome unknown
//! ```
//! The entry says `Started` before the call leaves, in the same message, so there is
//! no moment at which a crash could make governance call again. A call whose answer
//! is lost (the target never replies, governance was upgraded in the middle, the
//! callback trapped) is not repeated: the action is asked whether the outcome can be
//! learnt, and where it cannot, the execution is recorded as failed with an unknown
//! outcome.

use std::cell::RefCell;
use std::collections::BTreeSet;

use minicbor::{Decode, Encode};
use stoa_governance_api::code::ErrorType;

use crate::actions::Performed;
use crate::cbor::Cbor;
use crate::memory::{State, with_state};
use crate::proposal::Failure;
use crate::{runtime, self_upgrade};

const FAILURE_MESSAGE_LENGTH_BYTES_MAX: usize = 4_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Stage {
    #[n(0)]
    Queued,
    #[n(1)]
    Started {
        #[n(0)]
        at_seconds: u64,
    },
    /// A journal of the action's own records the outcome.
    #[n(2)]
    InJournal,
}

thread_local! {
    /// Proposals that a call of this very run of the canister waits for.
    static UNSTABLE_EXECUTING: RefCell<BTreeSet<u64>> = const { RefCell::new(BTreeSet::new()) };
}

/// Held from before the call until its outcome is recorded; a trap in the callback
/// gives it back, since the future is dropped then.
#[must_use]
struct Executing(u64);

impl Executing {
    fn enter(proposal: u64) -> Option<Self> {
        UNSTABLE_EXECUTING
            .with_borrow_mut(|executing| executing.insert(proposal))
            .then(|| Self(proposal))
    }
}

impl Drop for Executing {
    fn drop(&mut self) {
        UNSTABLE_EXECUTING.with_borrow_mut(|executing| executing.remove(&self.0));
    }
}

#[cfg(test)]
pub fn forget_executing() {
    UNSTABLE_EXECUTING.with_borrow_mut(BTreeSet::clear);
}

fn stage(state: &State, proposal: u64) -> Option<Stage> {
    state.executions.get(&proposal).map(|Cbor(stage)| stage)
}

/// Executes the proposal if it waits for that, and does nothing else.
pub async fn execute(proposal: u64) {
    let Some(executing) = Executing::enter(proposal) else {
        return;
    };
    if with_state(|state| stage(state, proposal)) != Some(Stage::Queued) {
        return;
    }
    // It waits in the queue: what it calls would be refused.
    if self_upgrade::is_under_way() {
        return;
    }
    let content = with_state(|state| state.content_of(proposal))
        .expect("BUG: an adopted proposal without content");
    let performed = match with_state(|state| content.action.check(state)) {
        Ok(()) => content.action.execute(proposal).await,
        Err(refusal) => Err::<(), _>(refusal).into(),
    };
    conclude(proposal, performed);
    drop(executing);
}

/// To be called by an action in the message that makes its first call.
pub fn begin(state: &mut State, proposal: u64) {
    let started = Stage::Started {
        at_seconds: runtime::now_seconds(),
    };
    state.executions.insert(proposal, Cbor(started));
}

fn conclude(proposal: u64, performed: Performed) {
    match performed {
        Performed::Finished(outcome) => record(proposal, outcome),
        Performed::InJournal => with_state(|state| {
            // The journal may have been quicker, and then the entry is gone.
            if state.executions.contains_key(&proposal) {
                state.executions.insert(proposal, Cbor(Stage::InJournal));
            }
        }),
    }
}

pub fn external(message: String) -> Failure {
    Failure {
        error_type: ErrorType::External.number(),
        message,
    }
}

/// Writes the outcome down, the first that comes.
pub fn record(proposal: u64, outcome: Result<(), Failure>) {
    let now = runtime::now_seconds();
    with_state(|state| {
        // Housekeeping may have given up on it; what it recorded stands.
        if state.executions.remove(&proposal).is_none() {
            return;
        }
        let mut progress = state
            .progress_of(proposal)
            .expect("BUG: an adopted proposal without progress");
        match outcome {
            Ok(()) => progress.executed_at_seconds = now,
            Err(mut failure) => {
                progress.failed_at_seconds = now;
                truncate(&mut failure.message, FAILURE_MESSAGE_LENGTH_BYTES_MAX);
                state.failures.insert(proposal, Cbor(failure));
            }
        }
        let terms = state
            .terms_of(proposal)
            .expect("BUG: an adopted proposal without terms");
        state.set_progress(proposal, &progress, &terms);
    });
}

fn truncate(text: &mut String, max: usize) {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max));
    }
}

/// What to do about a journal entry that nobody works on.
pub enum Stray {
    /// It was never begun: execute it.
    Queued(u64),
    /// Its answer is lost.
    Lost(u64),
}

pub fn strays(at_most: usize) -> Vec<Stray> {
    with_state(|state| {
        state
            .executions
            .iter()
            .map(|entry| (*entry.key(), entry.value().0))
            .filter(|(proposal, _)| {
                UNSTABLE_EXECUTING.with_borrow(|executing| !executing.contains(proposal))
            })
            .filter_map(|(proposal, stage)| match stage {
                Stage::Queued => Some(Stray::Queued(proposal)),
                Stage::Started { .. } => Some(Stray::Lost(proposal)),
                Stage::InJournal => None,
            })
            .take(at_most)
            .collect()
    })
}

/// Learns the outcome of an execution whose answer is lost, or gives it up.
pub async fn recover(proposal: u64) {
    let Some(executing) = Executing::enter(proposal) else {
        return;
    };
    let content = with_state(|state| state.content_of(proposal))
        .expect("BUG: an adopted proposal without content");
    let performed = content.action.recover(proposal).await.unwrap_or_else(|| {
        Performed::Finished(Err(external(
            "the outcome is not known: governance was interrupted while it waited for the \
             target's answer; the call is not repeated"
                .to_string(),
        )))
    });
    conclude(proposal, performed);
    drop(executing);
}
