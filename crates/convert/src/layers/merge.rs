//! Several inputs into one.

use super::Call;
use crate::error::Result;
use crate::graph::{Value, int};

/// One after the other, element by element.
pub(super) fn fold(call: &mut Call<'_>, operator: &str) -> Result<Value> {
    let inputs = all(call)?;
    let mut result = inputs[0].clone();
    for input in &inputs[1..] {
        result = Value {
            name: call
                .graph
                .node(operator, &[&result.name, &input.name], Vec::new()),
            shape: broadcast(call, &result, input)?,
            kind: result.kind,
        };
    }
    Ok(result)
}

#[allow(clippy::cast_precision_loss)]
pub(super) fn average(call: &mut Call<'_>) -> Result<Value> {
    let sum = fold(call, "Add")?;
    let share = call.graph.float("share", 1.0 / call.inputs.len() as f32);
    Ok(call.elementwise("Mul", &sum, &[&share]))
}

pub(super) fn concatenate(call: &mut Call<'_>) -> Result<Value> {
    let inputs = all(call)?;
    let rank = inputs[0].shape.len();
    let axis = call.axis("axis", -1, rank)?;
    let mut shape = inputs[0].shape.clone();
    for input in &inputs[1..] {
        if input.shape.len() != rank {
            return Err(call.refuse("joins inputs of different ranks"));
        }
        shape[axis] = shape[axis]
            .zip(input.shape[axis])
            .map(|(left, right)| left + right);
    }
    let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
    Ok(Value {
        name: call
            .graph
            .node("Concat", &names, vec![int("axis", axis as i64)]),
        shape,
        kind: inputs[0].kind,
    })
}

fn all(call: &mut Call<'_>) -> Result<Vec<Value>> {
    if call.inputs.len() < 2 {
        return Err(call.refuse("joins fewer than two inputs"));
    }
    let inputs = call.inputs.to_vec();
    Ok(inputs
        .into_iter()
        .map(|input| call.as_floats(input))
        .collect())
}

fn broadcast(call: &Call<'_>, left: &Value, right: &Value) -> Result<Vec<Option<u64>>> {
    if left.shape.len() != right.shape.len() {
        return Err(call.refuse("joins inputs of different ranks"));
    }
    left.shape
        .iter()
        .zip(&right.shape)
        .map(|pair| match pair {
            (Some(1), other) | (other, Some(1)) => Ok(*other),
            (left, right) if left == right => Ok(*left),
            _ => Err(call.refuse(format!(
                "joins inputs of shapes {:?} and {:?}",
                left.shape, right.shape
            ))),
        })
        .collect()
}
