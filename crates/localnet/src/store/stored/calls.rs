//! Calls that are open: what a canister works on and what it waits for.

use std::sync::Arc;

use candid::Principal;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use stoa_localnet_wire::{RequestId, SenderInfo};

use super::Amount;
use crate::canister::{CallContext, Callback, Origin};
use crate::system_api::Closure;

#[derive(Serialize, Deserialize)]
enum StoredOrigin {
    Ingress([u8; 32]),
    Call { caller: Principal, callback: u64 },
    System,
}

#[derive(Serialize, Deserialize)]
struct StoredClosure(u64, u64);

impl From<Closure> for StoredClosure {
    fn from(closure: Closure) -> Self {
        Self(closure.function.into(), closure.environment)
    }
}

impl From<StoredClosure> for Closure {
    fn from(StoredClosure(function, environment): StoredClosure) -> Self {
        Self {
            function: function as _,
            environment: environment as _,
        }
    }
}

#[derive(Serialize, Deserialize)]
pub struct StoredSenderInfo {
    info: ByteBuf,
    signer: Principal,
}

impl StoredSenderInfo {
    pub fn of(info: &SenderInfo) -> Self {
        Self {
            info: ByteBuf::from(info.info.clone()),
            signer: info.signer,
        }
    }

    pub fn restore(self) -> SenderInfo {
        SenderInfo {
            info: self.info.into_vec(),
            signer: self.signer,
        }
    }
}

#[derive(Serialize, Deserialize)]
pub struct StoredContext {
    id: u64,
    origin: StoredOrigin,
    caller: Principal,
    caller_info: Option<StoredSenderInfo>,
    method: String,
    deadline: Option<u64>,
    responded: bool,
    cycles_available: Amount,
    outstanding: u64,
    instructions: u64,
    deleted: bool,
}

impl StoredContext {
    pub fn of(id: u64, context: &CallContext) -> Self {
        Self {
            id,
            origin: match context.origin {
                Origin::Ingress(request) => StoredOrigin::Ingress(request.0),
                Origin::Call { caller, callback } => StoredOrigin::Call { caller, callback },
                Origin::System => StoredOrigin::System,
            },
            caller: context.caller,
            caller_info: context.caller_info.as_deref().map(StoredSenderInfo::of),
            method: context.method.clone(),
            deadline: context.deadline,
            responded: context.responded,
            cycles_available: context.cycles_available.into(),
            outstanding: context.outstanding as u64,
            instructions: context.instructions,
            deleted: context.deleted,
        }
    }

    pub fn restore(self) -> (u64, CallContext) {
        let context = CallContext {
            origin: match self.origin {
                StoredOrigin::Ingress(request) => Origin::Ingress(RequestId(request)),
                StoredOrigin::Call { caller, callback } => Origin::Call { caller, callback },
                StoredOrigin::System => Origin::System,
            },
            caller: self.caller,
            caller_info: self.caller_info.map(|info| Arc::new(info.restore())),
            method: self.method,
            deadline: self.deadline,
            responded: self.responded,
            cycles_available: self.cycles_available.into(),
            outstanding: self.outstanding as usize,
            instructions: self.instructions,
            deleted: self.deleted,
        };
        (self.id, context)
    }
}

#[derive(Serialize, Deserialize)]
pub struct StoredCallback {
    id: u64,
    context: u64,
    callee: Principal,
    on_reply: StoredClosure,
    on_reject: StoredClosure,
    on_cleanup: Option<StoredClosure>,
    deadline: Option<u64>,
}

impl StoredCallback {
    pub fn of(id: u64, callback: &Callback) -> Self {
        Self {
            id,
            context: callback.context,
            callee: callback.callee,
            on_reply: callback.on_reply.into(),
            on_reject: callback.on_reject.into(),
            on_cleanup: callback.on_cleanup.map(StoredClosure::from),
            deadline: callback.deadline,
        }
    }

    pub fn restore(self) -> (u64, Callback) {
        let callback = Callback {
            context: self.context,
            callee: self.callee,
            on_reply: self.on_reply.into(),
            on_reject: self.on_reject.into(),
            on_cleanup: self.on_cleanup.map(Closure::from),
            deadline: self.deadline,
        };
        (self.id, callback)
    }
}
