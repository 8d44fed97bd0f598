//! The one place that touches the system: who calls, when, and what is certified.

use candid::Principal;
use ic_management_canister_types::CanisterSettings;

/// A call that came to nothing: cycles that it carried are back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejected {
    pub code: u32,
    pub message: String,
}

#[cfg(target_family = "wasm")]
mod system {
    use super::{CanisterSettings, Principal, Rejected};
    use ic_cdk::call::{Call, CallFailed};
    use ic_management_canister_types::{CanisterIdRecord, CreateCanisterArgs};

    pub fn caller() -> Principal {
        ic_cdk::api::msg_caller()
    }

    pub fn time_nanos() -> u64 {
        ic_cdk::api::time()
    }

    pub fn trap(message: &str) -> ! {
        ic_cdk::api::trap(message)
    }

    pub fn is_controller(principal: &Principal) -> bool {
        ic_cdk::api::is_controller(principal)
    }

    pub fn set_certified_data(hash: [u8; 32]) {
        ic_cdk::api::certified_data_set(hash);
    }

    pub fn data_certificate() -> Option<Vec<u8>> {
        ic_cdk::api::data_certificate()
    }

    pub fn subnet_self() -> Principal {
        ic_cdk::api::subnet_self()
    }

    /// Takes all cycles that came with the call. A trap gives them back.
    pub fn accept_cycles() -> u128 {
        ic_cdk::api::msg_cycles_accept(ic_cdk::api::msg_cycles_available())
    }

    pub async fn deposit_cycles(canister: Principal, cycles: u128) -> Result<(), Rejected> {
        Call::unbounded_wait(Principal::management_canister(), "deposit_cycles")
            .with_arg(CanisterIdRecord {
                canister_id: canister,
            })
            .with_cycles(cycles)
            .await
            .map(|_| ())
            .map_err(rejected)
    }

    /// The canister's fee comes out of `cycles`.
    pub async fn create_canister(
        settings: CanisterSettings,
        cycles: u128,
    ) -> Result<Principal, Rejected> {
        let response = Call::unbounded_wait(Principal::management_canister(), "create_canister")
            .with_arg(CreateCanisterArgs {
                settings: Some(settings),
                sender_canister_version: None,
            })
            .with_cycles(cycles)
            .await
            .map_err(rejected)?;
        let created: CanisterIdRecord = response
            .candid()
            .expect("BUG: the system answers with an id");
        Ok(created.canister_id)
    }

    fn rejected(failed: CallFailed) -> Rejected {
        /// What the system calls an error that may go away.
        const SYS_TRANSIENT: u32 = 2;
        let code = match &failed {
            CallFailed::CallRejected(rejection) => rejection.raw_reject_code(),
            CallFailed::InsufficientLiquidCycleBalance(_) | CallFailed::CallPerformFailed(_) => {
                SYS_TRANSIENT
            }
        };
        Rejected {
            code,
            message: failed.to_string(),
        }
    }

    /// Ends the message, so that what it did stays, and goes on in another.
    pub async fn let_go() {
        // Whatever it answers: the call itself is what matters.
        let answered = Call::unbounded_wait(ic_cdk::api::canister_self(), "icrc1_decimals").await;
        drop(answered);
    }
}

/// Natively a test says who calls and when.
#[cfg(not(target_family = "wasm"))]
#[cfg_attr(not(test), allow(dead_code))]
mod system {
    use super::{CanisterSettings, Principal, Rejected};
    use std::cell::{Cell, RefCell};

    thread_local! {
        static CALLER: Cell<Principal> = const { Cell::new(Principal::anonymous()) };
        static TIME_NANOS: Cell<u64> = const { Cell::new(0) };
        static CERTIFIED: Cell<[u8; 32]> = const { Cell::new([0; 32]) };
        static OFFERED: Cell<u128> = const { Cell::new(0) };
        static REFUSAL: RefCell<Option<Rejected>> = const { RefCell::new(None) };
        static PAID: RefCell<Vec<Paid>> = const { RefCell::new(Vec::new()) };
    }

    /// Cycles that left with a call.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub enum Paid {
        Deposit {
            canister: Principal,
            cycles: u128,
        },
        Creation {
            settings: Box<CanisterSettings>,
            cycles: u128,
        },
    }

    pub const CREATED: Principal = Principal::from_slice(&[7, 7]);

    pub fn subnet_self() -> Principal {
        Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 9, 1, 1])
    }

    pub fn accept_cycles() -> u128 {
        OFFERED.take()
    }

    /// Comes with the next call of `deposit`.
    pub fn offer_cycles(cycles: u128) {
        OFFERED.set(cycles);
    }

    /// Meets the next call.
    pub fn refuse_next(code: u32, message: &str) {
        REFUSAL.replace(Some(Rejected {
            code,
            message: message.to_string(),
        }));
    }

    pub fn take_paid() -> Vec<Paid> {
        PAID.take()
    }

    fn pay(paid: Paid) -> Result<(), Rejected> {
        match REFUSAL.take() {
            Some(rejected) => Err(rejected),
            None => {
                PAID.with_borrow_mut(|all| all.push(paid));
                Ok(())
            }
        }
    }

    pub async fn deposit_cycles(canister: Principal, cycles: u128) -> Result<(), Rejected> {
        pay(Paid::Deposit { canister, cycles })
    }

    pub async fn create_canister(
        settings: CanisterSettings,
        cycles: u128,
    ) -> Result<Principal, Rejected> {
        pay(Paid::Creation {
            settings: Box::new(settings),
            cycles,
        })?;
        Ok(CREATED)
    }

    pub const CONTROLLER: Principal = Principal::management_canister();

    pub fn caller() -> Principal {
        CALLER.get()
    }

    pub fn time_nanos() -> u64 {
        TIME_NANOS.get()
    }

    pub fn trap(message: &str) -> ! {
        panic!("{message}")
    }

    pub fn is_controller(principal: &Principal) -> bool {
        *principal == CONTROLLER
    }

    pub fn set_certified_data(hash: [u8; 32]) {
        CERTIFIED.set(hash);
    }

    pub fn data_certificate() -> Option<Vec<u8>> {
        // Natively the certificate is the certified hash itself.
        Some(CERTIFIED.get().to_vec())
    }

    pub async fn let_go() {
        TIME_NANOS.set(TIME_NANOS.get() + 1_000_000_000);
    }

    #[cfg(test)]
    pub fn set_caller(caller: Principal) {
        CALLER.set(caller);
    }

    #[cfg(test)]
    pub fn set_time_nanos(time: u64) {
        TIME_NANOS.set(time);
    }
}

pub use system::*;
