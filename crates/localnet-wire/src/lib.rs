//! The Internet Computer's public HTTP interface for the embedded network:
//! envelopes, signatures, certificates. It knows nothing of Wasm.

pub mod replica;
pub mod state_tree;
