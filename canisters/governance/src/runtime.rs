//! The one place that touches the system: who calls, when, and calls to others.

use std::cell::Cell;
use std::future::Future;
use std::time::Duration;

use candid::Principal;

use crate::busy::{Place, Places};

/// A call without an answer. Where `refused` is false it may have had its effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallFailure {
    pub refused: bool,
    pub message: String,
}

/// No call of governance waits longer: the system's longest for a best-effort call.
pub const CALL_SECONDS_MAX: u64 = 300;

/// What governance lets itself do; less while it upgrades itself (`self_upgrade`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Traffic {
    Open,
    /// Calls are refused, as if the callee had refused them.
    NoNewCalls,
    /// No timers are set either: what they would have done, a journal remembers.
    Sealed,
}

thread_local! {
    static UNSTABLE_TRAFFIC: Cell<Traffic> = const { Cell::new(Traffic::Open) };
    static UNSTABLE_CALLS_IN_FLIGHT: Places<u64> = const { Places::new() };
    static UNSTABLE_CALLS_MADE: Cell<u64> = const { Cell::new(0) };
}

/// Answers what was before.
pub fn set_traffic(traffic: Traffic) -> Traffic {
    UNSTABLE_TRAFFIC.replace(traffic)
}

/// Calls whose callback has not run.
pub fn calls_in_flight() -> usize {
    UNSTABLE_CALLS_IN_FLIGHT.with(Places::count)
}

/// Counts a call while it waits; a trap in its callback drops it too.
fn count_call() -> Option<Place<u64>> {
    let number = UNSTABLE_CALLS_MADE.get() + 1;
    UNSTABLE_CALLS_MADE.set(number);
    Place::take(&UNSTABLE_CALLS_IN_FLIGHT, number, usize::MAX).ok()
}

/// Best-effort: after `timeout_seconds` the system answers in the callee's place, so
/// that no callee can keep governance from being stopped and upgraded.
pub async fn call(
    canister: Principal,
    method: &str,
    arguments: &[u8],
    timeout_seconds: u32,
) -> Result<Vec<u8>, CallFailure> {
    if UNSTABLE_TRAFFIC.get() != Traffic::Open {
        return Err(CallFailure {
            refused: true,
            message: "governance is about to be upgraded; try again in a few minutes".to_string(),
        });
    }
    debug_assert!(u64::from(timeout_seconds) <= CALL_SECONDS_MAX);
    let in_flight = count_call();
    let answer = system::call(canister, method, arguments, timeout_seconds).await;
    drop(in_flight);
    answer
}

/// Runs `job` as a message of its own.
pub fn run_after(delay: Duration, job: impl Future<Output = ()> + 'static) {
    if UNSTABLE_TRAFFIC.get() != Traffic::Sealed {
        system::set_timer(delay, job);
    }
}

/// The one timer that is set when all others are gone.
pub fn run_after_sealing(delay: Duration, job: impl Future<Output = ()> + 'static) {
    system::set_timer(delay, job);
}

#[cfg(test)]
pub fn traffic() -> Traffic {
    UNSTABLE_TRAFFIC.get()
}

#[cfg(test)]
pub fn forget_traffic() {
    UNSTABLE_TRAFFIC.set(Traffic::Open);
    UNSTABLE_CALLS_IN_FLIGHT.with(Places::free_all);
}

pub fn now_seconds() -> u64 {
    time_nanos() / 1_000_000_000
}

/// Whether a rejected call certainly had no effect: the system refused to deliver it. A
/// callee that rejects or traps undoes only its last step, so that says nothing about a
/// method with an await in it; nor does silence.
#[cfg_attr(not(target_family = "wasm"), allow(dead_code))]
fn certainly_had_no_effect(code: ic_cdk::call::RejectCode) -> bool {
    use ic_cdk::call::RejectCode;
    match code {
        RejectCode::SysFatal | RejectCode::SysTransient | RejectCode::DestinationInvalid => true,
        RejectCode::CanisterReject | RejectCode::CanisterError | RejectCode::SysUnknown => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ic_cdk::call::RejectCode;

    /// Statement 7: each reject code.
    #[test]
    fn should_take_only_undelivered_calls_for_certainly_without_effect() {
        for (code, expected) in [
            (RejectCode::SysFatal, true),
            (RejectCode::SysTransient, true),
            (RejectCode::DestinationInvalid, true),
            (RejectCode::CanisterReject, false),
            (RejectCode::CanisterError, false),
            (RejectCode::SysUnknown, false),
        ] {
            assert_eq!(certainly_had_no_effect(code), expected, "{code:?}");
        }
    }
}

#[cfg(target_family = "wasm")]
mod system {
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;
    use std::future::Future;
    use std::time::Duration;

    use super::{CallFailure, Principal, certainly_had_no_effect};
    use ic_cdk::call::{Call, CallFailed};
    use ic_cdk_timers::TimerId;

    pub fn time_nanos() -> u64 {
        ic_cdk::api::time()
    }

    pub fn caller() -> Principal {
        ic_cdk::api::msg_caller()
    }

    pub fn canister_self() -> Principal {
        ic_cdk::api::canister_self()
    }

    pub fn set_certified_data(root: &[u8; 32]) {
        ic_cdk::api::certified_data_set(root)
    }

    /// Only in a query.
    pub fn certificate() -> Option<Vec<u8>> {
        ic_cdk::api::data_certificate()
    }

    pub async fn call(
        canister: Principal,
        method: &str,
        arguments: &[u8],
        timeout_seconds: u32,
    ) -> Result<Vec<u8>, CallFailure> {
        Call::bounded_wait(canister, method)
            .with_raw_args(arguments)
            .change_timeout(timeout_seconds)
            .await
            .map(|response| response.into_bytes())
            .map_err(|failed| CallFailure {
                refused: is_refused(&failed),
                message: failed.to_string(),
            })
    }

    fn is_refused(failed: &CallFailed) -> bool {
        match failed {
            CallFailed::InsufficientLiquidCycleBalance(_) | CallFailed::CallPerformFailed(_) => {
                true
            }
            CallFailed::CallRejected(rejection) => {
                rejection.reject_code().is_ok_and(certainly_had_no_effect)
            }
        }
    }

    /// Without a callback. `None` waits without a limit, `false` says that it cannot be sent.
    pub fn send_without_answer(
        canister: Principal,
        method: &str,
        arguments: &[u8],
        timeout_seconds: Option<u32>,
    ) -> bool {
        let call = match timeout_seconds {
            Some(seconds) => Call::bounded_wait(canister, method).change_timeout(seconds),
            None => Call::unbounded_wait(canister, method),
        };
        call.with_raw_args(arguments).oneway().is_ok()
    }

    pub fn cycle_balance() -> u128 {
        ic_cdk::api::canister_cycle_balance()
    }

    /// What can be spent without being frozen.
    pub fn liquid_cycles() -> u128 {
        ic_cdk::api::canister_liquid_cycle_balance()
    }

    thread_local! {
        /// Timers that have not begun, by number, and those that come again.
        static UNSTABLE_TIMERS: RefCell<BTreeMap<u64, TimerId>> =
            const { RefCell::new(BTreeMap::new()) };
        static UNSTABLE_TIMERS_SET: Cell<u64> = const { Cell::new(0) };
    }

    fn remember(set: impl FnOnce(u64) -> TimerId) {
        let number = UNSTABLE_TIMERS_SET.get() + 1;
        UNSTABLE_TIMERS_SET.set(number);
        let timer = set(number);
        UNSTABLE_TIMERS.with_borrow_mut(|timers| timers.insert(number, timer));
    }

    pub fn set_timer(delay: Duration, job: impl Future<Output = ()> + 'static) {
        remember(|number| {
            ic_cdk_timers::set_timer(delay, async move {
                UNSTABLE_TIMERS.with_borrow_mut(|timers| timers.remove(&number));
                job.await;
            })
        });
    }

    pub fn run_every<F: Future<Output = ()> + 'static>(interval: Duration, job: fn() -> F) {
        remember(|_| ic_cdk_timers::set_timer_interval(interval, job));
    }

    pub fn forget_timers() {
        for (_, timer) in UNSTABLE_TIMERS.take() {
            ic_cdk_timers::clear_timer(timer);
        }
    }

    pub fn method_name() -> String {
        ic_cdk::api::msg_method_name()
    }

    pub fn argument_bytes() -> Vec<u8> {
        ic_cdk::api::msg_arg_data()
    }

    pub fn accept_message() {
        ic_cdk::api::accept_message()
    }
}

/// Natively a test plays the system: it sets caller and time, answers calls when it
/// wants to and runs what timers would run.
#[cfg(not(target_family = "wasm"))]
#[cfg_attr(not(test), allow(dead_code))]
mod system {
    use std::cell::{Cell, RefCell};
    use std::future::Future;
    use std::pin::Pin;
    use std::rc::Rc;
    use std::task::Poll;
    use std::time::Duration;

    use super::{CallFailure, Principal};

    type Answer = Rc<RefCell<Option<Result<Vec<u8>, CallFailure>>>>;
    pub type Job = Pin<Box<dyn Future<Output = ()>>>;

    pub struct SentCall {
        pub canister: Principal,
        pub method: String,
        pub arguments: Vec<u8>,
        answer: Answer,
    }

    impl SentCall {
        pub fn answer(self, with: Result<Vec<u8>, CallFailure>) {
            *self.answer.borrow_mut() = Some(with);
        }
    }

    thread_local! {
        static TIME_NANOS: Cell<u64> = const { Cell::new(0) };
        static CERTIFIED: Cell<[u8; 32]> = const { Cell::new([0; 32]) };
        static CALLER: Cell<Principal> = const { Cell::new(Principal::anonymous()) };
        static CYCLES: Cell<u128> = const { Cell::new(u128::MAX) };
        static FREEZING_LIMIT: Cell<u128> = const { Cell::new(0) };
        static SENT: RefCell<Vec<SentCall>> = const { RefCell::new(Vec::new()) };
        static JOBS: RefCell<Vec<Job>> = const { RefCell::new(Vec::new()) };
    }

    pub fn time_nanos() -> u64 {
        TIME_NANOS.get()
    }

    pub fn caller() -> Principal {
        CALLER.get()
    }

    pub fn set_certified_data(root: &[u8; 32]) {
        CERTIFIED.set(*root);
    }

    pub fn certificate() -> Option<Vec<u8>> {
        Some(b"certificate".to_vec())
    }

    pub fn certified_data() -> [u8; 32] {
        CERTIFIED.get()
    }

    pub fn canister_self() -> Principal {
        Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 1, 1, 1])
    }

    pub async fn call(
        canister: Principal,
        method: &str,
        arguments: &[u8],
        _timeout_seconds: u32,
    ) -> Result<Vec<u8>, CallFailure> {
        let answer = Answer::default();
        SENT.with_borrow_mut(|sent| {
            sent.push(SentCall {
                canister,
                method: method.to_string(),
                arguments: arguments.to_vec(),
                answer: answer.clone(),
            })
        });
        std::future::poll_fn(|_| match answer.borrow_mut().take() {
            Some(answer) => Poll::Ready(answer),
            None => Poll::Pending,
        })
        .await
    }

    pub fn set_timer(_delay: Duration, job: impl Future<Output = ()> + 'static) {
        JOBS.with_borrow_mut(|jobs| jobs.push(Box::pin(job)));
    }

    pub fn forget_timers() {
        JOBS.take();
    }

    pub fn send_without_answer(
        canister: Principal,
        method: &str,
        arguments: &[u8],
        _timeout_seconds: Option<u32>,
    ) -> bool {
        SENT.with_borrow_mut(|sent| {
            sent.push(SentCall {
                canister,
                method: method.to_string(),
                arguments: arguments.to_vec(),
                answer: Answer::default(),
            })
        });
        true
    }

    pub fn cycle_balance() -> u128 {
        CYCLES.get()
    }

    pub fn liquid_cycles() -> u128 {
        CYCLES.get().saturating_sub(FREEZING_LIMIT.get())
    }

    pub fn set_cycle_balance(cycles: u128) {
        CYCLES.set(cycles);
    }

    pub fn set_freezing_limit(cycles: u128) {
        FREEZING_LIMIT.set(cycles);
    }

    pub fn run_every<F: Future<Output = ()> + 'static>(_interval: Duration, _job: fn() -> F) {}

    pub fn method_name() -> String {
        String::new()
    }

    pub fn argument_bytes() -> Vec<u8> {
        Vec::new()
    }

    pub fn accept_message() {}

    pub fn set_time_seconds(seconds: u64) {
        TIME_NANOS.set(seconds * 1_000_000_000);
    }

    pub fn set_caller(caller: Principal) {
        CALLER.set(caller);
    }

    /// The calls that wait for an answer, oldest first.
    pub fn take_sent() -> Vec<SentCall> {
        SENT.take()
    }

    pub fn take_jobs() -> Vec<Job> {
        JOBS.take()
    }
}

#[cfg(not(target_family = "wasm"))]
pub use system::{Job, set_caller, set_time_seconds, take_jobs};
#[cfg(test)]
pub use system::{SentCall, certified_data, set_cycle_balance, set_freezing_limit, take_sent};
pub use system::{
    accept_message, argument_bytes, caller, canister_self, certificate, cycle_balance,
    forget_timers, liquid_cycles, method_name, run_every, send_without_answer, set_certified_data,
    time_nanos,
};
