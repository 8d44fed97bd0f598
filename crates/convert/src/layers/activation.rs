//! Activations, as layers and as a field of other layers. Formulas are those of TensorFlow.js' `activations.ts`.

use serde_json::Value as Json;

use super::Call;
use crate::error::Result;
use crate::graph::{Value, float, int};

/// The layer's field `activation`, applied to `value`.
pub(super) fn fused(call: &mut Call<'_>, value: Value) -> Result<Value> {
    let name = match call.field("activation") {
        None => return Ok(value),
        Some(Json::String(name)) => name.as_str(),
        // Newer Keras writes some as objects.
        Some(other) => other
            .get("class_name")
            .and_then(Json::as_str)
            .ok_or_else(|| call.invalid_field("activation", other))?,
    };
    named(call, name, value)
}

pub(super) fn configured(call: &mut Call<'_>) -> Result<Value> {
    let input = call.floats()?;
    fused(call, input)
}

fn named(call: &mut Call<'_>, name: &str, value: Value) -> Result<Value> {
    // `hard_sigmoid` in Keras is `hardSigmoid` in TensorFlow.js.
    let plain: String = name
        .chars()
        .filter(|c| *c != '_')
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let with = |call: &mut Call<'_>, operator: &str, attributes| Value {
        name: call.node(operator, &value, attributes),
        ..value.clone()
    };
    Ok(match plain.as_str() {
        "linear" => value,
        "relu" => call.elementwise("Relu", &value, &[]),
        "relu6" => clipped(call, &value, 6.0),
        "sigmoid" => call.elementwise("Sigmoid", &value, &[]),
        "hardsigmoid" => with(
            call,
            "HardSigmoid",
            vec![float("alpha", 0.2), float("beta", 0.5)],
        ),
        "tanh" => call.elementwise("Tanh", &value, &[]),
        "elu" => with(call, "Elu", vec![float("alpha", 1.0)]),
        // ONNX' defaults are the constants of the paper, as TensorFlow's are.
        "selu" => call.elementwise("Selu", &value, &[]),
        "softplus" => call.elementwise("Softplus", &value, &[]),
        "softsign" => call.elementwise("Softsign", &value, &[]),
        "softmax" => with(call, "Softmax", vec![int("axis", -1)]),
        "logsoftmax" => with(call, "LogSoftmax", vec![int("axis", -1)]),
        "swish" | "silu" => {
            let gate = call.elementwise("Sigmoid", &value, &[]);
            call.elementwise("Mul", &value, &[&gate.name])
        }
        "mish" => {
            let softplus = call.elementwise("Softplus", &value, &[]);
            let gate = call.elementwise("Tanh", &softplus, &[]);
            call.elementwise("Mul", &value, &[&gate.name])
        }
        "gelu" => gelu(call, &value),
        "gelunew" => gelu_by_tanh(call, &value),
        _ => return Err(call.refuse(format!("has the activation {name}, which is not converted"))),
    })
}

fn clipped(call: &mut Call<'_>, value: &Value, max: f32) -> Value {
    let (min, max) = (call.graph.float("min", 0.0), call.graph.float("max", max));
    call.elementwise("Clip", value, &[&min, &max])
}

/// x/2 (1 + erf(x / sqrt 2))
fn gelu(call: &mut Call<'_>, value: &Value) -> Value {
    let root = call.graph.float("root", std::f32::consts::FRAC_1_SQRT_2);
    let scaled = call.elementwise("Mul", value, &[&root]);
    let erf = call.elementwise("Erf", &scaled, &[]);
    gelu_of_gate(call, value, &erf)
}

/// x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
fn gelu_by_tanh(call: &mut Call<'_>, value: &Value) -> Value {
    let square = call.elementwise("Mul", value, &[&value.name]);
    let cube = call.elementwise("Mul", &square, &[&value.name]);
    let factor = call.graph.float("cubic", 0.044_715);
    let small = call.elementwise("Mul", &cube, &[&factor]);
    let sum = call.elementwise("Add", value, &[&small.name]);
    let root = call
        .graph
        .float("root", (2.0 / std::f32::consts::PI).sqrt());
    let scaled = call.elementwise("Mul", &sum, &[&root]);
    let gate = call.elementwise("Tanh", &scaled, &[]);
    gelu_of_gate(call, value, &gate)
}

fn gelu_of_gate(call: &mut Call<'_>, value: &Value, gate: &Value) -> Value {
    let one = call.graph.float("one", 1.0);
    let half = call.graph.float("half", 0.5);
    let gate = call.elementwise("Add", gate, &[&one]);
    let product = call.elementwise("Mul", value, &[&gate.name]);
    call.elementwise("Mul", &product, &[&half])
}

pub(super) fn relu(call: &mut Call<'_>) -> Result<Value> {
    for key in ["negative_slope", "threshold"] {
        if call.number(key, 0.0)? != 0.0 {
            return Err(call.refuse(format!("has a {key}, which TensorFlow.js does not compute")));
        }
    }
    let input = call.floats()?;
    Ok(match call.field("max_value") {
        None => call.elementwise("Relu", &input, &[]),
        Some(_) => {
            let max = call.number("max_value", 0.0)?;
            clipped(call, &input, max)
        }
    })
}

pub(super) fn leaky_relu(call: &mut Call<'_>) -> Result<Value> {
    with_alpha(call, "LeakyRelu", "alpha", 0.3)
}

pub(super) fn elu(call: &mut Call<'_>) -> Result<Value> {
    if call.number("alpha", 1.0)? != 1.0 {
        return Err(call.refuse("has an alpha, which TensorFlow.js does not compute"));
    }
    with_alpha(call, "Elu", "alpha", 1.0)
}

pub(super) fn thresholded_relu(call: &mut Call<'_>) -> Result<Value> {
    with_alpha(call, "ThresholdedRelu", "theta", 1.0)
}

fn with_alpha(call: &mut Call<'_>, operator: &str, field: &str, default: f64) -> Result<Value> {
    let input = call.floats()?;
    let alpha = call.number(field, default)?;
    Ok(Value {
        name: call.node(operator, &input, vec![float("alpha", alpha)]),
        ..input
    })
}

pub(super) fn parametric_relu(call: &mut Call<'_>) -> Result<Value> {
    let input = call.floats()?;
    let alpha = call
        .optional_weight("alpha")?
        .ok_or_else(|| call.refuse("has no weight \"alpha\" in the manifest"))?;
    let fits = alpha.shape.len() + 1 == input.shape.len()
        && alpha
            .shape
            .iter()
            .zip(&input.shape[1..])
            .all(|(own, given)| *own == 1 || Some(*own) == *given);
    if !fits {
        return Err(call.refuse(format!(
            "has a weight \"alpha\" of shape {:?}, which does not fit its input",
            alpha.shape
        )));
    }
    let slope = call.graph.floats("alpha", &alpha.shape, &alpha.data);
    Ok(call.elementwise("PRelu", &input, &[&slope]))
}

pub(super) fn softmax(call: &mut Call<'_>) -> Result<Value> {
    let input = call.floats()?;
    let axis = call.axis("axis", -1, input.shape.len())?;
    Ok(Value {
        name: call.node("Softmax", &input, vec![int("axis", axis as i64)]),
        ..input
    })
}
