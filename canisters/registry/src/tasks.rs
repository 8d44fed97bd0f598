//! What timers start. Of each task one timer is pending at a time, however often it is asked for.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::guard;
use crate::runtime::{Runtime, Task};
use crate::state::{self, with_mut};
use crate::{cycles, deposits, fleet, notices, proposals, release, route, sweep};

/// A timer may be late where the network is busy.
const LOST_AFTER_NANOS: u64 = 300 * 1_000_000_000;

thread_local! {
    /// When the next run of a task is due. Timers are lost in an upgrade, and so is this.
    static UNSTABLE_DUE_NANOS: RefCell<BTreeMap<Task, u64>> = const { RefCell::new(BTreeMap::new()) };
}

/// Whether a timer has to be set for a run after `delay`: not where one is pending that is due by then.
pub fn note_due(now_nanos: u64, delay: Duration, task: Task) -> bool {
    let delay_nanos = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
    let due_nanos = now_nanos.saturating_add(delay_nanos);
    UNSTABLE_DUE_NANOS.with_borrow_mut(|pending| {
        // One that should long have run is lost: its message trapped.
        let oldest_nanos = now_nanos.saturating_sub(LOST_AFTER_NANOS);
        let is_covered = pending
            .get(&task)
            .is_some_and(|pending_nanos| (oldest_nanos..=due_nanos).contains(pending_nanos));
        if !is_covered {
            pending.insert(task, due_nanos);
        }
        !is_covered
    })
}

/// Tasks whose timer is lost: it fired while the canister was being stopped, or its message trapped.
pub fn lost(now_nanos: u64) -> Vec<Task> {
    let oldest_nanos = now_nanos.saturating_sub(LOST_AFTER_NANOS);
    UNSTABLE_DUE_NANOS.with_borrow(|pending| {
        let lost = pending.iter().filter(|(_, due)| **due < oldest_nanos);
        lost.map(|(task, _)| *task).collect()
    })
}

pub async fn run(runtime: &impl Runtime, task: Task) {
    UNSTABLE_DUE_NANOS.with_borrow_mut(|pending| pending.remove(&task));
    // A run that waits for an answer goes on by itself and looks again.
    let Some(guard) = guard::lock_task(runtime, task) else {
        return;
    };
    match task {
        Task::Deposits => deposits::run(runtime).await,
        Task::Sweep => sweep::run(runtime),
        Task::Proposals => proposals::run(runtime).await,
        Task::Notices => notices::run(runtime).await,
        Task::Releases => release::run(runtime).await,
        Task::Index => with_mut(|state| state::bring_up(state, runtime)),
        Task::Cycles => cycles::run(runtime).await,
        Task::Fleet => fleet::jobs::run(runtime).await,
        Task::FleetWatch => fleet::watch::run(runtime).await,
        Task::Routes => route::run(runtime).await,
    }
    drop(guard);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_set_one_timer_for_a_task_however_often_it_is_asked_for() {
        let task = Task::Cycles;
        let second = Duration::from_secs(1);
        assert!(note_due(100, second, task));
        assert!(!note_due(100, second, task));
        assert!(!note_due(100, 2 * second, task));
        assert!(
            note_due(100, Duration::ZERO, task),
            "earlier than the pending one"
        );
        assert!(!note_due(200, second, task));
        let later = 100 + LOST_AFTER_NANOS + 1;
        assert_eq!(lost(later - 1), []);
        assert_eq!(lost(later), [task]);
        assert!(note_due(later, second, task), "the pending one is lost");
        assert_eq!(lost(later), []);
    }
}
