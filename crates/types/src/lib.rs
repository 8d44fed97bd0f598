//! The words that every part of Stoa shares: hashes, references, tensors and
//! the manifest with its canonical hash and its rules. No Internet Computer
//! calls and no I/O in here, so that canisters, the command line and tests agree.

pub mod hash;
pub mod limits;
pub mod manifest;
pub mod manifest_hash;
pub mod names;
pub mod pipeline;
mod pipeline_hash;
pub mod reference;
pub mod rih;
pub mod tensor;
pub mod valid_manifest;

pub use hash::Sha256;
pub use valid_manifest::{DistinctChunk, InvalidManifest, Problem, ValidManifest};
