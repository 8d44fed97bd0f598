//! Normalisation with what training found.

use super::Call;
use crate::error::Result;
use crate::graph::{Value, int, ints};

/// `gamma (x - mean) / sqrt(variance + epsilon) + beta`, folded into a factor and a summand for each channel; in 64 bits,
/// so that folding adds one rounding and no more.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn batch(call: &mut Call<'_>) -> Result<Value> {
    let input = call.floats()?;
    let rank = input.shape.len();
    let axis = call.axis("axis", -1, rank)?;
    let size =
        input.shape[axis].ok_or_else(|| call.refuse("normalises a dimension that is not fixed"))?;
    let epsilon = f64::from(call.number("epsilon", 1e-3)?);
    let mean = call.weight("moving_mean", &[size])?;
    let variance = call.weight("moving_variance", &[size])?;
    let gamma = if call.flag("scale", true)? {
        Some(call.weight("gamma", &[size])?)
    } else {
        None
    };
    let beta = if call.flag("center", true)? {
        Some(call.weight("beta", &[size])?)
    } else {
        None
    };
    let (mut factors, mut summands) = (Vec::new(), Vec::new());
    for channel in 0..mean.data.len() {
        let gamma = gamma.map_or(1.0, |gamma| f64::from(gamma.data[channel]));
        let beta = beta.map_or(0.0, |beta| f64::from(beta.data[channel]));
        let factor = gamma / (f64::from(variance.data[channel]) + epsilon).sqrt();
        factors.push(factor as f32);
        summands.push((beta - f64::from(mean.data[channel]) * factor) as f32);
    }
    // Ones behind the channel, so that it meets its axis.
    let shape: Vec<u64> = std::iter::once(size)
        .chain(std::iter::repeat_n(1, rank - 1 - axis))
        .collect();
    let factors = call.graph.floats("factors", &shape, &factors);
    let summands = call.graph.floats("summands", &shape, &summands);
    let scaled = call.elementwise("Mul", &input, &[&factors]);
    Ok(call.elementwise("Add", &scaled, &[&summands]))
}

/// Over the last dimension, each row on its own.
pub(super) fn layer(call: &mut Call<'_>) -> Result<Value> {
    let input = call.floats()?;
    let rank = input.shape.len();
    if call.axis("axis", -1, rank)? != rank - 1 {
        return Err(call.refuse("normalises another dimension than the last"));
    }
    let size = call.channels(&input)?;
    let mean = reduced(call, &input);
    let centred = call.elementwise("Sub", &input, &[&mean]);
    let square = call.elementwise("Mul", &centred, &[&centred.name]);
    let variance = Value {
        name: reduced(call, &square),
        ..input
    };
    let epsilon = call.number("epsilon", 1e-3)?;
    let epsilon = call.graph.float("epsilon", epsilon);
    let variance = call.elementwise("Add", &variance, &[&epsilon]);
    let deviation = call.elementwise("Sqrt", &variance, &[]);
    let mut value = call.elementwise("Div", &centred, &[&deviation.name]);
    for (flag, weight, operator) in [("scale", "gamma", "Mul"), ("center", "beta", "Add")] {
        if call.flag(flag, true)? {
            let weight = call.weight(weight, &[size])?;
            let constant = call.graph.floats(flag, &[size], &weight.data);
            value = call.elementwise(operator, &value, &[&constant]);
        }
    }
    Ok(value)
}

fn reduced(call: &mut Call<'_>, value: &Value) -> String {
    call.node(
        "ReduceMean",
        value,
        vec![ints("axes", vec![-1]), int("keepdims", 1)],
    )
}

pub(super) fn rescaling(call: &mut Call<'_>) -> Result<Value> {
    let input = call.floats()?;
    let (scale, offset) = (call.number("scale", 1.0)?, call.number("offset", 0.0)?);
    let scale = call.graph.float("scale", scale);
    let offset = call.graph.float("offset", offset);
    let scaled = call.elementwise("Mul", &input, &[&scale]);
    Ok(call.elementwise("Add", &scaled, &[&offset]))
}
