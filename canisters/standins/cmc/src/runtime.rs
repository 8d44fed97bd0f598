//! The one place that touches the system: time, balance, calls and timers.

use candid::Principal;

/// A call without an answer. Whether it had an effect is not known: the callee may
/// have trapped after a first step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallFailure {
    pub message: String,
}

impl CallFailure {
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

#[cfg(target_family = "wasm")]
mod system {
    use std::future::Future;
    use std::time::Duration;

    use super::{CallFailure, Principal};
    use ic_cdk::call::{Call, CallFailed};
    use ic_management_canister_types::{CanisterIdRecord, CanisterSettings, CreateCanisterArgs};

    #[derive(candid::CandidType)]
    struct DepositCyclesArgs {
        canister_id: Principal,
    }

    pub fn time_nanos() -> u64 {
        ic_cdk::api::time()
    }

    pub fn canister_self() -> Principal {
        ic_cdk::api::canister_self()
    }

    pub fn subnet_self() -> Principal {
        ic_cdk::api::subnet_self()
    }

    pub fn caller() -> Principal {
        ic_cdk::api::msg_caller()
    }

    pub fn is_controller(principal: &Principal) -> bool {
        ic_cdk::api::is_controller(principal)
    }

    pub fn liquid_cycles() -> u128 {
        ic_cdk::api::canister_liquid_cycle_balance()
    }

    /// Guaranteed response: either an answer, or a reject that undid the call.
    pub async fn call(
        canister: Principal,
        method: &str,
        arguments: Vec<u8>,
    ) -> Result<Vec<u8>, CallFailure> {
        Call::unbounded_wait(canister, method)
            .with_raw_args(&arguments)
            .await
            .map(|response| response.into_bytes())
            .map_err(failure)
    }

    /// As `call`, with cycles, which come back where there is no reply.
    pub async fn pay(
        canister: Principal,
        method: &str,
        arguments: Vec<u8>,
        cycles: u128,
    ) -> Result<Vec<u8>, CallFailure> {
        Call::unbounded_wait(canister, method)
            .with_raw_args(&arguments)
            .with_cycles(cycles)
            .await
            .map(|response| response.into_bytes())
            .map_err(failure)
    }

    pub async fn deposit_cycles(canister: Principal, cycles: u128) -> Result<(), CallFailure> {
        Call::unbounded_wait(Principal::management_canister(), "deposit_cycles")
            .with_arg(DepositCyclesArgs {
                canister_id: canister,
            })
            .with_cycles(cycles)
            .await
            .map(|_| ())
            .map_err(failure)
    }

    /// The canister's fee comes out of `cycles`, as on mainnet.
    pub async fn create_canister(
        settings: CanisterSettings,
        cycles: u128,
    ) -> Result<Principal, CallFailure> {
        let arguments = CreateCanisterArgs {
            settings: Some(settings),
            sender_canister_version: None,
        };
        let response = Call::unbounded_wait(Principal::management_canister(), "create_canister")
            .with_arg(arguments)
            .with_cycles(cycles)
            .await
            .map_err(failure)?;
        response
            .candid::<CanisterIdRecord>()
            .map(|created| created.canister_id)
            .map_err(|error| CallFailure::new(error.to_string()))
    }

    /// Ends the message, so that what it did stays, and goes on in another.
    pub async fn let_go() {
        // Whatever it answers: the call itself is what matters.
        let answered =
            Call::unbounded_wait(ic_cdk::api::canister_self(), "get_icp_xdr_conversion_rate").await;
        drop(answered);
    }

    fn failure(failed: CallFailed) -> CallFailure {
        CallFailure::new(failed.to_string())
    }

    pub fn start_timer<F: Future<Output = ()> + 'static>(interval: Duration, job: fn() -> F) {
        ic_cdk_timers::set_timer_interval(interval, job);
    }

    pub fn set_certified_data(hash: [u8; 32]) {
        ic_cdk::api::certified_data_set(hash);
    }

    pub fn data_certificate() -> Option<Vec<u8>> {
        ic_cdk::api::data_certificate()
    }
}

/// Natively a test answers the calls, when it wants to.
#[cfg(not(target_family = "wasm"))]
#[cfg_attr(not(test), allow(dead_code))]
mod system {
    use std::cell::{Cell, RefCell};
    use std::future::Future;
    use std::rc::Rc;
    use std::time::Duration;

    use super::{CallFailure, Principal};

    type Answer = Rc<RefCell<Option<Result<Vec<u8>, CallFailure>>>>;

    pub struct SentCall {
        pub canister: Principal,
        pub method: String,
        pub arguments: Vec<u8>,
        pub cycles: u128,
        answer: Answer,
    }

    impl SentCall {
        pub fn answer(self, with: Result<Vec<u8>, CallFailure>) {
            *self.answer.borrow_mut() = Some(with);
        }
    }

    use ic_management_canister_types::CanisterSettings;

    thread_local! {
        static CALLER: Cell<Principal> = const { Cell::new(Principal::anonymous()) };
        static TIME_NANOS: Cell<u64> = const { Cell::new(0) };
        static CYCLES: Cell<u128> = const { Cell::new(0) };
        static SENT: RefCell<Vec<SentCall>> = const { RefCell::new(Vec::new()) };
    }

    pub fn time_nanos() -> u64 {
        TIME_NANOS.get()
    }

    pub fn canister_self() -> Principal {
        Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 4, 1, 1])
    }

    pub fn subnet_self() -> Principal {
        Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 9, 1, 1])
    }

    pub fn caller() -> Principal {
        CALLER.get()
    }

    pub fn set_caller(caller: Principal) {
        CALLER.set(caller);
    }

    pub const CONTROLLER: Principal = Principal::management_canister();

    pub fn is_controller(principal: &Principal) -> bool {
        *principal == CONTROLLER
    }

    pub async fn let_go() {
        TIME_NANOS.set(TIME_NANOS.get() + 1_000_000_000);
    }

    pub fn liquid_cycles() -> u128 {
        CYCLES.get()
    }

    async fn send(
        canister: Principal,
        method: &str,
        arguments: Vec<u8>,
        cycles: u128,
    ) -> Result<Vec<u8>, CallFailure> {
        let answer = Answer::default();
        SENT.with_borrow_mut(|sent| {
            sent.push(SentCall {
                canister,
                method: method.to_string(),
                arguments,
                cycles,
                answer: answer.clone(),
            })
        });
        std::future::poll_fn(|_| match answer.borrow_mut().take() {
            Some(answer) => std::task::Poll::Ready(answer),
            None => std::task::Poll::Pending,
        })
        .await
    }

    pub async fn call(
        canister: Principal,
        method: &str,
        arguments: Vec<u8>,
    ) -> Result<Vec<u8>, CallFailure> {
        send(canister, method, arguments, 0).await
    }

    pub async fn pay(
        canister: Principal,
        method: &str,
        arguments: Vec<u8>,
        cycles: u128,
    ) -> Result<Vec<u8>, CallFailure> {
        send(canister, method, arguments, cycles).await
    }

    pub async fn deposit_cycles(canister: Principal, cycles: u128) -> Result<(), CallFailure> {
        let arguments = canister.as_slice().to_vec();
        send(
            Principal::management_canister(),
            "deposit_cycles",
            arguments,
            cycles,
        )
        .await?;
        Ok(())
    }

    pub async fn create_canister(
        settings: CanisterSettings,
        cycles: u128,
    ) -> Result<Principal, CallFailure> {
        let arguments = candid::encode_one(settings).expect("BUG: settings encode");
        let management = Principal::management_canister();
        let answer = send(management, "create_canister", arguments, cycles).await?;
        Ok(Principal::from_slice(&answer))
    }

    pub fn start_timer<F: Future<Output = ()> + 'static>(_interval: Duration, _job: fn() -> F) {}

    pub fn set_certified_data(_hash: [u8; 32]) {}

    pub fn data_certificate() -> Option<Vec<u8>> {
        None
    }

    pub fn set_time_nanos(time: u64) {
        TIME_NANOS.set(time);
    }

    pub fn set_liquid_cycles(cycles: u128) {
        CYCLES.set(cycles);
    }

    /// The calls that wait for an answer, oldest first.
    pub fn take_sent() -> Vec<SentCall> {
        SENT.take()
    }
}

pub use system::*;
