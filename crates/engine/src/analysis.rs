//! Works out every shape and type, node by node. `tract` evaluates a node as soon as it knows its inputs, so before a node
//! is looked at, the size of what such an evaluation makes is worked out without it: a file of a hundred bytes may
//! otherwise ask for a tensor of terabytes (`ConstantOfShape`, `Expand`, `Tile`, `Range`).

use std::collections::{BTreeSet, HashMap};

use tract_onnx::prelude::{InferenceFact, InferenceModel, TractResult};
use tract_onnx::tract_core::model::OutletId;
use tract_onnx::tract_hir::infer::Factoid;
use tract_onnx::tract_hir::internal::Fact;

use crate::error::LoadError;
use crate::loading::analysis;

/// Of one value that is computed while loading. `tract` throws larger ones away again.
const FOLDED_BYTES_MAX: u64 = 64 << 20;
/// Elements made times elements looked at, for the operators that look at many for each: a second or so.
const FOLDED_WORK_MAX: u64 = 1 << 31;
/// Visits of a node, on average, before the analysis is given up: it refines facts, and each visit but the last few of a
/// node has refined something.
const VISITS_PER_NODE_MAX: u64 = 64;

/// Operators whose work is more than a few steps for each element made or read.
const HEAVY: [&str; 17] = [
    "Conv",
    "Deconv",
    "ConvTranspose",
    "MatMul",
    "Gemm",
    "EinSum",
    "Einsum",
    "Pool",
    "Lstm",
    "LSTM",
    "RNN",
    "Scan",
    "Resize",
    "GridSample",
    "NonMaxSuppression",
    "Attention",
    "If",
];

#[derive(Debug)]
pub(crate) struct Analysing {
    to_visit: BTreeSet<usize>,
    observers: HashMap<OutletId, Vec<usize>>,
    visits_left: u64,
}

impl Analysing {
    pub fn new(model: &InferenceModel) -> Result<Self, LoadError> {
        let mut to_visit: BTreeSet<usize> =
            model.eval_order().map_err(analysis)?.into_iter().collect();
        to_visit.extend(0..model.nodes().len());
        let mut observers: HashMap<OutletId, Vec<usize>> = HashMap::new();
        for node in model.nodes() {
            for outlet in node.op.observe_outlets(model, node).map_err(analysis)? {
                observers.entry(outlet).or_default().push(node.id);
            }
        }
        Ok(Analysing {
            visits_left: to_visit.len() as u64 * VISITS_PER_NODE_MAX,
            to_visit,
            observers,
        })
    }

    pub fn left(&self) -> u64 {
        self.to_visit.len() as u64
    }

    /// `true`: done.
    pub fn step(
        &mut self,
        model: &mut InferenceModel,
        may_continue: &mut dyn FnMut() -> bool,
    ) -> Result<bool, LoadError> {
        while let Some(id) = self.to_visit.first().copied() {
            if self.visits_left == 0 {
                return Err(LoadError::Analysis {
                    reason: "it does not come to an end".into(),
                });
            }
            self.visits_left -= 1;
            check_folding(model, id)?;
            let changed = refine(model, id)
                .map_err(|error| analysis(error.context(format!("node {}", model.nodes()[id]))))?;
            for outlet in changed {
                let successors = &model.nodes()[outlet.node].outputs[outlet.slot].successors;
                let readers = successors.iter().map(|successor| successor.node);
                self.to_visit
                    .extend(readers.filter(|reader| *reader != outlet.node));
                if outlet.node != id {
                    self.to_visit.insert(outlet.node);
                }
                self.to_visit
                    .extend(self.observers.get(&outlet).into_iter().flatten());
            }
            self.to_visit.remove(&id);
            if !self.to_visit.is_empty() && !may_continue() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Lets a node add what it knows to the facts around it, and tells which ones that changed. As `tract`'s own analyser does
/// it, which is not public.
fn refine(model: &mut InferenceModel, id: usize) -> TractResult<Vec<OutletId>> {
    let node = &model.nodes()[id];
    let mut outlets: Vec<OutletId> = node.inputs.clone();
    outlets.extend((0..node.outputs.len()).map(|slot| OutletId::new(id, slot)));
    outlets.extend(node.op.observe_outlets(model, node)?);
    let (inputs, outputs) = (node.inputs.len(), node.outputs.len());
    let before = outlets
        .iter()
        .map(|outlet| model.outlet_fact(*outlet).cloned())
        .collect::<TractResult<Vec<InferenceFact>>>()?;
    let (inferred_inputs, inferred_outputs, inferred_observed) = model.nodes_mut()[id].op.infer(
        before[..inputs].iter().collect(),
        before[inputs..inputs + outputs].iter().collect(),
        before[inputs + outputs..].iter().collect(),
    )?;
    let after = inferred_inputs
        .into_iter()
        .chain(inferred_outputs)
        .chain(inferred_observed);
    let mut changed = Vec::new();
    for ((outlet, before), after) in outlets.into_iter().zip(before).zip(after) {
        let unified = before.unify(&after)?;
        if unified != before {
            model.set_outlet_fact(outlet, unified)?;
            changed.push(outlet);
        }
    }
    Ok(changed)
}

/// Refuses a node with known inputs whose outputs would be too large, or too much work, to be computed here.
fn check_folding(model: &mut InferenceModel, id: usize) -> Result<(), LoadError> {
    let facts = |outlets: &[OutletId]| -> TractResult<Vec<InferenceFact>> {
        outlets
            .iter()
            .map(|outlet| model.outlet_fact(*outlet).cloned())
            .collect()
    };
    let node = &model.nodes()[id];
    let inputs = facts(&node.inputs).map_err(analysis)?;
    if inputs.is_empty() || !inputs.iter().all(|input| input.value.is_concrete()) {
        return Ok(());
    }
    let outputs: Vec<InferenceFact> = node
        .outputs
        .iter()
        .map(|output| output.fact.clone())
        .collect();
    let observed = node
        .op
        .observe_outlets(model, node)
        .and_then(|outlets| facts(&outlets))
        .map_err(analysis)?;
    let operator = node.op.name().into_owned();
    let name = node.name.clone();
    let inferred = model.nodes_mut()[id].op.infer_facts(
        inputs.iter().collect(),
        outputs.iter().collect(),
        observed.iter().collect(),
    );
    // What is wrong with it, the analysis itself says better.
    let Ok((_, outputs, _)) = inferred else {
        return Ok(());
    };
    let read: u64 = inputs
        .iter()
        .filter_map(elements)
        .fold(0, u64::saturating_add);
    for output in &outputs {
        let Some(made) = elements(output) else {
            continue;
        };
        let size = output.datum_type().map_or(8, |kind| kind.size_of() as u64);
        let bytes = made.saturating_mul(size);
        if bytes > FOLDED_BYTES_MAX.max(read.saturating_mul(8)) {
            return Err(LoadError::TooMuchMemory {
                needed_bytes: bytes,
                max_bytes: FOLDED_BYTES_MAX,
            });
        }
        let work = made.saturating_mul(read);
        if work > FOLDED_WORK_MAX && HEAVY.iter().any(|heavy| operator.contains(heavy)) {
            return Err(LoadError::NodeTooLarge {
                node: name,
                operator,
                needed: work,
                max: FOLDED_WORK_MAX,
            });
        }
    }
    Ok(())
}

fn elements(fact: &InferenceFact) -> Option<u64> {
    let shape = fact.shape.concretize()?;
    shape.iter().try_fold(1_u64, |product, dimension| {
        let extent = u64::try_from(dimension.to_i64().ok()?).ok()?;
        Some(product.saturating_mul(extent))
    })
}
