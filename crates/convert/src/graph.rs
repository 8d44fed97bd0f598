//! An ONNX graph under construction. Names are unique and say which layer they are from; the same calls give the same bytes.

use std::collections::BTreeSet;

use prost::Message;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};

/// Reductions take their axes as attributes up to 17, sums as an input from 13.
const OPERATOR_SET: i64 = 13;
/// Of ONNX 1.8, which brought operator set 13.
const IR_VERSION: i64 = 7;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Float,
    Integer,
}

/// What a layer gives the next. A dimension that callers choose is `None`; the first is the batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Value {
    pub name: String,
    pub shape: Vec<Option<u64>>,
    pub kind: Kind,
}

#[derive(Default)]
pub(crate) struct Graph {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
    names: BTreeSet<String>,
    inputs: Vec<Value>,
    scope: String,
}

impl Graph {
    /// Names that follow are of `layer`.
    pub fn enter(&mut self, layer: &str) {
        layer.clone_into(&mut self.scope);
    }

    pub fn input(&mut self, value: Value) {
        self.names.insert(value.name.clone());
        self.inputs.push(value);
    }

    /// Keeps `name` for an output, so that no node in between takes it.
    pub fn reserve(&mut self, name: &str) -> String {
        let free = self.free(name);
        self.names.insert(free.clone());
        free
    }

    fn free(&self, name: &str) -> String {
        (1..)
            .map(|count| match count {
                1 => name.to_owned(),
                _ => format!("{name}_{count}"),
            })
            .find(|name| !self.names.contains(name))
            .expect("BUG: numbers end before names do")
    }

    fn name(&mut self, what: &str) -> String {
        let name = format!("{}/{what}", self.scope);
        self.reserve(&name)
    }

    /// A node of one output; answers the output's name.
    pub fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attribute: Vec<AttributeProto>,
    ) -> String {
        let output = self.name(operator);
        self.node_named(operator, inputs, attribute, &output);
        output
    }

    /// As [`Self::node`], with an output name that was reserved.
    pub fn node_named(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attribute: Vec<AttributeProto>,
        output: &str,
    ) {
        self.nodes.push(NodeProto {
            name: output.to_owned(),
            op_type: operator.to_owned(),
            input: inputs.iter().map(|input| (*input).to_owned()).collect(),
            output: vec![output.to_owned()],
            attribute,
            ..NodeProto::default()
        });
    }

    pub fn floats(&mut self, what: &str, shape: &[u64], data: &[f32]) -> String {
        let raw = data.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(what, shape, DataType::Float, raw)
    }

    pub fn float(&mut self, what: &str, value: f32) -> String {
        self.floats(what, &[], &[value])
    }

    pub fn integers(&mut self, what: &str, data: &[i64]) -> String {
        let raw = data.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(what, &[data.len() as u64], DataType::Int64, raw)
    }

    fn constant(&mut self, what: &str, shape: &[u64], kind: DataType, raw_data: Vec<u8>) -> String {
        let name = self.name(what);
        self.constants.push(TensorProto {
            name: name.clone(),
            dims: shape.iter().map(|extent| *extent as i64).collect(),
            data_type: kind as i32,
            raw_data,
            ..TensorProto::default()
        });
        name
    }

    /// The bytes of the ONNX file.
    pub fn finish(self, outputs: &[Value]) -> Vec<u8> {
        let graph = GraphProto {
            name: "model".to_owned(),
            node: self.nodes,
            initializer: self.constants,
            input: self.inputs.iter().map(|value| info(value, true)).collect(),
            output: outputs.iter().map(|value| info(value, false)).collect(),
            ..GraphProto::default()
        };
        let model = ModelProto {
            ir_version: IR_VERSION,
            opset_import: vec![OperatorSetIdProto {
                domain: String::new(),
                version: OPERATOR_SET,
            }],
            producer_name: "stoa-convert".to_owned(),
            graph: Some(graph),
            ..ModelProto::default()
        };
        model.encode_to_vec()
    }
}

fn info(value: &Value, is_input: bool) -> ValueInfoProto {
    let dim = value
        .shape
        .iter()
        .enumerate()
        .map(|(axis, extent)| Dimension {
            value: match extent {
                Some(extent) => Some(dimension::Value::DimValue(*extent as i64)),
                None if axis == 0 => Some(dimension::Value::DimParam("batch".to_owned())),
                None if is_input => {
                    Some(dimension::Value::DimParam(format!("{}_{axis}", value.name)))
                }
                // Follows from the inputs; what it is called is for the one who analyses the graph.
                None => None,
            },
            ..Dimension::default()
        })
        .collect();
    let tensor = type_proto::Tensor {
        elem_type: match value.kind {
            Kind::Float => DataType::Float,
            Kind::Integer => DataType::Int32,
        } as i32,
        shape: Some(TensorShapeProto { dim }),
    };
    ValueInfoProto {
        name: value.name.clone(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}

pub(crate) fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Int as i32,
        i,
        ..AttributeProto::default()
    }
}

pub(crate) fn ints(name: &str, ints: Vec<i64>) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Ints as i32,
        ints,
        ..AttributeProto::default()
    }
}

pub(crate) fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Float as i32,
        f,
        ..AttributeProto::default()
    }
}
