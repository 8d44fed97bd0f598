//! What time brings about: deadlines, neurons that count differently, executions that
//! were interrupted, ballots that nobody needs. Each piece is bounded; what is left
//! over is done the next time.

use std::cell::Cell;
use std::time::Duration;

use crate::decide::decide_if_due;
use crate::execution::{self, Stray};
use crate::memory::{State, with_state};
use crate::neurons::Slicing;
use crate::{actions, dao_canisters, movement, payment, rewards, rollout, runtime};

pub const INTERVAL: Duration = Duration::from_secs(60);
const CLOSED_AT_ONCE_MAX: usize = 50;
const STRAYS_AT_ONCE_MAX: usize = 50;
/// About 0.2 M instructions each: it lies in two orders.
const BALLOTS_DROPPED_AT_ONCE_MAX: usize = 1_000;

thread_local! {
    /// When the earliest timer that was set for a deadline fires; 0 for none.
    static UNSTABLE_ARMED_AT_SECONDS: Cell<u64> = const { Cell::new(0) };
}

/// To be called after install and upgrade: timers do not survive either.
pub fn start() {
    UNSTABLE_ARMED_AT_SECONDS.set(0);
    runtime::run_every(INTERVAL, run);
    runtime::run_after(Duration::ZERO, run());
    payment::arm();
}

/// Besides the regular rounds, one at the next deadline, which should not wait a
/// minute. One timer at a time is enough: its round sets the next.
pub fn wake_at_next_deadline(state: &State, now: u64) {
    let Some(((deadline, _), ())) = state.deadlines.first_key_value() else {
        return;
    };
    let armed = UNSTABLE_ARMED_AT_SECONDS.get();
    if armed > now && armed <= deadline {
        return;
    }
    UNSTABLE_ARMED_AT_SECONDS.set(deadline);
    let delay = Duration::from_secs(deadline.saturating_sub(now));
    runtime::run_after(delay, again());
}

#[cfg(test)]
pub fn forget_armed() {
    UNSTABLE_ARMED_AT_SECONDS.set(0);
}

pub async fn run() {
    let now = runtime::now_seconds();
    // First, so that what is adopted below is not taken for a stray.
    for stray in execution::strays(STRAYS_AT_ONCE_MAX) {
        match stray {
            // Each in its own message: a trap of one must not keep the others back.
            Stray::Queued(proposal) => {
                runtime::run_after(Duration::ZERO, execution::execute(proposal))
            }
            Stray::Lost(proposal) => {
                runtime::run_after(Duration::ZERO, execution::recover(proposal))
            }
        }
    }
    payment::wake_due();
    dao_canisters::keep_itself_alive();
    dao_canisters::look_after_others();
    actions::start_remembered();
    rollout::go_on();
    movement::resume();
    let slicing = with_state(|state| {
        actions::forget_modules(state);
        if state.work_off_cascades(now) == Slicing::Paused {
            runtime::run_after(Duration::ZERO, follow());
        }
        close_voting(state, now);
        drop_ballots(state);
        wake_at_next_deadline(state, now);
        state.work_off_recounts(now)
    });
    if slicing == Slicing::Paused {
        runtime::run_after(Duration::ZERO, again());
    }
    // Asks the ledger; all else is done by then.
    if rewards::run().await == Slicing::Paused {
        runtime::run_after(Duration::ZERO, share_out());
    }
}

/// Goes on with the votes of followers until all are cast.
pub fn follow() -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async {
        let now = runtime::now_seconds();
        let slicing = with_state(|state| state.work_off_cascades(now));
        if slicing == Slicing::Paused {
            runtime::run_after(Duration::ZERO, follow());
        } else {
            // A deadline may have passed while followers voted.
            with_state(|state| close_voting(state, now));
        }
    })
}

/// Goes on with the rewards of a round until all are credited.
fn share_out() -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async {
        if rewards::run().await == Slicing::Paused {
            runtime::run_after(Duration::ZERO, share_out());
        }
    })
}

/// A boxed `run`, since a future cannot contain itself.
fn again() -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(run())
}

/// Proposals whose deadline has passed are decided, if they are not, and take no votes.
fn close_voting(state: &mut State, now: u64) {
    let due: Vec<(u64, u64)> = state
        .deadlines
        .keys()
        .take_while(|(deadline, _)| *deadline <= now)
        .take(CLOSED_AT_ONCE_MAX)
        .collect();
    for (deadline, proposal) in due {
        // What was voted in time is followed first.
        if state.is_cascading(proposal) {
            continue;
        }
        let (Ok(mut progress), Ok(terms)) = (state.progress_of(proposal), state.terms_of(proposal))
        else {
            panic!("BUG: proposal {proposal} has a deadline and no terms");
        };
        decide_if_due(state, proposal, &mut progress, &terms, now);
        state.set_progress(proposal, &progress, &terms);
        state.deadlines.remove(&(deadline, proposal));
        state.voting.remove(&proposal);
        state.close_for_rewards(proposal, terms.is_eligible_for_rewards.0);
    }
}

/// Ballots of closed proposals are kept as long as there is room by the parameter,
/// then the oldest go; the tally stays.
fn drop_ballots(state: &mut State) {
    let max = state.parameters().max_number_of_proposals_with_ballots;
    let mut left = BALLOTS_DROPPED_AT_ONCE_MAX;
    while left > 0 && state.closed_with_ballots.len() > max {
        let Some((proposal, ())) = state.closed_with_ballots.first_key_value() else {
            return;
        };
        let keys: Vec<_> = state
            .ballots
            .keys_range((proposal, [0; 32])..=(proposal, [u8::MAX; 32]))
            .take(left)
            .collect();
        if keys.len() < left {
            state.closed_with_ballots.remove(&proposal);
        }
        left -= keys.len();
        for (proposal, neuron) in keys {
            state.remove_ballot(proposal, neuron);
        }
    }
}
