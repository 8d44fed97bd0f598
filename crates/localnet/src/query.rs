//! Queries: executions beside the executor that change nothing.
//!
//! A query reads a canister as the last commit left it, and keeps the next one
//! waiting while it runs. A composite query may call queries of other
//! canisters; each canister that takes part is held so until the whole is done.

use std::sync::Arc;

use candid::Principal;
use stoa_localnet_wire::{Query, QueryOutcome, SenderInfo};

use crate::canister::{CallContext, Code, Origin, Status};
use crate::error::{ErrorCode, ExecutionError, Failure, Reject, reject_code};
use crate::execution::{CanisterMemory, Ended, Entry, Execution};
use crate::limits::{COMPOSITE_QUERY_DEPTH_MAX, QUERY_INSTRUCTIONS_MAX, QUERY_REPLY_BYTES_MAX};
use crate::memory::PagedFile;
use crate::network::{Limits, Network};
use crate::record::{Cost, kind};
use crate::system_api::{EntryPoint, Message, MessageContext, OutgoingCall, Response};
use crate::wasm::MethodKind;

/// Runs on a thread with a stack for Wasm.
pub fn run(network: &Arc<Network>, query: Query) -> QueryOutcome {
    if query.canister_id == Principal::management_canister() {
        return outcome(crate::management::query(
            network,
            query.sender,
            &query.method_name,
            &query.arg,
        ));
    }
    let mut graph = CallGraph {
        network,
        held: Vec::new(),
        instructions: 0,
    };
    let call = QueryCall {
        callee: query.canister_id,
        caller: query.sender,
        caller_info: query.sender_info.map(Arc::new),
        transforms: false,
        method: query.method_name,
        argument: query.arg,
        depth: 0,
    };
    let response = graph
        .evaluate(call)
        .map(|answer| answer.unwrap_or_else(|| no_response(query.canister_id)));
    match response {
        Ok(Ok(response)) => outcome(Ok(response)),
        Ok(Err(failure)) | Err(failure) => outcome(Err(failure)),
    }
}

/// Runs the query that a canister named to transform the answer of an outcall.
pub fn transform(
    network: &Arc<Network>,
    canister: Principal,
    method: String,
    argument: Vec<u8>,
) -> Result<Response, Failure> {
    let mut graph = CallGraph {
        network,
        held: Vec::new(),
        instructions: 0,
    };
    let call = QueryCall {
        callee: canister,
        caller: Principal::management_canister(),
        caller_info: None,
        transforms: true,
        method,
        argument,
        depth: 0,
    };
    graph
        .evaluate(call)?
        .unwrap_or_else(|| no_response(canister))
}

fn no_response(canister: Principal) -> Result<Response, Failure> {
    let message = format!("Canister {canister} did not produce a response");
    Err(Failure::new(ErrorCode::DidNotReply, message))
}

fn outcome(result: Result<Response, Failure>) -> QueryOutcome {
    match result {
        Ok(Response::Reply(bytes)) => QueryOutcome::Replied(bytes),
        Ok(Response::Reject(reject)) => QueryOutcome::Rejected(stoa_localnet_wire::Rejection {
            code: u64::from(reject.code),
            message: reject.message,
            error_code: ErrorCode::RejectedMessage.to_string(),
        }),
        Err(failure) => QueryOutcome::Rejected(failure.to_rejection()),
    }
}

struct QueryCall {
    callee: Principal,
    caller: Principal,
    caller_info: Option<Arc<SenderInfo>>,
    /// Whether it transforms the answer of an HTTPS outcall.
    transforms: bool,
    method: String,
    argument: Vec<u8>,
    depth: usize,
}

/// A query and the queries that it calls.
struct CallGraph<'a> {
    network: &'a Arc<Network>,
    /// Memories that this thread keeps from being committed to.
    held: Vec<Arc<PagedFile>>,
    instructions: u64,
}

/// An answer, a failure of the canister, or none.
type Answer = Option<Result<Response, Failure>>;

impl CallGraph<'_> {
    fn evaluate(&mut self, call: QueryCall) -> Result<Answer, Failure> {
        if call.depth > COMPOSITE_QUERY_DEPTH_MAX {
            return Err(Failure::new(
                ErrorCode::CallGraphTooDeep,
                format!(
                    "Composite query exceeds the maximum call graph depth of {COMPOSITE_QUERY_DEPTH_MAX}."
                ),
            ));
        }
        if self.instructions >= QUERY_INSTRUCTIONS_MAX {
            return Err(Failure::new(
                ErrorCode::CallGraphInstructionsExceeded,
                format!(
                    "Composite query call exceeded the instruction limit of {QUERY_INSTRUCTIONS_MAX}."
                ),
            ));
        }
        let mut file = self.memory_file(&call.callee)?;
        loop {
            if self.held.iter().any(|held| Arc::ptr_eq(held, &file)) {
                return self.execute(call);
            }
            let gate = Arc::clone(&file);
            let _closed_to_commits = gate.enter();
            // The canister may have been given another memory before it was held.
            let now = self.memory_file(&call.callee)?;
            if Arc::ptr_eq(&now, &file) {
                self.held.push(file);
                let answer = self.execute(call);
                self.held.pop();
                return answer;
            }
            file = now;
        }
    }

    fn memory_file(&self, id: &Principal) -> Result<Arc<PagedFile>, Failure> {
        let state = self.network.read();
        let canister = state
            .canisters
            .get(id)
            .ok_or_else(|| Failure::canister_not_found(*id))?;
        // One that is stopping still answers queries, as on mainnet.
        if matches!(canister.status, Status::Stopped) {
            return Err(Failure::new(
                ErrorCode::Stopped,
                format!(
                    "Canister {id} is stopped and therefore does not have a CallContextManager"
                ),
            ));
        }
        match &canister.code {
            Some(code) => Ok(Arc::clone(&code.memory.stable.file)),
            None => Err(ExecutionError::NoModule.into_failure(*id)),
        }
    }

    fn execute(&mut self, call: QueryCall) -> Result<Answer, Failure> {
        let id = call.callee;
        let (code, context, export) = self.prepare(&call)?;
        let composite = context.entry_point == EntryPoint::CompositeQuery;
        let mut execution = Execution::start(&code.module, &code.memory, context)
            .map_err(|error| error.into_failure(id))?;
        let ended = self.run(&mut execution, Entry::Export(&export));
        if !composite {
            return Ok(match ended.result {
                Ok(()) => execution.context_mut().response.take().map(Ok),
                Err(error) => Some(Err(error.into_failure(id))),
            });
        }
        let mut composite = Composite {
            id,
            caller: call.caller,
            caller_info: call.caller_info,
            method: call.method,
            depth: call.depth,
            memory: code.memory.clone(),
            execution: Some(execution),
            answer: None,
            last_failure: None,
            calls: Vec::new(),
            instructions: 0,
        };
        let mut execution = composite.execution.take();
        if let Some(execution) = &mut execution {
            composite.ended(execution, ended);
        }
        composite.execution = execution;
        while let Some(outgoing) = composite.next_call() {
            let response = self.respond_to(&composite, &outgoing)?;
            self.run_callback(&mut composite, outgoing, response)?;
        }
        Ok(composite.answer.or(composite.last_failure.map(Err)))
    }

    fn prepare(&self, call: &QueryCall) -> Result<(Code, MessageContext, String), Failure> {
        let id = call.callee;
        let state = self.network.read();
        let canister = state
            .canisters
            .get(&id)
            .ok_or_else(|| Failure::canister_not_found(id))?;
        let no_module = || ExecutionError::NoModule.into_failure(id);
        let code = canister.code.clone().ok_or_else(no_module)?;
        let (point, kind) = if code.module.exports(MethodKind::Query, &call.method) {
            let point = match call.transforms {
                true => EntryPoint::Transform,
                false => EntryPoint::Query,
            };
            (point, "canister_query")
        } else if !call.transforms
            && code
                .module
                .exports(MethodKind::CompositeQuery, &call.method)
        {
            (EntryPoint::CompositeQuery, "canister_composite_query")
        } else {
            let error = ExecutionError::MethodNotFound {
                kind: "query",
                name: call.method.clone(),
            };
            return Err(error.into_failure(id));
        };
        if canister.cycles < canister.freezing_balance() {
            return Err(Failure::new(
                ErrorCode::OutOfCycles,
                format!(
                    "Canister {id} is unable to process query calls because it's frozen. \
                     Please top up the canister with cycles and try again."
                ),
            ));
        }
        let message = Message {
            caller: Some(call.caller),
            caller_info: call.caller_info.clone(),
            argument: Arc::new(call.argument.clone()),
            method: call.method.clone(),
            ..Message::default()
        };
        let limits = Limits {
            instructions: QUERY_INSTRUCTIONS_MAX,
            reply_bytes: QUERY_REPLY_BYTES_MAX,
        };
        let mut context =
            self.network
                .context(canister, point, message, limits, code.memory.stable.open());
        drop(state);
        // What other queries call gets none, nor do their callbacks.
        if call.depth == 0 {
            let network = Arc::clone(self.network);
            context.certifier = Some(Box::new(move || network.data_certificate(id)));
        }
        Ok((code, context, format!("{kind} {}", call.method)))
    }

    /// Runs one step within what is left of the graph's instructions.
    fn run(&mut self, execution: &mut Execution, entry: Entry) -> Ended {
        let left = QUERY_INSTRUCTIONS_MAX.saturating_sub(self.instructions);
        execution.context_mut().instruction_limit = left;
        let ended = execution.run(entry);
        self.instructions += ended.instructions;
        let context = execution.context();
        let cost = Cost {
            instructions: ended.instructions,
            instructions_max: ended.instructions_max,
            dirty_pages: context.stable.written_page_count(),
            trapped: ended.result.is_err(),
        };
        self.network.executions.note(
            context.facts.id,
            kind(context.entry_point, entry),
            &context.message.method,
            cost,
        );
        ended
    }

    fn respond_to(
        &mut self,
        composite: &Composite,
        call: &OutgoingCall,
    ) -> Result<Response, Failure> {
        let answer = self.evaluate(QueryCall {
            callee: call.callee,
            caller: composite.id,
            caller_info: None,
            transforms: false,
            method: call.method.clone(),
            argument: call.argument.clone(),
            depth: composite.depth + 1,
        });
        Ok(match answer {
            Ok(Some(Ok(response))) => response.carried(),
            Ok(None) => Response::Reject(Reject::new(
                reject_code::CANISTER_ERROR,
                "No response".to_string(),
            )),
            Ok(Some(Err(failure))) => Response::Reject(failure.to_reject()),
            // Limits of the whole graph end it; everything else is the callee's.
            Err(failure) => match failure.code {
                ErrorCode::CallGraphTooDeep | ErrorCode::CallGraphInstructionsExceeded => {
                    return Err(failure);
                }
                _ => Response::Reject(failure.to_reject()),
            },
        })
    }

    fn run_callback(
        &mut self,
        composite: &mut Composite,
        call: OutgoingCall,
        response: Response,
    ) -> Result<(), Failure> {
        let (point, closure) = match &response {
            Response::Reply(_) => (EntryPoint::CompositeReplyCallback, call.on_reply),
            Response::Reject(_) => (EntryPoint::CompositeRejectCallback, call.on_reject),
        };
        let id = composite.id;
        let failed = |error: ExecutionError| error.into_failure(id);
        let gone = || failed(ExecutionError::Machine("BUG: no instance".to_string()));
        let message = crate::scheduler::callback_message(&composite.context(), response, 0);
        let mut execution = composite.execution.take().ok_or_else(gone)?;
        // A step that fails leaves nothing behind, not even for its cleanup.
        let before = execution
            .layer()
            .map_err(|error| failed(ExecutionError::Machine(error.to_string())))?;
        let context = execution.context_mut();
        context.entry_point = point;
        context.error = None;
        context.message = message;
        let ended = self.run(&mut execution, Entry::Callback(closure));
        let trapped = ended.result.is_err();
        composite.ended(&mut execution, ended);
        if trapped {
            execution = execution
                .returned_to(&before, &composite.memory)
                .map_err(failed)?;
            if let Some(cleanup) = call.on_cleanup {
                let context = execution.context_mut();
                context.entry_point = EntryPoint::CompositeCleanup;
                context.error = None;
                let ended = self.run(&mut execution, Entry::Callback(cleanup));
                composite.instructions += ended.instructions;
                if ended.result.is_err() {
                    execution = execution
                        .returned_to(&before, &composite.memory)
                        .map_err(failed)?;
                }
            }
        }
        composite.execution = Some(execution);
        Ok(())
    }
}

/// A composite query between its steps. What one writes the next can read, unless
/// it failed.
struct Composite {
    id: Principal,
    caller: Principal,
    caller_info: Option<Arc<SenderInfo>>,
    method: String,
    depth: usize,
    /// As it is committed.
    memory: CanisterMemory,
    /// Absent once it could not be set up again.
    execution: Option<Execution>,
    answer: Answer,
    last_failure: Option<Failure>,
    calls: Vec<OutgoingCall>,
    instructions: u64,
}

impl Composite {
    /// The call context that its callbacks belong to.
    fn context(&self) -> CallContext {
        CallContext {
            origin: Origin::System,
            caller: self.caller,
            caller_info: self.caller_info.clone(),
            method: self.method.clone(),
            deadline: None,
            responded: self.answer.is_some(),
            cycles_available: 0,
            outstanding: 0,
            instructions: self.instructions,
            deleted: false,
        }
    }

    fn ended(&mut self, execution: &mut Execution, ended: Ended) {
        self.instructions += ended.instructions;
        let context = execution.context_mut();
        let calls = std::mem::take(&mut context.calls);
        let response = context.response.take();
        context.call = None;
        context.reply_data.clear();
        match ended.result {
            Ok(()) => {
                self.calls.splice(0..0, calls.into_iter().rev());
                self.last_failure = None;
                if self.answer.is_none() {
                    self.answer = response.map(Ok);
                }
            }
            Err(error) => self.last_failure = Some(error.into_failure(self.id)),
        }
    }

    /// In the order in which they were made.
    fn next_call(&mut self) -> Option<OutgoingCall> {
        self.calls.pop()
    }
}
