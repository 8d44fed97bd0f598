//! Why a model, an input or a run was refused, naming the field, node or operator. Closed, so that
//! a host can map each case; texts from `tract` are cut, so that none grows without a bound.

use stoa_types::Sha256;
use stoa_types::tensor::{DataType, TensorError};

/// Longest text that is taken over from `tract`.
const REASON_BYTES_MAX: usize = 600;

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

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InputError {
    #[error("the call gives {given}, the pipeline takes {expected}")]
    Kind {
        expected: &'static str,
        given: &'static str,
    },
    #[error("{given} {what} are given, from 1 to {max} are allowed")]
    ItemCount {
        what: &'static str,
        given: u64,
        max: u64,
    },
    /// `item` is a path into the call, such as `images[2]`.
    #[error("{item}: {reason}")]
    Item { item: String, reason: String },
    #[error("input `{input}` is missing")]
    Missing { input: String },
    #[error("input `{input}` is not in the signature")]
    Unknown { input: String },
    #[error("input `{input}` is given twice")]
    Twice { input: String },
    #[error("input `{input}` must be {expected}, not {given}")]
    DataType {
        input: String,
        expected: DataType,
        given: DataType,
    },
    #[error("input `{input}` must have {expected} dimensions, not {given}")]
    Rank {
        input: String,
        expected: u64,
        given: u64,
    },
    #[error("input `{input}`: dimension {axis} must be {expected}, not {given}")]
    Dimension {
        input: String,
        axis: u64,
        expected: u64,
        given: u64,
    },
    #[error("input `{input}`: dimension {axis} (`{name}`) must be from 1 to {max}, not {given}")]
    DimensionOutOfRange {
        input: String,
        axis: u64,
        name: String,
        max: u64,
        given: u64,
    },
    #[error(
        "input `{input}`: dimension {axis} (`{name}`) is {given}, but another input has {expected}"
    )]
    DimensionDiffers {
        input: String,
        axis: u64,
        name: String,
        expected: u64,
        given: u64,
    },
    #[error("input `{input}`: {error}")]
    Data { input: String, error: TensorError },
    #[error("input `{input}`: element {index} is {given}, a BOOL is 0 or 1")]
    BadBool {
        input: String,
        index: u64,
        given: u8,
    },
}

impl InputError {
    /// The input that the caller should look at.
    pub fn input(&self) -> &str {
        match self {
            InputError::Kind { given, .. } => given,
            InputError::ItemCount { what, .. } => what,
            InputError::Item { item, .. } => item,
            InputError::Missing { input }
            | InputError::Unknown { input }
            | InputError::Twice { input }
            | InputError::DataType { input, .. }
            | InputError::Rank { input, .. }
            | InputError::Dimension { input, .. }
            | InputError::DimensionOutOfRange { input, .. }
            | InputError::DimensionDiffers { input, .. }
            | InputError::Data { input, .. }
            | InputError::BadBool { input, .. } => input,
        }
    }
}

/// A run that started and cannot finish, for example because an index from the input is out of range.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("node `{node}` ({operator}): {reason}")]
pub struct RunError {
    pub node: String,
    pub operator: String,
    pub reason: String,
}

/// The whole chain of causes.
pub(crate) fn reason(error: &tract_onnx::prelude::TractError) -> String {
    cut(format!("{error:#}"))
}

/// Cuts a text at a character boundary.
pub(crate) fn cut(mut text: String) -> String {
    if text.len() > REASON_BYTES_MAX {
        let end = (0..=REASON_BYTES_MAX)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0);
        text.truncate(end);
        text.push_str("...");
    }
    text
}
