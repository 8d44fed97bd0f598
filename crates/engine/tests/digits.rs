//! The engine on a real model: the digits classifier of `examples/models/digits`, against onnxruntime's
//! answers that its training script wrote down, and against itself in every way of running it.

use std::path::PathBuf;

use stoa_engine::{CheckedInputs, InputError, Limits, LoadError, Model, Slicing};
use stoa_types::manifest::{Dimension, Signature, TensorSpec};
use stoa_types::tensor::{DataType, Tensor};

/// onnxruntime adds in another order and fuses; probabilities are at most 1.
const TOLERANCE: f32 = 2e-6;

struct Sample {
    input: Tensor,
    labels: Vec<u64>,
    probabilities: Vec<f32>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/models/digits")
}

fn digits_onnx() -> Vec<u8> {
    std::fs::read(folder().join("digits.onnx")).unwrap()
}

fn spec(name: &str, extent: u64) -> TensorSpec {
    TensorSpec {
        name: name.into(),
        datatype: DataType::FP32,
        shape: vec![
            Dimension::Dynamic {
                name: "batch".into(),
                max: 64,
            },
            Dimension::Fixed(extent),
        ],
    }
}

fn signature() -> Signature {
    Signature {
        inputs: vec![spec("pixels", 64)],
        outputs: vec![spec("probabilities", 10)],
    }
}

fn load(signature: &Signature) -> Result<Model, LoadError> {
    stoa_engine::load(digits_onnx(), signature, Limits::default())
}

fn sample(file: &str) -> Sample {
    let text = std::fs::read_to_string(folder().join("samples").join(file)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let floats = |tensor: &serde_json::Value| -> Vec<f32> {
        let data = tensor["data"].as_array().unwrap();
        data.iter()
            .map(|value| value.as_f64().unwrap() as f32)
            .collect()
    };
    let input = &json["inputs"][0];
    let shape = input["shape"].as_array().unwrap();
    Sample {
        input: Tensor {
            name: input["name"].as_str().unwrap().into(),
            datatype: DataType::FP32,
            shape: shape
                .iter()
                .map(|extent| extent.as_u64().unwrap())
                .collect(),
            data: floats(input)
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        },
        labels: json["expected"]["labels"]
            .as_array()
            .unwrap()
            .iter()
            .map(|label| label.as_u64().unwrap())
            .collect(),
        probabilities: floats(&json["expected"]["outputs"][0]),
    }
}

fn floats(tensor: &Tensor) -> Vec<f32> {
    tensor
        .data
        .as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect()
}

fn run(model: &Model, input: Tensor) -> Tensor {
    let inputs = model.check_inputs(vec![input]).unwrap();
    let mut outputs = model.start(inputs).unwrap().finish().unwrap();
    assert_eq!(outputs.len(), 1);
    outputs.remove(0)
}

#[test]
fn should_agree_with_onnxruntime_and_the_labels() {
    let model = load(&signature()).unwrap();
    for file in ["digits.json", "one-digit.json"] {
        let sample = sample(file);
        let output = run(&model, sample.input.clone());
        assert_eq!(output.name, "probabilities");
        assert_eq!(output.shape, [sample.input.shape[0], 10]);
        let found = floats(&output);
        assert_eq!(found.len(), sample.probabilities.len());
        for (found, expected) in found.iter().zip(&sample.probabilities) {
            assert!(
                (found - expected).abs() <= TOLERANCE,
                "{found} is not {expected}"
            );
        }
        for (row, label) in found.chunks(10).zip(sample.labels) {
            let best = (0..10).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap();
            assert_eq!(best as u64, label);
        }
    }
}

#[test]
fn should_give_the_same_bits_alone_as_in_a_batch() {
    let model = load(&signature()).unwrap();
    let batch = sample("digits.json").input;
    let together = run(&model, batch.clone()).data;
    for (index, row) in batch.data.chunks(64 * 4).enumerate() {
        let alone = Tensor {
            shape: vec![1, 64],
            data: row.to_vec(),
            ..batch.clone()
        };
        assert_eq!(run(&model, alone).data, together[index * 40..][..40]);
    }
}

/// `tests/bits` holds what the inference canister, as Wasm with SIMD, answered: the native engine must give the same
/// bits, and so must every later build of either.
#[test]
fn should_give_the_bits_that_the_canister_gave() {
    let model = load(&signature()).unwrap();
    for name in ["one-digit", "digits"] {
        let output = run(&model, sample(&format!("{name}.json")).input);
        let found: Vec<String> = floats(&output)
            .iter()
            .map(|value| format!("{:08x}", value.to_bits()))
            .collect();
        let file = format!("{}/tests/bits/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(file).unwrap();
        let expected: Vec<&str> = text.split_whitespace().collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn should_give_the_same_bits_in_slices_of_one_node() {
    let model = load(&signature()).unwrap();
    let input = sample("digits.json").input;
    let whole = run(&model, input.clone());
    let inputs = model.check_inputs(vec![input]).unwrap();
    let mut run = model.start(inputs).unwrap();
    let mut slices = 1;
    let outputs = loop {
        match run.step(|| false).unwrap() {
            Slicing::Paused(more) => {
                run = more;
                slices += 1;
            }
            Slicing::Done(outputs) => break outputs,
        }
    };
    assert!(slices > 3, "{slices} slices");
    assert_eq!(outputs, [whole]);
}

#[test]
fn should_say_how_much_memory_a_run_takes() {
    let memory = load(&signature()).unwrap().memory();
    // 17,226 parameters of 4 bytes, and at least a batch of 64 in (packed) and out of the widest layer.
    assert!(
        memory.constant_bytes >= (65 * 128 + 129 * 64 + 65 * 10) * 4,
        "{memory:?}"
    );
    assert!(memory.activation_bytes >= 64 * (64 + 128) * 4, "{memory:?}");
    assert!(memory.total_bytes() < 1 << 20, "{memory:?}");
    let tight = Limits {
        memory_bytes_max: memory.total_bytes() - 1,
        ..Limits::default()
    };
    assert_eq!(
        stoa_engine::load(digits_onnx(), &signature(), tight).unwrap_err(),
        LoadError::TooMuchMemory {
            needed_bytes: memory.total_bytes(),
            max_bytes: memory.total_bytes() - 1
        }
    );
}

#[test]
fn should_refuse_a_signature_that_the_model_does_not_have() {
    let refused = |change: &dyn Fn(&mut Signature)| {
        let mut changed = signature();
        change(&mut changed);
        match load(&changed).unwrap_err() {
            LoadError::SignatureMismatch { field, .. } => field,
            other => panic!("{other}"),
        }
    };
    assert_eq!(
        refused(&|s| s.inputs[0].name = "pixel".into()),
        "inputs[0].name"
    );
    assert_eq!(
        refused(&|s| s.outputs[0].name = "logits".into()),
        "outputs[0].name"
    );
    assert_eq!(
        refused(&|s| s.inputs[0].datatype = DataType::FP64),
        "inputs[0].datatype"
    );
    assert_eq!(
        refused(&|s| s.outputs[0].datatype = DataType::INT64),
        "outputs[0].datatype"
    );
    assert_eq!(
        refused(&|s| s.inputs[0].shape[1] = Dimension::Fixed(63)),
        "inputs[0].shape[1]"
    );
    assert_eq!(
        refused(&|s| s.outputs[0].shape[1] = Dimension::Fixed(11)),
        "outputs[0].shape[1]"
    );
    assert_eq!(
        refused(&|s| s.outputs[0].shape[0] = Dimension::Fixed(1)),
        "outputs[0].shape[0]"
    );
    assert_eq!(
        refused(&|s| s.inputs[0].shape.truncate(1)),
        "inputs[0].shape"
    );
    assert_eq!(refused(&|s| s.inputs.clear()), "inputs");
}

#[test]
fn should_take_a_manifest_that_makes_a_dimension_concrete() {
    let mut fixed = signature();
    fixed.inputs[0].shape[0] = Dimension::Fixed(1);
    fixed.outputs[0].shape[0] = Dimension::Fixed(1);
    let model = load(&fixed).unwrap();
    let input = sample("one-digit.json").input;
    assert_eq!(
        run(&model, input.clone()),
        run(&load(&signature()).unwrap(), input.clone())
    );
    let two = Tensor {
        shape: vec![2, 64],
        data: input.data.repeat(2),
        ..input
    };
    assert!(matches!(
        model.check_inputs(vec![two]),
        Err(InputError::Dimension { axis: 0, .. })
    ));
}

#[test]
fn should_refuse_inputs_that_do_not_fit_before_running() {
    let signature = signature();
    let good = sample("one-digit.json").input;
    let refused = |inputs: Vec<Tensor>| CheckedInputs::new(&signature, inputs).unwrap_err();
    let name = || "pixels".to_owned();
    assert_eq!(refused(vec![]), InputError::Missing { input: name() });
    assert_eq!(
        refused(vec![good.clone(), good.clone()]),
        InputError::Twice { input: name() }
    );
    assert!(matches!(
        refused(vec![Tensor {
            name: "x".into(),
            ..good.clone()
        }]),
        InputError::Unknown { .. }
    ));
    assert!(matches!(
        refused(vec![Tensor {
            datatype: DataType::INT32,
            ..good.clone()
        }]),
        InputError::DataType { .. }
    ));
    assert!(matches!(
        refused(vec![Tensor {
            shape: vec![64],
            ..good.clone()
        }]),
        InputError::Rank {
            expected: 2,
            given: 1,
            ..
        }
    ));
    assert!(matches!(
        refused(vec![Tensor {
            shape: vec![64, 1],
            ..good.clone()
        }]),
        InputError::Dimension {
            axis: 1,
            expected: 64,
            given: 1,
            ..
        }
    ));
    for given in [0, 65, u64::MAX] {
        assert!(matches!(
            refused(vec![Tensor {
                shape: vec![given, 64],
                ..good.clone()
            }]),
            InputError::DimensionOutOfRange {
                axis: 0,
                max: 64,
                ..
            }
        ));
    }
    let mut short = good.clone();
    short.data.pop();
    assert!(matches!(refused(vec![short]), InputError::Data { .. }));
    assert_eq!(
        CheckedInputs::new(&signature, vec![good]).unwrap().units(),
        1
    );
}

#[test]
fn should_refuse_bytes_that_are_no_model() {
    let refused = |bytes: &[u8]| {
        stoa_engine::load(bytes.to_vec(), &signature(), Limits::default()).unwrap_err()
    };
    assert!(matches!(refused(b""), LoadError::Malformed { .. }));
    assert!(matches!(
        refused(b"not a protocol buffer"),
        LoadError::Malformed { .. }
    ));
    let onnx = digits_onnx();
    assert!(matches!(
        refused(&onnx[..onnx.len() / 2]),
        LoadError::Malformed { .. }
    ));
    let tiny = Limits {
        file_bytes_max: 1_000,
        ..Limits::default()
    };
    assert_eq!(
        stoa_engine::load(onnx.clone(), &signature(), tiny).unwrap_err(),
        LoadError::FileTooLarge {
            given_bytes: onnx.len() as u64,
            max_bytes: 1_000
        }
    );
}
