//! Forms of operators that `tract` takes and computes wrongly, by its version 0.23.9, found by the node tests of ONNX
//! (`tests/onnx_nodes.rs`). They are refused by name: a model that does not load harms nobody, one that answers wrongly does.

use tract_onnx::pb::tensor_proto::DataType as OnnxType;
use tract_onnx::pb::{GraphProto, NodeProto, TensorProto, type_proto};

/// What of the node is not supported, if so. `half`: the graph computes with FP16 somewhere.
pub(crate) fn computed_wrongly(node: &NodeProto, half: bool) -> Option<&'static str> {
    let text = |name: &str| {
        node.attribute
            .iter()
            .find(|attribute| attribute.name == name)
            .map(|attribute| attribute.s.as_slice())
    };
    let factor = |name: &str| {
        node.attribute
            .iter()
            .find(|attribute| attribute.name == name)
            .map_or(1.0, |attribute| attribute.f)
    };
    match node.op_type.as_str() {
        // The last state is taken from the wrong end.
        "LSTM" | "RNN"
            if text("direction").is_some_and(|direction| direction != b"forward")
                && node.output.iter().skip(1).any(|name| !name.is_empty()) =>
        {
            Some("the last state of a direction that is not forward")
        }
        "SpaceToDepth" if text("mode").is_some_and(|mode| mode == b"CRD") => Some("the mode CRD"),
        "Swish" if factor("alpha") != 1.0 => Some("an alpha that is not 1"),
        "Celu" if half && factor("alpha") != 1.0 => Some("an alpha that is not 1, in FP16"),
        _ => None,
    }
}

/// Whether FP16 occurs in a graph: as an input, a constant or the target of a cast.
pub(crate) fn mentions_half(graph: &GraphProto) -> bool {
    let half = OnnxType::Float16 as i32;
    let is_half = |tensor: &TensorProto| tensor.data_type == half;
    graph.initializer.iter().any(is_half)
        || graph.input.iter().any(|input| {
            let value = input.r#type.as_ref().and_then(|kind| kind.value.as_ref());
            matches!(value, Some(type_proto::Value::TensorType(tensor)) if tensor.elem_type == half)
        })
        || graph
            .node
            .iter()
            .flat_map(|node| &node.attribute)
            .any(|attribute| {
                attribute.name == "to" && attribute.i == i64::from(half)
                    || attribute.t.as_ref().is_some_and(is_half)
                    || attribute.g.as_ref().is_some_and(mentions_half)
            })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tract_onnx::pb::AttributeProto;

    fn node(operator: &str, name: &str, text: &[u8], number: f32) -> NodeProto {
        NodeProto {
            op_type: operator.into(),
            output: vec![String::new(), "y_h".into()],
            attribute: vec![AttributeProto {
                name: name.into(),
                s: text.to_vec(),
                f: number,
                ..AttributeProto::default()
            }],
            ..NodeProto::default()
        }
    }

    #[test]
    fn should_refuse_the_forms_that_are_wrong_and_no_others() {
        for (wrong, node) in [
            (true, node("LSTM", "direction", b"reverse", 0.0)),
            (false, node("LSTM", "direction", b"forward", 0.0)),
            (true, node("SpaceToDepth", "mode", b"CRD", 0.0)),
            (false, node("SpaceToDepth", "mode", b"DCR", 0.0)),
            (true, node("Swish", "alpha", b"", 0.5)),
            (false, node("Swish", "alpha", b"", 1.0)),
            (false, node("Celu", "alpha", b"", 2.0)),
        ] {
            assert_eq!(computed_wrongly(&node, false).is_some(), wrong, "{node:?}");
        }
        assert!(computed_wrongly(&node("Celu", "alpha", b"", 2.0), true).is_some());
    }
}
