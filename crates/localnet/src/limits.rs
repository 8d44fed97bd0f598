//! The limits of the platform, as mainnet's application subnets enforce them.

pub const WASM_PAGE_BYTES: u64 = 65_536;
pub const OS_PAGE_BYTES: u64 = 4_096;

/// A module as it is sent or unpacked.
pub const MODULE_BYTES_MAX: usize = 100 << 20;
pub const CODE_SECTION_BYTES_MAX: usize = 12 << 20;
pub const FUNCTIONS_MAX: usize = 50_000;
pub const FUNCTION_BYTES_MAX: usize = 1_000_000;
pub const GLOBALS_MAX: usize = 1_000;
pub const EXPORTED_METHODS_MAX: usize = 1_000;
/// All exported method names together.
pub const EXPORTED_NAME_BYTES_MAX: usize = 20_000;
pub const CUSTOM_SECTIONS_MAX: usize = 16;
pub const CUSTOM_SECTION_BYTES_MAX: usize = 1 << 20;
pub const TABLE_ELEMENTS_MAX: usize = 10_000_000;

pub const HEAP_BYTES_MAX: u64 = 4 << 30;
/// Of a memory with 64-bit addresses.
pub const HEAP64_BYTES_MAX: u64 = 6 << 30;
pub const STABLE_BYTES_MAX: u64 = 500 << 30;
/// The legacy 32-bit interface to stable memory reaches this far.
pub const STABLE32_PAGES_MAX: u64 = 65_536;

pub const UPDATE_INSTRUCTIONS_MAX: u64 = 40_000_000_000;
pub const QUERY_INSTRUCTIONS_MAX: u64 = 5_000_000_000;
pub const INSTALL_INSTRUCTIONS_MAX: u64 = 300_000_000_000;
pub const INSPECT_INSTRUCTIONS_MAX: u64 = 200_000_000;
/// Kept back from a callback so that its cleanup can run.
pub const CLEANUP_RESERVE_PERCENT: u64 = 5;

pub const REPLY_BYTES_MAX: usize = 2 << 20;
pub const INTER_CANISTER_BYTES_MAX: usize = 10 << 20;
pub const QUERY_REPLY_BYTES_MAX: usize = 3 << 20;
pub const REJECT_MESSAGE_BYTES_MAX: usize = 8 << 10;
pub const METHOD_NAME_BYTES_MAX: usize = 20_000;

/// Calls in flight from one canister to another.
pub const CALLS_IN_FLIGHT_MAX: usize = 500;
pub const COMPOSITE_QUERY_DEPTH_MAX: usize = 6;
pub const BEST_EFFORT_TIMEOUT_SECONDS_MAX: u32 = 300;

pub const CONTROLLERS_MAX: usize = 10;
pub const CERTIFIED_DATA_BYTES_MAX: usize = 32;
pub const CHUNK_BYTES_MAX: usize = 1 << 20;
pub const STORED_CHUNKS_MAX: usize = 100;
pub const ENVIRONMENT_VARIABLES_MAX: usize = 20;
pub const ENVIRONMENT_NAME_BYTES_MAX: usize = 128;
pub const ENVIRONMENT_VALUE_BYTES_MAX: usize = 128;
/// Text of log records kept for a canister, unless its settings say otherwise.
pub const LOG_BYTES_MAX: usize = 4 << 10;
/// Instructions that writing a page for the first time in a message adds.
pub const DIRTY_PAGE_INSTRUCTIONS: u64 = 1_000;
