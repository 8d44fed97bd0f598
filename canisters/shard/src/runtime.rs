//! The only place that asks the system something.

use candid::Principal;

pub fn caller() -> Principal {
    ic_cdk::api::msg_caller()
}

pub fn cycle_balance() -> u128 {
    ic_cdk::api::canister_cycle_balance()
}

pub fn trap(message: &str) -> ! {
    ic_cdk::api::trap(message)
}
