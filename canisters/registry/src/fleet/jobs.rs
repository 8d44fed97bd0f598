//! The queue of jobs: which step is due, what became of it, when to try again.

use std::time::Duration;

use crate::runtime::{Runtime, Task};
use crate::state::{State, with, with_mut};

use super::records::{Job, State as JobState, Work};
use super::{copy, create, mend, retire, serve};

/// Steps of one run. Each is a call or two; the next run follows at once.
const STEPS_PER_RUN: usize = 8;
/// A job that gets nowhere so often ends as failed; with the pauses below that is after about two days.
const ATTEMPTS_MAX: u64 = 60;
const RETRY_FIRST: Duration = Duration::from_secs(2);
const RETRY_LAST: Duration = Duration::from_secs(3_600);
/// Jobs that ended and are still listed.
const KEPT_MAX: u64 = 1_000;

/// What a step came to.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub enum Step {
    /// The next step is this, at once.
    Next(Work),
    /// The same again, after a pause that grows.
    Retry(String),
    /// This is next, after a pause; nothing went wrong.
    Wait(Work, Duration),
    Done,
    Failed(String),
}

pub fn enqueue(state: &mut State, runtime: &impl Runtime, work: Work) -> u64 {
    let now = runtime.now_nanos();
    let mut settings = state.fleet.settings.get().clone();
    let id = settings.next_job;
    settings.next_job += 1;
    state.fleet.settings.set(settings);
    let job = Job {
        work,
        state: JobState::Waiting,
        attempts: 0,
        due_at_nanos: now,
        created_at_nanos: now,
        updated_at_nanos: now,
        problem: None,
    };
    state.fleet.jobs.insert(id, job);
    state.fleet.queue.insert((now, id));
    forget_old(state);
    runtime.schedule(Duration::ZERO, Task::Fleet);
    id
}

/// Jobs that have not ended. They are few: Serve by the cap on open versions, the others by those who enqueue them.
pub fn waiting(state: &State) -> impl Iterator<Item = Job> + '_ {
    state.fleet.queue.iter().map(|(_, id)| {
        state
            .fleet
            .jobs
            .get(&id)
            .expect("BUG: a queued job is gone")
    })
}

fn forget_old(state: &mut State) {
    let mut settings = state.fleet.settings.get().clone();
    while settings.next_job - settings.first_job > KEPT_MAX {
        let Some(job) = state.fleet.jobs.get(&settings.first_job) else {
            settings.first_job += 1;
            continue;
        };
        if job.state == JobState::Waiting {
            break;
        }
        state.fleet.jobs.remove(&settings.first_job);
        settings.first_job += 1;
    }
    state.fleet.settings.set(settings);
}

pub async fn run(runtime: &impl Runtime) {
    for _ in 0..STEPS_PER_RUN {
        let now = runtime.now_nanos();
        let due = with(|state| state.fleet.queue.first().filter(|(due, _)| *due <= now));
        let Some((_, id)) = due else {
            break;
        };
        let job = with(|state| state.fleet.jobs.get(&id)).expect("BUG: a queued job is gone");
        let step = step(runtime, id, &job.work).await;
        with_mut(|state| settle(state, runtime, id, step));
    }
    let next = with(|state| state.fleet.queue.first());
    if let Some((due, _)) = next {
        let delay = due.saturating_sub(runtime.now_nanos());
        runtime.schedule(Duration::from_nanos(delay), Task::Fleet);
    }
}

async fn step(runtime: &impl Runtime, id: u64, work: &Work) -> Step {
    match work.clone() {
        Work::Serve {
            version,
            shard,
            file,
        } => serve::step(runtime, version, shard, file).await,
        Work::Copy {
            version,
            segment,
            to,
            instead_of,
            stage,
        } => {
            let copy = copy::Copy {
                version,
                segment,
                to,
                instead_of,
            };
            copy.step(runtime, stage).await
        }
        Work::Mend { shard, chunk } => mend::step(runtime, shard, chunk).await,
        Work::Create { stage } => create::step(runtime, id, stage).await,
        Work::Retire {
            shard,
            after,
            has_found,
        } => retire::step(runtime, shard, after, has_found),
    }
}

/// Writes down what a step came to.
pub fn settle(state: &mut State, runtime: &impl Runtime, id: u64, step: Step) {
    let Some(mut job) = state.fleet.jobs.get(&id) else {
        return;
    };
    let now = runtime.now_nanos();
    state.fleet.queue.remove(&(job.due_at_nanos, id));
    job.updated_at_nanos = now;
    let mut due_in = None;
    match step {
        Step::Next(work) => {
            job.work = work;
            job.attempts = 0;
            job.problem = None;
            due_in = Some(Duration::ZERO);
        }
        Step::Wait(work, pause) => {
            job.work = work;
            job.attempts = 0;
            due_in = Some(pause);
        }
        Step::Retry(problem) if job.attempts + 1 >= ATTEMPTS_MAX => {
            job.state = JobState::Failed;
            job.problem = Some(problem);
        }
        Step::Retry(problem) => {
            let doubled = RETRY_FIRST.saturating_mul(1 << job.attempts.min(20));
            job.attempts += 1;
            job.problem = Some(problem);
            due_in = Some(doubled.min(RETRY_LAST));
        }
        Step::Done => {
            job.state = JobState::Done;
            job.problem = None;
        }
        Step::Failed(problem) => {
            job.state = JobState::Failed;
            job.problem = Some(problem);
        }
    }
    if let Some(due_in) = due_in {
        job.due_at_nanos = now.saturating_add(due_in.as_nanos() as u64);
        state.fleet.queue.insert((job.due_at_nanos, id));
    }
    state.fleet.jobs.insert(id, job);
}

/// Writes a stage down in the middle of a step, before a call whose outcome may stay unknown.
pub fn note(state: &mut State, id: u64, work: Work) {
    if let Some(mut job) = state.fleet.jobs.get(&id) {
        job.work = work;
        state.fleet.jobs.insert(id, job);
    }
}
