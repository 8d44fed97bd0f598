//! The checks that need the whole module: WebAssembly's own validation, with
//! the language features that the network has switched on.

use wasmparser::{Validator, WasmFeatures};

use super::ModuleError;
use super::parse::malformed;

/// WebAssembly 2 with tail calls and 64-bit memories: fixed-width SIMD, bulk memory,
/// reference types, multiple values. Threads, relaxed SIMD, exceptions, garbage
/// collection and several memories are off.
pub fn features() -> WasmFeatures {
    WasmFeatures::WASM2 | WasmFeatures::TAIL_CALL | WasmFeatures::MEMORY64
}

pub fn validate(plain: &[u8]) -> Result<(), ModuleError> {
    Validator::new_with_features(features())
        .validate_all(plain)
        .map(|_| ())
        .map_err(malformed)
}
