//! Products of which an operand is repeated (`Expand`, `Tile`). `tract` takes the operand as it was before and lets the other operands
//! stretch it again, which is right only along axes of the result that another operand has in full. Where none has:
//!
//! - along an axis of the result `tract` gives up. Here the product is taken of what is there once, and its result is
//!   repeated: the same numbers for less;
//! - along an axis that is summed over `tract` sums what is there once, and is wrong, whatever the other operands have. Here the
//!   repetition stays.

use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::array::MultiBroadcastTo;
use tract_onnx::tract_core::ops::einsum::EinSum;

/// A rewrite of one such product, if there is one left.
pub(crate) fn patch(model: &TypedModel) -> TractResult<Option<TypedModelPatch>> {
    let repeats = |node: &TypedNode| node.op_is::<MultiBroadcastTo>();
    if !model.nodes().iter().any(repeats) {
        return Ok(None);
    }
    // Not every node: what was rewritten stays in the model until the pass has ended.
    for id in model.eval_order()? {
        let node = model.node(id);
        let Some(product) = node.op_as::<EinSum>() else {
            continue;
        };
        for (slot, outlet) in node.inputs.iter().enumerate() {
            let operand = model.node(outlet.node);
            // What others use as well `tract` repeats for all of them.
            let [_] = &operand.outputs[0].successors[..] else {
                continue;
            };
            if let Some(repetition) = operand.op_as::<MultiBroadcastTo>() {
                let sums = sums_over_repeated(model, product, slot, operand)?;
                let patch = if sums {
                    let kept = Kept(repetition.clone());
                    TypedModelPatch::replace_single_op(model, operand, &operand.inputs, kept)
                        .map(Some)
                } else {
                    repeat_result(model, node, product, slot)
                }?;
                if patch.is_some() {
                    return Ok(patch);
                }
            }
        }
    }
    Ok(None)
}

fn sums_over_repeated(
    model: &TypedModel,
    product: &EinSum,
    slot: usize,
    operand: &TypedNode,
) -> TractResult<bool> {
    let once = &model.outlet_fact(operand.inputs[0])?.shape;
    let repeated = &operand.outputs[0].fact.shape;
    // What it did not have before is in front.
    let added = repeated.rank() - once.rank();
    for (at, extent) in repeated.iter().enumerate() {
        let is_repeated = at < added || once[at - added] != *extent;
        let axis = product.axes.axis((InOut::In(slot), at))?;
        if is_repeated && axis.outputs[0].is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn repeat_result(
    model: &TypedModel,
    node: &TypedNode,
    product: &EinSum,
    slot: usize,
) -> TractResult<Option<TypedModelPatch>> {
    let once = model.node(node.inputs[slot].node).inputs[0];
    let mut facts = model.node_input_facts(node.id)?;
    let repeated = std::mem::replace(&mut facts[slot], model.outlet_fact(once)?);
    let result = &node.outputs[0].fact.shape;
    if facts[slot].rank() != repeated.rank() || product.output_facts(&facts)?[0].shape == *result {
        return Ok(None);
    }
    let mut patch = TypedModelPatch::default();
    let mut wires = patch.taps(model, &node.inputs)?;
    wires[slot] = patch.tap_model(model, once)?;
    let wires = patch.wire_node(&node.name, product.clone(), &wires)?;
    let shape = result.clone();
    let name = format!("{}.repeated", node.name);
    let wires = patch.wire_node(name, MultiBroadcastTo { shape }, &wires)?;
    patch.shunt_outside(model, node.id.into(), wires[0])?;
    Ok(Some(patch))
}

/// A repetition that `tract`, which looks for its own operator, does not take away.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Kept(MultiBroadcastTo);

impl Op for Kept {
    fn name(&self) -> StaticName {
        self.0.name()
    }

    op_as_typed_op!();
}

impl EvalOp for Kept {
    op_out_of_plan!();

    fn eval(&self, context: &EvalContext<'_>, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        self.0.eval(context, inputs)
    }
}

impl TypedOp for Kept {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        self.0.output_facts(inputs)
    }

    as_op!();
}
