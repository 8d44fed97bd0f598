//! The one wasmtime engine, configured so that execution is deterministic and
//! memories are mapped by `memory::heap`.

use std::sync::{Arc, OnceLock};

use wasmtime::{Config, Engine, OptLevel};

use crate::limits::HEAP64_BYTES_MAX;
pub use crate::memory::Heap;
use crate::memory::HeapCreator;

/// What Wasm may use of the native stack; deep recursion traps here, as it does on mainnet.
pub const WASM_STACK_BYTES: usize = 5 << 20;
/// Threads that run Wasm need room for host functions besides.
pub const THREAD_STACK_BYTES: usize = 16 << 20;

/// Address space, not memory: as much as the longest heap may take.
const HEAP_RESERVATION_BYTES: u64 = HEAP64_BYTES_MAX;

/// The process's engine: compiled code is tied to it, so there is one.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| match Engine::new(&config()) {
        Ok(engine) => engine,
        Err(error) => panic!("BUG: the engine's configuration is refused: {error}"),
    })
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_nan_canonicalization(true)
        .wasm_simd(true)
        .wasm_relaxed_simd(false)
        .wasm_bulk_memory(true)
        .wasm_multi_value(true)
        .wasm_multi_memory(false)
        .wasm_memory64(true)
        .wasm_tail_call(true)
        .wasm_backtrace_max_frames(None)
        .native_unwind_info(false)
        .generate_address_map(false)
        .debug_symbols(false)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(THREAD_STACK_BYTES)
        .memory_init_cow(false)
        .memory_reservation(HEAP_RESERVATION_BYTES)
        .memory_may_move(false)
        .guard_before_linear_memory(false)
        .with_host_memory(Arc::new(HeapCreator));
    config
}
