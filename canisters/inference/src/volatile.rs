//! Heap that an upgrade loses, and locks that a trap releases. Models are rebuilt from stable bytes; a call
//! in flight ends with its message; so nothing here may be the only place of anything.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use candid::Principal;
use stoa_engine::{CheckedInputs, Loading, Model, RunError};
use stoa_types::Sha256;
use stoa_types::tensor::Tensor;

use crate::limits::CALLS_MAX;

/// A load between two steps.
pub enum Progress {
    Loading(Loading),
    /// Built; the probe is next.
    Built(Model),
}

/// A run on its way from the payer's message to the message that runs it, and back.
pub struct PendingRun {
    pub version: Sha256,
    pub inputs: Option<CheckedInputs>,
    pub result: Option<RunResult>,
}

pub type RunResult = Result<Finished, RunError>;

#[derive(Clone, PartialEq, Debug)]
pub struct Finished {
    pub outputs: Vec<Tensor>,
    pub instructions: u64,
}

#[derive(Default)]
struct Volatile {
    models: BTreeMap<Sha256, Model>,
    progress: BTreeMap<Sha256, Progress>,
    runs: BTreeMap<u64, PendingRun>,
    next_run: u64,
    callers: BTreeSet<Principal>,
    payments: BTreeSet<u64>,
    loads: BTreeSet<Sha256>,
    registrations: BTreeSet<Principal>,
    topping_up: bool,
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

pub fn model(version: &Sha256) -> Option<Model> {
    with(|heap| heap.models.get(version).cloned())
}

pub fn has_model(version: &Sha256) -> bool {
    with(|heap| heap.models.contains_key(version))
}

pub fn put_model(version: Sha256, model: Model) {
    with(|heap| heap.models.insert(version, model));
}

pub fn remove_model(version: &Sha256) {
    with(|heap| {
        heap.models.remove(version);
        heap.progress.remove(version);
    });
}

pub fn take_progress(version: &Sha256) -> Option<Progress> {
    with(|heap| heap.progress.remove(version))
}

pub fn put_progress(version: Sha256, progress: Progress) {
    with(|heap| heap.progress.insert(version, progress));
}

/// A run in the table for as long as this value lives.
#[must_use = "the run leaves the table when this is dropped"]
pub struct RunSlot {
    id: u64,
}

impl RunSlot {
    pub fn new(version: Sha256, inputs: CheckedInputs) -> RunSlot {
        with(|heap| {
            let id = heap.next_run;
            heap.next_run += 1;
            heap.runs.insert(
                id,
                PendingRun {
                    version,
                    inputs: Some(inputs),
                    result: None,
                },
            );
            RunSlot { id }
        })
    }

    pub fn id(&self) -> u64 {
        self.id
    }

    pub fn take_result(&self) -> Option<RunResult> {
        with(|heap| {
            heap.runs
                .get_mut(&self.id)
                .and_then(|run| run.result.take())
        })
    }
}

impl Drop for RunSlot {
    fn drop(&mut self) {
        with(|heap| heap.runs.remove(&self.id));
    }
}

pub fn take_run_inputs(id: u64) -> Option<(Sha256, CheckedInputs)> {
    with(|heap| {
        let run = heap.runs.get_mut(&id)?;
        Some((run.version, run.inputs.take()?))
    })
}

pub fn put_run_result(id: u64, result: RunResult) {
    with(|heap| {
        if let Some(run) = heap.runs.get_mut(&id) {
            run.result = Some(result);
        }
    });
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
    /// One call of `infer` of a caller.
    CallerGuard, callers: Principal, CALLS_MAX
}
guard! {
    /// One message or retry that works on a payment.
    PaymentGuard, payments: u64, usize::MAX
}
guard! {
    /// One chain of messages that works on a load.
    LoadGuard, loads: Sha256, usize::MAX
}
guard! {
    /// One question of a caller to the registry about a version to load.
    RegistrationGuard, registrations: Principal, CALLS_MAX
}

#[must_use = "the lock is released when this is dropped"]
pub struct TopUpGuard(());

impl TopUpGuard {
    pub fn lock() -> Option<TopUpGuard> {
        let locked = with(|heap| !std::mem::replace(&mut heap.topping_up, true));
        locked.then(|| TopUpGuard(()))
    }
}

impl Drop for TopUpGuard {
    fn drop(&mut self) {
        with(|heap| heap.topping_up = false);
    }
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

        let held = TopUpGuard::lock().unwrap();
        for _ in 0..3 {
            assert!(TopUpGuard::lock().is_none());
        }
        drop(held);
        assert!(TopUpGuard::lock().is_some());
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
}
