//! Heap that an upgrade loses, and locks that a trap releases. Models are rebuilt from stable bytes; a call
//! in flight ends with its message, or is a job whose input is stable; so nothing here may be the only place of anything.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use candid::Principal;
use stoa_engine::{Loading, Model};
use stoa_types::Sha256;

use crate::limits::{CALLS_MAX, FREE_CALLS_MAX, HTTP_CALLS_MAX, LONG_RUNS_MAX, NAMES_MAX};
use crate::run::PendingRun;
use crate::runner::{Compiled, Running};

/// A load between two steps.
pub enum Progress {
    Loading(Loading),
    /// Built; its pipeline and the probe are next.
    Built(Box<Model>),
    /// The probe, and what it has used.
    Probing(Compiled, Running, u64),
}

struct Held {
    compiled: Compiled,
    /// Of `clock`, when it was used last.
    used: u64,
}

#[derive(Default)]
struct Volatile {
    models: BTreeMap<Sha256, Held>,
    clock: u64,
    /// Left the heap for another model, and were not asked for since.
    evicted: BTreeSet<Sha256>,
    /// Asked for although they are not in the heap: they come back whatever has to leave.
    wanted: BTreeSet<Sha256>,
    progress: BTreeMap<Sha256, Progress>,
    runs: BTreeMap<u64, PendingRun>,
    next_run: u64,
    /// Instructions that a job's run has used so far.
    job_progress: BTreeMap<u64, u64>,
    names: BTreeMap<String, (Sha256, u64)>,
    callers: BTreeSet<Principal>,
    payments: BTreeSet<u64>,
    transfers: BTreeSet<u64>,
    loads: BTreeSet<Sha256>,
    registrations: BTreeSet<Principal>,
    jobs: BTreeSet<u64>,
    free_calls: BTreeSet<u64>,
    http_calls: BTreeSet<u64>,
    next_call: u64,
    topping_up: bool,
    paying_out: bool,
}

thread_local! {
    static UNSTABLE_HEAP: RefCell<Volatile> = RefCell::default();
}

fn with<T>(action: impl FnOnce(&mut Volatile) -> T) -> T {
    UNSTABLE_HEAP.with_borrow_mut(action)
}

/// What an upgrade does to all of this.
#[cfg(test)]
pub fn forget_everything() {
    with(|heap| *heap = Volatile::default());
}

/// Nothing is locked and no run is in the table: what must hold when no message is under way.
#[cfg(test)]
pub fn is_at_rest() -> bool {
    with(|heap| {
        heap.runs.is_empty()
            && heap.callers.is_empty()
            && heap.payments.is_empty()
            && heap.transfers.is_empty()
            && heap.loads.is_empty()
            && heap.registrations.is_empty()
            && heap.jobs.is_empty()
            && heap.free_calls.is_empty()
            && heap.http_calls.is_empty()
            && !heap.topping_up
            && !heap.paying_out
    })
}

/// For a call: it counts as used.
pub fn use_model(version: &Sha256) -> Option<Compiled> {
    with(|heap| {
        heap.clock += 1;
        let clock = heap.clock;
        let held = heap.models.get_mut(version)?;
        held.used = clock;
        Some(held.compiled.clone())
    })
}

/// For a query, which leaves no trace.
pub fn peek_model(version: &Sha256) -> Option<Compiled> {
    with(|heap| heap.models.get(version).map(|held| held.compiled.clone()))
}

pub fn has_model(version: &Sha256) -> bool {
    with(|heap| heap.models.contains_key(version))
}

pub fn put_model(version: Sha256, compiled: Compiled) {
    with(|heap| {
        heap.clock += 1;
        let used = heap.clock;
        heap.evicted.remove(&version);
        heap.wanted.remove(&version);
        heap.models.insert(version, Held { compiled, used });
    });
}

pub fn remove_model(version: &Sha256) {
    with(|heap| {
        heap.models.remove(version);
        heap.progress.remove(version);
        heap.evicted.remove(version);
        heap.wanted.remove(version);
    });
}

pub fn is_evicted(version: &Sha256) -> bool {
    with(|heap| heap.evicted.contains(version))
}

/// Somebody wants it again.
pub fn recall(version: &Sha256) {
    with(|heap| {
        heap.evicted.remove(version);
        heap.wanted.insert(*version);
    });
}

pub fn is_wanted(version: &Sha256) -> bool {
    with(|heap| heap.wanted.contains(version))
}

/// Until it is recalled, it is not rebuilt.
pub fn set_evicted(version: &Sha256) {
    with(|heap| {
        heap.models.remove(version);
        heap.progress.remove(version);
        heap.evicted.insert(*version);
    });
}

/// Of compiled models, as the engine bounds each.
pub fn model_bytes() -> u64 {
    with(|heap| total_bytes(heap))
}

fn total_bytes(heap: &Volatile) -> u64 {
    heap.models
        .values()
        .map(|held| held.compiled.memory_bytes())
        .fold(0, u64::saturating_add)
}

/// The least recently used models leave until the rest fits, but for the one to keep.
pub fn evict_down_to(budget_bytes: u64, keep: Option<Sha256>) {
    with(|heap| {
        while total_bytes(heap) > budget_bytes {
            let oldest = heap
                .models
                .iter()
                .filter(|(version, _)| Some(**version) != keep)
                .min_by_key(|(_, held)| held.used)
                .map(|(version, _)| *version);
            let Some(oldest) = oldest else {
                return;
            };
            heap.models.remove(&oldest);
            heap.evicted.insert(oldest);
        }
    });
}

pub fn take_progress(version: &Sha256) -> Option<Progress> {
    with(|heap| heap.progress.remove(version))
}

pub fn put_progress(version: Sha256, progress: Progress) {
    with(|heap| heap.progress.insert(version, progress));
}

pub fn name(name: &str) -> Option<(Sha256, u64)> {
    with(|heap| heap.names.get(name).copied())
}

pub fn remember_name(name: &str, version: Sha256, now_nanos: u64) {
    with(|heap| {
        if heap.names.len() >= NAMES_MAX {
            // What they mean is asked again.
            heap.names.clear();
        }
        heap.names.insert(name.to_owned(), (version, now_nanos));
    });
}

pub fn insert_run(run: PendingRun) -> u64 {
    with(|heap| {
        let id = heap.next_run;
        heap.next_run += 1;
        heap.runs.insert(id, run);
        id
    })
}

pub fn remove_run(id: u64) -> Option<PendingRun> {
    with(|heap| heap.runs.remove(&id))
}

pub fn put_run(id: u64, run: PendingRun) {
    with(|heap| heap.runs.insert(id, run));
}

pub fn long_runs() -> usize {
    with(|heap| heap.runs.values().filter(|run| run.is_long()).count())
}

pub fn has_room_for_a_long_run() -> bool {
    long_runs() < LONG_RUNS_MAX
}

pub fn note_job_progress(job: u64, instructions: u64) {
    with(|heap| heap.job_progress.insert(job, instructions));
}

pub fn job_progress(job: u64) -> u64 {
    with(|heap| heap.job_progress.get(&job).copied().unwrap_or(0))
}

pub fn forget_job_progress(job: u64) {
    with(|heap| heap.job_progress.remove(&job));
}

macro_rules! guard {
    ($(#[$doc:meta])* $name:ident, $field:ident: $key:ty, $max:expr) => {
        $(#[$doc])*
        #[must_use = "the lock is released when this is dropped"]
        pub struct $name($key);

        impl $name {
            /// `None` where it is held already, or as many are held as may be.
            pub fn lock(key: $key) -> Option<$name> {
                let locked =
                    with(|heap| heap.$field.len() < $max && heap.$field.insert(key));
                // Only made when it holds the lock: dropping one releases it.
                locked.then(|| $name(key))
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                with(|heap| heap.$field.remove(&self.0));
            }
        }
    };
}

guard! {
    /// One call of a caller that pays.
    CallerGuard, callers: Principal, CALLS_MAX
}
guard! {
    /// One message or retry that works on a payment.
    PaymentGuard, payments: u64, usize::MAX
}
guard! {
    /// One message or retry that works on an outgoing transfer.
    TransferGuard, transfers: u64, usize::MAX
}
guard! {
    /// One chain of messages that works on a load.
    LoadGuard, loads: Sha256, usize::MAX
}
guard! {
    /// One question of a caller to the registry about a version to load.
    RegistrationGuard, registrations: Principal, CALLS_MAX
}
guard! {
    /// One chain of messages that runs a job.
    JobGuard, jobs: u64, usize::MAX
}
guard! {
    /// One call that nobody pays for.
    FreeCallGuard, free_calls: u64, FREE_CALLS_MAX
}
guard! {
    /// One call over HTTP that a key pays for.
    HttpCallGuard, http_calls: u64, HTTP_CALLS_MAX
}

/// A number that no other call of this run of the canister has.
pub fn next_call() -> u64 {
    with(|heap| {
        heap.next_call += 1;
        heap.next_call
    })
}

macro_rules! only_one {
    ($name:ident, $field:ident) => {
        #[must_use = "the lock is released when this is dropped"]
        pub struct $name(());

        impl $name {
            pub fn lock() -> Option<$name> {
                let locked = with(|heap| !std::mem::replace(&mut heap.$field, true));
                locked.then(|| $name(()))
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                with(|heap| heap.$field = false);
            }
        }
    };
}

only_one!(TopUpGuard, topping_up);
only_one!(PayoutGuard, paying_out);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_hold_a_lock_until_its_holder_lets_go() {
        let caller = Principal::from_slice(&[1]);
        let held = CallerGuard::lock(caller).unwrap();
        for _ in 0..3 {
            assert!(CallerGuard::lock(caller).is_none());
        }
        assert!(CallerGuard::lock(Principal::from_slice(&[2])).is_some());
        drop(held);
        assert!(CallerGuard::lock(caller).is_some());

        let held = TopUpGuard::lock().unwrap();
        for _ in 0..3 {
            assert!(TopUpGuard::lock().is_none());
        }
        drop(held);
        assert!(TopUpGuard::lock().is_some());
        assert!(is_at_rest());
    }

    #[test]
    fn should_have_a_limit_on_callers() {
        let guards: Vec<CallerGuard> = (0..CALLS_MAX)
            .map(|number| CallerGuard::lock(Principal::from_slice(&number.to_be_bytes())).unwrap())
            .collect();
        let one_more = Principal::from_slice(&[9]);
        assert!(CallerGuard::lock(one_more).is_none());
        drop(guards);
        assert!(CallerGuard::lock(one_more).is_some());
    }

    #[test]
    fn should_release_a_guard_that_a_panic_unwinds_through() {
        // What a trapped callback's cleanup does: it drops the future and all that it holds.
        let caller = Principal::from_slice(&[1]);
        let outcome = std::panic::catch_unwind(|| {
            let _held = CallerGuard::lock(caller).unwrap();
            panic!("the callback traps");
        });
        assert!(outcome.is_err());
        assert!(CallerGuard::lock(caller).is_some());
    }
}
