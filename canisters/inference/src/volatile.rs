//! Heap that an upgrade loses, and locks that a trap releases. Models are rebuilt from stable bytes; a call
//! in flight ends with its message, or is a job whose input is stable; so nothing here may be the only place of anything.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use candid::Principal;
use stoa_engine::{Loading, Model};
use stoa_types::Sha256;

use crate::limits::{
    CALLS_MAX, FREE_CALLS_MAX, HTTP_CALLS_MAX, LOCK_LEASE, LONG_RUNS_MAX, NAMES_MAX,
};
use crate::run::PendingRun;
use crate::runner::{Compiled, Running};
use crate::runtime;

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
    callers: Locks<Principal>,
    payments: Locks<u64>,
    transfers: Locks<u64>,
    claims: Locks<u64>,
    loads: Locks<Sha256>,
    registrations: Locks<Principal>,
    jobs: Locks<u64>,
    free_calls: Locks<u64>,
    http_calls: Locks<u64>,
    next_call: u64,
    topping_up: Locks<()>,
    paying_out: Locks<()>,
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
            && heap.claims.is_empty()
            && heap.loads.is_empty()
            && heap.registrations.is_empty()
            && heap.jobs.is_empty()
            && heap.free_calls.is_empty()
            && heap.http_calls.is_empty()
            && heap.topping_up.is_empty()
            && heap.paying_out.is_empty()
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

/// What is locked, and since when. A lock is a lease: its holder lets go of it when its message ends or traps, and should
/// that very cleanup trap, whose changes are lost with it, the lease runs out. Whoever works longer than that (a ledger
/// may take its time) is joined by a second: every path reads its record again after each answer, and repeats what it
/// asked for with the same arguments.
type Locks<K> = BTreeMap<K, u64>;

fn lock<K: Ord>(locks: &mut Locks<K>, key: K, max: usize) -> Option<u64> {
    let now = runtime::clock_nanos();
    let is_held = |since: &u64| u128::from(now.saturating_sub(*since)) < LOCK_LEASE.as_nanos();
    if locks.get(&key).is_some_and(is_held) {
        return None;
    }
    if locks.len() >= max {
        locks.retain(|_, since| is_held(since));
    }
    if locks.len() >= max {
        return None;
    }
    locks.insert(key, now);
    Some(now)
}

fn unlock<K: Ord>(locks: &mut Locks<K>, key: &K, since: u64) {
    // Not another's, who took it over.
    if locks.get(key) == Some(&since) {
        locks.remove(key);
    }
}

macro_rules! guard {
    ($(#[$doc:meta])* $name:ident, $field:ident: $key:ty, $max:expr) => {
        $(#[$doc])*
        #[must_use = "the lock is released when this is dropped"]
        pub struct $name($key, u64);

        impl $name {
            /// `None` where it is held already, or as many are held as may be.
            pub fn lock(key: $key) -> Option<$name> {
                let since = with(|heap| lock(&mut heap.$field, key, $max));
                // Only made when it holds the lock: dropping one releases it.
                since.map(|since| $name(key, since))
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                with(|heap| unlock(&mut heap.$field, &self.0, self.1));
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
    /// One message that waits for the answer to a claim of cycles.
    ClaimGuard, claims: u64, usize::MAX
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

guard! {
    /// The one purchase of cycles.
    TopUpGuard, topping_up: (), 1
}
guard! {
    /// The one payout.
    PayoutGuard, paying_out: (), 1
}

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

        let held = TopUpGuard::lock(()).unwrap();
        for _ in 0..3 {
            assert!(TopUpGuard::lock(()).is_none());
        }
        drop(held);
        assert!(TopUpGuard::lock(()).is_some());
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

    // Statement 3.
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

    // Statement 4: what a cleanup that traps could not let go of is not held for ever.
    #[test]
    fn should_let_go_of_a_lock_whose_release_was_lost() {
        let (one, other) = (Principal::from_slice(&[1]), Principal::from_slice(&[2]));
        std::mem::forget(CallerGuard::lock(one).unwrap());
        std::mem::forget(TopUpGuard::lock(()).unwrap());
        std::mem::forget(PaymentGuard::lock(7).unwrap());
        runtime::pass(LOCK_LEASE - std::time::Duration::from_nanos(1));
        assert!(CallerGuard::lock(one).is_none());
        assert!(TopUpGuard::lock(()).is_none());
        let held = CallerGuard::lock(other).unwrap();
        runtime::pass(std::time::Duration::from_nanos(1));
        for _ in 0..2 {
            drop(CallerGuard::lock(one).unwrap());
            drop(TopUpGuard::lock(()).unwrap());
            drop(PaymentGuard::lock(7).unwrap());
        }
        assert!(CallerGuard::lock(other).is_none());
        drop(held);

        // Nor do they use up what callers together may hold; and a late release takes nobody else's lock.
        let late = CallerGuard::lock(one).unwrap();
        for number in 0..CALLS_MAX - 1 {
            let caller = Principal::from_slice(&[&[3][..], &number.to_be_bytes()].concat());
            std::mem::forget(CallerGuard::lock(caller).unwrap());
        }
        assert!(CallerGuard::lock(other).is_none());
        runtime::pass(LOCK_LEASE);
        let held = CallerGuard::lock(other).unwrap();
        let again = CallerGuard::lock(one).unwrap();
        drop(late);
        assert!(CallerGuard::lock(one).is_none());
        drop((held, again));
    }
}
