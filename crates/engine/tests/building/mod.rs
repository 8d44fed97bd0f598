//! Small ONNX models, built by hand.

#![allow(dead_code)] // Each test takes what it needs.

use prost::Message;
use tract_onnx::pb::tensor_proto::DataType as OnnxType;
use tract_onnx::pb::tensor_shape_proto::Dimension as OnnxDimension;
use tract_onnx::pb::tensor_shape_proto::dimension::Value;
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};

/// Numbers that look random and are the same everywhere.
pub fn noise(seed: u32) -> impl Iterator<Item = f32> {
    let mut state = seed | 1;
    std::iter::from_fn(move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        Some((state >> 8) as f32 / 8_388_608.0 - 1.0)
    })
}

pub fn weights(name: &str, dims: &[i64], seed: u32) -> TensorProto {
    let count = dims.iter().product::<i64>() as usize;
    TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: OnnxType::Float as i32,
        raw_data: noise(seed)
            .take(count)
            .flat_map(|value| (value * 0.1).to_le_bytes())
            .collect(),
        ..TensorProto::default()
    }
}

pub fn node(
    operator: &str,
    inputs: &[&str],
    output: &str,
    attribute: Vec<AttributeProto>,
) -> NodeProto {
    NodeProto {
        name: output.into(),
        op_type: operator.into(),
        input: inputs.iter().map(|input| (*input).into()).collect(),
        output: vec![output.into()],
        attribute,
        ..NodeProto::default()
    }
}

pub fn integers(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: 7,
        ints: values.to_vec(),
        ..AttributeProto::default()
    }
}

pub fn value(name: &str, dims: &[Option<i64>]) -> ValueInfoProto {
    let dim = dims.iter().map(|extent| OnnxDimension {
        value: Some(match extent {
            Some(extent) => Value::DimValue(*extent),
            None => Value::DimParam("batch".into()),
        }),
        ..OnnxDimension::default()
    });
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(type_proto::Tensor {
                elem_type: OnnxType::Float as i32,
                shape: Some(TensorShapeProto { dim: dim.collect() }),
            })),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}

pub fn integer(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: 2,
        i: value,
        ..AttributeProto::default()
    }
}

/// A constant of INT64.
pub fn constant(name: &str, values: &[i64]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: vec![values.len() as i64],
        data_type: OnnxType::Int64 as i32,
        raw_data: values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect(),
        ..TensorProto::default()
    }
}

pub fn model(graph: GraphProto) -> ModelProto {
    ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto {
            version: 17,
            ..OperatorSetIdProto::default()
        }],
        graph: Some(graph),
        ..ModelProto::default()
    }
}

pub fn encode(graph: GraphProto) -> Vec<u8> {
    model(graph).encode_to_vec()
}
