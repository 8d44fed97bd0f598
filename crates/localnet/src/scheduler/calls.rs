//! Calls that a canister receives: from users and from canisters.

use std::sync::Arc;

use candid::Principal;
use stoa_localnet_wire::{Ingress, SenderInfo};

use super::steps::{Answer, Payment, Step};
use super::{Call, Executor};
use crate::canister::{CallContext, Canister, ManagementCaller, Origin, Status};
use crate::error::{ErrorCode, ExecutionError, Failure};
use crate::execution::Entry;
use crate::fees;
use crate::limits::{REPLY_BYTES_MAX, UPDATE_INSTRUCTIONS_MAX};
use crate::management;
use crate::network::Limits;
use crate::system_api::{EntryPoint, Message};
use crate::wasm::MethodKind;

pub const UPDATE: Limits = Limits {
    instructions: UPDATE_INSTRUCTIONS_MAX,
    reply_bytes: REPLY_BYTES_MAX,
};

/// A call in the terms of the canister that receives it.
struct Received {
    origin: Origin,
    caller: Principal,
    caller_info: Option<Arc<SenderInfo>>,
    callee: Principal,
    method: String,
    argument: Vec<u8>,
    cycles: u128,
    deadline: Option<u64>,
}

impl Executor {
    pub(super) fn execute_ingress(&mut self, ingress: Ingress) {
        let request = ingress.request_id;
        if ingress.ingress_expiry_nanos < self.network.now() {
            let failure = Failure::new(
                ErrorCode::IngressTimeout,
                format!(
                    "Ingress message {} timed out waiting to start executing.",
                    hex::encode(request.0)
                ),
            );
            return self.respond(&Origin::Ingress(request), Answer::Failed(failure), 0);
        }
        self.network.note_processing(request);
        if ingress.canister_id == Principal::management_canister() {
            let caller = ManagementCaller::User {
                sender: ingress.sender,
                request_id: request,
            };
            let fee = fees::ingress(ingress.message_bytes);
            return self.execute_paid_management_call(
                caller,
                &ingress.method_name,
                &ingress.arg,
                fee,
            );
        }
        let fee = fees::ingress(ingress.message_bytes);
        if let Some(canister) = self.network.write().canisters.get_mut(&ingress.canister_id) {
            canister.cycles = canister.cycles.saturating_sub(fee);
        }
        self.receive_call(Received {
            origin: Origin::Ingress(request),
            caller: ingress.sender,
            caller_info: ingress.sender_info.map(Arc::new),
            callee: ingress.canister_id,
            method: ingress.method_name,
            argument: ingress.arg,
            cycles: 0,
            deadline: None,
        });
    }

    pub(super) fn execute_call(&mut self, call: Call) {
        if self.is_too_late(&call) {
            return;
        }
        if call.callee == Principal::management_canister() || call.callee == self.network.subnet {
            let version = management::sender_version(&call.argument);
            let caller = ManagementCaller::Canister {
                sender: call.caller,
                callback: call.callback,
                cycles: call.cycles,
                version,
            };
            if let Some(given) = version.filter(|given| *given != call.caller_version) {
                let failure = management::wrong_sender_version(given, call.caller_version);
                return self.answer_management_call(&caller, Err(failure), call.cycles);
            }
            return self.execute_management_call(caller, &call.method, &call.argument);
        }
        self.receive_call(Received {
            origin: Origin::Call {
                caller: call.caller,
                callback: call.callback,
            },
            caller: call.caller,
            caller_info: None,
            callee: call.callee,
            method: call.method,
            argument: call.argument,
            cycles: call.cycles,
            deadline: call.deadline,
        });
    }

    /// Of a best-effort call that has timed out before it was delivered: nobody waits for its
    /// answer, so it is dropped, and its cycles go back.
    fn is_too_late(&self, call: &Call) -> bool {
        let late = call
            .deadline
            .is_some_and(|deadline| deadline <= self.network.now());
        if late && let Some(caller) = self.network.write().canisters.get_mut(&call.caller) {
            caller.cycles = caller.cycles.saturating_add(call.cycles);
        }
        late
    }

    fn receive_call(&mut self, call: Received) {
        match self.open_call_context(&call) {
            Ok((context, point)) => self.run_call(call, context, point),
            Err(refusal) => {
                let answer = refusal.answer(&call.origin);
                self.respond(&call.origin, answer, call.cycles);
            }
        }
    }

    /// Checks that the canister takes the call, and notes that it has begun.
    fn open_call_context(&self, call: &Received) -> Result<(u64, EntryPoint), Refusal> {
        let mut state = self.network.write();
        let canister = state
            .canisters
            .get_mut(&call.callee)
            .ok_or(Refusal::NotFound(call.callee))?;
        match canister.status {
            Status::Running => {}
            Status::Stopping(_) => return Err(Refusal::Stopping(call.callee)),
            Status::Stopped => return Err(Refusal::Stopped(call.callee)),
        }
        let point = entry_point(canister, &call.method)
            .map_err(|error| Refusal::Failed(error.into_failure(call.callee)))?
            .ok_or_else(|| Refusal::Failed(composite_query_in_replicated_mode()))?;
        if point == EntryPoint::Update {
            check_wasm_memory(canister)
                .map_err(|error| Refusal::Failed(error.into_failure(call.callee)))?;
        }
        let context = canister.allocate_id();
        canister.call_contexts.insert(
            context,
            CallContext {
                origin: call.origin.clone(),
                caller: call.caller,
                caller_info: call.caller_info.clone(),
                method: call.method.clone(),
                deadline: call.deadline,
                responded: false,
                cycles_available: call.cycles,
                outstanding: 0,
                instructions: 0,
                deleted: false,
            },
        );
        Ok((context, point))
    }

    fn run_call(&mut self, call: Received, context: u64, point: EntryPoint) {
        // A query cannot see when its caller stops waiting.
        let (kind, deadline) = match point {
            EntryPoint::ReplicatedQuery => ("canister_query", None),
            _ => ("canister_update", call.deadline),
        };
        let export = format!("{kind} {}", call.method);
        let done = self.step(Step {
            canister: call.callee,
            call_context: context,
            point,
            entry: Entry::Export(&export),
            message: Message {
                caller: Some(call.caller),
                caller_info: call.caller_info,
                argument: Arc::new(call.argument),
                method: call.method,
                deadline,
                cycles_available: call.cycles,
                ..Message::default()
            },
            limits: UPDATE,
            payment: Payment::Balance,
        });
        self.settle(call.callee, context, done);
    }
}

/// A heap beyond the limit in the settings, which may have been lowered, is not
/// to be worked on by updates.
fn check_wasm_memory(canister: &Canister) -> Result<(), ExecutionError> {
    let code = canister.code.as_ref();
    check_heap(canister, code.map_or(0, |code| code.memory.heap.bytes()))
}

/// Holds a heap of that many bytes against the limit in the settings.
pub fn check_heap(canister: &Canister, bytes: u64) -> Result<(), ExecutionError> {
    let limit = canister.settings.wasm_memory_limit;
    match limit != 0 && bytes > limit {
        true => Err(ExecutionError::WasmMemoryLimitExceeded { bytes, limit }),
        false => Ok(()),
    }
}

/// Which entry point a method name leads to. None for a composite query.
fn entry_point(canister: &Canister, method: &str) -> Result<Option<EntryPoint>, ExecutionError> {
    let module = &canister
        .code
        .as_ref()
        .ok_or(ExecutionError::NoModule)?
        .module;
    if module.exports(MethodKind::Update, method) {
        Ok(Some(EntryPoint::Update))
    } else if module.exports(MethodKind::Query, method) {
        Ok(Some(EntryPoint::ReplicatedQuery))
    } else if module.exports(MethodKind::CompositeQuery, method) {
        Ok(None)
    } else {
        Err(ExecutionError::MethodNotFound {
            kind: "update",
            name: method.to_string(),
        })
    }
}

pub fn composite_query_in_replicated_mode() -> Failure {
    Failure::new(
        ErrorCode::CompositeQueryInReplicatedMode,
        "Composite query cannot be called in replicated mode",
    )
}

/// Why a canister does not take a call.
enum Refusal {
    NotFound(Principal),
    Stopping(Principal),
    Stopped(Principal),
    Failed(Failure),
}

impl Refusal {
    fn answer(self, origin: &Origin) -> Answer {
        let failure = match self {
            Self::NotFound(id) => Failure::canister_not_found(id),
            Self::Stopping(id) => {
                Failure::new(ErrorCode::Stopping, format!("Canister {id} is stopping"))
            }
            Self::Stopped(id) => {
                Failure::new(ErrorCode::Stopped, format!("Canister {id} is stopped"))
            }
            Self::Failed(failure) => return Answer::Failed(failure),
        };
        // These are found out when a call is delivered, before there is an
        // error code: a calling canister sees the bare text.
        match origin {
            Origin::Call { .. } => {
                let reject = crate::error::Reject::new(failure.code.reject_code(), failure.message);
                Answer::Response(crate::system_api::Response::Reject(reject))
            }
            _ => Answer::Failed(failure),
        }
    }
}
