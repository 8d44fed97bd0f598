//! Messages that wait for their turn, and requests with their answers.

use candid::Principal;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use stoa_localnet_wire::{Ingress, Rejection, RequestEntry, RequestId, RequestStatus};

use super::{Amount, StoredSenderInfo};
use crate::error::Reject;
use crate::management::sender_version;
use crate::scheduler::{Call, SystemTask, Task};
use crate::system_api::Response;

#[derive(Serialize, Deserialize)]
enum StoredResponse {
    Reply(ByteBuf),
    Reject(u32, String),
}

#[derive(Serialize, Deserialize)]
pub enum StoredTask {
    Ingress {
        request: [u8; 32],
        sender: Principal,
        canister: Principal,
        effective: Principal,
        method: String,
        argument: ByteBuf,
        expiry: u64,
        sender_info: Option<StoredSenderInfo>,
        /// Absent in what earlier versions wrote, which took no account of the envelope.
        #[serde(default)]
        message_bytes: Option<u64>,
    },
    Call {
        caller: Principal,
        callback: u64,
        callee: Principal,
        method: String,
        argument: ByteBuf,
        cycles: Amount,
        deadline: Option<u64>,
        /// Absent in what earlier versions wrote; then what the call says is believed.
        #[serde(default)]
        caller_version: Option<u64>,
    },
    Response {
        to: Principal,
        callback: u64,
        response: StoredResponseField,
        refund: Amount,
    },
    System {
        canister: Principal,
        task: u8,
    },
}

/// Hides the private type in the public enum's field.
#[derive(Serialize, Deserialize)]
pub struct StoredResponseField(StoredResponse);

impl StoredTask {
    pub fn ingress(ingress: &Ingress) -> Self {
        Self::Ingress {
            request: ingress.request_id.0,
            sender: ingress.sender,
            canister: ingress.canister_id,
            effective: ingress.effective_canister_id,
            method: ingress.method_name.clone(),
            argument: ByteBuf::from(ingress.arg.clone()),
            expiry: ingress.ingress_expiry_nanos,
            sender_info: ingress.sender_info.as_ref().map(StoredSenderInfo::of),
            message_bytes: Some(ingress.message_bytes as u64),
        }
    }

    pub fn of(task: &Task) -> Self {
        match task {
            Task::Ingress(ingress) => Self::ingress(ingress),
            Task::Call(call) => Self::Call {
                caller: call.caller,
                callback: call.callback,
                callee: call.callee,
                method: call.method.clone(),
                argument: ByteBuf::from(call.argument.clone()),
                cycles: call.cycles.into(),
                deadline: call.deadline,
                caller_version: Some(call.caller_version),
            },
            Task::Response {
                to,
                callback,
                response,
                refund,
            } => Self::Response {
                to: *to,
                callback: *callback,
                response: StoredResponseField(match response {
                    Response::Reply(bytes) => StoredResponse::Reply(ByteBuf::from(bytes.clone())),
                    Response::Reject(reject) => {
                        StoredResponse::Reject(reject.code, reject.message.clone())
                    }
                }),
                refund: (*refund).into(),
            },
            Task::System { canister, task } => Self::System {
                canister: *canister,
                task: match task {
                    SystemTask::Heartbeat => 0,
                    SystemTask::GlobalTimer => 1,
                    SystemTask::LowWasmMemory => 2,
                },
            },
        }
    }

    pub fn restore(self) -> Task {
        match self {
            Self::Ingress {
                request,
                sender,
                canister,
                effective,
                method,
                argument,
                expiry,
                sender_info,
                message_bytes,
            } => Task::Ingress(Ingress {
                message_bytes: message_bytes
                    .map_or(argument.len() + method.len(), |bytes| bytes as usize),
                request_id: RequestId(request),
                sender,
                canister_id: canister,
                effective_canister_id: effective,
                method_name: method,
                arg: argument.into_vec(),
                ingress_expiry_nanos: expiry,
                sender_info: sender_info.map(StoredSenderInfo::restore),
            }),
            Self::Call {
                caller,
                callback,
                callee,
                method,
                argument,
                cycles,
                deadline,
                caller_version,
            } => Task::Call(Call {
                caller,
                caller_version: caller_version
                    .or_else(|| sender_version(&argument))
                    .unwrap_or_default(),
                callback,
                callee,
                method,
                argument: argument.into_vec(),
                cycles: cycles.into(),
                deadline,
            }),
            Self::Response {
                to,
                callback,
                response,
                refund,
            } => Task::Response {
                to,
                callback,
                response: match response.0 {
                    StoredResponse::Reply(bytes) => Response::Reply(bytes.into_vec()),
                    StoredResponse::Reject(code, message) => {
                        Response::Reject(Reject { code, message })
                    }
                },
                refund: refund.into(),
            },
            Self::System { canister, task } => Task::System {
                canister,
                task: match task {
                    0 => SystemTask::Heartbeat,
                    1 => SystemTask::GlobalTimer,
                    _ => SystemTask::LowWasmMemory,
                },
            },
        }
    }
}

#[derive(Serialize, Deserialize)]
pub struct StoredRequest {
    sender: Principal,
    canister: Principal,
    forget_at: u64,
    status: StoredRequestStatus,
}

#[derive(Serialize, Deserialize)]
enum StoredRequestStatus {
    Received,
    Replied(ByteBuf),
    Rejected {
        code: u64,
        message: String,
        error_code: String,
    },
    Done,
}

impl StoredRequest {
    pub fn of(entry: &RequestEntry) -> Self {
        Self {
            sender: entry.sender,
            canister: entry.canister_id,
            forget_at: entry.forget_at_nanos,
            status: match &entry.status {
                // Whatever had begun begins anew.
                RequestStatus::Received | RequestStatus::Processing => {
                    StoredRequestStatus::Received
                }
                RequestStatus::Replied(reply) => {
                    StoredRequestStatus::Replied(ByteBuf::from(reply.clone()))
                }
                RequestStatus::Rejected(rejection) => StoredRequestStatus::Rejected {
                    code: rejection.code,
                    message: rejection.message.clone(),
                    error_code: rejection.error_code.clone(),
                },
                RequestStatus::Done => StoredRequestStatus::Done,
            },
        }
    }

    pub fn restore(self) -> RequestEntry {
        RequestEntry {
            sender: self.sender,
            canister_id: self.canister,
            forget_at_nanos: self.forget_at,
            status: match self.status {
                StoredRequestStatus::Received => RequestStatus::Received,
                StoredRequestStatus::Replied(reply) => RequestStatus::Replied(reply.into_vec()),
                StoredRequestStatus::Rejected {
                    code,
                    message,
                    error_code,
                } => RequestStatus::Rejected(Rejection {
                    code,
                    message,
                    error_code,
                }),
                StoredRequestStatus::Done => RequestStatus::Done,
            },
        }
    }
}
