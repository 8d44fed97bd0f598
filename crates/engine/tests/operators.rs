//! Many operators, natively and as the canister's Wasm gave them: the same bits. `operators/make.py` makes the model,
//! `operators/wasm.txt` holds a hash of each operator's result as an inference canister answered it.

use std::path::PathBuf;

use stoa_engine::Limits;
use stoa_types::Sha256;
use stoa_types::manifest::{Dimension, Signature, TensorSpec};
use stoa_types::tensor::{DataType, Tensor};

fn read(file: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/operators");
    std::fs::read_to_string(folder.join(file)).unwrap()
}

fn spec(name: &str, datatype: DataType, shape: &[u64]) -> TensorSpec {
    TensorSpec {
        name: name.into(),
        datatype,
        shape: shape
            .iter()
            .map(|extent| Dimension::Fixed(*extent))
            .collect(),
    }
}

/// Output, operator, elements.
fn layout() -> Vec<(String, String, u64)> {
    let text = read("layout.txt");
    let lines = text.lines().map(|line| {
        let mut words = line.split(' ').map(str::to_owned);
        let mut next = || words.next().unwrap();
        (next(), next(), next().parse().unwrap())
    });
    lines.collect()
}

fn results() -> Vec<String> {
    let layout = layout();
    let kinds = [
        ("fp32", DataType::FP32),
        ("fp64", DataType::FP64),
        ("fp16", DataType::FP16),
    ];
    let outputs = kinds.map(|(name, datatype)| {
        let own = layout.iter().filter(|(output, ..)| output == name);
        spec(name, datatype, &[own.map(|(.., elements)| elements).sum()])
    });
    let signature = Signature {
        inputs: vec![spec("image", DataType::FP32, &[1, 6, 9, 11])],
        outputs: outputs.to_vec(),
    };
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/operators");
    let onnx = std::fs::read(folder.join("operators.onnx")).unwrap();
    let model = stoa_engine::load(onnx, &signature, Limits::default()).unwrap();
    let words = read("input.txt");
    let image = Tensor {
        name: "image".into(),
        datatype: DataType::FP32,
        shape: vec![1, 6, 9, 11],
        data: words
            .split_whitespace()
            .flat_map(|word| u32::from_str_radix(word, 16).unwrap().to_le_bytes())
            .collect(),
    };
    let inputs = model.check_inputs(vec![image]).unwrap();
    let outputs = model.start(inputs).unwrap().finish().unwrap();

    let mut lines = Vec::new();
    for output in &outputs {
        let size = output.datatype.element_size_bytes().unwrap() as usize;
        let mut data = output.data.as_slice();
        for (_, operator, elements) in layout.iter().filter(|(name, ..)| *name == output.name) {
            let (own, rest) = data.split_at(*elements as usize * size);
            let hash = Sha256::of(own).to_string();
            lines.push(format!("{} {operator} {}", output.name, &hash[..16]));
            data = rest;
        }
        assert!(data.is_empty());
    }
    lines
}

#[test]
fn should_give_the_bits_that_the_canister_gave_for_every_operator() {
    let found = results();
    let text = read("wasm.txt");
    let expected: Vec<&str> = text.lines().collect();
    let differ: Vec<&String> = found
        .iter()
        .filter(|line| !expected.contains(&line.as_str()))
        .collect();
    assert!(
        differ.is_empty(),
        "{} of {}: {differ:#?}",
        differ.len(),
        found.len()
    );
    assert_eq!(found.len(), expected.len());
}
