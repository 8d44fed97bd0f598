//! Matrix products and look-ups.

use super::{Call, activation};
use crate::error::Result;
use crate::graph::{Kind, Value, int};
use tract_onnx::pb::tensor_proto::DataType;

/// The last dimension through a matrix of `[channels, units]`.
pub(super) fn dense(call: &mut Call<'_>) -> Result<Value> {
    let input = call.floats()?;
    let units = call.count("units")?;
    let kernel = call.weight("kernel", &[call.channels(&input)?, units])?;
    let bias = call.bias(units)?;
    let kernel = call.graph.floats("kernel", &kernel.shape, &kernel.data);
    let mut shape = input.shape.clone();
    if let Some(last) = shape.last_mut() {
        *last = Some(units);
    }
    let mut output = Value {
        name: call
            .graph
            .node("MatMul", &[&input.name, &kernel], Vec::new()),
        shape,
        kind: Kind::Float,
    };
    if let Some(bias) = bias {
        let bias = call.graph.floats("bias", &bias.shape, &bias.data);
        output = call.elementwise("Add", &output, &[&bias]);
    }
    activation::fused(call, output)
}

/// Rows of a table by index.
pub(super) fn embedding(call: &mut Call<'_>) -> Result<Value> {
    if call.flag("mask_zero", false)? {
        return Err(call.refuse(
            "masks index 0 (mask_zero), and masks are not converted: export the model to ONNX with tf2onnx",
        ));
    }
    let mut input = call.only_input()?.clone();
    let table = [call.count("input_dim")?, call.count("output_dim")?];
    let weight = call.weight("embeddings", &table)?;
    let weight = call.graph.floats("embeddings", &table, &weight.data);
    if input.kind == Kind::Float {
        // Towards zero, as TensorFlow.js casts.
        input.name = call.node("Cast", &input, vec![int("to", DataType::Int32 as i64)]);
    }
    let mut shape = input.shape.clone();
    shape.push(Some(table[1]));
    Ok(Value {
        name: call
            .graph
            .node("Gather", &[&weight, &input.name], vec![int("axis", 0)]),
        shape,
        kind: Kind::Float,
    })
}
