//! The one place that touches the system: who calls, when, and what is certified.

use candid::Principal;

#[cfg(target_family = "wasm")]
mod system {
    use super::Principal;
    use ic_cdk::call::Call;

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
    use super::Principal;
    use std::cell::Cell;

    thread_local! {
        static CALLER: Cell<Principal> = const { Cell::new(Principal::anonymous()) };
        static TIME_NANOS: Cell<u64> = const { Cell::new(0) };
        static CERTIFIED: Cell<[u8; 32]> = const { Cell::new([0; 32]) };
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
