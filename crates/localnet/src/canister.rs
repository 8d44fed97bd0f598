//! What the network knows of a canister.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use candid::Principal;
use ic_management_canister_types::{Change, ChangeDetails, ChangeOrigin, LogVisibility};
use stoa_localnet_wire::{CanisterEntry, RequestId, SenderInfo};

use crate::error::Reject;
use crate::execution::CanisterMemory;
use crate::limits::{LOG_BYTES_MAX, WASM_PAGE_BYTES};
use crate::snapshot::Snapshot;
use crate::system_api::{CanisterFacts, Closure, Storage};
use crate::wasm::PreparedModule;

/// Changes that `canister_info` remembers.
const HISTORY_MAX: usize = 20;

pub struct Canister {
    pub id: Principal,
    pub settings: Settings,
    pub status: Status,
    pub cycles: u128,
    pub code: Option<Code>,
    pub certified_data: Vec<u8>,
    /// Nanoseconds; 0 when no timer is set.
    pub global_timer: u64,
    /// Grows with every change of code, settings or state.
    pub version: u64,
    pub call_contexts: BTreeMap<u64, CallContext>,
    pub callbacks: BTreeMap<u64, Callback>,
    /// Of the next call context or callback.
    pub next_id: u64,
    /// By callee.
    pub calls_in_flight: Arc<BTreeMap<Principal, usize>>,
    pub chunks: BTreeMap<[u8; 32], Arc<Vec<u8>>>,
    pub logs: Logs,
    pub history: VecDeque<Change>,
    pub changes_total: u64,
    pub snapshots: BTreeMap<Vec<u8>, Snapshot>,
    /// When storage was last paid for.
    pub paid_until: u64,
    /// Whether `canister_on_low_wasm_memory` has been scheduled since memory was last ample.
    pub low_memory_noticed: bool,
}

/// An installed module and what it has written.
#[derive(Clone)]
pub struct Code {
    pub module: Arc<PreparedModule>,
    pub memory: CanisterMemory,
}

impl Code {
    /// All bytes that it is charged for.
    pub fn bytes(&self) -> u64 {
        self.bytes_with_stable_pages(self.memory.stable.pages)
    }

    pub fn bytes_with_stable_pages(&self, pages: u64) -> u64 {
        self.memory.heap.bytes() + pages * WASM_PAGE_BYTES + self.module.sent.len() as u64
    }
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub controllers: Vec<Principal>,
    pub compute_allocation: u64,
    pub memory_allocation: u64,
    pub freezing_threshold_seconds: u64,
    pub reserved_cycles_limit: u128,
    pub log_visibility: LogVisibility,
    pub log_memory_limit: u64,
    /// 0 is no limit.
    pub wasm_memory_limit: u64,
    pub wasm_memory_threshold: u64,
    /// Sorted by name.
    pub environment_variables: Arc<Vec<(String, String)>>,
}

impl Settings {
    pub fn new(controllers: Vec<Principal>) -> Self {
        Self {
            controllers,
            compute_allocation: 0,
            memory_allocation: 0,
            freezing_threshold_seconds: 2_592_000,
            reserved_cycles_limit: 5_000_000_000_000,
            log_visibility: LogVisibility::Controllers,
            log_memory_limit: LOG_BYTES_MAX as u64,
            wasm_memory_limit: 3 << 30,
            wasm_memory_threshold: 0,
            environment_variables: Arc::default(),
        }
    }
}

#[derive(Clone, Debug)]
pub enum Status {
    Running,
    /// Waits until every call context is closed.
    Stopping(Vec<StopRequest>),
    Stopped,
}

/// Someone to tell when the canister has stopped.
#[derive(Clone, Debug)]
pub struct StopRequest {
    pub caller: ManagementCaller,
    pub deadline: u64,
}

/// Who called the management canister, and where its answer goes.
#[derive(Clone, Debug)]
pub enum ManagementCaller {
    User {
        sender: Principal,
        request_id: RequestId,
    },
    Canister {
        sender: Principal,
        callback: u64,
        cycles: u128,
        /// Its own, if its call says it.
        version: Option<u64>,
    },
}

impl ManagementCaller {
    pub fn sender(&self) -> Principal {
        match self {
            Self::User { sender, .. } | Self::Canister { sender, .. } => *sender,
        }
    }
}

/// Who waits for the answer of a call context.
#[derive(Clone, Debug)]
pub enum Origin {
    Ingress(RequestId),
    Call {
        caller: Principal,
        callback: u64,
    },
    /// Heartbeats and timers: nobody.
    System,
}

/// One call that the canister has begun to work on.
#[derive(Clone, Debug)]
pub struct CallContext {
    pub origin: Origin,
    pub caller: Principal,
    pub caller_info: Option<Arc<SenderInfo>>,
    /// Empty for heartbeats and timers.
    pub method: String,
    pub deadline: Option<u64>,
    pub responded: bool,
    /// Not accepted so far.
    pub cycles_available: u128,
    /// Callbacks that belong to it and have not run.
    pub outstanding: usize,
    pub instructions: u64,
    /// The code that it belonged to is gone: its callbacks must not run.
    pub deleted: bool,
}

/// An outgoing call that has not been answered.
#[derive(Clone, Debug)]
pub struct Callback {
    pub context: u64,
    pub callee: Principal,
    pub on_reply: Closure,
    pub on_reject: Closure,
    pub on_cleanup: Option<Closure>,
    pub deadline: Option<u64>,
}

/// Text that the canister printed, oldest first, within a budget of bytes.
#[derive(Clone, Debug, Default)]
pub struct Logs {
    pub records: VecDeque<(u64, u64, Vec<u8>)>,
    pub next_index: u64,
    bytes: usize,
}

impl Logs {
    fn push(&mut self, time: u64, mut text: Vec<u8>, bytes_max: usize) {
        text.truncate(bytes_max);
        self.bytes += text.len();
        self.records.push_back((self.next_index, time, text));
        self.next_index += 1;
        while self.bytes > bytes_max {
            match self.records.pop_front() {
                Some((_, _, text)) => self.bytes -= text.len(),
                None => break,
            }
        }
    }

    /// As they were when they were stored.
    pub fn restored(records: VecDeque<(u64, u64, Vec<u8>)>, next_index: u64) -> Self {
        let bytes = records.iter().map(|(_, _, text)| text.len()).sum();
        Self {
            records,
            next_index,
            bytes,
        }
    }

    pub fn clear(&mut self) {
        self.records.clear();
        self.bytes = 0;
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Canister {
    pub fn new(id: Principal, settings: Settings, cycles: u128, now: u64) -> Self {
        Self {
            id,
            settings,
            status: Status::Running,
            cycles,
            code: None,
            certified_data: Vec::new(),
            global_timer: 0,
            version: 0,
            call_contexts: BTreeMap::new(),
            callbacks: BTreeMap::new(),
            next_id: 1,
            calls_in_flight: Arc::default(),
            chunks: BTreeMap::new(),
            logs: Logs::default(),
            history: VecDeque::new(),
            changes_total: 0,
            snapshots: BTreeMap::new(),
            paid_until: now,
            low_memory_noticed: false,
        }
    }

    pub fn is_controller(&self, id: &Principal) -> bool {
        self.settings.controllers.contains(id)
    }

    pub fn is_running(&self) -> bool {
        matches!(self.status, Status::Running)
    }

    /// Whether that code leaves less heap than the threshold in the settings.
    pub fn is_low_on_heap(&self, code: &Code) -> bool {
        let most = code.module.heap_bytes_max();
        let limit = match self.settings.wasm_memory_limit {
            0 => most,
            limit => limit.min(most),
        };
        limit.saturating_sub(code.memory.heap.bytes()) < self.settings.wasm_memory_threshold
    }

    pub fn allocate_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// All bytes that it is charged for.
    pub fn memory_bytes(&self) -> u64 {
        let code = self.code.as_ref().map_or(0, Code::bytes);
        let chunks = self.chunks.len() as u64 * crate::limits::CHUNK_BYTES_MAX as u64;
        let snapshots: u64 = self
            .snapshots
            .values()
            .map(|snapshot| snapshot.bytes())
            .sum();
        code + chunks + snapshots + self.logs.bytes() as u64
    }

    /// What it burns in that many seconds by existing.
    pub fn idle_cost(&self, seconds: u64) -> u128 {
        self.storage().idle_cost(0, seconds)
    }

    pub fn freezing_balance(&self) -> u128 {
        self.storage().freezing_balance(0)
    }

    pub fn freezing_balance_after_growth(&self, bytes: u64) -> u128 {
        self.storage().freezing_balance(bytes)
    }

    pub fn storage(&self) -> Storage {
        Storage {
            memory_bytes: self.memory_bytes(),
            memory_allocation: self.settings.memory_allocation,
            compute_allocation: self.settings.compute_allocation,
            freezing_threshold_seconds: self.settings.freezing_threshold_seconds,
        }
    }

    pub fn facts(&self, subnet: Principal, root_key: &Arc<Vec<u8>>) -> CanisterFacts {
        CanisterFacts {
            id: self.id,
            subnet,
            root_key: Arc::clone(root_key),
            controllers: self.settings.controllers.clone(),
            status: match self.status {
                Status::Running => 1,
                Status::Stopping(_) => 2,
                Status::Stopped => 3,
            },
            version: self.version,
            environment_variables: Arc::clone(&self.settings.environment_variables),
            storage: self.storage(),
            wasm_memory_limit: self.settings.wasm_memory_limit,
            global_timer: self.global_timer,
            calls_in_flight: Arc::clone(&self.calls_in_flight),
        }
    }

    /// What certificates say of it.
    pub fn entry(&self) -> CanisterEntry {
        CanisterEntry {
            module_hash: self.code.as_ref().map(|code| code.module.hash),
            controllers: self.settings.controllers.clone(),
            metadata: self
                .code
                .as_ref()
                .map_or_else(BTreeMap::new, |code| code.module.metadata.clone()),
            certified_data: self.certified_data.clone(),
        }
    }

    /// Keeps what it printed, as far as its settings allow.
    pub fn log(&mut self, time: u64, text: Vec<u8>) {
        let bytes_max = usize::try_from(self.settings.log_memory_limit).unwrap_or(usize::MAX);
        self.logs.push(time, text, bytes_max);
    }

    pub fn count_call(&mut self, callee: Principal) {
        *Arc::make_mut(&mut self.calls_in_flight)
            .entry(callee)
            .or_default() += 1;
    }

    pub fn uncount_call(&mut self, callee: &Principal) {
        let calls = Arc::make_mut(&mut self.calls_in_flight);
        if let Some(count) = calls.get_mut(callee) {
            *count -= 1;
            if *count == 0 {
                calls.remove(callee);
            }
        }
    }

    pub fn record(&mut self, time: u64, caller: &ManagementCaller, details: ChangeDetails) {
        let origin = match caller {
            ManagementCaller::User { sender, .. } => {
                ChangeOrigin::FromUser(ic_management_canister_types::FromUserRecord {
                    user_id: *sender,
                })
            }
            ManagementCaller::Canister {
                sender, version, ..
            } => ChangeOrigin::FromCanister(ic_management_canister_types::FromCanisterRecord {
                canister_id: *sender,
                canister_version: *version,
            }),
        };
        let change = Change {
            timestamp_nanos: time,
            canister_version: self.version,
            origin,
            details: Some(details),
        };
        self.history.push_back(change);
        self.changes_total += 1;
        while self.history.len() > HISTORY_MAX {
            self.history.pop_front();
        }
    }

    /// Removes the code and everything it wrote. Those who wait for an answer
    /// of it are returned, to be told, with the cycles that they get back.
    pub fn remove_code(&mut self) -> Vec<(Origin, u128)> {
        self.code = None;
        self.certified_data.clear();
        self.global_timer = 0;
        self.chunks.clear();
        self.logs.clear();
        self.low_memory_noticed = false;
        let mut waiting = Vec::new();
        for context in self.call_contexts.values_mut() {
            context.deleted = true;
            if !context.responded {
                context.responded = true;
                waiting.push((
                    context.origin.clone(),
                    std::mem::take(&mut context.cycles_available),
                ));
            }
        }
        self.call_contexts
            .retain(|_, context| context.outstanding > 0);
        waiting
    }
}

/// What a canister tells those who wait when its code goes away.
pub fn uninstalled() -> Reject {
    Reject::new(
        crate::error::reject_code::CANISTER_REJECT,
        "Canister has been uninstalled.".to_string(),
    )
}
