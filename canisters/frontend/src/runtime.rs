//! The only place that asks the system something.

use candid::Principal;

pub fn set_certified_data(data: &[u8]) {
    ic_cdk::api::certified_data_set(data);
}

/// `None` outside queries.
pub fn data_certificate() -> Option<Vec<u8>> {
    ic_cdk::api::data_certificate()
}

pub fn trap(message: &str) -> ! {
    ic_cdk::api::trap(message)
}

pub fn own_id() -> Principal {
    ic_cdk::api::canister_self()
}

pub fn cycles() -> u128 {
    ic_cdk::api::canister_cycle_balance()
}
