//! One run of a model, slice by slice. Each slice is a message of its own (`c2c_run`), so that a trap in it is an answer
//! to whoever waits and no more, and so that a run may need more instructions than a message has.
//!
//! Between two slices activations are in the heap. An upgrade loses them: a call that pays gets its money back, a job
//! begins again from its stored input. They are not written to stable memory: that would cost each of the many runs that
//! nothing interrupts some hundred million instructions a slice, to spare the one in a thousand that an upgrade meets.

use stoa_engine::Slicing;
use stoa_types::Sha256;
use stoa_types::pipeline::Answer;

use crate::limits::{OUTPUT_BYTES_MAX, SLICE_INSTRUCTIONS};
use crate::price;
use crate::runner::{Checked, Running, answer_bytes};
use crate::runtime::Runtime;
use crate::volatile;

/// A run on its way between the message that waits for it and the messages that run it.
pub struct PendingRun {
    pub version: Sha256,
    stage: Stage,
    instructions: u64,
    /// Where it is ended as a failure.
    limit: u64,
    job: Option<u64>,
}

enum Stage {
    Begun(Checked),
    Paused(Running),
    Ended(Result<Answer, String>),
    /// In a message now; also what is left where that message trapped and its changes were lost with it natively.
    InMessage,
}

impl PendingRun {
    pub fn is_long(&self) -> bool {
        self.limit > price::Expected::of_one_message().limit()
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct Finished {
    pub answer: Answer,
    pub instructions: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RunEnd {
    /// It ran and failed, and would fail again.
    Failed(String),
    /// A message of it did not come back: a trap, a stop, an upgrade.
    Interrupted(String),
}

impl RunEnd {
    pub fn into_message(self) -> String {
        match self {
            RunEnd::Failed(message) | RunEnd::Interrupted(message) => message,
        }
    }
}

/// The run is in the table for as long as this value lives.
struct RunSlot(u64);

impl Drop for RunSlot {
    fn drop(&mut self) {
        volatile::remove_run(self.0);
    }
}

pub async fn run<R: Runtime>(
    runtime: &R,
    version: Sha256,
    checked: Checked,
    limit: u64,
    job: Option<u64>,
) -> Result<Finished, RunEnd> {
    let slot = RunSlot(volatile::insert_run(PendingRun {
        version,
        stage: Stage::Begun(checked),
        instructions: 0,
        limit,
        job,
    }));
    let argument = candid::encode_one(slot.0).expect("BUG: a number encodes");
    loop {
        runtime
            .call(runtime.own_id(), "c2c_run", argument.clone())
            .await
            .map_err(|failure| RunEnd::Interrupted(failure.message))?;
        let lost = || RunEnd::Interrupted("the run left no result".to_owned());
        let pending = volatile::remove_run(slot.0).ok_or_else(lost)?;
        match pending.stage {
            Stage::Ended(Ok(answer)) => {
                let bytes = answer_bytes(&answer);
                if bytes > OUTPUT_BYTES_MAX {
                    return Err(RunEnd::Failed(format!(
                        "the answer has {bytes} bytes, at most {OUTPUT_BYTES_MAX} are allowed"
                    )));
                }
                return Ok(Finished {
                    answer,
                    instructions: pending.instructions,
                });
            }
            Stage::Ended(Err(message)) => return Err(RunEnd::Failed(message)),
            Stage::Paused(_) => volatile::put_run(slot.0, pending),
            Stage::Begun(_) | Stage::InMessage => return Err(lost()),
        }
    }
}

/// `c2c_run`, which only this canister may call: one slice.
pub fn execute<R: Runtime>(runtime: &R, id: u64) {
    let Some(mut pending) = volatile::remove_run(id) else {
        return;
    };
    let before = runtime.instructions();
    let stage = std::mem::replace(&mut pending.stage, Stage::InMessage);
    let may_continue = || runtime.instructions().saturating_sub(before) < SLICE_INSTRUCTIONS;
    let stepped = match stage {
        Stage::Begun(checked) => volatile::use_model(&pending.version)
            .ok_or_else(|| "the model left the heap".to_owned())
            .and_then(|compiled| compiled.start(checked))
            .and_then(|running| running.step(may_continue)),
        Stage::Paused(running) => running.step(may_continue),
        ended @ (Stage::Ended(_) | Stage::InMessage) => {
            pending.stage = ended;
            volatile::put_run(id, pending);
            return;
        }
    };
    let used = runtime.instructions().saturating_sub(before);
    pending.instructions = pending.instructions.saturating_add(used);
    pending.stage = match stepped {
        Ok(Slicing::Done(answer)) => Stage::Ended(Ok(answer)),
        Ok(Slicing::Paused(_)) if pending.instructions > pending.limit => {
            Stage::Ended(Err(format!(
                "it needs more than {} instructions, of which no more were expected and paid for",
                pending.limit
            )))
        }
        Ok(Slicing::Paused(running)) => Stage::Paused(running),
        Err(message) => Stage::Ended(Err(message)),
    };
    if let Some(job) = pending.job {
        volatile::note_job_progress(job, pending.instructions);
    }
    volatile::put_run(id, pending);
}
