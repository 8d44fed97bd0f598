//! The seam to the system: time, cycles, certified data, timers, and the one call that a shard makes. Logic takes a `Runtime`, so
//! that tests can suspend a call in the middle and run its rival.

use std::cell::Cell;
use std::time::Duration;

use candid::Principal;
use stoa_shard_api::{GetChunksArgs, GetChunksResult};

/// A call had no usable answer. It reads only, so that it may be repeated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallFailed {
    pub message: String,
}

pub trait Runtime {
    fn now_nanos(&self) -> u64;
    fn cycle_balance(&self) -> u128;
    /// What can be spent without falling below the freezing limit, which rises with the memory.
    fn liquid_cycles(&self) -> u128;
    fn set_certified_data(&self, root_hash: &[u8; 32]);
    /// Runs `jobs::tick` soon.
    fn tick_soon(&self);
    async fn get_chunks(
        &self,
        shard: Principal,
        args: &GetChunksArgs,
    ) -> Result<GetChunksResult, CallFailed>;
}

const TICK: Duration = Duration::from_secs(1);

thread_local! {
    /// Lost in an upgrade, as timers are.
    static UNSTABLE_NEXT_TICK_NANOS: Cell<u64> = const { Cell::new(0) };
}

/// The canister's own.
#[derive(Clone, Copy)]
pub struct Ic;

impl Runtime for Ic {
    fn now_nanos(&self) -> u64 {
        ic_cdk::api::time()
    }

    fn cycle_balance(&self) -> u128 {
        ic_cdk::api::canister_cycle_balance()
    }

    fn liquid_cycles(&self) -> u128 {
        ic_cdk::api::canister_liquid_cycle_balance()
    }

    fn set_certified_data(&self, root_hash: &[u8; 32]) {
        ic_cdk::api::certified_data_set(root_hash);
    }

    fn tick_soon(&self) {
        let now = self.now_nanos();
        // One that is due is pending; one that should have run is lost, its message trapped.
        if UNSTABLE_NEXT_TICK_NANOS.get() <= now {
            UNSTABLE_NEXT_TICK_NANOS.set(now + TICK.as_nanos() as u64);
            ic_cdk_timers::set_timer(TICK, async { crate::jobs::tick(&Ic) });
        }
    }

    /// Bounded wait: a shard that never answers must not keep this one from being stopped and upgraded.
    async fn get_chunks(
        &self,
        shard: Principal,
        args: &GetChunksArgs,
    ) -> Result<GetChunksResult, CallFailed> {
        let failed = |message: String| CallFailed { message };
        let response = ic_cdk::call::Call::bounded_wait(shard, "get_chunks")
            .with_arg(args)
            .await
            .map_err(|error| failed(error.to_string()))?;
        response.candid().map_err(|error| failed(error.to_string()))
    }
}

/// Armed again in init and post_upgrade; an interval, so that a tick that traps does not end it.
pub fn arm_timers() {
    ic_cdk_timers::set_timer_interval(Duration::from_secs(3_600), || async {
        crate::jobs::tick(&Ic);
    });
    Ic.tick_soon();
}

pub fn caller() -> Principal {
    ic_cdk::api::msg_caller()
}

pub fn own_id() -> Principal {
    ic_cdk::api::canister_self()
}

/// Only within a query.
pub fn certificate() -> Option<Vec<u8>> {
    ic_cdk::api::data_certificate()
}

pub fn trap(message: &str) -> ! {
    ic_cdk::api::trap(message)
}
