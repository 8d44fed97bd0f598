//! Holds the manifest's signature against the graph. The manifest may make an open dimension of the
//! graph concrete, and must agree with everything that the graph fixes; so what token holders read is what runs.

use std::collections::BTreeMap;

use stoa_types::manifest::{Dimension, Signature, TensorSpec};
use tract_onnx::prelude::{Symbol, SymbolScope, SymbolValues, TDim};
use tract_onnx::tract_core::internal::ToDim;

use crate::error::LoadError;
use crate::graph::Declared;

/// The dimensions that callers choose. One name is one dimension, wherever it occurs.
#[derive(Clone, Debug)]
pub(crate) struct Axes {
    axes: BTreeMap<String, Axis>,
}

#[derive(Clone, Debug)]
pub(crate) struct Axis {
    /// `tract`'s own name for it, since a manifest's may not be one that `tract` can parse.
    pub symbol: Symbol,
    pub max: u64,
}

impl Axes {
    /// Collects the dimensions that the inputs leave open, as symbols of `scope`.
    pub fn new(signature: &Signature, scope: &SymbolScope) -> Result<Axes, LoadError> {
        let mut axes: BTreeMap<String, Axis> = BTreeMap::new();
        for (index, input) in signature.inputs.iter().enumerate() {
            for (axis, dimension) in input.shape.iter().enumerate() {
                let Dimension::Dynamic { name, max } = dimension else {
                    continue;
                };
                match axes.get(name) {
                    Some(known) if known.max != *max => {
                        return Err(LoadError::SignatureMismatch {
                            field: format!("inputs[{index}].shape[{axis}]"),
                            manifest: format!("`{name}` up to {max}"),
                            model: format!("`{name}` up to {} elsewhere", known.max),
                        });
                    }
                    Some(_) => {}
                    None => {
                        let symbol_name = format!("stoa_axis_{}", axes.len());
                        scope
                            .add_assertion(format!("{symbol_name} >= 1"))
                            .map_err(|error| LoadError::Analysis {
                                reason: crate::error::reason(&error),
                            })?;
                        let symbol = scope.sym(&symbol_name);
                        axes.insert(name.clone(), Axis { symbol, max: *max });
                    }
                }
            }
        }
        Ok(Axes { axes })
    }

    pub fn get(&self, name: &str) -> Option<&Axis> {
        self.axes.get(name)
    }

    pub fn dimension(&self, dimension: &Dimension) -> Option<TDim> {
        match dimension {
            Dimension::Fixed(extent) => Some((*extent as i64).to_dim()),
            Dimension::Dynamic { name, .. } => self.get(name).map(|axis| axis.symbol.to_dim()),
        }
    }

    /// Every dimension as large as it may be.
    pub fn largest(&self) -> SymbolValues {
        self.axes
            .values()
            .fold(SymbolValues::default(), |values, axis| {
                values.with(&axis.symbol, axis.max as i64)
            })
    }

    /// Every dimension at 1.
    pub fn smallest(&self) -> SymbolValues {
        self.axes
            .values()
            .fold(SymbolValues::default(), |values, axis| {
                values.with(&axis.symbol, 1)
            })
    }

    pub fn has(&self, symbol: &Symbol) -> bool {
        self.axes.values().any(|axis| axis.symbol == *symbol)
    }
}

/// Checks one side of the signature. All of a graph's inputs must be in the manifest; of its outputs, the manifest
/// may leave some out.
pub(crate) fn check_declared(
    side: Side,
    specs: &[TensorSpec],
    declared: &[Declared],
) -> Result<(), LoadError> {
    let field = side.field();
    for (index, spec) in specs.iter().enumerate() {
        if specs[..index].iter().any(|other| other.name == spec.name) {
            return Err(mismatch(
                format!("{field}[{index}].name"),
                format!("`{}` twice", spec.name),
                "once".into(),
            ));
        }
        let Some(found) = declared.iter().find(|declared| declared.name == spec.name) else {
            return Err(mismatch(
                format!("{field}[{index}].name"),
                format!("`{}`", spec.name),
                format!(
                    "{:?}",
                    declared.iter().map(|d| d.name.as_str()).collect::<Vec<_>>()
                ),
            ));
        };
        if let Some(datatype) = found.datatype
            && datatype != spec.datatype
        {
            return Err(mismatch(
                format!("{field}[{index}].datatype"),
                spec.datatype.to_string(),
                datatype.to_string(),
            ));
        }
        let Some(shape) = &found.shape else { continue };
        if shape.len() != spec.shape.len() {
            return Err(mismatch(
                format!("{field}[{index}].shape"),
                format!("{} dimensions", spec.shape.len()),
                format!("{} dimensions", shape.len()),
            ));
        }
        for (axis, (given, fixed)) in spec.shape.iter().zip(shape).enumerate() {
            let agrees = match (given, fixed) {
                (_, None) => true,
                (Dimension::Fixed(extent), Some(fixed)) => extent == fixed,
                (Dimension::Dynamic { .. }, Some(_)) => false,
            };
            if !agrees {
                return Err(mismatch(
                    format!("{field}[{index}].shape[{axis}]"),
                    display(given),
                    fixed.map_or_else(String::new, |fixed| fixed.to_string()),
                ));
            }
        }
    }
    if side == Side::Inputs
        && let Some(extra) = declared
            .iter()
            .find(|declared| specs.iter().all(|spec| spec.name != declared.name))
    {
        return Err(mismatch(
            field.into(),
            "nothing of it".into(),
            format!("an input `{}`", extra.name),
        ));
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Inputs,
    Outputs,
}

impl Side {
    fn field(self) -> &'static str {
        match self {
            Side::Inputs => "inputs",
            Side::Outputs => "outputs",
        }
    }
}

/// Checks an output's shape as the analysis found it.
pub(crate) fn check_output_shape(
    index: usize,
    spec: &TensorSpec,
    found: &[TDim],
    axes: &Axes,
) -> Result<(), LoadError> {
    if found.len() != spec.shape.len() {
        return Err(mismatch(
            format!("outputs[{index}].shape"),
            format!("{} dimensions", spec.shape.len()),
            format!("{} dimensions", found.len()),
        ));
    }
    for (axis, (given, found)) in spec.shape.iter().zip(found).enumerate() {
        let agrees = axes
            .dimension(given)
            .is_some_and(|expected| expected == found.clone().simplify());
        if !agrees {
            return Err(mismatch(
                format!("outputs[{index}].shape[{axis}]"),
                display(given),
                found.to_string(),
            ));
        }
    }
    Ok(())
}

pub(crate) fn mismatch(field: String, manifest: String, model: String) -> LoadError {
    LoadError::SignatureMismatch {
        field,
        manifest,
        model,
    }
}

fn display(dimension: &Dimension) -> String {
    match dimension {
        Dimension::Fixed(extent) => extent.to_string(),
        Dimension::Dynamic { name, max } => format!("`{name}` (1 to {max})"),
    }
}
