//! The executor: one thread that takes messages in order and runs them.
//!
//! Messages are worked on first come, first served, whichever canister they are
//! for; so messages from one canister to another keep their order. A message is
//! executed as soon as the thread is free: there are no rounds to wait for.

mod calls;
mod responses;
mod steps;
mod system_tasks;

pub use calls::composite_query_in_replicated_mode;
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
use crate::network::{Event, Network};
use crate::system_api::Response;

/// How often heartbeats run, like a subnet's rounds.
const HEARTBEAT_NANOS: u64 = 1_000_000_000;
/// The executor looks after deadlines at least this often.
const IDLE_NANOS: u64 = 500_000_000;
/// An answer stays readable this long after its request has expired.
const ANSWER_KEPT_NANOS: u64 = 300_000_000_000;

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
    queue: VecDeque<Task>,
    /// Heartbeats and timers that are in the queue: none is there twice.
    queued_system_tasks: BTreeSet<(Principal, SystemTask)>,
    next_heartbeat: u64,
    next_payment: u64,
    /// When requests may be forgotten.
    expiries: BTreeSet<(u64, RequestId)>,
}

impl Executor {
    pub fn new(network: Arc<Network>, inbox: Receiver<Event>) -> Self {
        let now = network.now();
        Self {
            network,
            inbox,
            queue: VecDeque::new(),
            queued_system_tasks: BTreeSet::new(),
            next_heartbeat: now,
            next_payment: now,
            expiries: BTreeSet::new(),
        }
    }

    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    pub(crate) fn enqueue(&mut self, task: Task) {
        self.queue.push_back(task);
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
            if let Some(task) = self.queue.pop_front() {
                self.execute_guarded(task);
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
            Event::Ingress(ingress) => {
                let forget = ingress
                    .ingress_expiry_nanos
                    .saturating_add(ANSWER_KEPT_NANOS);
                self.expiries.insert((forget, ingress.request_id));
                self.queue.push_back(Task::Ingress(ingress));
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
            } else {
                self.expiries.insert((now + ANSWER_KEPT_NANOS, request));
                break;
            }
        }
    }
}
