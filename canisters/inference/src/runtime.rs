//! The only file that touches the system: time, calls, cycles, instructions, certified data, timers. Everything
//! else takes a [`Runtime`], so that native tests can stop a call in the middle and run its rival.

use std::future::Future;
use std::time::Duration;

use candid::utils::ArgumentEncoder;
use candid::{CandidType, Principal};
use ic_cdk::call::RejectCode;
use serde::de::DeserializeOwned;

/// Work that a timer starts. Each is idempotent and looks up itself what there is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Task {
    Loads,
    Payments,
    TopUp,
    Transfers,
    Payouts,
    Jobs,
    CyclesSample,
}

impl Task {
    pub const ALL: [Task; 7] = [
        Task::Loads,
        Task::Payments,
        Task::TopUp,
        Task::Transfers,
        Task::Payouts,
        Task::Jobs,
        Task::CyclesSample,
    ];
}

pub trait Runtime: Clone + 'static {
    fn now_nanos(&self) -> u64;
    fn own_id(&self) -> Principal;
    /// An inter-canister call that waits for its answer, however long.
    fn call(
        &self,
        callee: Principal,
        method: &'static str,
        argument: Vec<u8>,
    ) -> impl Future<Output = Result<Vec<u8>, CallFailure>>;
    /// Gives cycles of this canister to another. Returns what came back.
    fn deposit_cycles(&self, to: Principal, cycles: u128) -> impl Future<Output = u128>;
    fn attached_cycles(&self) -> u128;
    /// Returns what was accepted.
    fn accept_cycles(&self, max: u128) -> u128;
    fn cycle_balance(&self) -> u128;
    /// What can be spent without falling below the freezing limit.
    fn liquid_cycles(&self) -> u128;
    /// Instructions that this message has used.
    fn instructions(&self) -> u64;
    fn certify(&self, root: [u8; 32]);
    fn schedule(&self, delay: Duration, task: Task);
    /// Whether this message runs through consensus (a query called by itself does not).
    fn is_replicated(&self) -> bool;
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallFailure {
    pub outcome: Outcome,
    pub message: String,
}

/// Whether a call that failed may still have done something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The system never delivered it.
    NotExecuted,
    /// It may have been executed, in part or in full: unknown means unknown, never failed.
    Unknown,
}

/// A callee that rejects or traps undoes only its last step, so that says nothing about a method with an await in it.
fn outcome_of(code: RejectCode) -> Outcome {
    match code {
        RejectCode::SysFatal | RejectCode::SysTransient | RejectCode::DestinationInvalid => {
            Outcome::NotExecuted
        }
        RejectCode::CanisterReject | RejectCode::CanisterError | RejectCode::SysUnknown => {
            Outcome::Unknown
        }
    }
}

/// Calls and decodes. An answer that does not decode counts as unknown: something was executed.
pub async fn call<R: Runtime, A: ArgumentEncoder, T: CandidType + DeserializeOwned>(
    runtime: &R,
    callee: Principal,
    method: &'static str,
    arguments: A,
) -> Result<T, CallFailure> {
    let argument = candid::encode_args(arguments).expect("BUG: arguments encode");
    let reply = runtime.call(callee, method, argument).await?;
    candid::decode_one(&reply).map_err(|error| CallFailure {
        outcome: Outcome::Unknown,
        message: format!("the answer of {method} does not decode: {error}"),
    })
}

/// The system itself.
#[derive(Clone, Copy, Debug)]
pub struct Canister;

impl Runtime for Canister {
    fn now_nanos(&self) -> u64 {
        ic_cdk::api::time()
    }

    fn own_id(&self) -> Principal {
        ic_cdk::api::canister_self()
    }

    async fn call(
        &self,
        callee: Principal,
        method: &'static str,
        argument: Vec<u8>,
    ) -> Result<Vec<u8>, CallFailure> {
        use ic_cdk::call::{Call, CallFailed};
        match Call::unbounded_wait(callee, method)
            .take_raw_args(argument)
            .await
        {
            Ok(response) => Ok(response.into_bytes()),
            Err(failed) => {
                let outcome = match &failed {
                    CallFailed::InsufficientLiquidCycleBalance(_)
                    | CallFailed::CallPerformFailed(_) => Outcome::NotExecuted,
                    CallFailed::CallRejected(rejected) => {
                        rejected.reject_code().map_or(Outcome::Unknown, outcome_of)
                    }
                };
                Err(CallFailure {
                    outcome,
                    message: failed.to_string(),
                })
            }
        }
    }

    async fn deposit_cycles(&self, to: Principal, cycles: u128) -> u128 {
        use ic_cdk::call::Call;
        #[derive(CandidType)]
        struct Target {
            canister_id: Principal,
        }
        let answer = Call::unbounded_wait(Principal::management_canister(), "deposit_cycles")
            .with_arg(Target { canister_id: to })
            .with_cycles(cycles)
            .await;
        match answer {
            Ok(_) | Err(ic_cdk::call::CallFailed::CallRejected(_)) => {
                ic_cdk::api::msg_cycles_refunded()
            }
            // It never left.
            Err(_) => cycles,
        }
    }

    fn attached_cycles(&self) -> u128 {
        ic_cdk::api::msg_cycles_available()
    }

    fn accept_cycles(&self, max: u128) -> u128 {
        ic_cdk::api::msg_cycles_accept(max)
    }

    fn cycle_balance(&self) -> u128 {
        ic_cdk::api::canister_cycle_balance()
    }

    fn liquid_cycles(&self) -> u128 {
        ic_cdk::api::canister_liquid_cycle_balance()
    }

    fn instructions(&self) -> u64 {
        ic_cdk::api::instruction_counter()
    }

    fn certify(&self, root: [u8; 32]) {
        ic_cdk::api::certified_data_set(root);
    }

    fn schedule(&self, delay: Duration, task: Task) {
        ic_cdk_timers::set_timer(delay, crate::tasks::run(*self, task));
    }

    fn is_replicated(&self) -> bool {
        ic_cdk::api::in_replicated_execution()
    }
}

/// Every task once now and then every hour: what was under way before an upgrade, a stop or a lost timer goes on.
pub fn arm_timers() {
    for task in Task::ALL {
        Canister.schedule(Duration::ZERO, task);
    }
    ic_cdk_timers::set_timer_interval(Duration::from_secs(3_600), || async {
        for task in Task::ALL {
            Canister.schedule(Duration::ZERO, task);
        }
    });
}

/// For leases of locks, which are made where no [`Runtime`] is at hand.
#[cfg(target_arch = "wasm32")]
pub fn clock_nanos() -> u64 {
    ic_cdk::api::time()
}

#[cfg(not(target_arch = "wasm32"))]
thread_local! {
    static CLOCK_NANOS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Natively a test says how time passes.
#[cfg(not(target_arch = "wasm32"))]
pub fn clock_nanos() -> u64 {
    CLOCK_NANOS.get()
}

#[cfg(test)]
pub fn pass(time: Duration) {
    CLOCK_NANOS.set(CLOCK_NANOS.get() + time.as_nanos() as u64);
}

/// `getrandom`'s backend for this target. `tract` links a random number generator for operators that draw
/// numbers; the engine refuses those at load, so this is never reached, and if it were, an error is right:
/// a canister has no randomness without a call to the management canister.
#[cfg(target_arch = "wasm32")]
#[unsafe(no_mangle)]
unsafe extern "Rust" fn __getrandom_v03_custom(
    _: *mut u8,
    _: usize,
) -> Result<(), getrandom::Error> {
    Err(getrandom::Error::UNSUPPORTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Statement 7: each reject code.
    #[test]
    fn should_take_only_undelivered_calls_for_not_executed() {
        for (code, expected) in [
            (RejectCode::SysFatal, Outcome::NotExecuted),
            (RejectCode::SysTransient, Outcome::NotExecuted),
            (RejectCode::DestinationInvalid, Outcome::NotExecuted),
            (RejectCode::CanisterReject, Outcome::Unknown),
            (RejectCode::CanisterError, Outcome::Unknown),
            (RejectCode::SysUnknown, Outcome::Unknown),
        ] {
            assert_eq!(outcome_of(code), expected, "{code:?}");
        }
    }
}
