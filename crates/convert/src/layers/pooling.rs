//! Pooling over windows and over everything.

use super::Call;
use super::window::{Window, to_channels_first, to_channels_last};
use crate::error::Result;
use crate::graph::{Value, int, ints};

pub(super) fn pooling(call: &mut Call<'_>, dimensions: usize, operator: &str) -> Result<Value> {
    call.channels_last()?;
    let input = call.input_of_rank(dimensions + 2)?;
    let kernel = call
        .counts("pool_size", dimensions)?
        .unwrap_or_else(|| vec![2; dimensions]);
    let window = Window {
        strides: call
            .counts("strides", dimensions)?
            .unwrap_or_else(|| kernel.clone()),
        dilations: vec![1; dimensions],
        kernel,
    };
    let (mut attributes, outputs) = window.place(call, &input.shape[1..=dimensions])?;
    if operator == "AveragePool" {
        // What lies outside is not counted.
        attributes.push(int("count_include_pad", 0));
    }
    let first = to_channels_first(call, &input);
    let pooled = Value {
        name: call.node(operator, &first, attributes),
        shape: first.shape[..2].iter().copied().chain(outputs).collect(),
        kind: first.kind,
    };
    Ok(to_channels_last(call, &pooled))
}

pub(super) fn global(call: &mut Call<'_>, dimensions: usize, operator: &str) -> Result<Value> {
    call.channels_last()?;
    let input = call.input_of_rank(dimensions + 2)?;
    let keep = call.flag("keepdims", false)?;
    let axes: Vec<i64> = (1..=dimensions as i64).collect();
    let attributes = vec![ints("axes", axes), int("keepdims", i64::from(keep))];
    let mut shape = vec![input.shape[0]];
    if keep {
        shape.extend(vec![Some(1); dimensions]);
    }
    shape.push(input.shape[dimensions + 1]);
    Ok(Value {
        name: call.node(operator, &input, attributes),
        shape,
        kind: input.kind,
    })
}
