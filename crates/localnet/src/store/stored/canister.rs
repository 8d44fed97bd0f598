//! What is known of a canister besides its code and its calls.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use candid::Principal;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use stoa_localnet_wire::RequestId;

use super::{Amount, candid_bytes, from_candid};
use crate::canister::{Logs, ManagementCaller, Settings, Status, StopRequest};

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
        version: Option<u64>,
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
