//! The one place that touches the system: who calls, when, and calls to others.

use candid::Principal;

/// A call without an answer. Where `refused` is false it may have had its effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallFailure {
    pub refused: bool,
    pub message: String,
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
    use std::future::Future;
    use std::time::Duration;

    use super::{CallFailure, Principal, certainly_had_no_effect};
    use ic_cdk::call::{Call, CallFailed};

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

    /// Best-effort: after `timeout_seconds` the system answers in the callee's place, so
    /// that no callee can keep governance from being stopped and upgraded.
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

    /// Runs `job` as a message of its own.
    pub fn run_after(delay: Duration, job: impl Future<Output = ()> + 'static) {
        ic_cdk_timers::set_timer(delay, job);
    }

    pub fn run_every<F: Future<Output = ()> + 'static>(interval: Duration, job: fn() -> F) {
        ic_cdk_timers::set_timer_interval(interval, job);
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

    pub fn run_after(_delay: Duration, job: impl Future<Output = ()> + 'static) {
        JOBS.with_borrow_mut(|jobs| jobs.push(Box::pin(job)));
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

pub use system::*;
