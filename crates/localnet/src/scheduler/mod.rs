//! The executor: one thread that takes messages in order and runs them.
//!
//! Messages are worked on first come, first served, whichever canister they are
//! for; so messages from one canister to another keep their order. A message is
//! executed as soon as the thread is free: there are no rounds to wait for.

mod calls;
mod commits;
mod compiling;
mod responses;
mod steps;
mod system_tasks;

pub use calls::{check_heap, composite_query_in_replicated_mode};
pub use commits::forget_at;
pub use responses::callback_message;
pub use steps::{Answer, out_of_cycles};

use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use candid::Principal;
use stoa_localnet_wire::{Ingress, RequestId};

use crate::canister::Origin;
use crate::error::{ErrorCode, Failure};
use crate::network::{Event, Network, Restored};
use crate::system_api::Response;

/// How often heartbeats run, like a subnet's rounds.
const HEARTBEAT_NANOS: u64 = 1_000_000_000;
/// The executor looks after deadlines at least this often.
const IDLE_NANOS: u64 = 500_000_000;
/// An answer stays readable this long after its request has expired.
const ANSWER_KEPT_NANOS: u64 = 300_000_000_000;

use self::commits::Uncommitted;
use self::compiling::Compiling;

/// A message that waits for its turn.
pub enum Task {
    Ingress(Ingress),
    /// A call from one canister to another, or to the management canister.
    Call(Call),
    /// The answer to a call, on its way back.
    Response {
        to: Principal,
        callback: u64,
        response: Response,
        refund: u128,
    },
    System {
        canister: Principal,
        task: SystemTask,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SystemTask {
    Heartbeat,
    GlobalTimer,
    LowWasmMemory,
}

#[derive(Debug)]
pub struct Call {
    pub caller: Principal,
    /// When it made the call.
    pub caller_version: u64,
    pub callback: u64,
    pub callee: Principal,
    pub method: String,
    pub argument: Vec<u8>,
    pub cycles: u128,
    pub deadline: Option<u64>,
}

pub struct Executor {
    network: Arc<Network>,
    inbox: Receiver<Event>,
    /// Each with its place in the order of messages.
    queue: VecDeque<(u64, Task)>,
    /// Heartbeats and timers that are in the queue: none is there twice.
    queued_system_tasks: BTreeSet<(Principal, SystemTask)>,
    next_heartbeat: u64,
    next_payment: u64,
    /// When requests may be forgotten.
    expiries: BTreeSet<(u64, RequestId)>,
    /// What the next commit says of messages and requests.
    uncommitted: Uncommitted,
    next_canister_written: u64,
    compiling: Compiling,
    /// The place of the message that is being executed, until it says that it stays open.
    current: Option<u64>,
}

impl Executor {
    pub fn new(network: Arc<Network>, inbox: Receiver<Event>, restored: Restored) -> Self {
        let now = network.now();
        let queued_system_tasks = restored
            .tasks
            .iter()
            .filter_map(|(_, task)| match task {
                Task::System { canister, task } => Some((*canister, *task)),
                _ => None,
            })
            .collect();
        Self {
            network,
            inbox,
            queue: restored.tasks.into(),
            queued_system_tasks,
            next_heartbeat: now,
            next_payment: now,
            expiries: restored.forget_at.into_iter().collect(),
            uncommitted: Uncommitted::default(),
            next_canister_written: 0,
            compiling: Compiling::default(),
            current: None,
        }
    }

    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    pub(crate) fn network_handle(&self) -> &Arc<Network> {
        &self.network
    }

    /// The message being executed is not done with when this execution ends:
    /// an `Event::Done` with this place says when it is.
    pub(crate) fn keep_open(&mut self) -> u64 {
        self.current.take().unwrap_or(0)
    }

    pub(crate) fn enqueue(&mut self, task: Task) {
        let sequence = self.network.next_task();
        if self.network.store.is_some() {
            self.uncommitted.task(sequence, &task);
        }
        self.queue.push_back((sequence, task));
    }

    /// Works until it is told to stop.
    pub fn run(mut self) {
        loop {
            while let Ok(event) = self.inbox.try_recv() {
                if !self.receive(event) {
                    return;
                }
            }
            let due = self.enqueue_what_is_due();
            if let Some((sequence, task)) = self.queue.pop_front()
                && let Some(task) = self.wait_for_compiler(sequence, task)
            {
                self.current = Some(sequence);
                self.execute_guarded(task);
                if self.current.take().is_some() {
                    self.uncommitted.task_done(sequence);
                }
            }
            if !self.commit() {
                return;
            }
            if !self.queue.is_empty() {
                continue;
            }
            let wait = Duration::from_nanos(due.saturating_sub(self.network.now()).min(IDLE_NANOS));
            match self.inbox.recv_timeout(wait) {
                Ok(event) => {
                    if !self.receive(event) {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn receive(&mut self, event: Event) -> bool {
        match event {
            Event::Ingress(sequence, ingress) => {
                self.expiries
                    .insert((forget_at(&ingress), ingress.request_id));
                self.queue.push_back((sequence, Task::Ingress(ingress)));
                true
            }
            Event::Compiled(sequence) => {
                self.compiled(sequence);
                true
            }
            Event::Done(sequence, answer) => {
                self.enqueue(*answer);
                self.uncommitted.task_done(sequence);
                true
            }
            Event::Stop => false,
        }
    }

    /// A bug in the network must not end it, nor leave anyone waiting: whoever
    /// sent the message is told. What the message did so far may be half done.
    fn execute_guarded(&mut self, task: Task) {
        let (origin, cycles) = match &task {
            Task::Ingress(ingress) => (Origin::Ingress(ingress.request_id), 0),
            Task::Call(call) => (
                Origin::Call {
                    caller: call.caller,
                    callback: call.callback,
                },
                call.cycles,
            ),
            Task::Response { .. } | Task::System { .. } => (Origin::System, 0),
        };
        if catch_unwind(AssertUnwindSafe(|| self.execute(task))).is_err() {
            let failure = Failure::new(
                ErrorCode::Machine,
                "The local network failed while it executed the message: see its error output.",
            );
            self.respond(&origin, Answer::Failed(failure), cycles);
        }
    }

    fn execute(&mut self, task: Task) {
        match task {
            Task::Ingress(ingress) => self.execute_ingress(ingress),
            Task::Call(call) => self.execute_call(call),
            Task::Response {
                to,
                callback,
                response,
                refund,
            } => {
                self.execute_response(to, callback, response, refund);
            }
            Task::System { canister, task } => {
                self.queued_system_tasks.remove(&(canister, task));
                self.execute_system_task(canister, task);
            }
        }
    }

    fn forget_expired_requests(&mut self, now: u64) {
        while let Some((at, request)) = self.expiries.first().copied() {
            if at > now {
                break;
            }
            self.expiries.pop_first();
            let mut tree = self.network.write_tree();
            let answered = tree
                .requests
                .get(&request)
                .is_some_and(|entry| entry.status.is_final());
            if answered {
                tree.requests.remove(&request);
                self.uncommitted.request_forgotten(&request);
            } else {
                self.expiries.insert((now + ANSWER_KEPT_NANOS, request));
                break;
            }
        }
    }
}
