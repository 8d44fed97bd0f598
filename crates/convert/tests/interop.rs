//! Converted models against TensorFlow.js itself (`@tensorflow/tfjs-layers` under Node, its CPU backend): the engine runs what
//! the converter wrote, and gives what TensorFlow.js computes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use stoa_engine::{Limits, Model, OpenDimension, propose_signature};
use stoa_types::manifest::Dimension;
use stoa_types::tensor::{DataType, Tensor};

/// Both compute in 32 bits, in another order; TensorFlow.js approximates `erf` to 1.5e-7.
const TOLERANCE: f64 = 2e-5;

#[derive(Serialize, Deserialize, Clone)]
struct Case {
    inputs: Vec<Numbers>,
    #[serde(default)]
    outputs: Vec<Numbers>,
}

#[derive(Serialize, Deserialize, Clone)]
struct Numbers {
    shape: Vec<u64>,
    data: Vec<f64>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

fn node(arguments: &[&str]) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop");
    assert!(
        folder.join("node_modules/@tensorflow/tfjs-layers").is_dir(),
        "the npm packages of this test are missing: run scripts/setup, or `npm ci` in {}",
        folder.display()
    );
    let output = Command::new("node")
        .arg("models.mjs")
        .args(arguments)
        .current_dir(&folder)
        .stderr(Stdio::piped())
        .output()
        .expect("cannot run `node`: install Node.js 20 or newer");
    assert!(
        output.status.success(),
        "node ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn converted(folder: &Path) -> Vec<u8> {
    let json = std::fs::read_to_string(folder.join("model.json")).unwrap();
    assert!(stoa_convert::is_tensorflow_js(&json));
    stoa_convert::tensorflow_js(&json, |path| std::fs::read(folder.join(path)))
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

fn load(onnx: Vec<u8>) -> Model {
    let choose = |open: &OpenDimension| Dimension::Dynamic {
        name: open.name.clone(),
        max: 64,
    };
    let signature = propose_signature(&onnx, &Limits::default(), choose).unwrap();
    stoa_engine::load(onnx, &signature, Limits::default()).unwrap()
}

#[allow(clippy::cast_possible_truncation)]
fn tensor(name: &str, datatype: DataType, numbers: &Numbers) -> Tensor {
    let bytes = |value: &f64| match datatype {
        DataType::INT32 => (*value as i32).to_le_bytes(),
        DataType::FP32 => (*value as f32).to_le_bytes(),
        other => panic!("a converted model takes no {other}"),
    };
    Tensor {
        name: name.to_owned(),
        datatype,
        shape: numbers.shape.clone(),
        data: numbers.data.iter().flat_map(bytes).collect(),
    }
}

fn run(model: &Model, case: &Case) -> Vec<Tensor> {
    let inputs = model
        .signature()
        .inputs
        .iter()
        .zip(&case.inputs)
        .map(|(spec, numbers)| tensor(&spec.name, spec.datatype, numbers))
        .collect();
    let checked = model.check_inputs(inputs).unwrap();
    model
        .start(checked)
        .and_then(stoa_engine::Run::finish)
        .unwrap()
}

fn floats(tensor: &Tensor) -> Vec<f64> {
    let words = tensor.data.chunks_exact(4);
    words
        .map(|word| f64::from(f32::from_le_bytes(word.try_into().unwrap())))
        .collect()
}

fn assert_equal(what: &str, model: &Model, case: &Case) {
    assert!(!case.outputs.is_empty(), "{what}: nothing to compare with");
    let outputs = run(model, case);
    assert_eq!(outputs.len(), case.outputs.len(), "{what}");
    for (ours, theirs) in outputs.iter().zip(&case.outputs) {
        assert_eq!(ours.shape, theirs.shape, "{what}: {}", ours.name);
        for (index, (our, their)) in floats(ours).iter().zip(&theirs.data).enumerate() {
            assert!(
                (our - their).abs() <= TOLERANCE * (1.0 + their.abs()),
                "{what}: {}[{index}] is {our}, TensorFlow.js computes {their}",
                ours.name
            );
        }
    }
}

fn cases(json: &[u8]) -> Vec<Case> {
    serde_json::from_slice(json).unwrap()
}

#[test]
fn should_compute_what_tensorflow_js_computes() {
    let folder = tempfile::tempdir().unwrap();
    node(&["make", folder.path().to_str().unwrap()]);
    let mut models: Vec<PathBuf> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    models.sort();
    assert!(models.len() >= 9, "{models:?}");
    for model in models {
        let name = model.file_name().unwrap().to_str().unwrap().to_owned();
        let onnx = converted(&model);
        assert_eq!(
            onnx,
            converted(&model),
            "{name}: equal files give equal bytes"
        );
        let loaded = load(onnx);
        for case in cases(&std::fs::read(model.join("cases.json")).unwrap()) {
            assert_equal(&name, &loaded, &case);
        }
    }
}

/// A published model, kept beside the checkout because it is not the project's own. Its check is optional.
#[test]
fn should_compute_what_tensorflow_js_computes_with_a_published_spam_filter() {
    let folder = std::env::var_os("STOA_SHARED_MODELS")
        .map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/models"),
            PathBuf::from,
        )
        .join("spam-detection");
    if !folder.join("model.json").is_file() {
        eprintln!(
            "\n*** LEFT OUT: there is no {}; name the folder above it in STOA_SHARED_MODELS to check the published spam filter\n",
            folder.display()
        );
        return;
    }
    let model = load(converted(&folder));
    // 20 word numbers each: texts of several lengths, padded with 0, and every word of the vocabulary once.
    let sentence = |words: &[f64]| {
        let mut ids = words.to_vec();
        ids.resize(20, 0.0);
        ids
    };
    let mut rows = vec![
        sentence(&[]),
        sentence(&[1.0, 3.0, 4.0, 2.0]),
        (0..20).map(|word| f64::from(1983 + word)).collect(),
    ];
    rows.extend((0..61).map(|row| {
        (0..20)
            .map(|word| f64::from((row * 33 + word * 7) % 2003))
            .collect()
    }));
    let case = Case {
        inputs: vec![Numbers {
            shape: vec![rows.len() as u64, 20],
            data: rows.concat(),
            kind: Some("int32".to_owned()),
        }],
        outputs: Vec::new(),
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    serde_json::to_writer(&file, &[&case]).unwrap();
    let answers = node(&[
        "run",
        folder.canonicalize().unwrap().to_str().unwrap(),
        file.path().to_str().unwrap(),
    ]);
    for case in cases(&answers) {
        assert_equal("spam-detection", &model, &case);
    }
}
