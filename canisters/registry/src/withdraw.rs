//! `withdraw`: the publisher takes back what nobody has decided about. A vote that is under way goes on, and its execution
//! finds nothing to admit.

use candid::Principal;
use stoa_registry_api::{WithdrawError, WithdrawResult, Withdrawn};
use stoa_types::Sha256;

use crate::deposits;
use crate::guard::VersionGuard;
use crate::runtime::Runtime;
use crate::state::State;
use crate::state::records::Cause;

pub fn withdraw(
    state: &mut State,
    runtime: &impl Runtime,
    caller: Principal,
    version: Sha256,
) -> WithdrawResult {
    if caller == Principal::anonymous() {
        return Err(WithdrawError::AnonymousCaller);
    }
    let record = state
        .version(&version)
        .ok_or(WithdrawError::NotFound { version })?;
    if !state.is_publisher(&record.publisher, caller) {
        let publisher = record.publisher;
        return Err(WithdrawError::NotPublisher { publisher });
    }
    if !record.status.is_open() {
        let status = record.status.into();
        return Err(WithdrawError::WrongStatus { status });
    }
    // Whoever waits for an answer about this version counts on finding it.
    let guard = VersionGuard::lock(version).ok_or(WithdrawError::Busy)?;
    state.remove_version(runtime, caller, version, Cause::Withdrawn);
    drop(guard);
    let deposit = record
        .deposit
        .and_then(|id| deposits::get_deposit(state, id));
    Ok(Withdrawn { deposit })
}
