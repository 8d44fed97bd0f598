//! `http_request`: checked and paid for here, performed beside the executor.

use std::sync::Arc;
use std::thread;

use ic_management_canister_types as types;

use super::{Handled, ManagementResult, attached, decode_one, machine};
use crate::canister::ManagementCaller;
use crate::error::{ErrorCode, Failure};
use crate::fees;
use crate::network::Event;
use crate::outcall::Outcall;
use crate::scheduler::{Executor, Task};
use crate::system_api::Response;
use crate::wasm::THREAD_STACK_BYTES;

impl Executor {
    pub(super) fn http_request(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        let refused = |message: String| Failure::new(ErrorCode::RejectedMessage, message);
        let given: types::HttpRequestArgs = decode_one(argument)?;
        let outcall = Outcall::new(caller.sender(), given).map_err(refused)?;
        let sent = attached(caller);
        let cost = fees::http_request(outcall.request_bytes, outcall.response_bytes);
        let Some(refund) = sent.checked_sub(cost) else {
            return Err(refused(format!(
                "http_request request sent with {sent} cycles, but {cost} cycles are required."
            )));
        };
        let ManagementCaller::Canister {
            sender, callback, ..
        } = *caller
        else {
            return Err(refused(
                "Only canisters can call ic00 method http_request".to_string(),
            ));
        };
        let network = Arc::clone(self.network_handle());
        // The message stays open until the answer is there: a network that is
        // started again makes the request again.
        let sequence = self.keep_open();
        thread::Builder::new()
            .name("outcall".to_string())
            .stack_size(THREAD_STACK_BYTES)
            .spawn(move || {
                let response = match outcall.perform(&network) {
                    Ok(bytes) => Response::Reply(bytes),
                    Err(reject) => Response::Reject(reject),
                };
                let answer = Task::Response {
                    to: sender,
                    callback,
                    response,
                    refund,
                };
                network.tell(Event::Done(sequence, Box::new(answer)));
            })
            .map_err(machine)?;
        Ok(Handled::Later)
    }
}
