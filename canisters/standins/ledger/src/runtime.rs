//! The one place that touches the system: the caller and the time.

use candid::Principal;

#[cfg(target_family = "wasm")]
mod system {
    use super::Principal;

    pub fn caller() -> Principal {
        ic_cdk::api::msg_caller()
    }

    pub fn time_nanos() -> u64 {
        ic_cdk::api::time()
    }

    pub fn trap(message: &str) -> ! {
        ic_cdk::api::trap(message)
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
    }

    pub fn caller() -> Principal {
        CALLER.get()
    }

    pub fn time_nanos() -> u64 {
        TIME_NANOS.get()
    }

    pub fn trap(message: &str) -> ! {
        panic!("{message}")
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
