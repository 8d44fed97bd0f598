//! Why a message failed, in the terms of the network: error codes, reject codes
//! and the texts that clients match on.

use candid::Principal;
use stoa_localnet_wire::Rejection;

use crate::limits::REJECT_MESSAGE_BYTES_MAX;

/// The network's error codes; the hundreds are the reject code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum ErrorCode {
    IngressTimeout = 202,
    StopTimeout = 206,
    OutOfCycles = 207,
    CanisterNotFound = 301,
    SnapshotNotFound = 305,
    InsufficientCyclesForCreate = 403,
    RejectedMessage = 406,
    InvalidManagementPayload = 408,
    SnapshotImmutable = 409,
    Trapped = 502,
    CalledTrap = 503,
    ContractViolation = 504,
    InvalidWasm = 505,
    DidNotReply = 506,
    Stopped = 508,
    Stopping = 509,
    NotStopped = 510,
    StoppingCancelled = 511,
    InvalidController = 512,
    FunctionNotFound = 513,
    NonEmpty = 514,
    /// The machine, not the canister, is at fault.
    Machine = 521,
    InstructionLimitExceeded = 522,
    CallGraphTooDeep = 525,
    CallGraphInstructionsExceeded = 526,
    CompositeQueryInReplicatedMode = 527,
    InsufficientCyclesInComputeAllocation = 530,
    InsufficientCyclesInMemoryAllocation = 531,
    InsufficientCyclesInMemoryGrow = 532,
    MethodNotFound = 536,
    WasmModuleNotFound = 537,
    AlreadyInstalled = 538,
    WasmMemoryLimitExceeded = 539,
}

impl ErrorCode {
    pub fn reject_code(self) -> u32 {
        u32::from(self as u16) / 100
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IC{:04}", *self as u16)
    }
}

/// An error that the sender of a message gets to see.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Failure {
    pub code: ErrorCode,
    pub message: String,
}

impl Failure {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: shortened(message.into()),
        }
    }

    /// As a user sees it.
    pub fn to_rejection(&self) -> Rejection {
        Rejection {
            code: u64::from(self.code.reject_code()),
            message: self.message.clone(),
            error_code: self.code.to_string(),
        }
    }

    /// As a calling canister sees it: the error code leads the message.
    pub fn to_reject(&self) -> Reject {
        Reject::new(self.code.reject_code(), self.to_string())
    }

    pub fn canister_not_found(id: Principal) -> Self {
        Self::new(
            ErrorCode::CanisterNotFound,
            format!("Canister {id} not found"),
        )
    }
}

/// A reject as canisters exchange it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reject {
    pub code: u32,
    pub message: String,
}

impl Reject {
    pub fn new(code: u32, message: String) -> Self {
        Self {
            code,
            message: shortened(message),
        }
    }
}

/// A text that is too long keeps its beginning and its end, and three dots between.
pub fn shortened(text: String) -> String {
    const GAP: &str = "...";
    let max = REJECT_MESSAGE_BYTES_MAX;
    if text.len() <= max {
        return text;
    }
    let mut begin = max / 2;
    while !text.is_char_boundary(begin) {
        begin -= 1;
    }
    let mut end = text.len() - (max - GAP.len() - max / 2);
    while !text.is_char_boundary(end) {
        end += 1;
    }
    [&text[..begin], GAP, &text[end..]].concat()
}

pub mod reject_code {
    pub const SYS_FATAL: u32 = 1;
    pub const SYS_TRANSIENT: u32 = 2;
    pub const CANISTER_REJECT: u32 = 4;
    pub const CANISTER_ERROR: u32 = 5;
    pub const SYS_UNKNOWN: u32 = 6;
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TrapCode {
    StackOverflow,
    HeapOutOfBounds,
    StableMemoryOutOfBounds,
    StableMemoryTooBigFor32Bit,
    IntegerDivByZero,
    Unreachable,
    TableOutOfBounds,
    CyclesAmountTooBigFor64Bit,
    Other,
}

impl std::fmt::Display for TrapCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::StackOverflow => "stack overflow",
            Self::HeapOutOfBounds => "heap out of bounds",
            Self::StableMemoryOutOfBounds => "stable memory out of bounds",
            Self::StableMemoryTooBigFor32Bit => {
                "32 bit stable memory api used on a memory larger than 4GB"
            }
            Self::IntegerDivByZero => "integer division by 0",
            Self::Unreachable => "unreachable",
            Self::TableOutOfBounds => "table out of bounds",
            Self::CyclesAmountTooBigFor64Bit => "cycles amount exceeds 64-bit representation",
            Self::Other => "unknown",
        })
    }
}

/// Why an execution was undone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ExecutionError {
    MethodNotFound {
        kind: &'static str,
        name: String,
    },
    NoModule,
    ContractViolation(String),
    InstructionLimitExceeded {
        limit: u64,
    },
    Trapped(TrapCode),
    CalledTrap(String),
    FunctionNotFound {
        table: u32,
        function: u32,
    },
    OutOfCycles {
        requested: u128,
        available: u128,
    },
    WasmMemoryLimitExceeded {
        bytes: u64,
        limit: u64,
    },
    MessageRejected,
    InsufficientCyclesInMemoryGrow {
        bytes: u64,
        missing: u128,
    },
    /// The machine itself failed: out of memory, out of file descriptors.
    Machine(String),
    Cleanup {
        callback: Box<ExecutionError>,
        cleanup: Box<ExecutionError>,
    },
}

impl ExecutionError {
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::MethodNotFound { .. } => ErrorCode::MethodNotFound,
            Self::NoModule => ErrorCode::WasmModuleNotFound,
            Self::ContractViolation(_) | Self::OutOfCycles { .. } => ErrorCode::ContractViolation,
            Self::InstructionLimitExceeded { .. } => ErrorCode::InstructionLimitExceeded,
            Self::Trapped(_) => ErrorCode::Trapped,
            Self::CalledTrap(_) => ErrorCode::CalledTrap,
            Self::FunctionNotFound { .. } => ErrorCode::FunctionNotFound,
            Self::WasmMemoryLimitExceeded { .. } => ErrorCode::WasmMemoryLimitExceeded,
            Self::MessageRejected => ErrorCode::RejectedMessage,
            Self::InsufficientCyclesInMemoryGrow { .. } => {
                ErrorCode::InsufficientCyclesInMemoryGrow
            }
            Self::Machine(_) => ErrorCode::Machine,
            Self::Cleanup { callback, .. } => callback.code(),
        }
    }

    /// As the network words it.
    pub fn into_failure(self, canister: Principal) -> Failure {
        Failure::new(
            self.code(),
            format!("Error from Canister {canister}: {self}"),
        )
    }
}

impl std::fmt::Display for ExecutionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::MethodNotFound { kind, name } => {
                write!(f, "Canister has no {kind} method '{name}'.")
            }
            Self::NoModule => f.write_str(
                "Attempted to execute a message, but the canister contains no Wasm module.",
            ),
            Self::ContractViolation(detail) => write!(f, "Canister violated contract: {detail}."),
            Self::InstructionLimitExceeded { limit } => write!(
                f,
                "Canister exceeded the limit of {limit} instructions for single message execution."
            ),
            Self::Trapped(code) => write!(f, "Canister trapped: {code}."),
            Self::CalledTrap(message) => {
                write!(f, "Canister called `ic0.trap` with message: '{message}'.")
            }
            Self::FunctionNotFound { table, function } => write!(
                f,
                "Canister requested to invoke a non-existent Wasm function {function} from table {table}."
            ),
            Self::OutOfCycles {
                requested,
                available,
            } => write!(
                f,
                "Canister is out of cycles: {requested} requested, {available} available."
            ),
            Self::WasmMemoryLimitExceeded { bytes, limit } => write!(
                f,
                "Canister exceeded its current Wasm memory limit of {limit} bytes. \
                 The peak Wasm memory usage was {bytes} bytes."
            ),
            Self::MessageRejected => f.write_str("Canister rejected the message."),
            Self::InsufficientCyclesInMemoryGrow { bytes, missing } => write!(
                f,
                "Canister cannot grow memory by {bytes} bytes due to insufficient cycles. \
                 At least {missing} additional cycles are required."
            ),
            Self::Machine(detail) => write!(
                f,
                "The local network could not execute the message: {detail}."
            ),
            Self::Cleanup { callback, cleanup } => {
                write!(f, "{callback}\n\ncall_on_cleanup also failed:\n\n{cleanup}")
            }
        }
    }
}
