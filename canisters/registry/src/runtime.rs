//! The seam to the system: time, certified data and calls to shards. Logic takes
//! a `Runtime`, so that tests can suspend a call in the middle and run its rival.

use candid::{CandidType, Principal};
use serde::Deserialize;
use stoa_shard_api::{ConfirmResult, ExpectArgs, ExpectResult, ShardStatus};
use stoa_types::Sha256;

/// A call had no usable answer. Whether it took effect is unknown; every call made here may be repeated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallFailed {
    pub message: String,
}

pub trait Runtime {
    fn now_nanos(&self) -> u64;
    fn set_certified_data(&self, root_hash: &[u8; 32]);
    /// Only within a query.
    fn certificate(&self) -> Option<Vec<u8>>;
    async fn expect_chunks(
        &self,
        shard: Principal,
        args: &ExpectArgs,
    ) -> Result<ExpectResult, CallFailed>;
    async fn confirm_chunks(
        &self,
        shard: Principal,
        hashes: &[Sha256],
    ) -> Result<ConfirmResult, CallFailed>;
    async fn shard_status(&self, shard: Principal) -> Result<ShardStatus, CallFailed>;
}

/// The canister's own.
pub struct Ic;

impl Runtime for Ic {
    fn now_nanos(&self) -> u64 {
        ic_cdk::api::time()
    }

    fn set_certified_data(&self, root_hash: &[u8; 32]) {
        ic_cdk::api::certified_data_set(root_hash);
    }

    fn certificate(&self) -> Option<Vec<u8>> {
        ic_cdk::api::data_certificate()
    }

    async fn expect_chunks(
        &self,
        shard: Principal,
        args: &ExpectArgs,
    ) -> Result<ExpectResult, CallFailed> {
        call(shard, "c2c_expect", args).await
    }

    async fn confirm_chunks(
        &self,
        shard: Principal,
        hashes: &[Sha256],
    ) -> Result<ConfirmResult, CallFailed> {
        call(shard, "confirm_chunks", hashes).await
    }

    async fn shard_status(&self, shard: Principal) -> Result<ShardStatus, CallFailed> {
        let answer = ic_cdk::call::Call::bounded_wait(shard, "status").await;
        decode(answer)
    }
}

/// Bounded wait: a shard that never answers must not keep the registry from being stopped and upgraded.
async fn call<A, R>(shard: Principal, method: &str, argument: &A) -> Result<R, CallFailed>
where
    A: CandidType + ?Sized,
    R: CandidType + for<'de> Deserialize<'de>,
{
    let answer = ic_cdk::call::Call::bounded_wait(shard, method)
        .with_arg(argument)
        .await;
    decode(answer)
}

fn decode<R>(
    answer: Result<ic_cdk::call::Response, ic_cdk::call::CallFailed>,
) -> Result<R, CallFailed>
where
    R: CandidType + for<'de> Deserialize<'de>,
{
    let failed = |message: String| CallFailed { message };
    let response = answer.map_err(|error| failed(error.to_string()))?;
    response.candid().map_err(|error| failed(error.to_string()))
}

pub fn caller() -> Principal {
    ic_cdk::api::msg_caller()
}

pub fn trap(message: &str) -> ! {
    ic_cdk::api::trap(message)
}
