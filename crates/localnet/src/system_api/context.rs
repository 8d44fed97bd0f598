//! Everything that the functions of `ic0` can see and do during one execution.
//!
//! Effects are collected here and take hold only when the execution has
//! succeeded: the owner of the context applies them or drops them.

use std::collections::BTreeMap;
use std::sync::Arc;

use candid::Principal;
use stoa_localnet_wire::SenderInfo;
use wasmtime::{Global, Memory, ResourceLimiter};

use super::entry_point::EntryPoint;
use crate::error::{ExecutionError, Reject};
use crate::fees;
use crate::limits::{CALLS_IN_FLIGHT_MAX, TABLE_ELEMENTS_MAX};
use crate::memory::StableMemory;

/// A function of the canister's table, and the value that it is called with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Closure {
    pub function: u32,
    pub environment: u64,
}

impl Closure {
    /// No table is so long that an index beyond 32 bits could be in it.
    pub fn new(function: u64, environment: u64) -> Self {
        Self {
            function: u32::try_from(function).unwrap_or(u32::MAX),
            environment,
        }
    }
}

/// A call being put together, or one that is to be sent.
#[derive(Clone, Debug)]
pub struct OutgoingCall {
    pub callee: Principal,
    pub method: String,
    pub argument: Vec<u8>,
    pub on_reply: Closure,
    pub on_reject: Closure,
    pub on_cleanup: Option<Closure>,
    pub cycles: u128,
    /// Of a call with best-effort response.
    pub timeout_seconds: Option<u32>,
    /// Taken from the balance when the call is sent; what the response does not use comes back.
    pub fee: u128,
}

/// What a canister answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Response {
    Reply(Vec<u8>),
    Reject(Reject),
}

impl Response {
    /// As it is carried to whoever called: a reject's text has its limit there. A user's
    /// own query shows the text whole.
    pub fn carried(self) -> Self {
        match self {
            Self::Reject(reject) => Self::Reject(Reject::new(reject.code, reject.message)),
            reply => reply,
        }
    }
}

/// What a canister's existence costs by.
#[derive(Clone, Copy, Debug)]
pub struct Storage {
    pub memory_bytes: u64,
    /// Paid for whether or not it is used; what is used beyond it is paid for as well.
    pub memory_allocation: u64,
    /// Percent of a core.
    pub compute_allocation: u64,
    pub freezing_threshold_seconds: u64,
}

impl Storage {
    /// In cycles, with that many more bytes of memory.
    pub fn idle_cost(&self, grown: u64, seconds: u64) -> u128 {
        let used = self.memory_bytes.saturating_add(grown);
        let memory = used.max(self.memory_allocation);
        fees::idle(memory, self.compute_allocation, seconds)
    }

    /// Below this balance, in cycles, the canister may not spend.
    pub fn freezing_balance(&self, grown: u64) -> u128 {
        self.idle_cost(grown, self.freezing_threshold_seconds)
    }
}

/// Facts about the canister that an execution can read and not change.
#[derive(Clone, Debug)]
pub struct CanisterFacts {
    pub id: Principal,
    pub subnet: Principal,
    pub root_key: Arc<Vec<u8>>,
    pub controllers: Vec<Principal>,
    /// 1 running, 2 stopping, 3 stopped.
    pub status: u32,
    pub version: u64,
    pub environment_variables: Arc<Vec<(String, String)>>,
    pub storage: Storage,
    /// 0 is no limit.
    pub wasm_memory_limit: u64,
    pub global_timer: u64,
    /// Calls in flight, by callee.
    pub calls_in_flight: Arc<BTreeMap<Principal, usize>>,
}

/// The message being executed.
#[derive(Clone, Debug, Default)]
pub struct Message {
    pub caller: Option<Principal>,
    /// What a canister that signs for the caller says of it.
    pub caller_info: Option<Arc<SenderInfo>>,
    pub argument: Arc<Vec<u8>>,
    pub method: String,
    /// Of a reject callback; a reply has code 0.
    pub reject: Option<Reject>,
    pub deadline: Option<u64>,
    pub cycles_available: u128,
    pub cycles_refunded: u128,
    /// Whether the call context has been answered already.
    pub responded: bool,
    /// Of the call context, before this execution.
    pub instructions_before: u64,
}

/// Signing takes long, so it is done when a query asks.
pub type Certifier = Box<dyn FnOnce() -> Vec<u8> + Send + Sync>;

/// The store's data.
pub struct MessageContext {
    pub entry_point: EntryPoint,
    pub facts: CanisterFacts,
    pub message: Message,
    pub time: u64,
    pub instruction_limit: u64,
    pub reply_bytes_max: usize,
    /// Signs a certificate of the certified data; only queries can have one.
    pub certifier: Option<Certifier>,
    pub data_certificate: Option<Arc<Vec<u8>>>,

    pub stable: StableMemory,
    /// Bytes of memory that this execution has added.
    pub grown: u64,
    pub balance: u128,
    pub cycles_accepted: u128,
    pub cycles_minted: u128,
    pub reply_data: Vec<u8>,
    pub response: Option<Response>,
    pub call: Option<OutgoingCall>,
    pub calls: Vec<OutgoingCall>,
    pub certified_data: Option<Vec<u8>>,
    pub global_timer: Option<u64>,
    pub accepted: bool,
    pub logs: Vec<(u64, Vec<u8>)>,

    pub memory: Option<Memory>,
    /// What the module's heap can grow to.
    pub heap_bytes_max: u64,
    pub counter: Option<Global>,
    /// Why the host stopped the execution, if it did.
    pub error: Option<ExecutionError>,
}

impl MessageContext {
    /// Calls to that canister which are in flight or will be.
    pub fn calls_to(&self, callee: &Principal) -> usize {
        let before = self.facts.calls_in_flight.get(callee).copied().unwrap_or(0);
        before
            + self
                .calls
                .iter()
                .filter(|call| call.callee == *callee)
                .count()
    }

    pub fn has_room_for_call_to(&self, callee: &Principal) -> bool {
        self.calls_to(callee) < CALLS_IN_FLIGHT_MAX
    }

    /// Below this balance the canister may not spend; it rises with its memory.
    pub fn freezing_balance(&self) -> u128 {
        self.facts.storage.freezing_balance(self.grown)
    }

    /// Notes that memory grows, if the canister can afford to keep it. Where
    /// nothing is kept, or an answer must be dealt with, it can always grow.
    pub fn note_growth(&mut self, bytes: u64) -> Result<(), ExecutionError> {
        let before = self.freezing_balance();
        self.grown += bytes;
        let checked = matches!(
            self.entry_point,
            EntryPoint::Init | EntryPoint::Update | EntryPoint::SystemTask
        );
        let needed = self.freezing_balance();
        if checked && needed > before && self.balance < needed {
            let missing = needed - self.balance;
            return Err(ExecutionError::InsufficientCyclesInMemoryGrow { bytes, missing });
        }
        Ok(())
    }

    /// Gives up the call being put together, if there is one; its cycles come back.
    pub fn abandon_call(&mut self) {
        if let Some(call) = self.call.take() {
            self.balance += call.cycles;
        }
    }

    /// Stops the execution for a reason that is not the code's own trap.
    fn stop<T>(&mut self, error: ExecutionError) -> wasmtime::Result<T> {
        let shown = error.to_string();
        self.error = Some(error);
        Err(wasmtime::Error::msg(shown))
    }

    pub fn responded(&self) -> bool {
        self.message.responded || self.response.is_some()
    }
}

impl ResourceLimiter for MessageContext {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // While the instance is made its memory is not growing.
        if self.memory.is_none() {
            return Ok(true);
        }
        let bytes = desired as u64;
        if bytes > self.heap_bytes_max || maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        // Not where a failure would be new to the canister's own invariants (callbacks), nor in
        // what nobody sees fail (heartbeats and timers).
        let limited = matches!(
            self.entry_point,
            EntryPoint::Update | EntryPoint::Start | EntryPoint::Init
        );
        let limit = self.facts.wasm_memory_limit;
        if limited && limit > 0 && bytes > limit {
            return self.stop(ExecutionError::WasmMemoryLimitExceeded { bytes, limit });
        }
        match self.note_growth((desired - current) as u64) {
            Ok(()) => Ok(true),
            Err(error) => self.stop(error),
        }
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}
