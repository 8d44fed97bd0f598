//! A model that is ready: its signature, the plan of a run, and the check of inputs that comes before one.

use std::sync::Arc;

use stoa_pipeline::{CheckedInputs, InputError};
use stoa_types::manifest::{Dimension, Signature};
use stoa_types::tensor::Tensor;
use tract_onnx::prelude::{TypedModel, TypedSimplePlan};
use tract_onnx::tract_core::ops::matmul::optimized::OptMatMul;
use tract_onnx::tract_core::plan::SimplePlan;

use crate::error::{LoadError, reason};
use crate::loading::Limits;
use crate::memory::{self, MemoryBound};
use crate::product;
use crate::run::Run;
use crate::signature::Axes;
use crate::work;

/// Ready to run, any number of times; a run changes nothing in it.
#[derive(Clone, Debug)]
pub struct Model {
    pub(crate) plan: Arc<TypedSimplePlan>,
    /// After each step of the plan, the nodes whose values can go.
    pub(crate) flush: Arc<Vec<Vec<usize>>>,
    /// For each node, whether it is a product that runs in slices.
    split: Arc<Vec<bool>>,
    signature: Arc<Signature>,
    memory: MemoryBound,
    multiply_adds: u64,
}

impl Model {
    pub(crate) fn new(
        model: TypedModel,
        signature: Signature,
        axes: Axes,
        constant_bytes: u64,
        limits: &Limits,
    ) -> Result<Model, LoadError> {
        let plan = SimplePlan::new(model).map_err(|error| LoadError::Optimisation {
            reason: reason(&error),
        })?;
        let activation_bytes =
            memory::activation_bytes(plan.model(), plan.order_without_consts(), &axes);
        let memory = MemoryBound {
            constant_bytes,
            activation_bytes,
        };
        if memory.total_bytes() > limits.memory_bytes_max {
            return Err(LoadError::TooMuchMemory {
                needed_bytes: memory.total_bytes(),
                max_bytes: limits.memory_bytes_max,
            });
        }
        let flush = Arc::new(memory::last_uses(plan.model(), plan.order_without_consts()));
        let largest = axes.largest();
        let split = plan.model().nodes().iter().map(|node| {
            node.op_as::<OptMatMul>().is_some_and(product::splits)
                && product::is_large(work::multiply_adds(plan.model(), node, &largest))
        });
        let split = Arc::new(split.collect());
        let multiply_adds = work::total(plan.model(), &axes.smallest());
        Ok(Model {
            plan,
            flush,
            split,
            multiply_adds,
            signature: Arc::new(signature),
            memory,
        })
    }

    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    pub fn memory(&self) -> MemoryBound {
        self.memory
    }

    /// Work of a run with every open dimension at 1, as an estimate: elements made and read count as well.
    pub fn multiply_adds(&self) -> u64 {
        self.multiply_adds
    }

    pub(crate) fn is_split(&self, node: usize) -> bool {
        self.split[node]
    }

    /// Zeros (and empty strings) of the signature's shapes, every open dimension at 1: what a probe runs on.
    pub fn smallest_inputs(&self) -> Vec<Tensor> {
        self.signature
            .inputs
            .iter()
            .map(|spec| {
                let shape: Vec<u64> = spec
                    .shape
                    .iter()
                    .map(|dimension| match dimension {
                        Dimension::Fixed(extent) => *extent,
                        Dimension::Dynamic { .. } => 1,
                    })
                    .collect();
                // An empty string is its length, four zero bytes.
                let size = spec.datatype.element_size_bytes().unwrap_or(4);
                let bytes = shape.iter().product::<u64>() * size;
                Tensor {
                    name: spec.name.clone(),
                    datatype: spec.datatype,
                    shape,
                    data: vec![0; bytes as usize],
                }
            })
            .collect()
    }

    /// Holds `inputs` (in any order) against the signature. Nothing has run yet when this refuses.
    pub fn check_inputs(&self, inputs: Vec<Tensor>) -> Result<CheckedInputs, InputError> {
        CheckedInputs::new(&self.signature, inputs)
    }

    pub fn start(&self, inputs: CheckedInputs) -> Result<Run, crate::RunError> {
        Run::new(self.clone(), inputs)
    }
}
