//! Runs ONNX networks on `tract`, natively and as WebAssembly, with the same bits either way.
//!
//! There is no Internet Computer in here: the inference canister, the command line's local run and
//! other bindings share this crate. What must hold:
//!
//! - The same model and input give bit-identical output on every machine ([`determinism`] says how,
//!   and what is refused because it would not).
//! - A model is checked against the manifest's signature before it is optimised, and inputs are
//!   checked against it before anything runs.
//! - Work comes in steps ([`Loading::step`], [`Run::step`]), so that a host with a limit on one
//!   message can go on in the next.
//!
//! ```text
//! bytes + signature --Loading::new--> Loading --step()*--> Model --start(inputs)--> Run --step()*--> outputs
//! ```

#[cfg(target_endian = "big")]
compile_error!("tensors travel little-endian and are copied as they are");

mod analysis;
mod broadcast;
mod determinism;
mod error;
mod exceptions;
mod graph;
mod kernels;
mod loading;
#[cfg(not(target_family = "wasm"))]
mod mathematics;
mod memory;
mod model;
mod onnx_file;
mod optimiser;
mod product;
mod proposal;
mod repeats;
mod run;
mod signature;
mod source;
mod tensors;
mod unwinding;
mod work;

pub use determinism::not_reproducible;
pub use error::LoadError;
pub use loading::{Limits, Loading, Stage};
pub use memory::MemoryBound;
pub use model::Model;
pub use proposal::{OpenDimension, propose_signature};
pub use run::Run;
pub use source::Source;
/// What comes before and after a run.
pub use stoa_pipeline::{
    CheckedInputs, Context, InputError, Pipeline, PipelineError, Prepared, RunError, TokenizerError,
};

/// What receipts name: results are reproducible with this version and no other.
pub const ENGINE: &str = concat!("stoa-engine ", env!("CARGO_PKG_VERSION"), " (tract 0.23.9)");

/// A piece of long work: either there is more to do, or here is the result.
#[must_use = "paused work that is dropped is lost"]
#[derive(Debug)]
pub enum Slicing<P, D> {
    Paused(P),
    Done(D),
}

/// Loads in one go, for hosts without a limit on one message.
pub fn load(
    onnx: Vec<u8>,
    signature: &stoa_types::manifest::Signature,
    limits: Limits,
) -> Result<Model, LoadError> {
    let mut loading = Loading::new(onnx, signature, limits)?;
    loop {
        match loading.step()? {
            Slicing::Paused(more) => loading = more,
            Slicing::Done(model) => return Ok(model),
        }
    }
}
