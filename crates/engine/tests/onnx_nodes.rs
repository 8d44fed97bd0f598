//! The node tests of the package `onnx` through the engine: what is supported computes what ONNX says, what is not is
//! refused when the model is loaded, and nothing is wrong. `onnx_nodes/table.md` is the result that is committed;
//! `STOA_UPDATE=1 cargo test` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use prost::Message;
use stoa_engine::{Limits, LoadError};
use stoa_types::manifest::{Dimension, Signature, TensorSpec};
use stoa_types::tensor::{DataType, Tensor};
use tract_onnx::pb::tensor_proto::DataType as OnnxType;
use tract_onnx::pb::{ModelProto, TensorProto};

struct Case {
    name: String,
    operator: String,
    relative: f64,
    absolute: f64,
    kind: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Outcome {
    Pass,
    Unsupported(String),
    Wrong(String),
}

fn target() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/onnx-nodes")
}

fn cases() -> Vec<Case> {
    let path = target().join("cases.txt");
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}: run scripts/setup", path.display()));
    let lines = text.lines().map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        Case {
            name: words[0].into(),
            operator: words[1].into(),
            relative: words[2].parse().unwrap(),
            absolute: words[3].parse().unwrap(),
            kind: words[4].into(),
        }
    });
    lines.collect()
}

fn datatype(kind: i32) -> Option<DataType> {
    Some(match OnnxType::try_from(kind).ok()? {
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

/// `None` for a type that the engine's tensors do not have.
fn tensor(path: &Path) -> Option<Tensor> {
    let proto = TensorProto::decode(std::fs::read(path).unwrap().as_slice()).unwrap();
    let datatype = datatype(proto.data_type)?;
    let data = if datatype == DataType::BYTES {
        let mut data = Vec::new();
        for text in &proto.string_data {
            data.extend((text.len() as u32).to_le_bytes());
            data.extend(text);
        }
        data
    } else if !proto.raw_data.is_empty() {
        proto.raw_data.clone()
    } else {
        let mut data = Vec::new();
        for value in &proto.float_data {
            data.extend(value.to_le_bytes());
        }
        for value in &proto.double_data {
            data.extend(value.to_le_bytes());
        }
        for value in &proto.int64_data {
            data.extend(value.to_le_bytes());
        }
        let size = datatype.element_size_bytes().unwrap() as usize;
        for value in &proto.uint64_data {
            data.extend(&value.to_le_bytes()[..size]);
        }
        for value in &proto.int32_data {
            data.extend(&value.to_le_bytes()[..size.min(4)]);
        }
        data
    };
    Some(Tensor {
        name: proto.name,
        datatype,
        shape: proto.dims.iter().map(|extent| *extent as u64).collect(),
        data,
    })
}

fn tensors(folder: &Path, prefix: &str) -> Option<Vec<Tensor>> {
    (0..)
        .map(|index| folder.join(format!("{prefix}_{index}.pb")))
        .take_while(|path| path.exists())
        .map(|path| tensor(&path))
        .collect()
}

fn specs(tensors: &[Tensor]) -> Vec<TensorSpec> {
    let spec = |tensor: &Tensor| TensorSpec {
        name: tensor.name.clone(),
        datatype: tensor.datatype,
        shape: tensor
            .shape
            .iter()
            .map(|extent| Dimension::Fixed(*extent))
            .collect(),
    };
    tensors.iter().map(spec).collect()
}

fn run(case: &Case) -> Outcome {
    if case.kind != "tensors" {
        return Outcome::Unsupported(format!("takes or gives a {}", case.kind));
    }
    let folder = target().join(&case.name);
    let onnx = std::fs::read(folder.join("model.onnx")).unwrap();
    let (Some(inputs), Some(expected)) = (tensors(&folder, "input"), tensors(&folder, "output"))
    else {
        return Outcome::Unsupported("a data type that tensors do not have".into());
    };
    let proto = ModelProto::decode(onnx.as_slice()).unwrap();
    if proto.graph.unwrap().output.len() != expected.len() {
        return Outcome::Unsupported("an output that is left out".into());
    }
    let signature = Signature {
        inputs: specs(&inputs),
        outputs: specs(&expected),
    };
    let model = match stoa_engine::load(onnx, &signature, Limits::default()) {
        Ok(model) => model,
        Err(LoadError::UnsupportedOperator { operator, .. }) => {
            return Outcome::Unsupported(format!("operator {operator}"));
        }
        Err(LoadError::NotReproducible { reason, .. }) => return Outcome::Unsupported(reason),
        Err(error) => return Outcome::Unsupported(kind(&error).into()),
    };
    let inputs = match model.check_inputs(inputs) {
        Ok(inputs) => inputs,
        Err(error) => return Outcome::Wrong(format!("input refused: {error}")),
    };
    let outputs = match model.start(inputs).and_then(|run| run.finish()) {
        Ok(outputs) => outputs,
        // An error is an answer that nobody takes for a result.
        Err(_) => return Outcome::Unsupported("stops with an error when it runs".into()),
    };
    for (found, expected) in outputs.iter().zip(&expected) {
        if let Err(difference) = compare(found, expected, case.relative, case.absolute) {
            return Outcome::Wrong(format!("`{}`: {difference}", expected.name));
        }
    }
    Outcome::Pass
}

fn kind(error: &LoadError) -> &'static str {
    match error {
        LoadError::Malformed { .. } => "refused: a form of the file that is not supported",
        LoadError::SignatureMismatch { .. } => "refused: another type or shape than ONNX says",
        LoadError::DynamicShape { .. } => "refused: a shape that depends on values",
        LoadError::Analysis { .. } => "refused while types and shapes are worked out",
        LoadError::Optimisation { .. } => "refused while it is optimised",
        LoadError::Panicked { .. } => "refused: a bug inside of tract",
        LoadError::TooMuchMemory { .. } | LoadError::NodeTooLarge { .. } => "refused: too large",
        _ => "refused",
    }
}

fn compare(found: &Tensor, expected: &Tensor, relative: f64, absolute: f64) -> Result<(), String> {
    if (found.datatype, &found.shape) != (expected.datatype, &expected.shape) {
        return Err(format!(
            "{} {:?}, not {} {:?}",
            found.datatype, found.shape, expected.datatype, expected.shape
        ));
    }
    let (Some(a), Some(b)) = (floats(found), floats(expected)) else {
        return if found.data == expected.data {
            Ok(())
        } else {
            Err("other values".into())
        };
    };
    // Two neighbours of a number of FP16 are up to 2^-9 of it apart.
    let relative = if found.datatype == DataType::FP16 {
        relative.max(2_f64.powi(-9))
    } else {
        relative
    };
    for (index, (a, b)) in a.into_iter().zip(b).enumerate() {
        let same = a == b || a.is_nan() && b.is_nan();
        let near = (a - b).abs() <= absolute.max(1e-6) + relative * b.abs();
        if !same && !near {
            return Err(format!("element {index} is {a}, not {b}"));
        }
    }
    Ok(())
}

fn floats(tensor: &Tensor) -> Option<Vec<f64>> {
    let data = &tensor.data;
    Some(match tensor.datatype {
        DataType::FP32 => data
            .as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| f64::from(f32::from_le_bytes(*bytes)))
            .collect(),
        DataType::FP64 => data
            .as_chunks::<8>()
            .0
            .iter()
            .map(|bytes| f64::from_le_bytes(*bytes))
            .collect(),
        DataType::FP16 => data
            .as_chunks::<2>()
            .0
            .iter()
            .map(|bytes| tract_onnx::prelude::f16::from_bits(u16::from_le_bytes(*bytes)).to_f64())
            .collect(),
        _ => return None,
    })
}

#[test]
fn should_compute_what_onnx_says_or_refuse() {
    // A panic inside of tract is turned into a refusal; its message would only fill the screen.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let outcomes: Vec<(Case, Outcome)> = cases()
        .into_iter()
        .map(|case| {
            let outcome = run(&case);
            (case, outcome)
        })
        .collect();
    std::panic::set_hook(hook);

    let table = table(&outcomes);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/onnx_nodes/table.md");
    if std::env::var_os("STOA_UPDATE").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    let wrong: Vec<String> = outcomes
        .iter()
        .filter_map(|(case, outcome)| match outcome {
            Outcome::Wrong(reason) => Some(format!("{}: {reason}", case.name)),
            _ => None,
        })
        .collect();
    assert!(wrong.is_empty(), "{} are wrong: {wrong:#?}", wrong.len());
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == table,
        "tests/onnx_nodes/table.md is not what the engine does now; STOA_UPDATE=1 writes it anew"
    );
}

fn table(outcomes: &[(Case, Outcome)]) -> String {
    #[derive(Default)]
    struct Counts {
        pass: u32,
        unsupported: u32,
        wrong: u32,
        reasons: BTreeMap<String, u32>,
    }
    let mut operators: BTreeMap<&str, Counts> = BTreeMap::new();
    let mut total = Counts::default();
    for (case, outcome) in outcomes {
        let counts = operators.entry(&case.operator).or_default();
        match outcome {
            Outcome::Pass => {
                counts.pass += 1;
                total.pass += 1;
            }
            Outcome::Unsupported(reason) => {
                counts.unsupported += 1;
                total.unsupported += 1;
                *counts.reasons.entry(reason.clone()).or_default() += 1;
            }
            Outcome::Wrong(_) => {
                counts.wrong += 1;
                total.wrong += 1;
            }
        }
    }
    let mut text = format!(
        "# ONNX operators\n\n\
         The node tests that the PyPI package `onnx` ships (`onnx.backend.test`), through the engine: {} pass, {} are \
         not supported and refused, {} are wrong. Written by `crates/engine/tests/onnx_nodes.rs`. `(several)` are tests \
         of more than one node, mostly an operator written out as others.\n\n\
         | operator | pass | unsupported | wrong | why not |\n|---|---|---|---|---|\n",
        total.pass, total.unsupported, total.wrong
    );
    for (operator, counts) in operators {
        let reasons: Vec<String> = counts
            .reasons
            .iter()
            .map(|(reason, count)| format!("{reason} ({count})"))
            .collect();
        let line = writeln!(
            text,
            "| {operator} | {} | {} | {} | {} |",
            counts.pass,
            counts.unsupported,
            counts.wrong,
            reasons.join("; ")
        );
        line.unwrap();
    }
    text
}
