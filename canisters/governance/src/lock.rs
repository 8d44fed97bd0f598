//! One command in flight a neuron, and a limit on how many in all.

use crate::busy::{Place, Places, Refused};
use crate::neuron::NeuronKey;
use crate::refusal::Refusal;

/// Each holds a proposal of up to 100 KiB while it waits. Half of the 500 messages
/// that may be under way to one canister.
pub const IN_FLIGHT_MAX: usize = 250;

thread_local! {
    static UNSTABLE_LOCKED: Places<NeuronKey> = const { Places::new() };
}

#[must_use]
pub struct NeuronLock {
    _place: Place<NeuronKey>,
}

impl NeuronLock {
    pub fn acquire(key: NeuronKey) -> Result<Self, Refusal> {
        match Place::take(&UNSTABLE_LOCKED, key, IN_FLIGHT_MAX) {
            Ok(_place) => Ok(Self { _place }),
            Err(Refused::Taken) => Err(Refusal::NeuronLocked),
            Err(Refused::Full) => Err(Refusal::TooManyInFlight { max: IN_FLIGHT_MAX }),
        }
    }
}

#[cfg(test)]
pub fn forget_all() {
    UNSTABLE_LOCKED.with(Places::free_all);
}
