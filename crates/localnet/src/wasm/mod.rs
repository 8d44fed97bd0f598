//! Canister modules: from the bytes that `install_code` received to code that runs.
//!
//! What must hold: nothing is compiled that has not passed `parse` and
//! `validate`; every compiled module counts its instructions; and everything
//! mutable in it (memory, globals, tables) can be read and set from outside, so
//! that an instance can be thrown away after every message.

mod cost;
mod decode;
mod engine;
mod imports;
mod instrument;
mod parse;
mod prepare;
mod validate;

pub use engine::{Heap, THREAD_STACK_BYTES, engine};
#[cfg(test)]
pub use imports::declarations as import_declarations;
pub use parse::{MethodKind, ModuleError};
pub use prepare::{ModuleStore, PreparedModule};

/// Names under which the instrumented module exports what the host needs. Only
/// names that start with `canister_` are kept of a module's own exports, so
/// these collide with nothing.
pub mod internal {
    pub const COUNTER: &str = "stoa counter";
    pub const MEMORY: &str = "stoa memory";
    pub const START: &str = "stoa start";
    /// The table that callbacks are called through.
    pub const CALLBACKS: &str = "stoa callbacks";
    /// Followed by a decimal number: how many instructions the module has.
    pub const INSTRUCTION_COUNT: &str = "stoa instruction count ";
    /// Followed by the decimal index of a mutable global.
    pub const GLOBAL: &str = "stoa global ";
    /// Followed by the decimal index of a table.
    pub const TABLE: &str = "stoa table ";
    /// Followed by the decimal index of a function that may be referred to.
    pub const FUNCTION: &str = "stoa function ";
}
