//! The seam to the system: time, certified data, timers and calls. Logic takes
//! a `Runtime`, so that tests can suspend a call in the middle and run its rival.

use std::time::Duration;

use candid::utils::ArgumentEncoder;
use candid::{CandidType, Principal};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use stoa_shard_api::{ConfirmResult, ExpectArgs, ExpectResult, ShardStatus};
use stoa_types::Sha256;

/// A call had no usable answer. Whether it took effect is unknown; every call made here may be repeated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallFailed {
    pub message: String,
}

/// Work that a timer starts. Each is idempotent and looks up itself what there is to do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Task {
    /// Storage deposits on their way.
    Deposits,
    /// Versions whose time is over.
    Sweep,
    /// What became of admission proposals.
    Proposals,
    /// Inference canisters that have to hear of a revocation.
    Notices,
    /// Shards that may let go of bytes.
    Releases,
    /// The search index, where an upgrade asked for a new one.
    Index,
    /// The canister's own cycles.
    Cycles,
    /// What the fleet has to do.
    Fleet,
    /// How the shards are.
    FleetWatch,
    /// Inference canisters that have to load what was assigned to them.
    Routes,
}

impl Task {
    pub const ALL: [Task; 10] = [
        Task::Deposits,
        Task::Sweep,
        Task::Proposals,
        Task::Notices,
        Task::Releases,
        Task::Index,
        Task::Cycles,
        Task::Fleet,
        Task::FleetWatch,
        Task::Routes,
    ];
}

/// A call had no usable answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallFailure {
    /// Whether it may have been executed all the same: unknown means unknown, never failed.
    pub is_unknown: bool,
    pub message: String,
}

pub trait Runtime {
    fn now_nanos(&self) -> u64;
    fn own_id(&self) -> Principal;
    fn cycle_balance(&self) -> u128;
    /// What can be spent without being frozen.
    fn liquid_cycles(&self) -> u128;
    /// For whoever reads the canister's log.
    fn log(&self, message: &str);
    /// Runs the task in a message of its own, not before `delay` is over.
    fn schedule(&self, delay: Duration, task: Task);
    /// A call with a bounded wait: whoever never answers must not keep the registry from being stopped and upgraded.
    async fn call(
        &self,
        callee: Principal,
        method: &'static str,
        argument: Vec<u8>,
    ) -> Result<Vec<u8>, CallFailure>;
    /// A call of the management canister, which always answers: without a bound, so that the outcome is known.
    async fn manage(
        &self,
        method: &'static str,
        argument: Vec<u8>,
        cycles: u128,
    ) -> Result<Vec<u8>, CallFailure>;
    fn set_certified_data(&self, root_hash: &[u8; 32]);
    /// Only within a query.
    fn certificate(&self) -> Option<Vec<u8>>;
    async fn expect_chunks(
        &self,
        shard: Principal,
        args: &ExpectArgs,
    ) -> Result<ExpectResult, CallFailed>;
    async fn confirm_chunks(
        &self,
        shard: Principal,
        hashes: &[Sha256],
    ) -> Result<ConfirmResult, CallFailed>;
    async fn shard_status(&self, shard: Principal) -> Result<ShardStatus, CallFailed>;
}

/// Calls and decodes. An answer that does not decode counts as unknown: something was executed.
pub async fn call<A: ArgumentEncoder, T: CandidType + DeserializeOwned>(
    runtime: &impl Runtime,
    callee: Principal,
    method: &'static str,
    arguments: A,
) -> Result<T, CallFailure> {
    let argument = candid::encode_args(arguments).expect("BUG: arguments do not encode");
    let reply = runtime.call(callee, method, argument).await?;
    candid::decode_one(&reply).map_err(|error| CallFailure {
        is_unknown: true,
        message: format!("the answer of {method} does not decode: {error}"),
    })
}

/// The same for a method whose answer has no values.
pub async fn call_for_nothing<A: ArgumentEncoder>(
    runtime: &impl Runtime,
    callee: Principal,
    method: &'static str,
    arguments: A,
) -> Result<(), CallFailure> {
    let argument = candid::encode_args(arguments).expect("BUG: arguments do not encode");
    runtime.call(callee, method, argument).await.map(|_| ())
}

/// The canister's own.
#[derive(Clone, Copy, Debug)]
pub struct Ic;

impl Runtime for Ic {
    fn now_nanos(&self) -> u64 {
        ic_cdk::api::time()
    }

    fn own_id(&self) -> Principal {
        ic_cdk::api::canister_self()
    }

    fn cycle_balance(&self) -> u128 {
        ic_cdk::api::canister_cycle_balance()
    }

    fn liquid_cycles(&self) -> u128 {
        ic_cdk::api::canister_liquid_cycle_balance()
    }

    fn log(&self, message: &str) {
        ic_cdk::api::debug_print(message);
    }

    fn schedule(&self, delay: Duration, task: Task) {
        if crate::tasks::note_due(self.now_nanos(), delay, task) {
            ic_cdk_timers::set_timer(delay, crate::tasks::run(&Ic, task));
        }
    }

    async fn call(
        &self,
        callee: Principal,
        method: &'static str,
        argument: Vec<u8>,
    ) -> Result<Vec<u8>, CallFailure> {
        use ic_cdk::call::{Call, CallFailed};
        let answer = Call::bounded_wait(callee, method)
            .take_raw_args(argument)
            .await;
        answer
            .map(|response| response.into_bytes())
            .map_err(|failed| CallFailure {
                is_unknown: match &failed {
                    CallFailed::InsufficientLiquidCycleBalance(_)
                    | CallFailed::CallPerformFailed(_) => false,
                    CallFailed::CallRejected(rejected) => {
                        !rejected.reject_code().is_ok_and(was_not_delivered)
                    }
                },
                message: failed.to_string(),
            })
    }

    async fn manage(
        &self,
        method: &'static str,
        argument: Vec<u8>,
        cycles: u128,
    ) -> Result<Vec<u8>, CallFailure> {
        let answer = ic_cdk::call::Call::unbounded_wait(Principal::management_canister(), method)
            .take_raw_args(argument)
            .with_cycles(cycles)
            .await;
        answer
            .map(|response| response.into_bytes())
            .map_err(|failed| CallFailure {
                is_unknown: false,
                message: failed.to_string(),
            })
    }

    fn set_certified_data(&self, root_hash: &[u8; 32]) {
        ic_cdk::api::certified_data_set(root_hash);
    }

    fn certificate(&self) -> Option<Vec<u8>> {
        ic_cdk::api::data_certificate()
    }

    async fn expect_chunks(
        &self,
        shard: Principal,
        args: &ExpectArgs,
    ) -> Result<ExpectResult, CallFailed> {
        call_shard(shard, "c2c_expect", args).await
    }

    async fn confirm_chunks(
        &self,
        shard: Principal,
        hashes: &[Sha256],
    ) -> Result<ConfirmResult, CallFailed> {
        call_shard(shard, "confirm_chunks", hashes).await
    }

    async fn shard_status(&self, shard: Principal) -> Result<ShardStatus, CallFailed> {
        let answer = ic_cdk::call::Call::bounded_wait(shard, "status").await;
        decode(answer)
    }
}

/// Whether a rejected call certainly had no effect: the system refused to deliver it. A callee that rejects or traps undoes only
/// its last step, and silence says nothing.
fn was_not_delivered(code: ic_cdk::call::RejectCode) -> bool {
    use ic_cdk::call::RejectCode;
    match code {
        RejectCode::SysFatal | RejectCode::SysTransient | RejectCode::DestinationInvalid => true,
        RejectCode::CanisterReject | RejectCode::CanisterError | RejectCode::SysUnknown => false,
    }
}

/// Bounded wait: a shard that never answers must not keep the registry from being stopped and upgraded.
async fn call_shard<A, R>(shard: Principal, method: &str, argument: &A) -> Result<R, CallFailed>
where
    A: CandidType + ?Sized,
    R: CandidType + for<'de> Deserialize<'de>,
{
    let answer = ic_cdk::call::Call::bounded_wait(shard, method)
        .with_arg(argument)
        .await;
    decode(answer)
}

fn decode<R>(
    answer: Result<ic_cdk::call::Response, ic_cdk::call::CallFailed>,
) -> Result<R, CallFailed>
where
    R: CandidType + for<'de> Deserialize<'de>,
{
    let failed = |message: String| CallFailed { message };
    let response = answer.map_err(|error| failed(error.to_string()))?;
    response.candid().map_err(|error| failed(error.to_string()))
}

/// Every task once now and then every hour: what was under way before an upgrade, a stop or a lost timer goes on.
pub fn arm_timers() {
    for task in Task::ALL {
        Ic.schedule(Duration::ZERO, task);
    }
    ic_cdk_timers::set_timer_interval(Duration::from_secs(3_600), || async {
        for task in Task::ALL {
            Ic.schedule(Duration::ZERO, task);
        }
    });
    // A timer that fires once, in the moment in which the canister is being stopped, does not fire again when it is started; one that
    // comes again does.
    ic_cdk_timers::set_timer_interval(Duration::from_secs(120), || async {
        for task in crate::tasks::lost(Ic.now_nanos()) {
            Ic.schedule(Duration::ZERO, task);
        }
    });
}

pub fn stable_memory_bytes() -> u64 {
    ic_cdk::stable::stable_size() * 65_536
}

pub fn caller() -> Principal {
    ic_cdk::api::msg_caller()
}

/// What the call came with, as it came.
pub fn argument_bytes() -> Vec<u8> {
    ic_cdk::api::msg_arg_data()
}

pub fn trap(message: &str) -> ! {
    ic_cdk::api::trap(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Statement 7.
    #[test]
    fn should_take_only_undelivered_calls_for_certainly_without_effect() {
        use ic_cdk::call::RejectCode;
        for (code, expected) in [
            (RejectCode::SysFatal, true),
            (RejectCode::SysTransient, true),
            (RejectCode::DestinationInvalid, true),
            (RejectCode::CanisterReject, false),
            (RejectCode::CanisterError, false),
            (RejectCode::SysUnknown, false),
        ] {
            assert_eq!(was_not_delivered(code), expected, "{code:?}");
        }
    }
}
