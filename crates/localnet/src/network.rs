//! The state that the parts of the network share, and the ways to change it.
//!
//! One thread, the executor, changes canisters. Queries and the HTTP interface
//! read them. No lock is held while a canister's code runs, but one: a query
//! keeps commits to the memory that it reads from happening (see `PagedFile`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use candid::Principal;
use stoa_localnet_wire::{Ingress, Keys, Rejection, RequestId, RequestStatus, StateTree};
use tokio::sync::watch;

use crate::canister::Canister;
use crate::canisters::Canisters;
use crate::error::Failure;
use crate::memory::{Files, StableMemory};
use crate::record::ExecutionRecord;
use crate::scheduler::Task;
use crate::store::{Changes, Loaded, Store};
use crate::system_api::{EntryPoint, Message, MessageContext, Response};
use crate::wasm::ModuleStore;

/// Canister ids are numbers, as on the Internet Computer; local ones start here.
/// The range of the certified routing table is wider and holds the ids of
/// mainnet's own canisters too, for `specified_id`.
const FIRST_CANISTER: u64 = 0x0000_0000_FFE0_0000;

const LAST_CANISTER: u64 = 0x0000_0000_FFFF_FFFF;

pub struct Network {
    pub keys: Arc<Keys>,
    pub root_key: Arc<Vec<u8>>,
    pub subnet: Principal,
    pub modules: ModuleStore,
    pub files: Files,
    pub tree: Arc<RwLock<StateTree>>,
    pub executions: Arc<ExecutionRecord>,
    state: RwLock<State>,
    to_executor: Mutex<Sender<Event>>,
    /// Counts answered requests, for those who wait for one.
    answered: watch::Sender<u64>,
    last_time: AtomicU64,
    /// Where everything is kept; absent for a network that ends with its process.
    pub store: Option<Store>,
    pub seed: [u8; 32],
    next_task: AtomicU64,
    /// Answers that become known when the commit is made that they belong to.
    unpublished: Mutex<Vec<(RequestId, RequestStatus)>>,
}

#[derive(Default)]
pub struct State {
    pub canisters: Canisters,
    pub next_canister: u64,
}

/// What the executor is told.
pub enum Event {
    /// With its place in the order of messages.
    Ingress(u64, Ingress),
    /// The module of the installation with that place has been compiled.
    Compiled(u64),
    /// What the message with that place was waiting for: its answer.
    Done(u64, Box<Task>),
    Stop,
}

impl Network {
    pub fn new(
        seed: [u8; 32],
        modules: ModuleStore,
        store: Option<Store>,
        to_executor: Sender<Event>,
    ) -> Self {
        let keys = Arc::new(Keys::from_seed(seed));
        let files = store.as_ref().map(Store::files).unwrap_or_default();
        Self {
            root_key: Arc::new(keys.root_key_der().to_vec()),
            subnet: keys.subnet_id(),
            keys,
            modules,
            files,
            tree: Arc::default(),
            executions: Arc::default(),
            state: RwLock::new(State {
                next_canister: FIRST_CANISTER,
                ..State::default()
            }),
            to_executor: Mutex::new(to_executor),
            answered: watch::Sender::new(0),
            last_time: AtomicU64::new(0),
            store,
            seed,
            next_task: AtomicU64::new(1),
            unpublished: Mutex::default(),
        }
    }

    /// Takes over what a state folder held, and gives the messages that wait.
    pub fn restore(&self, loaded: Loaded) -> Restored {
        let mut state = self.write();
        if let Some(next) = loaded.next_canister {
            state.next_canister = next;
        }
        for canister in loaded.canisters {
            // Time must not go back for anyone who has seen it.
            self.last_time
                .fetch_max(canister.paid_until, Ordering::Relaxed);
            self.publish(&canister);
            state.canisters.insert(canister.id, canister);
        }
        state.canisters.take_touched();
        drop(state);
        let mut tree = self.write_tree();
        let mut forget_at = Vec::new();
        for (id, entry) in loaded.requests {
            forget_at.push((entry.forget_at_nanos, id));
            tree.requests.insert(id, entry);
        }
        let last = loaded.tasks.last().map_or(0, |(sequence, _)| *sequence);
        self.next_task.fetch_max(last + 1, Ordering::Relaxed);
        Restored {
            tasks: loaded.tasks,
            forget_at,
        }
    }

    /// The root key must not change any more once somebody has seen it.
    pub fn store_identity(&self) -> std::io::Result<()> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        let mut changes = Changes::default();
        changes.network(&self.seed, self.read().next_canister)?;
        store.commit(&changes)
    }

    /// A place in the order of messages.
    pub fn next_task(&self) -> u64 {
        self.next_task.fetch_add(1, Ordering::Relaxed)
    }

    pub fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state
            .read()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn read_tree(&self) -> RwLockReadGuard<'_, StateTree> {
        self.tree
            .read()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn write_tree(&self) -> RwLockWriteGuard<'_, StateTree> {
        self.tree
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// False once the executor has stopped.
    pub fn tell(&self, event: Event) -> bool {
        let sender = self
            .to_executor
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        sender.send(event).is_ok()
    }

    /// Nanoseconds since 1970; never less than before.
    pub fn now(&self) -> u64 {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_nanos() as u64);
        self.last_time.fetch_max(now, Ordering::Relaxed).max(now)
    }

    pub fn watch_answers(&self) -> watch::Receiver<u64> {
        self.answered.subscribe()
    }

    pub fn note_processing(&self, request: RequestId) {
        if let Some(entry) = self.write_tree().requests.get_mut(&request) {
            entry.status = RequestStatus::Processing;
        }
    }

    /// Holds an answer back until `publish_answers`.
    pub fn answer(&self, request: RequestId, status: RequestStatus) {
        self.unpublished().push((request, status));
    }

    fn unpublished(&self) -> std::sync::MutexGuard<'_, Vec<(RequestId, RequestStatus)>> {
        self.unpublished
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn take_answers(&self) -> Vec<(RequestId, RequestStatus)> {
        std::mem::take(&mut self.unpublished())
    }

    /// Lets everyone know. What they say holds from now on, whatever happens.
    pub fn publish_answers(&self, answers: Vec<(RequestId, RequestStatus)>) {
        if answers.is_empty() {
            return;
        }
        let mut tree = self.write_tree();
        for (request, status) in answers {
            if let Some(entry) = tree.requests.get_mut(&request) {
                entry.status = status;
            }
        }
        drop(tree);
        self.answered.send_modify(|count| *count += 1);
    }

    /// Brings the certified facts of a canister up to date.
    pub fn publish(&self, canister: &Canister) {
        let entry = canister.entry();
        self.write_tree().canisters.insert(canister.id, entry);
    }

    /// A certificate of the canister's certified data, for its queries.
    pub fn data_certificate(&self, id: Principal) -> Vec<u8> {
        self.keys.data_certificate(&self.read_tree(), id)
    }

    pub fn unpublish(&self, id: &Principal) {
        self.write_tree().canisters.remove(id);
    }

    /// A context to run an entry point of the canister in.
    pub fn context(
        &self,
        canister: &Canister,
        point: EntryPoint,
        message: Message,
        limits: Limits,
        stable: StableMemory,
    ) -> MessageContext {
        MessageContext {
            entry_point: point,
            facts: canister.facts(self.subnet, &self.root_key),
            message,
            time: self.now(),
            instruction_limit: limits.instructions,
            reply_bytes_max: limits.reply_bytes,
            certifier: None,
            data_certificate: None,
            stable,
            grown: 0,
            balance: canister.cycles,
            cycles_accepted: 0,
            cycles_minted: 0,
            reply_data: Vec::new(),
            response: None,
            call: None,
            calls: Vec::new(),
            certified_data: None,
            global_timer: None,
            accepted: false,
            logs: Vec::new(),
            memory: None,
            heap_bytes_max: 0,
            counter: None,
            error: None,
        }
    }
}

/// Messages that were waiting, and when requests may be forgotten.
#[derive(Default)]
pub struct Restored {
    pub tasks: Vec<(u64, Task)>,
    pub forget_at: Vec<(u64, RequestId)>,
}

/// What one execution may use.
#[derive(Clone, Copy)]
pub struct Limits {
    pub instructions: u64,
    pub reply_bytes: usize,
}

impl State {
    /// An id that was never given out.
    pub fn allocate_canister_id(&mut self) -> Principal {
        let id = canister_id(self.next_canister);
        self.next_canister += 1;
        id
    }
}

/// The number, big-endian, and two bytes that mark an id of a canister.
pub fn canister_id(number: u64) -> Principal {
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes[8..].copy_from_slice(&[1, 1]);
    Principal::from_slice(&bytes)
}

/// Whether that is the id of some canister.
pub fn is_canister_id(id: &Principal) -> bool {
    let bytes = id.as_slice();
    bytes.len() == 10 && bytes[8..] == [1, 1]
}

/// Whether that id is one that this network gives out, now or later.
pub fn is_allocated_here(id: &Principal) -> bool {
    *id >= canister_id(FIRST_CANISTER) && *id < canister_id(LAST_CANISTER)
}

pub fn rejected(failure: &Failure) -> RequestStatus {
    RequestStatus::Rejected(failure.to_rejection())
}

/// A canister's answer, as the user who called it sees it.
pub fn status_of(response: Response) -> RequestStatus {
    match response {
        Response::Reply(bytes) => RequestStatus::Replied(bytes),
        Response::Reject(reject) => RequestStatus::Rejected(Rejection {
            code: u64::from(reject.code),
            message: reject.message,
            error_code: crate::error::ErrorCode::RejectedMessage.to_string(),
        }),
    }
}
