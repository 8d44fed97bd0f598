//! Signature and pipeline: tensors that can exist, names that cannot be confused.

use std::collections::BTreeMap;

use super::text::check_line;
use super::{InvalidManifest, Problem, at, check_count, refuse};
use crate::limits::{
    DIMENSION_MAX, DIMENSION_NAME_BYTES_MAX, LABEL_BYTES_MAX, LABELS_MAX, TENSOR_ELEMENTS_MAX,
    TENSOR_NAME_BYTES_MAX, TENSOR_RANK_MAX, TENSORS_PER_SIDE_MAX,
};
use crate::manifest::{Dimension, FileEntry, Pipeline, Signature, TensorSpec};

pub(super) fn check_signature(signature: &Signature) -> Result<(), InvalidManifest> {
    // One name is one dimension in all tensors of a call, so its maximum is one number.
    let mut maxima: BTreeMap<&str, u64> = BTreeMap::new();
    check_side("signature.inputs", &signature.inputs, &mut maxima)?;
    check_side("signature.outputs", &signature.outputs, &mut maxima)
}

fn check_side<'a>(
    side: &str,
    tensors: &'a [TensorSpec],
    maxima: &mut BTreeMap<&'a str, u64>,
) -> Result<(), InvalidManifest> {
    check_count(side, tensors.len(), 1, TENSORS_PER_SIDE_MAX)?;
    for (index, tensor) in tensors.iter().enumerate() {
        let field = |name: &str| format!("{side}[{index}].{name}");
        check_line(&tensor.name, 1, TENSOR_NAME_BYTES_MAX).map_err(at(field("name")))?;
        let earlier = tensors[..index]
            .iter()
            .position(|other| other.name == tensor.name);
        if let Some(earlier) = earlier {
            let other = format!("{side}[{earlier}].name");
            return Err(refuse(field("name"), Problem::Duplicate { other }));
        }
        check_count(&field("shape"), tensor.shape.len(), 0, TENSOR_RANK_MAX)?;
        let mut elements = 1_u64;
        for (axis, dimension) in tensor.shape.iter().enumerate() {
            let extent =
                check_dimension(dimension, maxima).map_err(at(field(&format!("shape[{axis}]"))))?;
            // Both factors are at most 2^31, so the product fits 64 bits.
            elements *= extent;
            if elements > TENSOR_ELEMENTS_MAX {
                let problem = Problem::TooManyElements {
                    max: TENSOR_ELEMENTS_MAX,
                };
                return Err(refuse(field("shape"), problem));
            }
        }
    }
    Ok(())
}

/// Its largest extent.
fn check_dimension<'a>(
    dimension: &'a Dimension,
    maxima: &mut BTreeMap<&'a str, u64>,
) -> Result<u64, Problem> {
    let extent = match dimension {
        Dimension::Fixed(extent) => *extent,
        Dimension::Dynamic { max, .. } => *max,
    };
    if extent == 0 || extent > DIMENSION_MAX {
        return Err(Problem::OutOfRange {
            given: extent,
            min: 1,
            max: DIMENSION_MAX,
        });
    }
    if let Dimension::Dynamic { name, .. } = dimension {
        check_line(name, 1, DIMENSION_NAME_BYTES_MAX)?;
        let known = *maxima.entry(name).or_insert(extent);
        if known != extent {
            return Err(Problem::DimensionConflict {
                name: name.clone(),
                given: extent,
                other: known,
            });
        }
    }
    Ok(extent)
}

pub(super) fn check_pipeline(
    pipeline: &Pipeline,
    files: &[FileEntry],
) -> Result<(), InvalidManifest> {
    if !files.iter().any(|file| file.path == pipeline.model) {
        let path = pipeline.model.clone();
        return Err(refuse("pipeline.model", Problem::NoSuchFile { path }));
    }
    check_count("pipeline.labels", pipeline.labels.len(), 0, LABELS_MAX)?;
    for (index, label) in pipeline.labels.iter().enumerate() {
        check_line(label, 1, LABEL_BYTES_MAX)
            .map_err(at(format_args!("pipeline.labels[{index}]")))?;
    }
    Ok(())
}
