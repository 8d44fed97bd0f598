//! The words that every part of Stoa shares: hashes, references, amounts,
//! tensors and the manifest with its canonical hash. No Internet Computer calls
//! and no I/O in here, so that canisters, the command line and tests agree.

pub mod hash;
pub mod manifest;
pub mod tensor;

pub use hash::Sha256;
