//! Why a model was refused, naming the field, node or operator. Closed, so that a host can map each case; texts from `tract`
//! are cut, so that none grows without a bound. Why an input or a run was: `stoa-pipeline`.

use stoa_pipeline::cut;
use stoa_types::Sha256;

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LoadError {
    #[error("the model has {given_bytes} bytes, at most {max_bytes} are allowed")]
    FileTooLarge { given_bytes: u64, max_bytes: u64 },
    #[error("the file's SHA-256 is {found}, not {expected}")]
    WrongHash { expected: Sha256, found: Sha256 },
    #[error("not a well-formed ONNX model: {reason}")]
    Malformed { reason: String },
    #[error("tensor `{tensor}` has its data in another file, which is not allowed")]
    ExternalData { tensor: String },
    #[error("the model has {given} nodes, at most {max} are allowed")]
    TooManyNodes { given: u64, max: u64 },
    #[error("subgraphs are nested deeper than {max} levels")]
    NestedTooDeep { max: u64 },
    #[error("node `{node}`: operator `{operator}` is not supported")]
    UnsupportedOperator { node: String, operator: String },
    /// Its result would depend on the machine or on chance.
    #[error("node `{node}`: operator `{operator}` is not reproducible: {reason}")]
    NotReproducible {
        node: String,
        operator: String,
        reason: String,
    },
    /// `field` is a path into the manifest's signature, such as `inputs[0].shape[1]`.
    #[error("signature {field}: the manifest says {manifest}, the model {model}")]
    SignatureMismatch {
        field: String,
        manifest: String,
        model: String,
    },
    /// Shapes must follow from the inputs' shapes, so that memory and price are known before a run.
    #[error(
        "node `{node}` ({operator}): the shape `{shape}` does not follow from the inputs' shapes"
    )]
    DynamicShape {
        node: String,
        operator: String,
        shape: String,
    },
    #[error("the model cannot be analysed: {reason}")]
    Analysis { reason: String },
    #[error("the model cannot be optimised: {reason}")]
    Optimisation { reason: String },
    #[error("a run may need {needed_bytes} bytes of memory, at most {max_bytes} are allowed")]
    TooMuchMemory { needed_bytes: u64, max_bytes: u64 },
    /// One node is a unit of a run; a host must be able to run a unit in one message.
    #[error(
        "node `{node}` ({operator}) may take {needed} multiply-adds at once, at most {max} are allowed"
    )]
    NodeTooLarge {
        node: String,
        operator: String,
        needed: u64,
        max: u64,
    },
    /// A bug in this crate or in `tract` that the model runs into. In Wasm it is a trap instead.
    #[error("loading failed inside: {reason}")]
    Panicked { reason: String },
    /// The portable kernels are not in force; running would not be reproducible.
    #[error("this build cannot run reproducibly: {reason}")]
    BrokenBuild { reason: String },
}

/// The whole chain of causes.
pub(crate) fn reason(error: &tract_onnx::prelude::TractError) -> String {
    cut(format!("{error:#}"))
}
