//! What inference canisters have to hear: that a version was deprecated or revoked. Each notice is kept until the canister
//! says that it has heard; an inference canister also asks when it loads, so that a notice that is late only means that what
//! is loaded already runs a little longer.

use std::cell::Cell;
use std::time::Duration;

use candid::{CandidType, Principal};
use stoa_registry_api::VersionStatus;
use stoa_types::Sha256;

use crate::runtime::{self, Runtime, Task};
use crate::state::records::{NoticeRecord, Status};
use crate::state::{State, with, with_mut};

const PER_RUN: usize = 20;
const RETRY: Duration = Duration::from_secs(60);

#[derive(CandidType)]
struct VersionStatusNotice {
    version: Sha256,
    status: String,
}

/// Writes down that every inference canister has to hear of this.
pub fn announce(state: &mut State, runtime: &impl Runtime, version: Sha256, status: Status) {
    let receivers = crate::route::inference_canisters(state);
    announce_to(state, runtime, &receivers, version, status);
}

/// A later status takes the place of an earlier one.
pub fn announce_to(
    state: &mut State,
    runtime: &impl Runtime,
    receivers: &[Principal],
    version: Sha256,
    status: Status,
) {
    for canister in receivers {
        let record = NoticeRecord {
            status,
            attempts: 0,
        };
        state.notices.insert((*canister, version.0), record);
    }
    runtime.schedule(Duration::ZERO, Task::Notices);
}

thread_local! {
    /// Where the last run ended, so that a canister that does not answer keeps no other waiting.
    static UNSTABLE_NEXT: Cell<(Principal, [u8; 32])> =
        const { Cell::new((Principal::management_canister(), [0; 32])) };
}

pub async fn run(runtime: &impl Runtime) {
    let page: Vec<_> = with(|state| {
        let entries = state.notices.range(UNSTABLE_NEXT.get()..).take(PER_RUN);
        entries.map(|entry| entry.into_pair()).collect()
    });
    let is_more = page.len() == PER_RUN;
    UNSTABLE_NEXT.set(match page.last() {
        Some((last, _)) if is_more => *last,
        _ => (Principal::management_canister(), [0; 32]),
    });
    let mut is_stuck = false;
    for ((canister, version), record) in page {
        let notice = VersionStatusNotice {
            version: Sha256(version),
            status: VersionStatus::from(record.status).name().to_owned(),
        };
        let answer: Result<(), _> =
            runtime::call_for_nothing(runtime, canister, "c2c_version_status", (notice,)).await;
        let key = (canister, version);
        with_mut(|state| match answer {
            // Unless it has changed during the call.
            Ok(()) if state.notices.get(&key).map(|now| now.status) == Some(record.status) => {
                state.notices.remove(&key);
            }
            Ok(()) => {}
            Err(_) => {
                is_stuck = true;
                if let Some(mut record) = state.notices.get(&key) {
                    record.attempts = record.attempts.saturating_add(1);
                    state.notices.insert(key, record);
                }
            }
        });
    }
    if !with(|state| state.notices.is_empty()) {
        let delay = if is_stuck && !is_more {
            RETRY
        } else {
            Duration::ZERO
        };
        runtime.schedule(delay, Task::Notices);
    }
}
