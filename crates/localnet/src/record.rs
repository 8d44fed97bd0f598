//! The record of executions: what each entry point that ran has cost.
//!
//! It is there for benchmarks and for whoever wants to know where instructions
//! go; nothing in the network depends on it. It holds the latest executions, in
//! the order in which they ended, and starts anew with the process.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use candid::Principal;
use serde::Serialize;

use crate::execution::Entry;
use crate::system_api::EntryPoint;

/// Enough for a benchmark between two looks; about 2 MiB.
const KEPT_MAX: usize = 10_000;

/// One entry point that ran.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Executed {
    /// Numbers executions from 1.
    pub sequence: u64,
    pub canister: String,
    /// `update`, `query`, `reply`, `timer`, `init`, ... (see `kind`).
    pub entry_point: &'static str,
    /// Of a callback: the method of the call that it belongs to. Empty where there is none.
    pub method: String,
    /// As the canister is charged: with the overhead of dirty pages.
    pub instructions: u64,
    /// What it might have used at most. Steps of a composite query share theirs, as do those of an installation.
    pub instructions_max: u64,
    /// Pages of 4 KiB written, in heap and stable memory; 0 where nothing of the
    /// heap is kept anyway (queries, inspections).
    pub dirty_pages: u64,
    pub trapped: bool,
}

/// What an execution has cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub instructions: u64,
    pub instructions_max: u64,
    pub dirty_pages: u64,
    pub trapped: bool,
}

#[derive(Debug, Default)]
pub struct ExecutionRecord {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    latest: VecDeque<Executed>,
}

impl ExecutionRecord {
    pub fn note(&self, canister: Principal, entry_point: &'static str, method: &str, cost: Cost) {
        let mut inner = self.inner();
        inner.last += 1;
        let executed = Executed {
            sequence: inner.last,
            canister: canister.to_text(),
            entry_point,
            method: method.to_string(),
            instructions: cost.instructions,
            instructions_max: cost.instructions_max,
            dirty_pages: cost.dirty_pages,
            trapped: cost.trapped,
        };
        if inner.latest.len() == KEPT_MAX {
            inner.latest.pop_front();
        }
        inner.latest.push_back(executed);
    }

    /// Those of the latest that came after the one numbered `sequence`, oldest first.
    pub fn after(&self, sequence: u64) -> Vec<Executed> {
        let inner = self.inner();
        let known = inner
            .latest
            .partition_point(|executed| executed.sequence <= sequence);
        inner.latest.range(known..).cloned().collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// What the record calls an entry point.
pub fn kind(point: EntryPoint, entry: Entry) -> &'static str {
    match (point, entry) {
        (_, Entry::Export("canister_init")) => "init",
        (_, Entry::Export("canister_pre_upgrade")) => "pre_upgrade",
        (_, Entry::Export("canister_post_upgrade")) => "post_upgrade",
        (_, Entry::Export("canister_heartbeat")) => "heartbeat",
        (_, Entry::Export("canister_global_timer")) => "timer",
        (_, Entry::Export("canister_on_low_wasm_memory")) => "low_wasm_memory",
        (EntryPoint::Start, _) => "start",
        (EntryPoint::Init, _) => "init",
        (EntryPoint::PreUpgrade, _) => "pre_upgrade",
        (EntryPoint::Update, _) => "update",
        (EntryPoint::ReplicatedQuery | EntryPoint::Query, _) => "query",
        (EntryPoint::CompositeQuery, _) => "composite_query",
        (EntryPoint::ReplyCallback | EntryPoint::CompositeReplyCallback, _) => "reply",
        (EntryPoint::RejectCallback | EntryPoint::CompositeRejectCallback, _) => "reject",
        (EntryPoint::Cleanup | EntryPoint::CompositeCleanup, _) => "cleanup",
        (EntryPoint::InspectMessage, _) => "inspect",
        (EntryPoint::SystemTask, _) => "system",
        (EntryPoint::Transform, _) => "transform",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_keep_the_latest_and_number_all() {
        let record = ExecutionRecord::default();
        let cost = Cost {
            instructions: 7,
            instructions_max: 8,
            dirty_pages: 1,
            trapped: false,
        };
        for _ in 0..KEPT_MAX + 5 {
            record.note(Principal::anonymous(), "update", "go", cost);
        }
        let all = record.after(0);
        assert_eq!(all.len(), KEPT_MAX);
        assert_eq!(all[0].sequence, 6);
        let last = KEPT_MAX as u64 + 5;
        assert_eq!(record.after(last - 1).len(), 1);
        assert_eq!(record.after(last), []);
        assert_eq!(record.after(u64::MAX), []);
    }
}
