//! Runs that take several messages: a job has its input in stable memory under the id of its payment, and goes on until
//! it ends, whoever waits for it.
//!
//! ```text
//! (input stored, payment Charging) --charged--> Open --run--> Done   receipt, answer stored, payment Earned
//!                |                               |  ^   +---> Failed payment Credited
//!                +--not charged--> Failed        +--+ an upgrade or a trap loses the run: it is begun again, five times
//! ```
//!
//! What must hold: a job is paid once, however often it is begun; its payment is settled in the message in which it
//! ends; input and answer do not outlive their use.

use candid::Principal;
use stoa_inference_api::{GetJobError, GetJobResult, JobState, Receipt};
use stoa_types::Sha256;
use stoa_types::pipeline::{Input, hash_answer, hash_input};

use crate::limits::{
    JOB_STARTS_MAX, JOBS_KEPT, JOBS_KEPT_MAX, JOBS_OF_CALLER_MAX, JOBS_OPEN_MAX, RETRY_WHILE_BUSY,
};
use crate::price::{self, Expected};
use crate::receipts::{self, Entry};
use crate::run::{self, RunEnd};
use crate::runtime::{Runtime, Task};
use crate::stored::{Job, StoredAnswer, StoredJob, StoredJobState, StoredPaymentState};
use crate::volatile::{self, JobGuard, PaymentGuard};
use crate::{infer, journal, payment, registration, state};

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TooManyJobs;

pub fn check_room(caller: Principal) -> Result<(), TooManyJobs> {
    let open = open_jobs();
    let own = open.iter().filter(|job| job.caller == caller).count();
    if open.len() as u64 >= JOBS_OPEN_MAX || own >= JOBS_OF_CALLER_MAX {
        return Err(TooManyJobs);
    }
    Ok(())
}

/// For a payment that was just opened.
pub fn create<R: Runtime>(runtime: &R, id: u64, caller: Principal, version: Sha256, input: &Input) {
    prune(runtime);
    let bytes = candid::encode_one(input).expect("BUG: an input encodes");
    state::with_mut(|state| state.job_inputs.insert(id, bytes));
    put(Job {
        id,
        caller,
        version,
        created_at_nanos: runtime.now_nanos(),
        starts: 0,
        state: StoredJobState::Open,
    });
}

/// What a charge means for the job that it is for.
pub fn after_charge<R: Runtime>(runtime: &R, id: u64) {
    if !is_open(id) {
        return;
    }
    match journal::get(id).state {
        StoredPaymentState::Charged { .. } => {
            runtime.schedule(std::time::Duration::ZERO, Task::Jobs);
        }
        StoredPaymentState::NotCharged { message } | StoredPaymentState::Unresolved { message } => {
            end(
                id,
                StoredJobState::Failed {
                    at_nanos: runtime.now_nanos(),
                    message,
                },
            );
        }
        _ => {}
    }
}

pub fn is_open(id: u64) -> bool {
    find(id).is_some_and(|job| job.state == StoredJobState::Open)
}

pub fn open_count() -> u64 {
    open_jobs().len() as u64
}

/// At most `JOBS_OPEN_MAX` and those kept are looked at.
fn open_jobs() -> Vec<Job> {
    state::with(|state| {
        state
            .jobs
            .values()
            .map(|StoredJob::V1(job)| job)
            .filter(|job| job.state == StoredJobState::Open)
            .collect()
    })
}

/// The timer's form: every job that is paid and not running.
pub async fn drive<R: Runtime>(runtime: &R) {
    prune(runtime);
    let open = open_jobs();
    if !open.is_empty() {
        // Should a message of this chain trap, the next timer goes on where the records say.
        runtime.schedule(RETRY_WHILE_BUSY, Task::Jobs);
    }
    for job in open {
        drive_one(runtime, job.id).await;
    }
}

/// Runs a job to its end, if it is paid, its model is there, and nobody else is at it.
pub async fn drive_one<R: Runtime>(runtime: &R, id: u64) {
    let Some(_guard) = JobGuard::lock(id) else {
        return;
    };
    let Some(job) = find(id).filter(|job| job.state == StoredJobState::Open) else {
        return;
    };
    if !matches!(
        state::payment(id).map(|payment| payment.state),
        Some(StoredPaymentState::Charged { .. })
    ) || !volatile::has_room_for_a_long_run()
    {
        return;
    }
    if job.starts >= JOB_STARTS_MAX {
        fail(
            runtime,
            id,
            format!("it was begun {JOB_STARTS_MAX} times and did not end"),
        );
        return;
    }
    if let Err(error) = registration::check_admitted(job.version) {
        fail(runtime, id, format!("it cannot run any more: {error:?}"));
        return;
    }
    if infer::check_ready(runtime, job.version).is_err() {
        if !is_coming(&job.version) {
            fail(
                runtime,
                id,
                "its model cannot be loaded any more".to_owned(),
            );
        }
        return;
    }
    let Some((checked, expected)) = prepare(&job) else {
        fail(runtime, id, "its input does not fit any more".to_owned());
        return;
    };
    if !infer::has_cycles_for(runtime, expected.instructions) {
        return;
    }
    // Written down before the run: one that traps the canister counts although it leaves no trace.
    put(Job {
        starts: job.starts + 1,
        ..job.clone()
    });
    let input_hash = hash_input(&checked.input);
    let ended = run::run(runtime, job.version, checked, expected.limit(), Some(id)).await;
    // Read again: an answer for a job that ended meanwhile is of no use to anybody.
    if !is_open(id) {
        return;
    }
    match ended {
        Ok(finished) => {
            let Some(load) = state::load(&job.version) else {
                fail(runtime, id, "its model was taken away".to_owned());
                return;
            };
            let payment = journal::get(id);
            let price = infer::settled_price(&load, &payment, finished.instructions);
            // One message, no call in between: receipt, accounts, journal and job change together.
            let receipt = receipts::append(
                runtime,
                Entry {
                    version: job.version,
                    caller: job.caller,
                    input_hash,
                    output_hash: hash_answer(&finished.answer),
                    instructions: finished.instructions,
                    price: infer::stored_price(payment.unit, price),
                    payment_block: infer::block_of(&payment),
                },
            );
            payment::earn(id, &load, price, receipt.id);
            state::with_mut(|state| {
                state
                    .job_answers
                    .insert(id, StoredAnswer::V1(finished.answer))
            });
            end(
                id,
                StoredJobState::Done {
                    at_nanos: runtime.now_nanos(),
                    receipt: receipt.id,
                },
            );
        }
        Err(RunEnd::Failed(message)) => fail(runtime, id, message),
        // The timer begins it again.
        Err(RunEnd::Interrupted(_)) => {}
    }
}

/// Whether a model that is not ready will be.
fn is_coming(version: &Sha256) -> bool {
    state::load(version)
        .is_some_and(|load| !matches!(load.state, crate::stored::StoredLoadState::Failed { .. }))
}

fn prepare(job: &Job) -> Option<(crate::runner::Checked, Expected)> {
    let bytes = state::with(|state| state.job_inputs.get(&job.id))?;
    let input: Input = candid::decode_one(&bytes).ok()?;
    let compiled = volatile::use_model(&job.version)?;
    let checked = compiled.check(input).ok()?;
    let expected = price::expected(&job.version, checked.units()).ok()?;
    Some((checked, expected))
}

fn fail<R: Runtime>(runtime: &R, id: u64, message: String) {
    // Somebody may still be asking the ledger.
    let Some(_guard) = PaymentGuard::lock(id) else {
        return;
    };
    if matches!(journal::get(id).state, StoredPaymentState::Charged { .. }) {
        payment::give_back(id);
    }
    end(
        id,
        StoredJobState::Failed {
            at_nanos: runtime.now_nanos(),
            message,
        },
    );
}

fn end(id: u64, new: StoredJobState) {
    if let Some(job) = find(id) {
        state::with_mut(|state| state.job_inputs.remove(&id));
        volatile::forget_job_progress(id);
        put(Job { state: new, ..job });
    }
}

pub fn find(id: u64) -> Option<Job> {
    let StoredJob::V1(job) = state::with(|state| state.jobs.get(&id))?;
    Some(job)
}

fn put(job: Job) {
    state::with_mut(|state| state.jobs.insert(job.id, StoredJob::V1(job)));
}

/// Lets go of ended jobs: old ones, and the oldest where there are too many.
fn prune<R: Runtime>(runtime: &R) {
    let now = runtime.now_nanos();
    let ended: Vec<(u64, u64)> = state::with(|state| {
        state
            .jobs
            .values()
            .filter_map(|StoredJob::V1(job)| match job.state {
                StoredJobState::Open => None,
                StoredJobState::Done { at_nanos, .. } | StoredJobState::Failed { at_nanos, .. } => {
                    Some((job.id, at_nanos))
                }
            })
            .collect()
    });
    let too_many = (ended.len() as u64).saturating_sub(JOBS_KEPT_MAX - 1) as usize;
    for (index, (id, at_nanos)) in ended.into_iter().enumerate() {
        let is_old = u128::from(now.saturating_sub(at_nanos)) > JOBS_KEPT.as_nanos();
        if is_old || index < too_many {
            state::with_mut(|state| {
                state.jobs.remove(&id);
                state.job_answers.remove(&id);
            });
        }
    }
}

/// Only its caller may read it.
pub fn get_job(caller: Principal, id: u64) -> GetJobResult {
    find(id)
        .filter(|job| job.caller == caller)
        .map(to_wire)
        .ok_or(GetJobError::NotFound { id })
}

/// Newest first, without answers.
pub fn list_jobs(caller: Principal) -> Vec<u64> {
    state::with(|state| {
        state
            .jobs
            .iter()
            .rev()
            .map(|entry| entry.value())
            .filter(|StoredJob::V1(job)| job.caller == caller)
            .map(|StoredJob::V1(job)| job.id)
            .collect()
    })
}

/// What a job that is done has to say.
pub fn result(job: &Job) -> Option<(stoa_types::pipeline::Answer, Receipt)> {
    let StoredJobState::Done { receipt, .. } = job.state else {
        return None;
    };
    let StoredAnswer::V1(answer) = state::with(|state| state.job_answers.get(&job.id))?;
    Some((answer, receipts::read(receipt)?))
}

fn to_wire(job: Job) -> stoa_inference_api::Job {
    let state = match &job.state {
        StoredJobState::Open => match journal::get(job.id).state {
            StoredPaymentState::Charging => JobState::Paying,
            _ => JobState::Running {
                instructions_so_far: volatile::job_progress(job.id),
                restarts: job.starts.saturating_sub(1),
            },
        },
        StoredJobState::Done { .. } => {
            let (answer, receipt) = result(&job).expect("BUG: a job that is done has its answer");
            JobState::Done { answer, receipt }
        }
        StoredJobState::Failed { message, .. } => JobState::Failed {
            message: message.clone(),
        },
    };
    stoa_inference_api::Job {
        id: job.id,
        version: job.version,
        created_at_nanos: job.created_at_nanos,
        state,
    }
}
