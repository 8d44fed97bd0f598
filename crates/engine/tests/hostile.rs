//! Models made to do harm: each is refused with a reason, quickly, and nothing is allocated that was not allowed.

mod building;

use std::time::{Duration, Instant};

use building::{constant, encode, integer, integers, node, value, weights};
use stoa_engine::{Limits, LoadError, Model};
use stoa_types::manifest::{Dimension, Signature, TensorSpec};
use stoa_types::tensor::DataType;
use tract_onnx::pb::tensor_proto::DataType as OnnxType;
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, TensorProto};

const QUICKLY: Duration = Duration::from_secs(10);

fn signature(input: &[u64], output: &[u64]) -> Signature {
    let spec = |name: &str, shape: &[u64]| TensorSpec {
        name: name.into(),
        datatype: DataType::FP32,
        shape: shape
            .iter()
            .map(|extent| Dimension::Fixed(*extent))
            .collect(),
    };
    Signature {
        inputs: vec![spec("x", input)],
        outputs: vec![spec("y", output)],
    }
}

/// `y` from an `x` of shape [4].
fn load(nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> Result<Model, LoadError> {
    let graph = GraphProto {
        node: nodes,
        name: "hostile".into(),
        initializer: constants,
        input: vec![value("x", &[Some(4)])],
        output: vec![value("y", &[Some(4)])],
        ..GraphProto::default()
    };
    let begun = Instant::now();
    let result = stoa_engine::load(encode(graph), &signature(&[4], &[4]), Limits::default());
    assert!(begun.elapsed() < QUICKLY, "it took {:?}", begun.elapsed());
    result
}

fn refused(nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> LoadError {
    match load(nodes, constants) {
        Ok(_) => panic!("it was loaded"),
        Err(error) => error,
    }
}

/// Adds a huge value's sum to `x`, so that it cannot be left out.
fn consumed(huge: &str) -> Vec<NodeProto> {
    vec![
        node("ReduceSum", &[huge], "sum", vec![integer("keepdims", 0)]),
        node("Add", &["x", "sum"], "y", vec![]),
    ]
}

#[test]
fn should_refuse_constants_that_unfold_to_terabytes() {
    let terabyte = [1 << 20, 1 << 18];
    for (operator, inputs, constants) in [
        (
            "ConstantOfShape",
            vec!["shape"],
            vec![constant("shape", &terabyte)],
        ),
        (
            "Expand",
            vec!["one", "shape"],
            vec![weights("one", &[1, 1], 1), constant("shape", &terabyte)],
        ),
        (
            "Tile",
            vec!["one", "shape"],
            vec![weights("one", &[1, 1], 1), constant("shape", &terabyte)],
        ),
        (
            "Pad",
            vec!["one", "shape"],
            vec![
                weights("one", &[1, 1], 1),
                constant("shape", &[0, 0, 1 << 20, 1 << 18]),
            ],
        ),
    ] {
        let mut nodes = vec![node(operator, &inputs, "huge", vec![])];
        nodes.extend(consumed("huge"));
        let error = refused(nodes, constants);
        assert!(
            matches!(
                error,
                LoadError::TooMuchMemory { .. } | LoadError::Analysis { .. }
            ),
            "{operator}: {error}"
        );
    }
}

#[test]
fn should_refuse_a_range_without_end() {
    let scalar = |name: &str, value: i64| TensorProto {
        dims: vec![],
        ..constant(name, &[value])
    };
    let mut nodes = vec![
        node("Range", &["from", "to", "step"], "range", vec![]),
        node(
            "Cast",
            &["range"],
            "huge",
            vec![integer("to", OnnxType::Float as i64)],
        ),
    ];
    nodes.extend(consumed("huge"));
    let constants = vec![scalar("from", 0), scalar("to", 1 << 45), scalar("step", 1)];
    refused(nodes, constants);
}

#[test]
fn should_refuse_values_that_double_forty_times() {
    let mut nodes = Vec::new();
    let mut before = "x".to_owned();
    for step in 0..40 {
        let name = format!("d{step}");
        nodes.push(node(
            "Concat",
            &[&before, &before],
            &name,
            vec![integer("axis", 0)],
        ));
        before = name;
    }
    nodes.extend(consumed(&before));
    let error = refused(nodes, vec![]);
    assert!(
        matches!(
            error,
            LoadError::TooMuchMemory { .. } | LoadError::NodeTooLarge { .. }
        ),
        "{error}"
    );
}

#[test]
fn should_refuse_an_outer_product_that_does_not_fit() {
    let mut nodes = vec![
        node("Expand", &["x", "long"], "wide", vec![]),
        node("Reshape", &["wide", "column"], "a", vec![]),
        node("Reshape", &["wide", "row"], "b", vec![]),
        node("MatMul", &["a", "b"], "huge", vec![]),
    ];
    nodes.extend(consumed("huge"));
    let constants = vec![
        constant("long", &[1 << 18, 4]),
        constant("column", &[-1, 1]),
        constant("row", &[1, -1]),
    ];
    let error = refused(nodes, constants);
    assert!(
        matches!(
            error,
            LoadError::TooMuchMemory { .. } | LoadError::NodeTooLarge { .. }
        ),
        "{error}"
    );
}

#[test]
fn should_refuse_work_without_end_in_one_node() {
    // A pool whose window is larger than anything it looks at.
    let nodes = vec![
        node("Reshape", &["x", "image"], "i", vec![]),
        node(
            "MaxPool",
            &["i"],
            "p",
            vec![
                integers("kernel_shape", &[60_000, 60_000]),
                integers("pads", &[30_000, 30_000, 30_000, 30_000]),
            ],
        ),
        node("Reshape", &["p", "line"], "y", vec![]),
    ];
    let constants = vec![constant("image", &[1, 1, 2, 2]), constant("line", &[4])];
    refused(nodes, constants);
}

#[test]
fn should_refuse_shapes_that_overflow_or_never_make_them() {
    for shape in [
        vec![i64::MAX, 2],
        vec![1 << 33, 1 << 33],
        vec![-2],
        vec![i64::MIN],
        vec![0, 0, 0],
    ] {
        let nodes = vec![
            node("Reshape", &["x", "shape"], "r", vec![]),
            node("Reshape", &["r", "back"], "y", vec![]),
        ];
        let constants = vec![constant("shape", &shape), constant("back", &[4])];
        // Of two reshapes in a row only the last counts; then the first is never made, and the result is right.
        if let Ok(model) = load(nodes, constants) {
            let inputs = model.check_inputs(model.smallest_inputs()).unwrap();
            let outputs = model.start(inputs).unwrap().finish();
            assert!(
                outputs.is_err() || outputs.unwrap()[0].shape == [4],
                "{shape:?}"
            );
        }
    }
}

#[test]
fn should_refuse_nodes_that_wait_for_each_other() {
    let nodes = vec![
        node("Add", &["x", "b"], "a", vec![]),
        node("Add", &["a", "x"], "b", vec![]),
        node("Add", &["a", "b"], "y", vec![]),
    ];
    refused(nodes, vec![]);
}

#[test]
fn should_refuse_graphs_within_graphs_without_end() {
    let mut inner = GraphProto {
        node: vec![node("Relu", &["x"], "z", vec![])],
        output: vec![value("z", &[Some(4)])],
        ..GraphProto::default()
    };
    for depth in 0..60 {
        let attribute = |name: &str| AttributeProto {
            name: name.into(),
            r#type: 5,
            g: Some(inner.clone()),
            ..AttributeProto::default()
        };
        inner = GraphProto {
            node: vec![node(
                "If",
                &["x"],
                &format!("z{depth}"),
                vec![attribute("then_branch")],
            )],
            output: vec![value(&format!("z{depth}"), &[Some(4)])],
            ..GraphProto::default()
        };
    }
    let error = refused(inner.node, vec![]);
    assert!(
        matches!(
            error,
            LoadError::NestedTooDeep { .. } | LoadError::Malformed { .. }
        ),
        "{error}"
    );
}

/// An outer product of a million by a thousand numbers that only a branch makes; nothing of it is seen outside.
#[test]
fn should_count_what_the_body_of_a_branch_holds() {
    let branch = |name: &str, nodes: Vec<NodeProto>| AttributeProto {
        name: name.into(),
        r#type: 5,
        g: Some(GraphProto {
            node: nodes,
            name: name.into(),
            output: vec![value(&format!("{name}_y"), &[Some(4)])],
            ..GraphProto::default()
        }),
        ..AttributeProto::default()
    };
    let wide = |rows: i64| {
        let then = vec![
            node("Expand", &["x", "long"], "wide", vec![]),
            node("Exp", &["wide"], "huge", vec![]),
            node(
                "ReduceMax",
                &["huge"],
                "row",
                vec![integers("axes", &[0]), integer("keepdims", 0)],
            ),
            node("Add", &["row", "x"], "then_branch_y", vec![]),
        ];
        let otherwise = vec![node("Relu", &["x"], "else_branch_y", vec![])];
        let nodes = vec![
            node("ReduceMax", &["x"], "largest", vec![integer("keepdims", 0)]),
            node(
                "Cast",
                &["largest"],
                "condition",
                vec![integer("to", OnnxType::Bool as i64)],
            ),
            node(
                "If",
                &["condition"],
                "y",
                vec![
                    branch("then_branch", then),
                    branch("else_branch", otherwise),
                ],
            ),
        ];
        load(nodes, vec![constant("long", &[rows, 4])])
    };
    let small = wide(1 << 10).unwrap();
    let bytes = small.memory().total_bytes();
    assert!(
        bytes > 2 * ((4 * 4) << 10),
        "{bytes} bytes of the branch are not counted"
    );
    let error = wide(1 << 28).unwrap_err();
    assert!(
        matches!(
            error,
            LoadError::TooMuchMemory { .. } | LoadError::NodeTooLarge { .. }
        ),
        "{error}"
    );
}

#[test]
fn should_refuse_a_weight_in_another_file() {
    let mut outside = weights("w", &[4], 1);
    outside.raw_data.clear();
    outside.data_location = Some(1);
    outside.external_data = vec![tract_onnx::pb::StringStringEntryProto {
        key: "location".into(),
        value: "/etc/passwd".into(),
    }];
    let nodes = vec![node("Add", &["x", "w"], "y", vec![])];
    assert_eq!(
        refused(nodes, vec![outside]),
        LoadError::ExternalData { tensor: "w".into() }
    );
}
