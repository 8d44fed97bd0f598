//! How much work a node is, before it runs: multiply-adds, with elements made and read counted as such. It decides which
//! nodes are split, and refuses those that are too large and cannot be.

use tract_onnx::prelude::{SymbolValues, TypedFact, TypedModel, TypedNode};
use tract_onnx::tract_core::ops::Cost;
use tract_onnx::tract_core::ops::cnn::{OptMaxPool, OptSumPool};
use tract_onnx::tract_core::ops::logic::IfThenElse;
use tract_onnx::tract_core::ops::matmul::optimized::OptMatMul;
use tract_onnx::tract_core::ops::scan::OptScan;

use crate::error::LoadError;
use crate::product;
use crate::signature::Axes;

/// Operators that look at all of their input for each element they make.
const QUADRATIC: [&str; 2] = ["NonMaxSuppression", "EinSum"];

/// Refuses a node that is more than `max` at the largest extents and runs in one piece.
pub(crate) fn check_units(model: &TypedModel, axes: &Axes, max: u64) -> Result<(), LoadError> {
    let largest = axes.largest();
    for node in model.nodes() {
        let splits = node.op_as::<OptMatMul>().is_some_and(product::splits);
        let needed = multiply_adds(model, node, &largest);
        if !splits && needed > max {
            return Err(LoadError::NodeTooLarge {
                node: node.name.clone(),
                operator: node.op.name().into_owned(),
                needed,
                max,
            });
        }
    }
    Ok(())
}

/// Of all nodes together.
pub(crate) fn total(model: &TypedModel, extents: &SymbolValues) -> u64 {
    model.nodes().iter().fold(0, |sum: u64, node| {
        sum.saturating_add(multiply_adds(model, node, extents))
    })
}

/// What cannot be evaluated counts as endless.
pub(crate) fn multiply_adds(model: &TypedModel, node: &TypedNode, extents: &SymbolValues) -> u64 {
    if node.inputs.is_empty() {
        return 0;
    }
    let Ok(inputs) = model.node_input_facts(node.id) else {
        return u64::MAX;
    };
    let evaluate = |dimension: &tract_onnx::prelude::TDim| {
        let value = dimension.eval(extents).to_i64().ok();
        value.and_then(|value| u64::try_from(value).ok())
    };
    let elements = |fact: &TypedFact| {
        fact.shape.iter().fold(1_u64, |product, dimension| {
            product.saturating_mul(evaluate(dimension).unwrap_or(u64::MAX))
        })
    };
    let made = node.outputs.iter().fold(0_u64, |sum, output| {
        sum.saturating_add(elements(&output.fact))
    });
    // Weights are read by the products that the cost counts.
    let read = inputs
        .iter()
        .filter(|fact| fact.konst.is_none() && fact.exotic_fact().is_none())
        .fold(0_u64, |sum, fact| sum.saturating_add(elements(fact)));
    let plain = made.saturating_add(read);

    if let Some(scan) = node.op_as::<OptScan>() {
        let rounds = scan.iteration_count(&inputs).as_ref().and_then(evaluate);
        let body = total(scan.plan.model(), extents);
        return body
            .saturating_mul(rounds.unwrap_or(u64::MAX))
            .saturating_add(plain);
    }
    if let Some(either) = node.op_as::<IfThenElse>() {
        return total(&either.then_body, extents)
            .max(total(&either.else_body, extents))
            .saturating_add(plain);
    }
    let window = node
        .op_as::<OptMaxPool>()
        .map(|pool| &pool.pool_spec)
        .or_else(|| node.op_as::<OptSumPool>().map(|pool| &pool.pool_spec));
    if let Some(window) = window {
        let points = window.kernel_shape.iter().fold(1_u64, |product, extent| {
            product.saturating_mul(*extent as u64)
        });
        return made.saturating_mul(points).saturating_add(plain);
    }
    let operator = node.op.name();
    if QUADRATIC.iter().any(|name| operator.contains(name)) {
        return made.saturating_mul(read.max(1)).saturating_add(plain);
    }
    let Ok(costs) = node.op.cost(&inputs) else {
        return u64::MAX;
    };
    costs
        .iter()
        .filter(|(cost, _)| matches!(cost, Cost::FMA(_) | Cost::Div(_)))
        .fold(plain, |sum, (_, count)| {
            sum.saturating_add(evaluate(count).unwrap_or(u64::MAX))
        })
}
