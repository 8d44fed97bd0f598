//! The signature that a file suggests, for a person who writes a manifest: names and types as the file declares them, shapes as
//! the analysis finds them. Nothing here decides what runs: that is [`crate::Loading`] against the manifest.

use std::collections::BTreeMap;

use prost::Message;
use stoa_types::manifest::{Dimension, Signature, TensorSpec};
use tract_onnx::pb::tensor_shape_proto::dimension::Value as OnnxDimension;
use tract_onnx::pb::{ModelProto, ValueInfoProto, type_proto};
use tract_onnx::prelude::{InferenceFact, InferenceModel, InferenceModelExt, SymbolScope, TDim};

use crate::determinism;
use crate::error::{LoadError, reason};
use crate::graph;
use crate::loading::Limits;
use crate::signature::Axes;
use crate::tensors;

/// An input's dimension that the file leaves open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenDimension {
    pub input: String,
    pub axis: usize,
    /// As the file calls it; inputs that share a name share the extent.
    pub name: String,
}

/// What the file says about its inputs and outputs; `choose` is asked once what each open dimension is to be.
///
/// Refuses what [`crate::load`] would refuse before it optimises, and outputs whose shape is not one of the inputs'
/// dimensions (a signature cannot say twice a dimension).
pub fn propose_signature(
    onnx: &[u8],
    limits: &Limits,
    mut choose: impl FnMut(&OpenDimension) -> Dimension,
) -> Result<Signature, LoadError> {
    determinism::establish()?;
    let proto = ModelProto::decode(onnx).map_err(|error| malformed(error.to_string()))?;
    let framework = tract_onnx::onnx()
        .with_ignore_value_info(true)
        .with_ignore_output_shapes(true);
    graph::check(&proto, &[], &framework, limits)?;
    let inputs = inputs(&proto, &mut choose)?;
    let given = Signature {
        inputs,
        outputs: Vec::new(),
    };

    let scope = SymbolScope::default();
    let axes = Axes::new(&given, &scope)?;
    let template = InferenceModel {
        symbols: scope,
        ..InferenceModel::default()
    };
    let parsed = framework
        .parse_with_template(&proto, None, template)
        .map_err(|error| LoadError::Malformed {
            reason: reason(&error),
        })?;
    let mut model = parsed.model;
    let analysis = |error: tract_onnx::prelude::TractError| LoadError::Analysis {
        reason: reason(&error),
    };
    let outlets = given
        .inputs
        .iter()
        .map(|spec| {
            let outlet = parsed.outlets_by_name.get(&spec.name).copied();
            outlet.ok_or_else(|| malformed(format!("the graph has no input `{}`", spec.name)))
        })
        .collect::<Result<Vec<_>, _>>()?;
    model.set_input_outlets(&outlets).map_err(analysis)?;
    for (index, spec) in given.inputs.iter().enumerate() {
        let shape: Vec<TDim> = spec
            .shape
            .iter()
            .filter_map(|dimension| axes.dimension(dimension))
            .collect();
        let fact = InferenceFact::dt_shape(tensors::datum_type(spec.datatype), shape);
        model.set_input_fact(index, fact).map_err(analysis)?;
    }
    model.analyse(false).map_err(analysis)?;
    let model = model.into_typed().map_err(analysis)?;

    let declared = graph::outputs(&proto)?;
    let outputs = declared
        .iter()
        .enumerate()
        .map(|(index, output)| {
            let fact = model.output_fact(index).map_err(analysis)?;
            let shape = fact
                .shape
                .iter()
                .map(|found| dimension(&given, &axes, found))
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| LoadError::DynamicShape {
                    node: output.name.clone(),
                    operator: "output".to_owned(),
                    shape: format!("{:?}", fact.shape),
                })?;
            let datatype = output
                .datatype
                .or_else(|| tensors::wire_type(fact.datum_type))
                .ok_or_else(|| {
                    malformed(format!("output `{}` has no type that travels", output.name))
                })?;
            Ok(TensorSpec {
                name: output.name.clone(),
                datatype,
                shape,
            })
        })
        .collect::<Result<Vec<_>, LoadError>>()?;
    Ok(Signature { outputs, ..given })
}

fn inputs(
    proto: &ModelProto,
    choose: &mut impl FnMut(&OpenDimension) -> Dimension,
) -> Result<Vec<TensorSpec>, LoadError> {
    let infos = proto.graph.iter().flat_map(|graph| &graph.input);
    let infos: BTreeMap<&str, &ValueInfoProto> =
        infos.map(|info| (info.name.as_str(), info)).collect();
    // One name is one dimension, whichever input is asked about first.
    let mut chosen: BTreeMap<String, Dimension> = BTreeMap::new();
    graph::inputs(proto, &[])?
        .into_iter()
        .map(|input| {
            let datatype = input.datatype.ok_or_else(|| {
                malformed(format!("input `{}` has no type that travels", input.name))
            })?;
            let declared = input.shape.ok_or_else(|| {
                malformed(format!(
                    "input `{}` does not say how many dimensions it has",
                    input.name
                ))
            })?;
            let names = infos
                .get(input.name.as_str())
                .map(|info| dimension_names(info))
                .unwrap_or_default();
            let shape = declared
                .iter()
                .enumerate()
                .map(|(axis, extent)| match extent {
                    Some(extent) if *extent > 0 => Dimension::Fixed(*extent),
                    _ => {
                        let named = names.get(axis).cloned().flatten();
                        let open = OpenDimension {
                            input: input.name.clone(),
                            axis,
                            name: named.unwrap_or_else(|| format!("{}_{axis}", input.name)),
                        };
                        chosen
                            .entry(open.name.clone())
                            .or_insert_with(|| choose(&open))
                            .clone()
                    }
                })
                .collect();
            Ok(TensorSpec {
                name: input.name,
                datatype,
                shape,
            })
        })
        .collect()
}

fn dimension_names(info: &ValueInfoProto) -> Vec<Option<String>> {
    let value = info
        .r#type
        .as_ref()
        .and_then(|r#type| r#type.value.as_ref());
    let Some(type_proto::Value::TensorType(tensor)) = value else {
        return Vec::new();
    };
    let dimensions = tensor.shape.iter().flat_map(|shape| &shape.dim);
    dimensions
        .map(|dimension| match &dimension.value {
            Some(OnnxDimension::DimParam(name)) if !name.is_empty() => Some(name.clone()),
            _ => None,
        })
        .collect()
}

fn dimension(given: &Signature, axes: &Axes, found: &TDim) -> Option<Dimension> {
    let found = found.clone().simplify();
    if let Ok(extent) = found.to_i64() {
        return u64::try_from(extent).ok().map(Dimension::Fixed);
    }
    let dimensions = given.inputs.iter().flat_map(|input| &input.shape);
    dimensions
        .filter(|dimension| matches!(dimension, Dimension::Dynamic { .. }))
        .find(|dimension| axes.dimension(dimension).is_some_and(|own| own == found))
        .cloned()
}

fn malformed(reason: String) -> LoadError {
    LoadError::Malformed { reason }
}
