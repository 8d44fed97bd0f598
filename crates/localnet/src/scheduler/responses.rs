//! Answers that come back to a canister, and the end of its call contexts.

use std::sync::Arc;

use candid::Principal;

use super::Executor;
use super::calls::UPDATE;
use super::steps::{Answer, Done, Payment, Step};
use crate::canister::{CallContext, Callback, Status};
use crate::error::{ExecutionError, Failure};
use crate::execution::Entry;
use crate::fees;
use crate::limits::CLEANUP_RESERVE_PERCENT;
use crate::network::Limits;
use crate::system_api::{Closure, EntryPoint, Message, Response};

impl Executor {
    pub(super) fn execute_response(
        &mut self,
        to: Principal,
        callback: u64,
        response: Response,
        refund: u128,
    ) {
        let Some((callback, context)) = self.take_callback(to, callback, &response, refund) else {
            return;
        };
        if context.deleted {
            return self.settle(
                to,
                callback.context,
                Ok(Done {
                    result: Ok(None),
                    instructions: 0,
                    cycles_accepted: 0,
                }),
            );
        }
        let (point, closure) = match response {
            Response::Reply(_) => (EntryPoint::ReplyCallback, callback.on_reply),
            Response::Reject(_) => (EntryPoint::RejectCallback, callback.on_reject),
        };
        let message = callback_message(&context, response, refund);
        let reserve = UPDATE.instructions * CLEANUP_RESERVE_PERCENT / 100;
        let limits = Limits {
            instructions: UPDATE.instructions - reserve,
            ..UPDATE
        };
        let mut done = self.step(Step {
            canister: to,
            call_context: callback.context,
            point,
            entry: Entry::Callback(closure),
            message,
            limits,
            payment: Payment::Reserve,
        });
        if let (Ok(ended), Some(cleanup)) = (&mut done, callback.on_cleanup)
            && let Err(error) = &ended.result
        {
            let left = UPDATE
                .instructions
                .saturating_sub(ended.instructions)
                .max(reserve);
            let cleaned = self.clean_up(to, &callback, &context, cleanup, left);
            ended.instructions += cleaned.as_ref().map_or(0, |cleaned| cleaned.instructions);
            if let Ok(Done {
                result: Err(cleanup),
                ..
            }) = cleaned
            {
                ended.result = Err(ExecutionError::Cleanup {
                    callback: Box::new(error.clone()),
                    cleanup: Box::new(cleanup),
                });
            }
        }
        let used = done.as_ref().map_or(0, |done| done.instructions);
        self.return_reserve(to, used);
        self.settle(to, callback.context, done);
    }

    /// The callback is gone from now on, and the refund is in the balance.
    fn take_callback(
        &self,
        to: Principal,
        callback: u64,
        response: &Response,
        refund: u128,
    ) -> Option<(Callback, CallContext)> {
        let mut state = self.network.write();
        let canister = state.canisters.get_mut(&to)?;
        canister.cycles += refund;
        // Of a best-effort call that has timed out there is none any more.
        let callback = canister.callbacks.remove(&callback)?;
        canister.uncount_call(&callback.callee);
        let bytes = match response {
            Response::Reply(bytes) => bytes.len(),
            Response::Reject(reject) => reject.message.len(),
        };
        canister.cycles += fees::response_reserve()
            - fees::response_transmission(bytes)
            - fees::execution(UPDATE.instructions);
        let context = canister.call_contexts.get_mut(&callback.context)?;
        context.outstanding -= 1;
        let context = context.clone();
        if context.deleted {
            canister.cycles += fees::execution(UPDATE.instructions);
        }
        Some((callback, context))
    }

    /// What the callback did not use of what was kept back for it.
    fn return_reserve(&self, canister: Principal, used: u64) {
        if let Some(canister) = self.network.write().canisters.get_mut(&canister) {
            let used = used.min(UPDATE.instructions);
            canister.cycles += fees::execution(UPDATE.instructions) - fees::execution(used);
        }
    }

    fn clean_up(
        &mut self,
        canister: Principal,
        callback: &Callback,
        context: &CallContext,
        cleanup: Closure,
        instructions: u64,
    ) -> Result<Done, Failure> {
        self.step(Step {
            canister,
            call_context: callback.context,
            point: EntryPoint::Cleanup,
            entry: Entry::Callback(cleanup),
            message: Message {
                caller: Some(context.caller),
                caller_info: context.caller_info.clone(),
                method: context.method.clone(),
                instructions_before: context.instructions,
                responded: true,
                ..Message::default()
            },
            limits: Limits {
                instructions,
                ..UPDATE
            },
            payment: Payment::Reserve,
        })
    }

    /// After a step of a call context: answers, and closes it when nothing more can come.
    pub(super) fn settle(&mut self, id: Principal, context_id: u64, done: Result<Done, Failure>) {
        let (answer, refund, origin) = {
            let mut state = self.network.write();
            let Some(canister) = state.canisters.get_mut(&id) else {
                return;
            };
            let Some(context) = canister.call_contexts.get_mut(&context_id) else {
                return;
            };
            let last = context.outstanding == 0;
            let mut answer = None;
            match done {
                Ok(Done {
                    result: Ok(response),
                    instructions,
                    cycles_accepted,
                }) => {
                    context.instructions += instructions;
                    context.cycles_available -= cycles_accepted;
                    answer = response.map(Answer::Response);
                    if answer.is_none() && last {
                        answer = Some(Answer::None(id));
                    }
                }
                Ok(Done {
                    result: Err(error),
                    instructions,
                    ..
                }) => {
                    context.instructions += instructions;
                    if last {
                        answer = Some(Answer::Failed(error.into_failure(id)));
                    }
                }
                Err(failure) => {
                    if last {
                        answer = Some(Answer::Failed(failure));
                    }
                }
            }
            if context.responded {
                answer = None;
            }
            let mut refund = 0;
            if answer.is_some() {
                context.responded = true;
                refund = std::mem::take(&mut context.cycles_available);
            }
            let origin = context.origin.clone();
            if last {
                canister.call_contexts.remove(&context_id);
            }
            (answer, refund, origin)
        };
        if let Some(answer) = answer {
            self.respond(&origin, answer, refund);
        }
        self.finish_stopping(id);
    }

    /// A canister that is stopping has stopped once no call is open.
    pub(crate) fn finish_stopping(&mut self, id: Principal) {
        let waiting = {
            let mut state = self.network.write();
            let Some(canister) = state.canisters.get_mut(&id) else {
                return;
            };
            if !canister.call_contexts.is_empty() {
                return;
            }
            let Status::Stopping(waiting) = &mut canister.status else {
                return;
            };
            let waiting = std::mem::take(waiting);
            canister.status = Status::Stopped;
            canister.version += 1;
            waiting
        };
        for request in waiting {
            self.answer_management_call(&request.caller, Ok(crate::management::empty_reply()), 0);
        }
    }
}

pub fn callback_message(context: &CallContext, response: Response, refund: u128) -> Message {
    let (argument, reject) = match response {
        Response::Reply(bytes) => (bytes, None),
        Response::Reject(reject) => (Vec::new(), Some(reject)),
    };
    Message {
        caller: Some(context.caller),
        caller_info: context.caller_info.clone(),
        argument: Arc::new(argument),
        method: context.method.clone(),
        reject,
        deadline: context.deadline,
        cycles_available: context.cycles_available,
        cycles_refunded: refund,
        responded: context.responded,
        instructions_before: context.instructions,
    }
}
