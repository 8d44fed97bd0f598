//! However a load or a run is cut into slices, the bits are the same.

mod building;

use building::{encode, integers, node, noise, value, weights};
use proptest::prelude::*;
use stoa_engine::{Limits, LoadError, Loading, Model, Slicing};
use stoa_types::Sha256;
use stoa_types::manifest::{Dimension, Signature, TensorSpec};
use stoa_types::tensor::{DataType, Tensor};
use tract_onnx::pb::{AttributeProto, GraphProto};

/// A convolution, a depthwise one, and a product of two values that are both computed: 80 million multiply-adds for a
/// batch of one, in products that are large enough to be split.
fn network() -> Vec<u8> {
    let graph = GraphProto {
        node: vec![
            node(
                "Conv",
                &["x", "wide", "bias"],
                "c",
                vec![integers("pads", &[1, 1, 1, 1])],
            ),
            node("Relu", &["c"], "r", vec![]),
            node(
                "Conv",
                &["r", "deep"],
                "d",
                vec![
                    integers("pads", &[1, 1, 1, 1]),
                    AttributeProto {
                        name: "group".into(),
                        r#type: 2,
                        i: 160,
                        ..AttributeProto::default()
                    },
                ],
            ),
            node(
                "Transpose",
                &["d"],
                "t",
                vec![integers("perm", &[0, 1, 3, 2])],
            ),
            node("MatMul", &["d", "t"], "m", vec![]),
            node("MatMul", &["m", "square"], "s", vec![]),
            node("Softmax", &["s"], "y", vec![]),
        ],
        name: "slices".into(),
        initializer: vec![
            weights("wide", &[160, 32, 3, 3], 1),
            weights("bias", &[160], 2),
            weights("deep", &[160, 1, 3, 3], 3),
            weights("square", &[37, 45], 4),
        ],
        input: vec![value("x", &[None, Some(32), Some(37), Some(41)])],
        output: vec![value("y", &[None, Some(160), Some(37), Some(45)])],
        ..GraphProto::default()
    };
    encode(graph)
}

fn signature() -> Signature {
    let spec = |name: &str, extents: [u64; 3]| TensorSpec {
        name: name.into(),
        datatype: DataType::FP32,
        shape: std::iter::once(Dimension::Dynamic {
            name: "batch".into(),
            max: 2,
        })
        .chain(extents.map(Dimension::Fixed))
        .collect(),
    };
    Signature {
        inputs: vec![spec("x", [32, 37, 41])],
        outputs: vec![spec("y", [160, 37, 45])],
    }
}

fn input(batch: u64) -> Tensor {
    let count = batch as usize * 32 * 37 * 41;
    Tensor {
        name: "x".into(),
        datatype: DataType::FP32,
        shape: vec![batch, 32, 37, 41],
        data: noise(9)
            .take(count)
            .flat_map(|value| value.to_le_bytes())
            .collect(),
    }
}

fn whole(model: &Model, batch: u64) -> Vec<Tensor> {
    let inputs = model.check_inputs(vec![input(batch)]).unwrap();
    model.start(inputs).unwrap().finish().unwrap()
}

/// Runs with a budget of questions for each slice; also tells how many slices it took.
fn sliced(model: &Model, batch: u64, budgets: &[u32]) -> (Vec<Tensor>, usize) {
    let inputs = model.check_inputs(vec![input(batch)]).unwrap();
    let mut run = model.start(inputs).unwrap();
    let mut slices = 0;
    loop {
        let mut left = budgets[slices % budgets.len()];
        slices += 1;
        let step = run.step(|| {
            left = left.saturating_sub(1);
            left > 0
        });
        match step.unwrap() {
            Slicing::Paused(more) => run = more,
            Slicing::Done(outputs) => return (outputs, slices),
        }
    }
}

fn load_sliced(onnx: &[u8], budgets: &[u32]) -> (Result<Model, LoadError>, usize) {
    let source = Box::new(onnx.to_vec());
    let mut loading =
        Loading::from_source(source, Sha256::of(onnx), &signature(), Limits::default()).unwrap();
    let mut slices = 0;
    loop {
        let mut left = budgets[slices % budgets.len()];
        slices += 1;
        let step = loading.step_within(&mut || {
            left = left.saturating_sub(1);
            left > 0
        });
        match step {
            Ok(Slicing::Paused(more)) => loading = more,
            Ok(Slicing::Done(model)) => return (Ok(model), slices),
            Err(error) => return (Err(error), slices),
        }
    }
}

#[test]
fn should_give_the_same_bits_however_load_and_run_are_cut() {
    let onnx = network();
    let model = stoa_engine::load(onnx.clone(), &signature(), Limits::default()).unwrap();
    let expected = [whole(&model, 1), whole(&model, 2)];
    let (_, finest) = sliced(&model, 1, &[1]);
    let nodes = {
        let inputs = model.check_inputs(vec![input(1)]).unwrap();
        model.start(inputs).unwrap().progress().1
    };
    assert!(
        finest as u64 > nodes,
        "{finest} slices for {nodes} nodes: no node was split"
    );

    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(12));
    let budgets = prop::collection::vec(1_u32..12, 1..6);
    runner
        .run(&(budgets, 1_u64..3), |(budgets, batch)| {
            let (loaded, _) = load_sliced(&onnx, &budgets);
            let (outputs, _) = sliced(&loaded.unwrap(), batch, &budgets);
            prop_assert_eq!(&outputs, &expected[batch as usize - 1]);
            Ok(())
        })
        .unwrap();
}

#[test]
fn should_do_something_in_every_slice_of_a_load() {
    let onnx = network();
    let (model, slices) = load_sliced(&onnx, &[1]);
    let (coarse, few) = load_sliced(&onnx, &[u32::MAX]);
    assert_eq!(few, 1);
    assert!(slices > 20, "{slices}");
    assert_eq!(whole(&model.unwrap(), 1), whole(&coarse.unwrap(), 1));
}

#[test]
fn should_refuse_a_file_that_does_not_hash_to_its_name() {
    let onnx = network();
    let expected = Sha256([7; 32]);
    let mut loading = Loading::from_source(
        Box::new(onnx.clone()),
        expected,
        &signature(),
        Limits::default(),
    )
    .unwrap();
    let refused = loop {
        match loading.step_within(&mut || false) {
            Ok(Slicing::Paused(more)) => loading = more,
            Ok(Slicing::Done(_)) => panic!("it was loaded"),
            Err(error) => break error,
        }
    };
    assert_eq!(
        refused,
        LoadError::WrongHash {
            expected,
            found: Sha256::of(&onnx)
        }
    );
}

#[test]
fn should_name_a_node_that_is_too_large_to_run_in_one_piece() {
    let limits = Limits {
        unit_multiply_adds_max: 1_000_000,
        ..Limits::default()
    };
    let refused = stoa_engine::load(network(), &signature(), limits).unwrap_err();
    assert!(
        matches!(refused, LoadError::NodeTooLarge { .. }),
        "{refused}"
    );
}
