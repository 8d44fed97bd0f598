//! What each class of layer is in ONNX. Defaults of absent fields are those of Keras.

mod activation;
mod convolution;
mod dense;
mod merge;
mod normalization;
mod pooling;
mod shape;
mod window;

use serde_json::Value as Json;

use crate::error::{ConvertError, Result};
use crate::graph::{Graph, Kind, Value, int};
use crate::topology::Layer;
use crate::weights::{Weight, Weights};
use tract_onnx::pb::tensor_proto::DataType;

/// One call of a layer.
pub(crate) struct Call<'a> {
    pub layer: &'a Layer,
    pub weights: &'a Weights,
    pub graph: &'a mut Graph,
    pub inputs: &'a [Value],
}

pub(crate) fn apply(call: &mut Call<'_>) -> Result<Value> {
    match call.layer.class.as_str() {
        "Dense" => dense::dense(call),
        "Embedding" => dense::embedding(call),

        "Conv1D" => convolution::convolution(call, 1),
        "Conv2D" => convolution::convolution(call, 2),
        "DepthwiseConv2D" => convolution::depthwise(call),
        "SeparableConv2D" => convolution::separable(call),

        "MaxPooling1D" => pooling::pooling(call, 1, "MaxPool"),
        "MaxPooling2D" => pooling::pooling(call, 2, "MaxPool"),
        "AveragePooling1D" => pooling::pooling(call, 1, "AveragePool"),
        "AveragePooling2D" => pooling::pooling(call, 2, "AveragePool"),
        "GlobalMaxPooling1D" => pooling::global(call, 1, "ReduceMax"),
        "GlobalMaxPooling2D" => pooling::global(call, 2, "ReduceMax"),
        "GlobalAveragePooling1D" => pooling::global(call, 1, "ReduceMean"),
        "GlobalAveragePooling2D" => pooling::global(call, 2, "ReduceMean"),

        "BatchNormalization" => normalization::batch(call),
        "LayerNormalization" => normalization::layer(call),
        "Rescaling" => normalization::rescaling(call),

        "Activation" => activation::configured(call),
        "ReLU" => activation::relu(call),
        "LeakyReLU" => activation::leaky_relu(call),
        "PReLU" => activation::parametric_relu(call),
        "ELU" => activation::elu(call),
        "ThresholdedReLU" => activation::thresholded_relu(call),
        "Softmax" => activation::softmax(call),

        "Flatten" => shape::flatten(call),
        "Reshape" => shape::reshape(call),
        "Permute" => shape::permute(call),
        "RepeatVector" => shape::repeat_vector(call),
        "ZeroPadding2D" => shape::zero_padding(call),
        "Cropping2D" => shape::cropping(call),
        "UpSampling2D" => shape::up_sampling(call),

        "Add" => merge::fold(call, "Add"),
        "Multiply" => merge::fold(call, "Mul"),
        "Maximum" => merge::fold(call, "Max"),
        "Minimum" => merge::fold(call, "Min"),
        "Average" => merge::average(call),
        "Concatenate" => merge::concatenate(call),

        // Only training sees them.
        "Dropout"
        | "SpatialDropout1D"
        | "SpatialDropout2D"
        | "GaussianDropout"
        | "GaussianNoise"
        | "AlphaDropout"
        | "ActivityRegularization" => Ok(call.only_input()?.clone()),

        "LSTM" | "GRU" | "SimpleRNN" | "RNN" | "Bidirectional" | "ConvLSTM2D"
        | "TimeDistributed" => Err(call
            .refuse("is recurrent, which is not converted: export the model to ONNX with tf2onnx")),
        _ => Err(call
            .refuse("is of a class that is not converted: export the model to ONNX with tf2onnx")),
    }
}

pub(crate) fn refusal(layer: &Layer, reason: impl Into<String>) -> ConvertError {
    ConvertError::Layer {
        layer: layer.name.clone(),
        class: layer.class.clone(),
        reason: reason.into(),
    }
}

impl<'a> Call<'a> {
    fn refuse(&self, reason: impl Into<String>) -> ConvertError {
        refusal(self.layer, reason)
    }

    fn only_input(&self) -> Result<&'a Value> {
        let inputs: &'a [Value] = self.inputs;
        match inputs {
            [input] => Ok(input),
            _ => Err(self.refuse(format!("takes one input and is given {}", inputs.len()))),
        }
    }

    /// The only input, as floats of `rank` dimensions.
    fn input_of_rank(&mut self, rank: usize) -> Result<Value> {
        let input = self.floats()?;
        if input.shape.len() != rank {
            return Err(self.refuse(format!(
                "takes {rank} dimensions and is given {}",
                input.shape.len()
            )));
        }
        Ok(input)
    }

    /// The only input, as floats.
    fn floats(&mut self) -> Result<Value> {
        let input = self.only_input()?.clone();
        Ok(self.as_floats(input))
    }

    fn as_floats(&mut self, value: Value) -> Value {
        match value.kind {
            Kind::Float => value,
            Kind::Integer => Value {
                name: self.node("Cast", &value, vec![int("to", DataType::Float as i64)]),
                kind: Kind::Float,
                shape: value.shape,
            },
        }
    }

    fn node(
        &mut self,
        operator: &str,
        input: &Value,
        attributes: Vec<tract_onnx::pb::AttributeProto>,
    ) -> String {
        self.graph.node(operator, &[&input.name], attributes)
    }

    /// An operator that keeps the shape, with constants as further inputs.
    fn elementwise(&mut self, operator: &str, input: &Value, further: &[&str]) -> Value {
        let inputs: Vec<&str> = std::iter::once(input.name.as_str())
            .chain(further.iter().copied())
            .collect();
        Value {
            name: self.graph.node(operator, &inputs, Vec::new()),
            shape: input.shape.clone(),
            kind: input.kind,
        }
    }

    /// The last dimension, which weights have to agree with.
    fn channels(&self, value: &Value) -> Result<u64> {
        value
            .shape
            .last()
            .copied()
            .flatten()
            .ok_or_else(|| self.refuse("is given a tensor whose last dimension is not fixed"))
    }

    fn weight(&self, name: &str, shape: &[u64]) -> Result<&'a Weight> {
        let weight = self
            .optional_weight(name)?
            .ok_or_else(|| self.refuse(format!("has no weight \"{name}\" in the manifest")))?;
        if weight.shape != shape {
            return Err(self.refuse(format!(
                "has a weight \"{name}\" of shape {:?}, but {shape:?} fits",
                weight.shape
            )));
        }
        Ok(weight)
    }

    fn optional_weight(&self, name: &str) -> Result<Option<&'a Weight>> {
        let weights: &'a Weights = self.weights;
        weights.find(&self.layer.name, name)
    }

    fn bias(&self, size: u64) -> Result<Option<&'a Weight>> {
        if self.flag("use_bias", true)? {
            self.weight("bias", &[size]).map(Some)
        } else {
            Ok(None)
        }
    }

    fn field(&self, key: &str) -> Option<&'a Json> {
        let layer: &'a Layer = self.layer;
        layer.config.get(key).filter(|value| !value.is_null())
    }

    fn invalid_field(&self, key: &str, value: &Json) -> ConvertError {
        self.refuse(format!("has {key} = {value}, which is not converted"))
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool> {
        match self.field(key) {
            None => Ok(default),
            Some(Json::Bool(flag)) => Ok(*flag),
            Some(other) => Err(self.invalid_field(key, other)),
        }
    }

    #[allow(clippy::cast_possible_truncation)]
    fn number(&self, key: &str, default: f64) -> Result<f32> {
        match self.field(key) {
            None => Ok(default as f32),
            Some(value) => value
                .as_f64()
                .map(|number| number as f32)
                .ok_or_else(|| self.invalid_field(key, value)),
        }
    }

    fn count(&self, key: &str) -> Result<u64> {
        let value = self
            .field(key)
            .ok_or_else(|| self.refuse(format!("has no {key}")))?;
        value
            .as_u64()
            .filter(|count| *count > 0)
            .ok_or_else(|| self.invalid_field(key, value))
    }

    /// One number for each of `dimensions`, or one for all.
    fn counts(&self, key: &str, dimensions: usize) -> Result<Option<Vec<u64>>> {
        let Some(value) = self.field(key) else {
            return Ok(None);
        };
        let positive = |value: &Json| value.as_u64().filter(|count| *count > 0);
        let counts = match value {
            Json::Array(list) => list.iter().map(positive).collect::<Option<Vec<_>>>(),
            one => positive(one).map(|count| vec![count; dimensions]),
        };
        counts
            .filter(|counts| counts.len() == dimensions)
            .map(Some)
            .ok_or_else(|| self.invalid_field(key, value))
    }

    /// Refuses a layout other than the one that all of this is written for.
    fn channels_last(&self) -> Result<()> {
        match self.field("data_format") {
            None => Ok(()),
            Some(Json::String(format))
                if matches!(format.as_str(), "channels_last" | "channelsLast") =>
            {
                Ok(())
            }
            Some(other) => Err(self.invalid_field("data_format", other)),
        }
    }

    /// An axis counted from the end if negative, as one from the start.
    fn axis(&self, key: &str, default: i64, rank: usize) -> Result<usize> {
        let number = match self.field(key) {
            None => default,
            Some(value) => match value {
                Json::Array(list) if list.len() == 1 => list[0].as_i64(),
                one => one.as_i64(),
            }
            .ok_or_else(|| self.invalid_field(key, value))?,
        };
        let rank = rank as i64;
        let axis = if number < 0 { number + rank } else { number };
        usize::try_from(axis)
            .ok()
            .filter(|_| axis < rank)
            .ok_or_else(|| self.refuse(format!("has {key} = {number} on {rank} dimensions")))
    }
}
