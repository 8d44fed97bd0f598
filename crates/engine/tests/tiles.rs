//! Products of matrices of three axes with repeated operands (`Tile`, `Expand`), against a product written out.

mod building;

use building::{constant, encode, node, noise, value, weights};
use stoa_engine::{Limits, Model};
use stoa_types::manifest::{Dimension, Signature, TensorSpec};
use stoa_types::tensor::{DataType, Tensor};
use tract_onnx::pb::{GraphProto, NodeProto, TensorProto};

const BATCH: usize = 3;
const ROWS: usize = 4;
const INNER: usize = 5;
const COLUMNS: usize = 6;

fn spec(name: &str, shape: &[usize]) -> TensorSpec {
    let fixed = |extent: &usize| Dimension::Fixed(*extent as u64);
    TensorSpec {
        name: name.into(),
        datatype: DataType::FP32,
        shape: shape.iter().map(fixed).collect(),
    }
}

fn load(
    nodes: Vec<NodeProto>,
    initializer: Vec<TensorProto>,
    input: &[usize],
) -> Result<Model, stoa_engine::LoadError> {
    let dims = |shape: &[usize]| -> Vec<Option<i64>> {
        shape.iter().map(|extent| Some(*extent as i64)).collect()
    };
    let output = [BATCH, ROWS, COLUMNS];
    let graph = GraphProto {
        node: nodes,
        name: "tiles".into(),
        initializer,
        input: vec![value("x", &dims(input))],
        output: vec![value("y", &dims(&output))],
        ..GraphProto::default()
    };
    let signature = Signature {
        inputs: vec![spec("x", input)],
        outputs: vec![spec("y", &output)],
    };
    stoa_engine::load(encode(graph), &signature, Limits::default())
}

fn numbers(count: usize, seed: u32) -> Vec<f32> {
    noise(seed).take(count).collect()
}

fn run(model: &Model, shape: &[usize], x: &[f32]) -> Vec<f32> {
    let tensor = Tensor {
        name: "x".into(),
        datatype: DataType::FP32,
        shape: shape.iter().map(|extent| *extent as u64).collect(),
        data: x.iter().flat_map(|value| value.to_le_bytes()).collect(),
    };
    let inputs = model.check_inputs(vec![tensor]).unwrap();
    let outputs = model.start(inputs).unwrap().finish().unwrap();
    assert_eq!(
        outputs[0].shape,
        [BATCH, ROWS, COLUMNS].map(|extent| extent as u64)
    );
    let number = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap());
    outputs[0].data.chunks_exact(4).map(number).collect()
}

/// `left` and `right` say where an element of either operand is: (batch, row, column) to index.
fn product(
    left: (&[f32], impl Fn(usize, usize, usize) -> usize),
    right: (&[f32], impl Fn(usize, usize, usize) -> usize),
) -> Vec<f32> {
    let mut result = Vec::new();
    for batch in 0..BATCH {
        for row in 0..ROWS {
            for column in 0..COLUMNS {
                let sum = (0..INNER).fold(0.0, |sum, k| {
                    sum + left.0[left.1(batch, row, k)] * right.0[right.1(batch, k, column)]
                });
                result.push(sum);
            }
        }
    }
    result
}

fn expect_close(name: &str, found: &[f32], expected: &[f32]) {
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() < 1e-5,
            "{name}: {found}, not {expected}"
        );
    }
}

/// What the weights of `building` hold.
fn weight(count: usize, seed: u32) -> Vec<f32> {
    numbers(count, seed)
        .iter()
        .map(|value| value * 0.1)
        .collect()
}

/// `repeats` of a `Tile`, or the shape of an `Expand`.
fn repeated(operator: &str, of: &str) -> NodeProto {
    node(operator, &[of, "how"], "t", vec![])
}

#[test]
fn should_multiply_what_was_repeated() {
    for operator in ["Tile", "Expand"] {
        let how = |tile: [i64; 3], shape: [i64; 3]| {
            constant("how", if operator == "Tile" { &tile } else { &shape })
        };
        // The left operand is repeated over the batch, and multiplied with one matrix for all, or for each.
        let left = [1, ROWS, INNER];
        let x = numbers(ROWS * INNER, 7);
        let over_batch = how(
            [BATCH as i64, 1, 1],
            [BATCH as i64, ROWS as i64, INNER as i64],
        );
        for (name, dims) in [
            ("one for all", vec![INNER as i64, COLUMNS as i64]),
            (
                "one for all, with an axis",
                vec![1, INNER as i64, COLUMNS as i64],
            ),
            ("each", vec![BATCH as i64, INNER as i64, COLUMNS as i64]),
        ] {
            let own = dims[0] == BATCH as i64;
            let nodes = vec![
                repeated(operator, "x"),
                node("MatMul", &["t", "w"], "y", vec![]),
            ];
            let count = dims.iter().product::<i64>() as usize;
            let w = weight(count, 3);
            let model = load(
                nodes,
                vec![over_batch.clone(), weights("w", &dims, 3)],
                &left,
            )
            .unwrap();
            let expected = product(
                (&x, |_, row, k| row * INNER + k),
                (&w, |batch, k, column| {
                    (if own { batch * INNER * COLUMNS } else { 0 }) + k * COLUMNS + column
                }),
            );
            expect_close(
                &format!("{operator}, left, {name}"),
                &run(&model, &left, &x),
                &expected,
            );
        }
        // The right operand is repeated over the batch; the weights are the left.
        let right = [1, INNER, COLUMNS];
        let x = numbers(INNER * COLUMNS, 8);
        let over_batch = how(
            [BATCH as i64, 1, 1],
            [BATCH as i64, INNER as i64, COLUMNS as i64],
        );
        for dims in [
            vec![ROWS as i64, INNER as i64],
            vec![BATCH as i64, ROWS as i64, INNER as i64],
        ] {
            let own = dims.len() == 3;
            let nodes = vec![
                repeated(operator, "x"),
                node("MatMul", &["w", "t"], "y", vec![]),
            ];
            let count = dims.iter().product::<i64>() as usize;
            let w = weight(count, 4);
            let model = load(
                nodes,
                vec![over_batch.clone(), weights("w", &dims, 4)],
                &right,
            )
            .unwrap();
            let expected = product(
                (&w, |batch, row, k| {
                    (if own { batch * ROWS * INNER } else { 0 }) + row * INNER + k
                }),
                (&x, |_, k, column| k * COLUMNS + column),
            );
            expect_close(
                &format!("{operator}, right, {dims:?}"),
                &run(&model, &right, &x),
                &expected,
            );
        }
        // Rows are repeated, of a vector and of several.
        let x = numbers(BATCH * INNER, 9);
        let shape = [BATCH, 1, INNER];
        let over_rows = how(
            [1, ROWS as i64, 1],
            [BATCH as i64, ROWS as i64, INNER as i64],
        );
        for dims in [
            vec![INNER as i64, COLUMNS as i64],
            vec![BATCH as i64, INNER as i64, COLUMNS as i64],
        ] {
            let own = dims.len() == 3;
            let nodes = vec![
                repeated(operator, "x"),
                node("MatMul", &["t", "w"], "y", vec![]),
            ];
            let count = dims.iter().product::<i64>() as usize;
            let w = weight(count, 5);
            let model = load(
                nodes,
                vec![over_rows.clone(), weights("w", &dims, 5)],
                &shape,
            )
            .unwrap();
            let expected = product(
                (&x, |batch, _, k| batch * INNER + k),
                (&w, |batch, k, column| {
                    (if own { batch * INNER * COLUMNS } else { 0 }) + k * COLUMNS + column
                }),
            );
            expect_close(
                &format!("{operator}, rows, {dims:?}"),
                &run(&model, &shape, &x),
                &expected,
            );
        }
    }
}

/// Of the axis that is summed over: what is there once counts as often as it is repeated.
#[test]
fn should_sum_over_what_was_repeated_as_often_as_it_was() {
    for operator in ["Tile", "Expand"] {
        let tile = |name: &str, tile: [i64; 3], shape: [usize; 3]| {
            let shape = shape.map(|extent| extent as i64);
            constant(name, if operator == "Tile" { &tile } else { &shape })
        };
        // Along the sum only, against weights that are all there.
        let shape = [BATCH, ROWS, 1];
        let x = numbers(BATCH * ROWS, 11);
        let nodes = vec![
            repeated(operator, "x"),
            node("MatMul", &["t", "w"], "y", vec![]),
        ];
        let dims = [INNER as i64, COLUMNS as i64];
        let how = tile("how", [1, 1, INNER as i64], [BATCH, ROWS, INNER]);
        let model = load(nodes, vec![how, weights("w", &dims, 6)], &shape).unwrap();
        let w = weight(INNER * COLUMNS, 6);
        let expected = product(
            (&x, |batch, row, _| batch * ROWS + row),
            (&w, |_, k, column| k * COLUMNS + column),
        );
        expect_close(operator, &run(&model, &shape, &x), &expected);

        // Both operands are one number for each of the batch.
        let nodes = vec![
            repeated(operator, "x"),
            node(operator, &["x", "how else"], "u", vec![]),
            node("MatMul", &["t", "u"], "y", vec![]),
        ];
        let how = [
            tile("how", [1, ROWS as i64, INNER as i64], [BATCH, ROWS, INNER]),
            tile(
                "how else",
                [1, INNER as i64, COLUMNS as i64],
                [BATCH, INNER, COLUMNS],
            ),
        ];
        let shape = [BATCH, 1, 1];
        let model = load(nodes, how.into(), &shape).unwrap();
        let x = numbers(BATCH, 12);
        let of = |batch: usize, _: usize, _: usize| batch;
        let expected = product((&x, of), (&x, of));
        expect_close(operator, &run(&model, &shape, &x), &expected);
    }
}
