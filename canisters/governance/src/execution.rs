//! Executing what was adopted, once.
//!
//! ```text
//! Queued --(journal entry and call in one message)--> Started --> outcome recorded, entry gone
//!                                                        |
//!                                  nobody waits for an answer any more: outcome unknown
//! ```
//! The entry says `Started` before the call leaves, in the same message, so there is
//! no moment at which a crash could make governance call again. A call whose answer
//! is lost (the target never replies, governance was upgraded in the middle, the
//! callback trapped) is recorded as failed with an unknown outcome and not repeated.

use std::cell::RefCell;
use std::collections::BTreeSet;

use minicbor::{Decode, Encode};
use stoa_governance_api::code::ErrorType;

use crate::action::Action;
use crate::cbor::Cbor;
use crate::memory::{State, with_state};
use crate::proposal::Failure;
use crate::runtime;

/// The system's longest for a best-effort call.
const TARGET_TIMEOUT_SECONDS: u32 = 300;
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
            .then_some(Self(proposal))
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
    let outcome = perform(proposal).await;
    record(proposal, outcome);
    drop(executing);
}

async fn perform(proposal: u64) -> Result<(), Failure> {
    let content = with_state(|state| state.content_of(proposal))
        .expect("BUG: an adopted proposal without content");
    let refused = |refusal: crate::refusal::Refusal| {
        let error: stoa_governance_api::GovernanceError = refusal.into();
        Failure {
            error_type: error.error_type,
            message: error.error_message,
        }
    };
    match content.action {
        Action::Motion { .. } => Ok(()),
        Action::AddFunction { function } => {
            with_state(|state| state.add_function(function, runtime::canister_self()))
                .map_err(refused)
        }
        Action::RemoveFunction { id } => {
            with_state(|state| state.remove_function(id)).map_err(refused)
        }
        Action::ExecuteFunction { id, payload } => {
            let function = with_state(|state| {
                let function = state.generic_function(id)?;
                let started = Stage::Started {
                    at_seconds: runtime::now_seconds(),
                };
                state.executions.insert(proposal, Cbor(started));
                Ok(function)
            })
            .map_err(refused)?;
            // Any reply is success, as the SNS has it: a target refuses by rejecting.
            runtime::call(
                function.target_canister,
                &function.target_method,
                &payload,
                TARGET_TIMEOUT_SECONDS,
            )
            .await
            .map(|_reply| ())
            .map_err(|failure| {
                let certainty = if failure.refused {
                    "was not executed"
                } else {
                    "failed, possibly after a part of its effect"
                };
                external(format!(
                    "`{}` of {} {certainty}: {}",
                    function.target_method, function.target_canister, failure.message
                ))
            })
        }
    }
}

fn external(message: String) -> Failure {
    Failure {
        error_type: ErrorType::External.number(),
        message,
    }
}

fn record(proposal: u64, outcome: Result<(), Failure>) {
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
        state.set_progress(proposal, &progress);
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
            .take(at_most)
            .map(|(proposal, stage)| match stage {
                Stage::Queued => Stray::Queued(proposal),
                Stage::Started { .. } => Stray::Lost(proposal),
            })
            .collect()
    })
}

pub fn give_up(proposal: u64) {
    record(
        proposal,
        Err(external(
            "the outcome is not known: governance was interrupted while it waited for the \
             target's answer; the call is not repeated"
                .to_string(),
        )),
    );
}
