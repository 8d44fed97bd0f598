//! The end of what nobody decided about: drafts and sealed versions that nobody touched are removed, proposed ones whose
//! proposal nobody noted are rejected, all when their deadline is past. A few in a message.

use std::time::Duration;

use stoa_types::Sha256;

use crate::guard;
use crate::runtime::{Runtime, Task};
use crate::state::records::{Cause, Status};
use crate::state::{Decision, State, with_mut};

/// Removing a version with the largest manifest takes about 2 billion instructions.
const PER_RUN: usize = 5;

pub fn run(runtime: &impl Runtime) {
    let is_more = with_mut(|state| sweep(state, runtime));
    if is_more {
        runtime.schedule(Duration::ZERO, Task::Sweep);
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
        if guard::is_locked(version) || state.watched.contains_key(digest) {
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
