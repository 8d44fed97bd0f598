//! One execution of a canister's code in the executor: set up, run, kept or undone.

use std::sync::Arc;

use candid::Principal;

use super::{Call, Executor, SystemTask, Task};
use crate::canister::{Callback, Canister, Origin};
use crate::error::{ErrorCode, ExecutionError, Failure};
use crate::execution::{Ended, Entry, Execution};
use crate::fees;
use crate::limits::DIRTY_PAGE_INSTRUCTIONS;
use crate::memory::HeapWrites;
use crate::network::{Limits, rejected, status_of};
use crate::record::{Cost, kind};
use crate::system_api::{EntryPoint, Message, MessageContext, OutgoingCall, Response};

/// How a step is paid for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Payment {
    /// From the balance, which must suffice for the whole limit beforehand.
    Balance,
    /// From what was kept back when the call was sent.
    Reserve,
}

/// What to run.
pub struct Step<'a> {
    pub canister: Principal,
    /// The call context that outgoing calls belong to.
    pub call_context: u64,
    pub point: EntryPoint,
    pub entry: Entry<'a>,
    pub message: Message,
    pub limits: Limits,
    pub payment: Payment,
}

/// What a successful execution wrote, and what it used before that is charged.
struct Written {
    writes: HeapWrites,
    dirty_pages: u64,
    instructions: u64,
}

/// An execution of which nothing is kept.
struct Undone {
    error: ExecutionError,
    logs: Vec<(u64, Vec<u8>)>,
    time: u64,
}

/// What came of it. Memory, cycles and calls have been settled.
pub struct Done {
    pub result: Result<Option<Response>, ExecutionError>,
    pub instructions: u64,
    pub cycles_accepted: u128,
}

impl Executor {
    /// Runs a step. An error means that nothing was run.
    pub(super) fn step(&mut self, step: Step) -> Result<Done, Failure> {
        let Step {
            canister,
            call_context,
            point,
            entry,
            message,
            limits,
            payment,
        } = step;
        let (code, mut context) = {
            let state = self.network.read();
            let known = state
                .canisters
                .get(&canister)
                .ok_or_else(|| Failure::canister_not_found(canister))?;
            let Some(code) = known.code.clone() else {
                return Err(ExecutionError::NoModule.into_failure(canister));
            };
            let context =
                self.network
                    .context(known, point, message, limits, code.memory.stable.open());
            (code, context)
        };
        if payment == Payment::Balance {
            let prepaid = fees::execution(limits.instructions);
            let needed = context.freezing_balance() + prepaid;
            if context.balance < needed {
                return Err(out_of_cycles(canister, needed - context.balance));
            }
            context.balance -= prepaid;
        }
        let mut execution = match Execution::start(&code.module, &code.memory, context) {
            Ok(execution) => execution,
            Err(error) => return Err(error.into_failure(canister)),
        };
        let method = execution.context().message.method.clone();
        let Ended {
            result,
            instructions,
            instructions_max,
        } = execution.run(entry);
        let stable_pages = execution.context().stable.written_page_count();
        // What a replicated query writes is dropped, and so not counted.
        let written = match point {
            EntryPoint::ReplicatedQuery => Ok(HeapWrites::default()),
            _ => execution.writes(),
        };
        let dirty_pages = stable_pages + written.as_ref().map_or(0, HeapWrites::page_count);
        let done = match (result, written) {
            (Ok(()), Ok(writes)) => self.keep(
                canister,
                call_context,
                execution,
                Written {
                    writes,
                    dirty_pages,
                    instructions,
                },
                limits,
                payment,
            ),
            (result, written) => {
                let error = match (result, written) {
                    (Err(error), _) => error,
                    (Ok(()), Err(error)) => ExecutionError::Machine(error.to_string()),
                    (Ok(()), Ok(_)) => ExecutionError::Machine("BUG: nothing failed".to_string()),
                };
                let context = execution.discard();
                Err(Undone {
                    error,
                    logs: context.logs,
                    time: context.time,
                })
            }
        };
        let cost = Cost {
            instructions: done.as_ref().map_or(instructions, |(_, charged)| *charged),
            instructions_max,
            dirty_pages,
            trapped: done.is_err(),
        };
        self.network
            .executions
            .note(canister, kind(point, entry), &method, cost);
        Ok(match done {
            Ok((context, instructions)) => Done {
                result: Ok(context.response),
                instructions,
                cycles_accepted: context.cycles_accepted,
            },
            Err(undone) => {
                let error = undone.error.clone();
                self.note_failure(canister, undone, instructions, payment);
                Done {
                    result: Err(error),
                    instructions,
                    cycles_accepted: 0,
                }
            }
        })
    }

    /// Writes memory back and applies every other effect, all at once for readers.
    fn keep(
        &mut self,
        canister: Principal,
        call_context: u64,
        execution: Execution,
        written: Written,
        limits: Limits,
        payment: Payment,
    ) -> Result<(MessageContext, u64), Undone> {
        let time = execution.context().time;
        let failed = |error: &dyn std::fmt::Display| Undone {
            error: ExecutionError::Machine(error.to_string()),
            logs: Vec::new(),
            time,
        };
        let keeps_memory = execution.context().entry_point != EntryPoint::ReplicatedQuery;
        let Written {
            writes,
            dirty_pages,
            instructions,
        } = written;
        let instructions =
            (instructions + dirty_pages * DIRTY_PAGE_INSTRUCTIONS).min(limits.instructions);
        let network = Arc::clone(&self.network);
        let gate = network.read().canisters.get(&canister).and_then(|known| {
            known
                .code
                .as_ref()
                .map(|code| Arc::clone(&code.memory.stable.file))
        });
        let Some(gate) = gate else {
            return Err(failed(&"BUG: the canister's code vanished"));
        };
        let closed = gate.enter_exclusively();
        let mut state = network.write();
        let Some(known) = state.canisters.get_mut(&canister) else {
            return Err(failed(&"BUG: the canister vanished"));
        };
        let mut context = match (&mut known.code, keeps_memory) {
            (Some(code), true) => execution
                .commit(&writes, &mut code.memory)
                .map_err(|error| failed(&error))?,
            _ => execution.discard(),
        };
        drop(closed);
        context.abandon_call();
        let calls = std::mem::take(&mut context.calls);
        known.cycles = match payment {
            Payment::Balance => {
                context.balance + fees::execution(limits.instructions)
                    - fees::execution(instructions)
            }
            Payment::Reserve => context.balance,
        };
        known.version += 1;
        if let Some(at) = context.global_timer {
            known.global_timer = at;
        }
        for (time, text) in context.logs.drain(..) {
            known.log(time, text);
        }
        for call in calls {
            let version = context.facts.version;
            let task = register_call(known, version, call_context, call, time);
            self.enqueue(Task::Call(task));
        }
        if let Some(data) = context.certified_data.take() {
            known.certified_data = data;
            network.publish(known);
        }
        self.watch_wasm_memory(canister, &mut state);
        Ok((context, instructions))
    }

    /// Only what was printed, and the price, remain of an execution that was undone.
    fn note_failure(
        &self,
        canister: Principal,
        undone: Undone,
        instructions: u64,
        payment: Payment,
    ) {
        let Undone { error, logs, time } = undone;
        let mut state = self.network.write();
        let Some(known) = state.canisters.get_mut(&canister) else {
            return;
        };
        for (time, text) in logs {
            known.log(time, text);
        }
        let trapped = match &error {
            ExecutionError::Trapped(code) => Some(code.to_string()),
            ExecutionError::CalledTrap(message) if message.is_empty() => {
                Some("(no message)".to_string())
            }
            ExecutionError::CalledTrap(message) => Some(message.clone()),
            _ => None,
        };
        if let Some(text) = trapped {
            known.log(time, format!("[TRAP]: {text}").into_bytes());
        }
        if payment == Payment::Balance {
            known.cycles = known.cycles.saturating_sub(fees::execution(instructions));
        }
    }

    /// Schedules `canister_on_low_wasm_memory` when little heap is left.
    fn watch_wasm_memory(&mut self, id: Principal, state: &mut crate::network::State) {
        let Some(canister) = state.canisters.get_mut(&id) else {
            return;
        };
        let Some(code) = &canister.code else { return };
        let low = canister.is_low_on_heap(code);
        if low && !canister.low_memory_noticed {
            self.enqueue_system_task(id, SystemTask::LowWasmMemory);
        }
        canister.low_memory_noticed = low;
    }

    /// Tells whoever waits.
    pub(crate) fn respond(&mut self, origin: &Origin, answer: Answer, refund: u128) {
        let answer = match answer {
            Answer::Response(response) => Answer::Response(response.carried()),
            other => other,
        };
        match origin {
            Origin::System => {}
            Origin::Ingress(request) => {
                let status = match answer {
                    Answer::Response(response) => status_of(response),
                    Answer::Failed(failure) => rejected(&failure),
                    Answer::None(canister) => rejected(&Failure::new(
                        ErrorCode::DidNotReply,
                        format!("Canister {canister} did not reply to the call"),
                    )),
                };
                self.network.answer(*request, status);
            }
            Origin::Call { caller, callback } => {
                let response = match answer {
                    Answer::Response(response) => response,
                    Answer::Failed(failure) => Response::Reject(failure.to_reject()),
                    Answer::None(_) => Response::Reject(crate::error::Reject::new(
                        crate::error::reject_code::CANISTER_ERROR,
                        "No response".to_string(),
                    )),
                };
                self.enqueue(Task::Response {
                    to: *caller,
                    callback: *callback,
                    response,
                    refund,
                });
            }
        }
    }
}

/// How a call ended, before it is put in the terms of whoever made it.
pub enum Answer {
    Response(Response),
    Failed(Failure),
    /// The canister will never answer.
    None(Principal),
}

fn register_call(
    canister: &mut Canister,
    version: u64,
    context: u64,
    call: OutgoingCall,
    time: u64,
) -> Call {
    let callback = canister.allocate_id();
    let deadline = call
        .timeout_seconds
        .map(|seconds| time + u64::from(seconds) * 1_000_000_000);
    canister.callbacks.insert(
        callback,
        Callback {
            context,
            callee: call.callee,
            on_reply: call.on_reply,
            on_reject: call.on_reject,
            on_cleanup: call.on_cleanup,
            deadline,
        },
    );
    canister.count_call(call.callee);
    if let Some(context) = canister.call_contexts.get_mut(&context) {
        context.outstanding += 1;
    }
    Call {
        caller: canister.id,
        caller_version: version,
        callback,
        callee: call.callee,
        method: call.method,
        argument: call.argument,
        cycles: call.cycles,
        deadline,
    }
}

pub fn out_of_cycles(canister: Principal, missing: u128) -> Failure {
    Failure::new(
        ErrorCode::OutOfCycles,
        format!(
            "Canister {canister} is out of cycles: please top up the canister with at least {missing} additional cycles"
        ),
    )
}
