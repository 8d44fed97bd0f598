//! The end of what nobody decided about: drafts and sealed versions that nobody touched are removed, proposed ones whose
//! proposal nobody noted are rejected, all when their deadline is past. A few in a message.

use std::time::Duration;

use stoa_types::Sha256;

use crate::guard;
use crate::runtime::{Runtime, Task};
use crate::state::records::{Cause, Status};
use crate::state::{Decision, State, with, with_mut};

/// Removing a version with the largest manifest takes about 2 billion instructions.
const PER_RUN: usize = 5;

/// The sweep that comes by itself.
const PERIOD_NANOS: u64 = 3_600 * 1_000_000_000;

pub fn run(runtime: &impl Runtime) {
    let is_more = with_mut(|state| sweep(state, runtime));
    if is_more {
        runtime.schedule(Duration::ZERO, Task::Sweep);
    } else if let Some((deadline_nanos, _)) = with(|state| state.deadlines.first()) {
        // The timer that was set for a deadline before the next period is lost in an upgrade, which runs this.
        let delay_nanos = deadline_nanos.saturating_sub(runtime.now_nanos());
        if delay_nanos < PERIOD_NANOS {
            runtime.schedule(Duration::from_nanos(delay_nanos + 1), Task::Sweep);
        }
    }
}

/// Whether it has to come again at once.
fn sweep(state: &mut State, runtime: &impl Runtime) -> bool {
    let past = (runtime.now_nanos(), [255; 32]);
    let due: Vec<_> = state.deadlines.range(..=past).take(PER_RUN).collect();
    for (_, digest) in &due {
        let version = Sha256(*digest);
        let Some(mut record) = state.version(&version) else {
            panic!("BUG: a deadline of a version that is gone");
        };
        // Whoever works on it right now shows interest; and a proposal that is known will be decided.
        if guard::is_locked(runtime, version) || state.watched.contains_key(digest) {
            state.touch(runtime, version);
        } else if record.status == Status::Proposed {
            let decision = Decision {
                reason: Some("nobody said which proposal is about it".to_owned()),
                successor: None,
            };
            record.proposal_id = None;
            let actor = runtime.own_id();
            state.set_status(runtime, actor, version, record, Status::Rejected, decision);
        } else {
            state.remove_version(runtime, runtime.own_id(), version, Cause::Expired);
        }
    }
    due.len() == PER_RUN
}
