//! The forms in which canisters, messages and requests are stored. They are not
//! the types that the network works with: those may change from one version to
//! the next, what is in a state folder may not.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;

use candid::Principal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use stoa_localnet_wire::{Ingress, Rejection, RequestEntry, RequestId, RequestStatus, SenderInfo};

use crate::canister::{
    CallContext, Callback, Logs, ManagementCaller, Origin, Settings, Status, StopRequest,
};
use crate::error::Reject;
use crate::execution::{CanisterMemory, SavedValue, StableImage};
use crate::memory::{Files, Heap};
use crate::scheduler::{Call, SystemTask, Task};
use crate::snapshot::{LowMemoryHook, Snapshot, SnapshotModule};
use crate::system_api::{Closure, Response};
use crate::wasm::PreparedModule;

pub fn encode(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    ciborium::from_reader(bytes)
        .map_err(|error| io::Error::other(format!("the state folder is damaged: {error}")))
}

fn candid_bytes(value: &impl candid::CandidType) -> io::Result<ByteBuf> {
    candid::encode_one(value)
        .map(ByteBuf::from)
        .map_err(io::Error::other)
}

fn from_candid<T: candid::CandidType + DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    candid::decode_one(bytes).map_err(io::Error::other)
}

/// Amounts of cycles, as two halves: CBOR's integers end at 64 bits.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Amount(u64, u64);

impl From<u128> for Amount {
    fn from(value: u128) -> Self {
        Self((value >> 64) as u64, value as u64)
    }
}

impl From<Amount> for u128 {
    fn from(Amount(high, low): Amount) -> Self {
        u128::from(high) << 64 | u128::from(low)
    }
}

#[derive(Serialize, Deserialize)]
pub struct StoredNetwork {
    pub seed: ByteBuf,
    pub next_canister: u64,
}

#[derive(Serialize, Deserialize)]
pub struct StoredSettings {
    controllers: Vec<Principal>,
    compute_allocation: u64,
    memory_allocation: u64,
    freezing_threshold_seconds: u64,
    reserved_cycles_limit: Amount,
    log_visibility: ByteBuf,
    log_memory_limit: u64,
    wasm_memory_limit: u64,
    wasm_memory_threshold: u64,
    environment_variables: Vec<(String, String)>,
}

impl StoredSettings {
    pub fn of(settings: &Settings) -> io::Result<Self> {
        Ok(Self {
            controllers: settings.controllers.clone(),
            compute_allocation: settings.compute_allocation,
            memory_allocation: settings.memory_allocation,
            freezing_threshold_seconds: settings.freezing_threshold_seconds,
            reserved_cycles_limit: settings.reserved_cycles_limit.into(),
            log_visibility: candid_bytes(&settings.log_visibility)?,
            log_memory_limit: settings.log_memory_limit,
            wasm_memory_limit: settings.wasm_memory_limit,
            wasm_memory_threshold: settings.wasm_memory_threshold,
            environment_variables: settings.environment_variables.to_vec(),
        })
    }

    pub fn restore(self) -> io::Result<Settings> {
        Ok(Settings {
            controllers: self.controllers,
            compute_allocation: self.compute_allocation,
            memory_allocation: self.memory_allocation,
            freezing_threshold_seconds: self.freezing_threshold_seconds,
            reserved_cycles_limit: self.reserved_cycles_limit.into(),
            log_visibility: from_candid(&self.log_visibility)?,
            log_memory_limit: self.log_memory_limit,
            wasm_memory_limit: self.wasm_memory_limit,
            wasm_memory_threshold: self.wasm_memory_threshold,
            environment_variables: Arc::new(self.environment_variables),
        })
    }
}

/// What changes with almost every message.
#[derive(Serialize, Deserialize)]
pub struct StoredState {
    pub status: StoredStatus,
    pub cycles: Amount,
    pub certified_data: ByteBuf,
    pub global_timer: u64,
    pub version: u64,
    pub next_id: u64,
    pub changes_total: u64,
    pub paid_until: u64,
    pub low_memory_noticed: bool,
}

#[derive(Serialize, Deserialize)]
pub enum StoredStatus {
    Running,
    Stopping(Vec<(StoredCaller, u64)>),
    Stopped,
}

impl StoredStatus {
    pub fn of(status: &Status) -> Self {
        match status {
            Status::Running => Self::Running,
            Status::Stopped => Self::Stopped,
            Status::Stopping(waiting) => Self::Stopping(
                waiting
                    .iter()
                    .map(|request| (StoredCaller::of(&request.caller), request.deadline))
                    .collect(),
            ),
        }
    }

    pub fn restore(self) -> Status {
        match self {
            Self::Running => Status::Running,
            Self::Stopped => Status::Stopped,
            Self::Stopping(waiting) => Status::Stopping(
                waiting
                    .into_iter()
                    .map(|(caller, deadline)| StopRequest {
                        caller: caller.restore(),
                        deadline,
                    })
                    .collect(),
            ),
        }
    }
}

#[derive(Serialize, Deserialize)]
pub enum StoredCaller {
    User {
        sender: Principal,
        request: [u8; 32],
    },
    Canister {
        sender: Principal,
        callback: u64,
        cycles: Amount,
        version: u64,
    },
}

impl StoredCaller {
    fn of(caller: &ManagementCaller) -> Self {
        match caller {
            ManagementCaller::User { sender, request_id } => Self::User {
                sender: *sender,
                request: request_id.0,
            },
            ManagementCaller::Canister {
                sender,
                callback,
                cycles,
                version,
            } => Self::Canister {
                sender: *sender,
                callback: *callback,
                cycles: (*cycles).into(),
                version: *version,
            },
        }
    }

    fn restore(self) -> ManagementCaller {
        match self {
            Self::User { sender, request } => ManagementCaller::User {
                sender,
                request_id: RequestId(request),
            },
            Self::Canister {
                sender,
                callback,
                cycles,
                version,
            } => ManagementCaller::Canister {
                sender,
                callback,
                cycles: cycles.into(),
                version,
            },
        }
    }
}

#[derive(Serialize, Deserialize)]
pub enum StoredValue {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    V128(Amount),
    Function(Option<u32>),
}

impl From<&SavedValue> for StoredValue {
    fn from(value: &SavedValue) -> Self {
        match *value {
            SavedValue::I32(value) => Self::I32(value),
            SavedValue::I64(value) => Self::I64(value),
            SavedValue::F32(bits) => Self::F32(bits),
            SavedValue::F64(bits) => Self::F64(bits),
            SavedValue::V128(bits) => Self::V128(bits.into()),
            SavedValue::Function(index) => Self::Function(index),
        }
    }
}

impl From<StoredValue> for SavedValue {
    fn from(value: StoredValue) -> Self {
        match value {
            StoredValue::I32(value) => Self::I32(value),
            StoredValue::I64(value) => Self::I64(value),
            StoredValue::F32(bits) => Self::F32(bits),
            StoredValue::F64(bits) => Self::F64(bits),
            StoredValue::V128(bits) => Self::V128(bits.into()),
            StoredValue::Function(index) => Self::Function(index),
        }
    }
}

#[derive(Serialize, Deserialize)]
pub struct StoredMemory {
    pub heap_file: u64,
    heap_pages: u64,
    pub stable_file: u64,
    stable_pages: u64,
    globals: Vec<StoredValue>,
    tables: Vec<Vec<StoredValue>>,
}

impl StoredMemory {
    pub fn of(memory: &CanisterMemory) -> io::Result<Self> {
        let number = |file: &crate::memory::PagedFile| {
            file.number()
                .ok_or_else(|| io::Error::other("BUG: a memory outside the state folder"))
        };
        Ok(Self {
            heap_file: number(&memory.heap.file)?,
            heap_pages: memory.heap.pages,
            stable_file: number(&memory.stable.file)?,
            stable_pages: memory.stable.pages,
            globals: memory.globals.iter().map(StoredValue::from).collect(),
            tables: memory
                .tables
                .iter()
                .map(|table| table.iter().map(StoredValue::from).collect())
                .collect(),
        })
    }

    pub fn restore(self, files: &Files) -> io::Result<CanisterMemory> {
        let values = |stored: Vec<StoredValue>| stored.into_iter().map(SavedValue::from).collect();
        Ok(CanisterMemory {
            heap: Heap {
                file: Arc::new(files.open(self.heap_file)?),
                pages: self.heap_pages,
            },
            stable: StableImage {
                file: Arc::new(files.open(self.stable_file)?),
                pages: self.stable_pages,
            },
            globals: Arc::new(values(self.globals)),
            tables: Arc::new(self.tables.into_iter().map(values).collect()),
        })
    }
}

#[derive(Serialize, Deserialize)]
pub struct StoredCode {
    pub module: [u8; 32],
    pub memory: StoredMemory,
}

#[derive(Serialize, Deserialize)]
pub struct StoredSnapshot {
    pub id: ByteBuf,
    taken_at: u64,
    canister_version: u64,
    pub module: StoredSnapshotModule,
    pub memory: StoredMemory,
    certified_data: ByteBuf,
    pub chunks: Vec<[u8; 32]>,
    global_timer: Option<u64>,
    low_memory: Option<u8>,
}

#[derive(Serialize, Deserialize)]
pub enum StoredSnapshotModule {
    Taken([u8; 32]),
    Uploaded { file: u64, bytes: u64 },
}

pub type Chunks = BTreeMap<[u8; 32], Arc<Vec<u8>>>;

impl StoredSnapshot {
    pub fn of(id: &[u8], snapshot: &Snapshot) -> io::Result<Self> {
        Ok(Self {
            id: ByteBuf::from(id),
            taken_at: snapshot.taken_at,
            canister_version: snapshot.canister_version,
            module: match &snapshot.module {
                SnapshotModule::Taken(module) => StoredSnapshotModule::Taken(module.hash),
                SnapshotModule::Uploaded { file, bytes } => StoredSnapshotModule::Uploaded {
                    file: file.number().ok_or_else(|| {
                        io::Error::other("BUG: a module outside the state folder")
                    })?,
                    bytes: *bytes,
                },
            },
            memory: StoredMemory::of(&snapshot.memory)?,
            certified_data: ByteBuf::from(snapshot.certified_data.clone()),
            chunks: snapshot.chunks.keys().copied().collect(),
            global_timer: snapshot.global_timer,
            low_memory: snapshot.low_memory.map(|hook| match hook {
                LowMemoryHook::NotSatisfied => 0,
                LowMemoryHook::Ready => 1,
                LowMemoryHook::Executed => 2,
            }),
        })
    }

    pub fn restore(
        self,
        files: &Files,
        chunks: Chunks,
        module: impl Fn([u8; 32]) -> io::Result<Arc<PreparedModule>>,
    ) -> io::Result<(Vec<u8>, Snapshot)> {
        let snapshot = Snapshot {
            taken_at: self.taken_at,
            canister_version: self.canister_version,
            module: match self.module {
                StoredSnapshotModule::Taken(hash) => SnapshotModule::Taken(module(hash)?),
                StoredSnapshotModule::Uploaded { file, bytes } => SnapshotModule::Uploaded {
                    file: Arc::new(files.open(file)?),
                    bytes,
                },
            },
            memory: self.memory.restore(files)?,
            certified_data: self.certified_data.into_vec(),
            chunks,
            global_timer: self.global_timer,
            low_memory: self.low_memory.map(|hook| match hook {
                0 => LowMemoryHook::NotSatisfied,
                1 => LowMemoryHook::Ready,
                _ => LowMemoryHook::Executed,
            }),
        };
        Ok((self.id.into_vec(), snapshot))
    }
}

/// Text that was printed: index, time, text; then the index of the next.
#[derive(Serialize, Deserialize)]
pub struct StoredLogs {
    records: Vec<(u64, u64, ByteBuf)>,
    next_index: u64,
}

impl StoredLogs {
    pub fn of(logs: &Logs) -> Self {
        Self {
            records: logs
                .records
                .iter()
                .map(|(index, time, text)| (*index, *time, ByteBuf::from(text.clone())))
                .collect(),
            next_index: logs.next_index,
        }
    }

    pub fn restore(self) -> Logs {
        let records = self
            .records
            .into_iter()
            .map(|(index, time, text)| (index, time, text.into_vec()));
        Logs::restored(records.collect(), self.next_index)
    }
}

pub fn history(changes: &VecDeque<ic_management_canister_types::Change>) -> io::Result<Vec<u8>> {
    let changes: Vec<_> = changes.iter().cloned().collect();
    candid_bytes(&changes).map(ByteBuf::into_vec)
}

pub fn restored_history(
    bytes: &[u8],
) -> io::Result<VecDeque<ic_management_canister_types::Change>> {
    from_candid::<Vec<ic_management_canister_types::Change>>(bytes).map(VecDeque::from)
}

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
        Self(closure.function.into(), closure.environment.into())
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
    fn of(info: &SenderInfo) -> Self {
        Self {
            info: ByteBuf::from(info.info.clone()),
            signer: info.signer,
        }
    }

    fn restore(self) -> SenderInfo {
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
    },
    Call {
        caller: Principal,
        callback: u64,
        callee: Principal,
        method: String,
        argument: ByteBuf,
        cycles: Amount,
        deadline: Option<u64>,
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
            } => Task::Ingress(Ingress {
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
            } => Task::Call(Call {
                caller,
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

/// The files and modules that something stored refers to.
#[derive(Default)]
pub struct References {
    pub files: BTreeSet<u64>,
    pub blobs: BTreeSet<[u8; 32]>,
}
