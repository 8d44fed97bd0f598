//! Why an input or a run was refused, naming the input, node or operator. Closed, so that a host can map each case; texts from
//! elsewhere are cut, so that none grows without a bound.

use stoa_types::tensor::{DataType, TensorError};

/// Longest text that is taken over from a library or a file.
const REASON_BYTES_MAX: usize = 600;

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

/// Cuts a text at a character boundary.
pub fn cut(mut text: String) -> String {
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
