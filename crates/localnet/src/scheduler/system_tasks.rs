//! What happens by itself: heartbeats, timers, deadlines, the cost of existing.

use candid::Principal;

use super::calls::UPDATE;
use super::steps::{Payment, Step};
use super::{Executor, HEARTBEAT_NANOS, SystemTask, Task};
use crate::canister::{CallContext, Canister, Origin, Status, StopRequest};
use crate::error::{ErrorCode, Failure, Reject, reject_code};
use crate::execution::Entry;
use crate::system_api::{EntryPoint, Message, Response};
use crate::wasm::MethodKind;

const SECOND: u64 = 1_000_000_000;
/// How often canisters pay for existing.
const PAYMENT_NANOS: u64 = 10 * SECOND;

impl SystemTask {
    fn export(self) -> &'static str {
        match self {
            Self::Heartbeat => "canister_heartbeat",
            Self::GlobalTimer => "canister_global_timer",
            Self::LowWasmMemory => "canister_on_low_wasm_memory",
        }
    }
}

impl Executor {
    /// Puts what is due into the queue; says when the next thing will be.
    pub(super) fn enqueue_what_is_due(&mut self) -> u64 {
        let now = self.network.now();
        let mut next = u64::MAX;
        let mut due = Vec::new();
        let mut timed_out = Vec::new();
        let mut stops_expired = false;
        let beat = now >= self.next_heartbeat;
        {
            let state = self.network.read();
            for canister in state.canisters.values() {
                if canister.is_running()
                    && canister.global_timer != 0
                    && exports(canister, SystemTask::GlobalTimer)
                {
                    match canister.global_timer <= now {
                        true => due.push((canister.id, SystemTask::GlobalTimer)),
                        false => next = next.min(canister.global_timer),
                    }
                }
                if canister.is_running() && exports(canister, SystemTask::Heartbeat) {
                    next = next.min(self.next_heartbeat);
                    if beat {
                        due.push((canister.id, SystemTask::Heartbeat));
                    }
                }
                for (id, callback) in &canister.callbacks {
                    match callback.deadline {
                        Some(deadline) if deadline <= now => timed_out.push((canister.id, *id)),
                        Some(deadline) => next = next.min(deadline),
                        None => {}
                    }
                }
                if let Status::Stopping(waiting) = &canister.status {
                    stops_expired |= waiting.iter().any(|request| request.deadline <= now);
                }
            }
        }
        if beat {
            self.next_heartbeat = now + HEARTBEAT_NANOS;
        }
        for (canister, task) in due {
            if task == SystemTask::GlobalTimer
                && let Some(canister) = self.network.write().canisters.get_mut(&canister)
            {
                canister.global_timer = 0;
            }
            self.enqueue_system_task(canister, task);
        }
        for (canister, callback) in timed_out {
            let reject = Reject::new(reject_code::SYS_UNKNOWN, "Call has timed out.".to_string());
            let response = Response::Reject(reject);
            self.execute_response(canister, callback, response, 0);
        }
        if stops_expired {
            self.expire_stop_requests(now);
        }
        if now >= self.next_payment {
            self.next_payment = now + PAYMENT_NANOS;
            self.charge_for_existing(now);
        }
        self.forget_expired_requests(now);
        match self.queue.is_empty() {
            true => next,
            false => now,
        }
    }

    pub(crate) fn enqueue_system_task(&mut self, canister: Principal, task: SystemTask) {
        if self.queued_system_tasks.insert((canister, task)) {
            self.enqueue(Task::System { canister, task });
        }
    }

    pub(super) fn execute_system_task(&mut self, id: Principal, task: SystemTask) {
        let context = {
            let mut state = self.network.write();
            let Some(canister) = state.canisters.get_mut(&id) else {
                return;
            };
            if !canister.is_running() || !exports(canister, task) {
                return;
            }
            let context = canister.allocate_id();
            canister.call_contexts.insert(
                context,
                CallContext {
                    origin: Origin::System,
                    caller: Principal::management_canister(),
                    caller_info: None,
                    method: String::new(),
                    deadline: None,
                    responded: false,
                    cycles_available: 0,
                    outstanding: 0,
                    instructions: 0,
                    deleted: false,
                },
            );
            context
        };
        let done = self.step(Step {
            canister: id,
            call_context: context,
            point: EntryPoint::SystemTask,
            entry: Entry::Export(task.export()),
            message: Message {
                caller: Some(Principal::management_canister()),
                ..Message::default()
            },
            limits: UPDATE,
            payment: Payment::Balance,
        });
        self.settle(id, context, done);
    }

    fn expire_stop_requests(&mut self, now: u64) {
        let mut expired = Vec::new();
        for canister in self.network.write().canisters.values_mut() {
            if let Status::Stopping(waiting) = &mut canister.status {
                let (late, kept): (Vec<StopRequest>, Vec<StopRequest>) = std::mem::take(waiting)
                    .into_iter()
                    .partition(|request| request.deadline <= now);
                *waiting = kept;
                expired.extend(late);
            }
        }
        for request in expired {
            let failure = Failure::new(ErrorCode::StopTimeout, "Stop canister request timed out");
            self.answer_management_call(&request.caller, Err(failure), 0);
        }
    }

    /// A canister that cannot pay loses its code, its allocations, its snapshots and its history,
    /// as on mainnet.
    fn charge_for_existing(&mut self, now: u64) {
        let mut uninstalled = Vec::new();
        {
            let mut state = self.network.write();
            for canister in state.canisters.values_mut() {
                let seconds = now.saturating_sub(canister.paid_until) / SECOND;
                canister.paid_until += seconds * SECOND;
                let cost = canister.idle_cost(seconds);
                if cost <= canister.cycles {
                    canister.cycles -= cost;
                    continue;
                }
                canister.cycles = 0;
                canister.settings.compute_allocation = 0;
                canister.settings.memory_allocation = 0;
                canister.snapshots.clear();
                canister.history.clear();
                if canister.code.is_some() {
                    canister.version += 1;
                    uninstalled.extend(canister.remove_code());
                    self.network.publish(canister);
                }
            }
        }
        for (origin, refund) in uninstalled {
            let response = Response::Reject(crate::canister::uninstalled());
            self.respond(&origin, super::steps::Answer::Response(response), refund);
        }
    }
}

fn exports(canister: &Canister, task: SystemTask) -> bool {
    canister
        .code
        .as_ref()
        .is_some_and(|code| code.module.exports(MethodKind::System, task.export()))
}
