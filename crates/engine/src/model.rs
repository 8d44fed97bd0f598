//! A model that is ready: its signature, the plan of a run, and the check of inputs that comes before one.

use std::sync::Arc;

use stoa_types::manifest::{Dimension, Signature};
use stoa_types::tensor::{DataType, Tensor};
use tract_onnx::prelude::{TypedModel, TypedSimplePlan};
use tract_onnx::tract_core::ops::matmul::optimized::OptMatMul;
use tract_onnx::tract_core::plan::SimplePlan;

use crate::error::{InputError, LoadError, reason};
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

/// Inputs that fit a signature, in its order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckedInputs {
    tensors: Vec<Tensor>,
    /// The open dimensions as these inputs choose them.
    axes: Vec<(String, u64)>,
}

impl CheckedInputs {
    /// Needs no loaded model, so that a host can refuse before it spends anything.
    pub fn new(
        signature: &Signature,
        mut inputs: Vec<Tensor>,
    ) -> Result<CheckedInputs, InputError> {
        for (index, tensor) in inputs.iter().enumerate() {
            if inputs[..index]
                .iter()
                .any(|other| other.name == tensor.name)
            {
                return Err(InputError::Twice {
                    input: tensor.name.clone(),
                });
            }
            if signature.inputs.iter().all(|spec| spec.name != tensor.name) {
                return Err(InputError::Unknown {
                    input: tensor.name.clone(),
                });
            }
        }
        let mut tensors = Vec::with_capacity(signature.inputs.len());
        let mut axes: Vec<(String, u64)> = Vec::new();
        for spec in &signature.inputs {
            let input = || spec.name.clone();
            let Some(position) = inputs.iter().position(|tensor| tensor.name == spec.name) else {
                return Err(InputError::Missing { input: input() });
            };
            let tensor = inputs.swap_remove(position);
            if tensor.datatype != spec.datatype {
                return Err(InputError::DataType {
                    input: input(),
                    expected: spec.datatype,
                    given: tensor.datatype,
                });
            }
            if tensor.shape.len() != spec.shape.len() {
                return Err(InputError::Rank {
                    input: input(),
                    expected: spec.shape.len() as u64,
                    given: tensor.shape.len() as u64,
                });
            }
            for (axis, (dimension, given)) in spec.shape.iter().zip(&tensor.shape).enumerate() {
                check_dimension(&spec.name, axis as u64, dimension, *given, &mut axes)?;
            }
            tensor.check_length().map_err(|error| InputError::Data {
                input: input(),
                error,
            })?;
            if tensor.datatype == DataType::BOOL
                && let Some(index) = tensor.data.iter().position(|byte| *byte > 1)
            {
                return Err(InputError::BadBool {
                    input: input(),
                    index: index as u64,
                    given: tensor.data[index],
                });
            }
            tensors.push(tensor);
        }
        Ok(CheckedInputs { tensors, axes })
    }

    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// Product of the open dimensions: how many times the smallest call this one is. At least 1.
    pub fn units(&self) -> u64 {
        self.axes
            .iter()
            .fold(1, |units, (_, extent)| units.saturating_mul(*extent))
    }

    /// Bytes of all outputs together, as the signature's shapes give them. `None` where an output holds strings, whose
    /// lengths no shape tells, or the sum does not fit.
    pub fn output_bytes(&self, signature: &Signature) -> Option<u64> {
        signature.outputs.iter().try_fold(0_u64, |sum, spec| {
            let size = spec.datatype.element_size_bytes()?;
            let bytes = spec.shape.iter().try_fold(size, |bytes, dimension| {
                let extent = match dimension {
                    Dimension::Fixed(extent) => *extent,
                    Dimension::Dynamic { name, .. } => {
                        self.axes.iter().find(|(known, _)| known == name)?.1
                    }
                };
                bytes.checked_mul(extent)
            })?;
            sum.checked_add(bytes)
        })
    }
}

fn check_dimension(
    input: &str,
    axis: u64,
    dimension: &Dimension,
    given: u64,
    axes: &mut Vec<(String, u64)>,
) -> Result<(), InputError> {
    let (name, max) = match dimension {
        Dimension::Fixed(expected) if *expected == given => return Ok(()),
        Dimension::Fixed(expected) => {
            return Err(InputError::Dimension {
                input: input.to_owned(),
                axis,
                expected: *expected,
                given,
            });
        }
        Dimension::Dynamic { name, max } => (name, *max),
    };
    if given == 0 || given > max {
        return Err(InputError::DimensionOutOfRange {
            input: input.to_owned(),
            axis,
            name: name.clone(),
            max,
            given,
        });
    }
    match axes.iter().find(|(known, _)| known == name) {
        Some((_, expected)) if *expected == given => Ok(()),
        Some((_, expected)) => Err(InputError::DimensionDiffers {
            input: input.to_owned(),
            axis,
            name: name.clone(),
            expected: *expected,
            given,
        }),
        None => {
            axes.push((name.clone(), given));
            Ok(())
        }
    }
}
