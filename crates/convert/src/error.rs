//! Why a model cannot be converted, naming the layer or the file.

#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    #[error("model.json: {reason}")]
    Malformed { reason: String },
    /// A TensorFlow.js graph model holds TensorFlow operators, not layers.
    #[error(
        "model.json is a graph model: only layers models are converted. Convert the original with tf2onnx and use the ONNX file"
    )]
    GraphModel,
    #[error("{path}: {source}")]
    WeightFile {
        path: String,
        source: std::io::Error,
    },
    #[error("weights: {reason}")]
    Weights { reason: String },
    #[error("layer \"{layer}\" ({class}) {reason}")]
    Layer {
        layer: String,
        class: String,
        reason: String,
    },
}

impl ConvertError {
    pub(crate) fn malformed(reason: impl Into<String>) -> Self {
        Self::Malformed {
            reason: reason.into(),
        }
    }

    pub(crate) fn weights(reason: impl Into<String>) -> Self {
        Self::Weights {
            reason: reason.into(),
        }
    }
}

pub(crate) type Result<T, E = ConvertError> = std::result::Result<T, E>;
