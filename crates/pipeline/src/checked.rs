//! Inputs held against a signature, before anything is spent on them.

use stoa_types::manifest::{Dimension, Signature};
use stoa_types::tensor::{DataType, Tensor};

use crate::error::InputError;

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
