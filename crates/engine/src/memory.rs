//! How much memory a run may take, worked out from the shapes before anything runs.
//!
//! It is an estimate with a margin, not a proof: operators use scratch space that no shape tells. Operands that are
//! packed or unfolded for a product are nodes of the optimised model, so their buffers count, and so does what the body of a
//! loop or of a branch holds at its own busiest moment; the margin is a second
//! copy of everything, since constants are held in their plain form and packed, and an operator may copy what it
//! works on.

use tract_onnx::prelude::{SymbolValues, TypedFact, TypedModel, TypedNode};
use tract_onnx::tract_core::ops::konst::Const;
use tract_onnx::tract_core::ops::logic::IfThenElse;
use tract_onnx::tract_core::ops::scan::{OptScan, Scan};

use crate::signature::Axes;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryBound {
    pub constant_bytes: u64,
    /// At the busiest moment of a run with every dimension at its largest.
    pub activation_bytes: u64,
}

impl MemoryBound {
    /// With the margin described above.
    pub fn total_bytes(&self) -> u64 {
        self.constant_bytes
            .saturating_add(self.activation_bytes)
            .saturating_mul(2)
    }
}

/// Of a model that is not optimised yet: optimising packs constants into operators, where no shape shows them.
pub(crate) fn constant_bytes(model: &TypedModel) -> u64 {
    model.nodes().iter().fold(0, |sum: u64, node| {
        let own = if node.op_is::<Const>() {
            let values = SymbolValues::default();
            node.outputs.iter().fold(0_u64, |sum, output| {
                sum.saturating_add(fact_bytes(&output.fact, &values))
            })
        } else {
            let bodies = bodies(node).into_iter();
            bodies.fold(0_u64, |sum, body| sum.saturating_add(constant_bytes(body)))
        };
        sum.saturating_add(own)
    })
}

/// Models inside of a node, of which it runs one at a time.
fn bodies(node: &TypedNode) -> Vec<&TypedModel> {
    if let Some(scan) = node.op_as::<Scan>() {
        vec![&scan.body]
    } else if let Some(scan) = node.op_as::<OptScan>() {
        vec![scan.plan.model()]
    } else if let Some(either) = node.op_as::<IfThenElse>() {
        vec![&either.then_body, &either.else_body]
    } else {
        Vec::new()
    }
}

/// What the body of a node holds at its busiest moment, of the body that holds most.
fn scratch_bytes(node: &TypedNode, largest: &SymbolValues) -> u64 {
    let of = |body: &TypedModel| match body.eval_order() {
        Ok(order) => peak_bytes(body, &without_constants(body, order), largest),
        Err(_) => u64::MAX,
    };
    bodies(node).into_iter().map(of).max().unwrap_or(0)
}

fn without_constants(model: &TypedModel, order: Vec<usize>) -> Vec<usize> {
    let mut order = order;
    order.retain(|id| !model.nodes()[*id].op_is::<Const>());
    order
}

/// What is held at the busiest moment. `order` is the order of the run, without constants.
pub(crate) fn activation_bytes(model: &TypedModel, order: &[usize], axes: &Axes) -> u64 {
    peak_bytes(model, order, &axes.largest())
}

fn peak_bytes(model: &TypedModel, order: &[usize], largest: &SymbolValues) -> u64 {
    let flush = last_uses(model, order);
    let mut live: u64 = 0;
    let mut peak: u64 = 0;
    let mut held = vec![0_u64; model.nodes().len()];
    for (step, id) in order.iter().enumerate() {
        let node = &model.nodes()[*id];
        let made = node.outputs.iter().fold(0_u64, |sum, output| {
            sum.saturating_add(fact_bytes(&output.fact, largest))
        });
        held[*id] = made;
        live = live.saturating_add(made);
        peak = peak.max(live.saturating_add(scratch_bytes(node, largest)));
        for done in &flush[step] {
            live = live.saturating_sub(held[*done]);
        }
    }
    peak
}

/// For each step, the nodes whose values nobody needs after it. Outputs of the model stay.
pub(crate) fn last_uses(model: &TypedModel, order: &[usize]) -> Vec<Vec<usize>> {
    let mut last = vec![None; model.nodes().len()];
    for (step, id) in order.iter().enumerate() {
        last[*id] = Some(step);
        for input in &model.nodes()[*id].inputs {
            last[input.node] = Some(step);
        }
    }
    let mut flush = vec![Vec::new(); order.len()];
    for (id, step) in last.into_iter().enumerate() {
        let is_output = model.outputs.iter().any(|outlet| outlet.node == id);
        if let Some(step) = step
            && !is_output
            && !model.nodes()[id].op_is::<Const>()
        {
            flush[step].push(id);
        }
    }
    flush
}

fn fact_bytes(fact: &TypedFact, largest: &SymbolValues) -> u64 {
    // What cannot be evaluated counts as endless, so that it is refused rather than overlooked.
    let packed = fact.exotic_fact().map_or(Some(0), |packed| {
        let bytes = packed.mem_size().eval(largest).to_i64().ok()?;
        u64::try_from(bytes).ok()
    });
    let plain = fact
        .shape
        .iter()
        .try_fold(fact.datum_type.size_of() as u64, |bytes, dimension| {
            let extent = dimension.eval(largest).to_i64().ok()?;
            bytes.checked_mul(u64::try_from(extent).ok()?)
        });
    match (plain, packed) {
        (Some(plain), Some(packed)) => plain.saturating_add(packed),
        _ => u64::MAX,
    }
}
