//! Work in progress header.
mod error;
mod execution;
mod fees;
mod limits;
mod memory;
mod system_api;
mod wasm;
