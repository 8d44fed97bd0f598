//! Reads the protocol buffer of an ONNX model and refuses, before `tract` builds anything from it, what
//! `tract` would panic on, cannot run, or must not be asked to do. `tract`'s own translation indexes by
//! names that the file gives, so every name is resolved here first.

use std::collections::HashSet;

use stoa_types::tensor::DataType;
use tract_onnx::Onnx;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType as OnnxType};
use tract_onnx::pb::tensor_shape_proto::Dimension;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as OnnxDimension;
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, TensorProto, TensorShapeProto, TypeProto,
    ValueInfoProto, type_proto,
};

use crate::determinism;
use crate::error::LoadError;
use crate::exceptions;
use crate::loading::Limits;
use crate::onnx_file::Weight;

/// A graph's input or output as the file declares it; `None` where it leaves something open.
pub(crate) struct Declared {
    pub name: String,
    pub datatype: Option<DataType>,
    pub shape: Option<Vec<Option<u64>>>,
}

/// Everything that can be refused without building the model.
pub(crate) fn check(
    model: &ModelProto,
    weights: &[Weight],
    framework: &Onnx,
    limits: &Limits,
) -> Result<(), LoadError> {
    if !model.functions.is_empty() {
        return Err(malformed("model-local functions are not supported".into()));
    }
    let graph = top_graph(model)?;
    for weight in weights {
        check_weight(weight)?;
    }
    let held = weights.iter().map(|weight| weight.proto.name.as_str());
    let mut nodes = 0;
    check_graph(
        graph,
        held.collect(),
        framework,
        limits,
        0,
        &mut nodes,
        &HashSet::new(),
    )
}

/// A weight whose bytes are still in the file is as long as its shape says.
fn check_weight(weight: &Weight) -> Result<(), LoadError> {
    let proto = &weight.proto;
    let size = OnnxType::try_from(proto.data_type)
        .ok()
        .and_then(from_onnx)
        .and_then(DataType::element_size_bytes);
    let Some(size) = size else {
        return Err(malformed(format!(
            "tensor `{}` has an unsupported data type",
            proto.name
        )));
    };
    let held = weight
        .length
        .is_multiple_of(size)
        .then(|| weight.length / size);
    check_tensor_holds(proto, held)
}

/// The inputs that a caller gives: those declared and not initialised.
pub(crate) fn inputs(model: &ModelProto, weights: &[Weight]) -> Result<Vec<Declared>, LoadError> {
    let graph = top_graph(model)?;
    let initialised: HashSet<&str> = graph
        .initializer
        .iter()
        .chain(weights.iter().map(|weight| &weight.proto))
        .map(|tensor| tensor.name.as_str())
        .collect();
    graph
        .input
        .iter()
        .filter(|input| !initialised.contains(input.name.as_str()))
        .map(declared)
        .collect()
}

pub(crate) fn outputs(model: &ModelProto) -> Result<Vec<Declared>, LoadError> {
    top_graph(model)?.output.iter().map(declared).collect()
}

/// Lets an input stand for each weight while `tract` parses the rest.
pub(crate) fn declare_as_inputs(model: &mut ModelProto, weights: &[Weight]) {
    let Some(graph) = &mut model.graph else {
        return;
    };
    for Weight { proto, .. } in weights {
        let dim = proto.dims.iter().map(|extent| Dimension {
            value: Some(OnnxDimension::DimValue(*extent)),
            ..Dimension::default()
        });
        let tensor = type_proto::Tensor {
            elem_type: proto.data_type,
            shape: Some(TensorShapeProto { dim: dim.collect() }),
        };
        graph.input.retain(|input| input.name != proto.name);
        graph.input.push(ValueInfoProto {
            name: proto.name.clone(),
            r#type: Some(TypeProto {
                value: Some(type_proto::Value::TensorType(tensor)),
                ..TypeProto::default()
            }),
            ..ValueInfoProto::default()
        });
    }
}

fn top_graph(model: &ModelProto) -> Result<&GraphProto, LoadError> {
    model
        .graph
        .as_ref()
        .ok_or_else(|| malformed("it has no graph".into()))
}

fn check_graph(
    graph: &GraphProto,
    held: Vec<&str>,
    framework: &Onnx,
    limits: &Limits,
    depth: u64,
    nodes: &mut u64,
    outer: &HashSet<&str>,
) -> Result<(), LoadError> {
    if depth > limits.subgraph_depth_max {
        return Err(LoadError::NestedTooDeep {
            max: limits.subgraph_depth_max,
        });
    }
    *nodes += graph.node.len() as u64;
    if *nodes > limits.nodes_max {
        return Err(LoadError::TooManyNodes {
            given: *nodes,
            max: limits.nodes_max,
        });
    }
    if !graph.sparse_initializer.is_empty() {
        return Err(malformed("sparse tensors are not supported".into()));
    }
    for tensor in &graph.initializer {
        check_tensor(tensor)?;
    }

    // Names come from initialisers, inputs and nodes; each once in a graph.
    let mut own: HashSet<&str> = HashSet::new();
    let initialisers: HashSet<&str> = graph
        .initializer
        .iter()
        .map(|tensor| tensor.name.as_str())
        .chain(held.iter().copied())
        .collect();
    let declared_inputs = graph.input.iter().map(|input| input.name.as_str());
    let produced = graph
        .node
        .iter()
        .flat_map(|node| node.output.iter().map(String::as_str))
        .filter(|name| !name.is_empty());
    let first = initialisers.iter().copied();
    for name in first
        .chain(declared_inputs.filter(|name| !initialisers.contains(name)))
        .chain(produced)
    {
        if !own.insert(name) {
            return Err(malformed(format!("the name `{name}` is defined twice")));
        }
    }
    if initialisers.len() != graph.initializer.len() + held.len() {
        return Err(malformed("two initialisers have one name".into()));
    }
    let visible: HashSet<&str> = own.union(outer).copied().collect();
    for output in &graph.output {
        if !own.contains(output.name.as_str()) {
            return Err(malformed(format!(
                "nothing computes the output `{}`",
                output.name
            )));
        }
    }

    let half = exceptions::mentions_half(graph);
    for node in &graph.node {
        let name = if node.name.is_empty() {
            node.output.first().map_or("", String::as_str)
        } else {
            &node.name
        };
        let operator = node.op_type.as_str();
        for input in node.input.iter().filter(|input| !input.is_empty()) {
            if !visible.contains(input.as_str()) {
                return Err(malformed(format!(
                    "node `{name}`: nothing computes its input `{input}`"
                )));
            }
        }
        if let Some(why) = determinism::not_reproducible(operator) {
            return Err(LoadError::NotReproducible {
                node: name.into(),
                operator: operator.into(),
                reason: why.into(),
            });
        }
        if let Some(form) = exceptions::computed_wrongly(node, half) {
            return Err(LoadError::UnsupportedOperator {
                node: name.into(),
                operator: format!("{operator} with {form}"),
            });
        }
        if !framework.op_register.0.contains_key(operator) {
            return Err(LoadError::UnsupportedOperator {
                node: name.into(),
                operator: operator.into(),
            });
        }
        for attribute in &node.attribute {
            check_attribute(attribute)?;
            for graph in attribute.g.iter().chain(&attribute.graphs) {
                check_graph(
                    graph,
                    Vec::new(),
                    framework,
                    limits,
                    depth + 1,
                    nodes,
                    &visible,
                )?;
            }
        }
    }
    Ok(())
}

fn check_attribute(attribute: &AttributeProto) -> Result<(), LoadError> {
    if attribute.sparse_tensor.is_some() || !attribute.sparse_tensors.is_empty() {
        return Err(malformed("sparse tensors are not supported".into()));
    }
    attribute
        .t
        .iter()
        .chain(&attribute.tensors)
        .try_for_each(check_tensor)
}

fn check_tensor(tensor: &TensorProto) -> Result<(), LoadError> {
    check_tensor_holds(tensor, elements_held(tensor))
}

/// The bytes of a tensor are exactly as many as its shape and type say, and they are in this file.
fn check_tensor_holds(tensor: &TensorProto, held: Option<u64>) -> Result<(), LoadError> {
    let external = tensor.data_location == Some(DataLocation::External as i32);
    if external || !tensor.external_data.is_empty() {
        return Err(LoadError::ExternalData {
            tensor: tensor.name.clone(),
        });
    }
    if tensor.segment.is_some() {
        return Err(malformed(format!(
            "tensor `{}` comes in segments",
            tensor.name
        )));
    }
    let shape = tensor
        .dims
        .iter()
        .map(|extent| u64::try_from(*extent))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| malformed(format!("tensor `{}` has a negative dimension", tensor.name)))?;
    let elements = stoa_types::tensor::element_count(&shape)
        .map_err(|error| malformed(format!("tensor `{}`: {error}", tensor.name)))?;
    let held = held.ok_or_else(|| {
        malformed(format!(
            "tensor `{}` has an unsupported data type",
            tensor.name
        ))
    })?;
    if held != elements {
        return Err(malformed(format!(
            "tensor `{}` holds {held} elements, its shape asks for {elements}",
            tensor.name
        )));
    }
    Ok(())
}

fn elements_held(tensor: &TensorProto) -> Option<u64> {
    let onnx_type = OnnxType::try_from(tensor.data_type).ok()?;
    let datatype = from_onnx(onnx_type)?;
    let length = |length: usize| Some(length as u64);
    if datatype == DataType::BYTES {
        return length(tensor.string_data.len());
    }
    if !tensor.raw_data.is_empty() {
        let size = datatype.element_size_bytes()?;
        let bytes = tensor.raw_data.len() as u64;
        return bytes.is_multiple_of(size).then(|| bytes / size);
    }
    match onnx_type {
        OnnxType::Float => length(tensor.float_data.len()),
        OnnxType::Double => length(tensor.double_data.len()),
        OnnxType::Int64 => length(tensor.int64_data.len()),
        OnnxType::Uint32 | OnnxType::Uint64 => length(tensor.uint64_data.len()),
        _ => length(tensor.int32_data.len()),
    }
}

fn declared(info: &ValueInfoProto) -> Result<Declared, LoadError> {
    let tensor = match info
        .r#type
        .as_ref()
        .and_then(|r#type| r#type.value.as_ref())
    {
        Some(type_proto::Value::TensorType(tensor)) => tensor,
        None => {
            return Err(malformed(format!(
                "`{}` is not declared as a tensor",
                info.name
            )));
        }
    };
    let datatype = OnnxType::try_from(tensor.elem_type)
        .ok()
        .and_then(from_onnx);
    let shape = tensor.shape.as_ref().map(|shape| {
        shape
            .dim
            .iter()
            .map(|dimension| match &dimension.value {
                Some(OnnxDimension::DimValue(extent)) => u64::try_from(*extent).ok(),
                _ => None,
            })
            .collect()
    });
    Ok(Declared {
        name: info.name.clone(),
        datatype,
        shape,
    })
}

fn from_onnx(onnx_type: OnnxType) -> Option<DataType> {
    Some(match onnx_type {
        OnnxType::Bool => DataType::BOOL,
        OnnxType::Uint8 => DataType::UINT8,
        OnnxType::Uint16 => DataType::UINT16,
        OnnxType::Uint32 => DataType::UINT32,
        OnnxType::Uint64 => DataType::UINT64,
        OnnxType::Int8 => DataType::INT8,
        OnnxType::Int16 => DataType::INT16,
        OnnxType::Int32 => DataType::INT32,
        OnnxType::Int64 => DataType::INT64,
        OnnxType::Float16 => DataType::FP16,
        OnnxType::Float => DataType::FP32,
        OnnxType::Double => DataType::FP64,
        OnnxType::String => DataType::BYTES,
        _ => return None,
    })
}

pub(crate) fn malformed(reason: String) -> LoadError {
    LoadError::Malformed { reason }
}

#[cfg(test)]
mod tests {
    use tract_onnx::pb::{NodeProto, StringStringEntryProto};

    use super::*;

    fn node(name: &str, operator: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
        NodeProto {
            name: name.into(),
            op_type: operator.into(),
            input: inputs.iter().map(|input| (*input).into()).collect(),
            output: outputs.iter().map(|output| (*output).into()).collect(),
            ..NodeProto::default()
        }
    }

    fn value(name: &str) -> ValueInfoProto {
        ValueInfoProto {
            name: name.into(),
            ..ValueInfoProto::default()
        }
    }

    fn constant(name: &str, dims: &[i64], raw: &[u8]) -> TensorProto {
        TensorProto {
            name: name.into(),
            dims: dims.to_vec(),
            data_type: OnnxType::Float as i32,
            raw_data: raw.to_vec(),
            ..TensorProto::default()
        }
    }

    /// `y = Relu(x)`, which nothing is wrong with.
    fn graph() -> GraphProto {
        GraphProto {
            node: vec![node("first", "Relu", &["x"], &["y"])],
            input: vec![value("x")],
            output: vec![value("y")],
            ..GraphProto::default()
        }
    }

    fn check_changed(change: impl FnOnce(&mut GraphProto)) -> Result<(), LoadError> {
        let mut graph = graph();
        change(&mut graph);
        let model = ModelProto {
            graph: Some(graph),
            ..ModelProto::default()
        };
        let limits = Limits {
            nodes_max: 3,
            subgraph_depth_max: 1,
            ..Limits::default()
        };
        check(&model, &[], &tract_onnx::onnx(), &limits)
    }

    fn malformed_because(change: impl FnOnce(&mut GraphProto), words: &str) {
        match check_changed(change) {
            Err(LoadError::Malformed { reason }) => assert!(reason.contains(words), "{reason}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn should_take_a_graph_that_is_whole() {
        check_changed(|_| {}).unwrap();
    }

    #[test]
    fn should_name_the_node_of_an_unknown_or_irreproducible_operator() {
        assert_eq!(
            check_changed(|graph| graph.node[0].op_type = "Frobnicate".into()),
            Err(LoadError::UnsupportedOperator {
                node: "first".into(),
                operator: "Frobnicate".into()
            })
        );
        for operator in ["RandomNormal", "Multinomial", "STFT", "GRU"] {
            let refused = check_changed(|graph| graph.node[0].op_type = operator.into());
            assert!(
                matches!(&refused, Err(LoadError::NotReproducible { node, .. }) if node == "first"),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn should_refuse_names_that_nothing_defines_or_two_things_do() {
        malformed_because(
            |graph| graph.output.push(value("z")),
            "computes the output `z`",
        );
        malformed_because(|graph| graph.node[0].input[0] = "z".into(), "its input `z`");
        malformed_because(
            |graph| graph.node[0].output[0] = "x".into(),
            "`x` is defined twice",
        );
        malformed_because(
            |graph| graph.initializer = vec![constant("c", &[1], &[0; 4]); 2],
            "two initialisers",
        );
    }

    #[test]
    fn should_refuse_tensors_that_lie_about_their_bytes() {
        malformed_because(
            |graph| graph.initializer.push(constant("c", &[2], &[0; 4])),
            "holds 1 elements, its shape asks for 2",
        );
        malformed_because(
            |graph| graph.initializer.push(constant("c", &[-1], &[])),
            "negative dimension",
        );
        malformed_because(
            |graph| {
                graph
                    .initializer
                    .push(constant("c", &[i64::MAX, i64::MAX], &[]))
            },
            "more elements than 64 bits",
        );
        let outside = check_changed(|graph| {
            let mut tensor = constant("c", &[1], &[]);
            tensor.data_location = Some(DataLocation::External as i32);
            tensor.external_data = vec![StringStringEntryProto {
                key: "location".into(),
                value: "/etc/passwd".into(),
            }];
            graph.initializer.push(tensor);
        });
        assert_eq!(outside, Err(LoadError::ExternalData { tensor: "c".into() }));
    }

    #[test]
    fn should_have_limits_on_nodes_and_nesting() {
        let many = check_changed(|graph| {
            for number in 0..3 {
                let output = format!("y{number}");
                graph.node.push(node("", "Relu", &["x"], &[&output]));
            }
        });
        assert_eq!(many, Err(LoadError::TooManyNodes { given: 4, max: 3 }));
        let deep = check_changed(|outermost| {
            let nest = |inner: GraphProto| {
                let mut outer = graph();
                outer.node[0].attribute.push(AttributeProto {
                    g: Some(inner),
                    ..AttributeProto::default()
                });
                outer
            };
            *outermost = nest(nest(graph()));
        });
        assert_eq!(deep, Err(LoadError::NestedTooDeep { max: 1 }));
    }
}
