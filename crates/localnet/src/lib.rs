//! An Internet Computer in one process, for development, tests and demos.
//!
//! It runs canisters' own Wasm files on wasmtime and serves the Internet
//! Computer's public HTTP interface under a root key of its own, so that stock
//! agents and tools work against it. It is one node that trusts itself, not a
//! replica: there is no consensus. Its state ends with the process, or is kept in a folder.
//!
//! The parts, from below: `memory` (heaps and stable memory that can be rolled
//! back), `wasm` (modules: checked, rewritten, compiled), `system_api` (what
//! canisters import), `execution` (one entry point, kept or undone),
//! `scheduler` (messages, one after the other), `query` and `inspect` (beside
//! them), `management` (`aaaaa-aa`), `outcall` (HTTPS requests of canisters),
//! `store` (the state folder), `replica` (the seam to the HTTP interface,
//! which is the crate `stoa-localnet-wire`), `server`.

mod canister;
mod canisters;
mod error;
mod execution;
mod fees;
mod inspect;
mod inspection;
mod limits;
mod management;
mod memory;
mod network;
mod outcall;
mod query;
mod query_threads;
mod record;
mod replica;
mod scheduler;
mod server;
mod snapshot;
mod store;
mod system_api;
mod wasm;

#[cfg(test)]
mod tests;

pub use record::Executed;
pub use server::{Handle, Options, default_cache, start};
