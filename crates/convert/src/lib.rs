//! Models of other frameworks as ONNX, so that the library has one format to check and run.
//!
//! Read are TensorFlow.js layers models: `model.json` with its weight shards, as `model.save` of TensorFlow.js, the
//! `tensorflowjs_converter` for Keras, and Teachable Machine write them. What must hold: the ONNX graph computes what
//! TensorFlow.js computes, to rounding; what this cannot promise (recurrent layers, masks, custom layers) is refused by
//! the layer's name. Equal files give equal bytes, so that anyone can repeat a conversion and compare the digest.
//!
//! Tensors keep TensorFlow's layout (channels last) between layers; a convolution turns its input and turns back.
//! `tract` takes out the turns that cancel.

mod error;
mod graph;
mod layers;
mod model;
mod topology;
mod weights;

pub use error::ConvertError;

/// Converts the model that `model_json` describes. `read` answers the bytes of a file that it names, by its path
/// relative to `model.json`.
pub fn tensorflow_js(
    model_json: &str,
    read: impl FnMut(&str) -> std::io::Result<Vec<u8>>,
) -> Result<Vec<u8>, ConvertError> {
    let file = topology::parse(model_json)?;
    let weights = weights::Weights::read(&file.weights, read)?;
    model::convert(&file.model, &weights)
}

/// Whether `json` is what [`tensorflow_js`] reads, rather than another `model.json`.
pub fn is_tensorflow_js(json: &str) -> bool {
    topology::is_model_file(json)
}
