//! all-MiniLM-L6-v2 from texts to embeddings, against onnxruntime's (`examples/models/minilm/make.py`).

use std::path::PathBuf;

use stoa_engine::{Limits, Model, Pipeline, Slicing};
use stoa_types::manifest::{self, Dimension, Signature, TensorSpec};
use stoa_types::pipeline::{
    Answer, AnswerKind, Embedding, Input, Padding, PaddingLength, PipelineKind, Pooling, Side,
    TextInput, TextPipeline,
};
use stoa_types::tensor::DataType;

const TOLERANCE: f32 = 1e-4;

fn read(path: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path);
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}: run scripts/setup", path.display()))
}

fn dynamic(name: &str, max: u64) -> Dimension {
    Dimension::Dynamic {
        name: name.into(),
        max,
    }
}

/// As `examples/models/minilm/model.toml` has it.
fn signature() -> Signature {
    let ids = ["input_ids", "attention_mask", "token_type_ids"].map(|name| TensorSpec {
        name: name.into(),
        datatype: DataType::INT64,
        shape: vec![dynamic("texts", 32), dynamic("tokens", 256)],
    });
    Signature {
        inputs: ids.into(),
        outputs: vec![TensorSpec {
            name: "last_hidden_state".into(),
            datatype: DataType::FP32,
            shape: vec![
                dynamic("texts", 32),
                dynamic("tokens", 256),
                Dimension::Fixed(384),
            ],
        }],
    }
}

fn pipeline() -> Pipeline {
    let description = manifest::Pipeline {
        model: "minilm.onnx".into(),
        kind: PipelineKind::Text(TextPipeline {
            tokenizer: "tokenizer.json".into(),
            ids: "input_ids".into(),
            mask: Some("attention_mask".into()),
            types: Some("token_type_ids".into()),
            tokens_max: 256,
            padding: Padding {
                token: "[PAD]".into(),
                side: Side::Right,
                length: PaddingLength::Longest,
            },
            answer: AnswerKind::Embedding(Embedding {
                output: "last_hidden_state".into(),
                pooling: Pooling::Mean,
                normalise: true,
            }),
        }),
        labels: vec![],
    };
    let tokenizer = read("target/models/minilm/tokenizer.json");
    assert_eq!(Pipeline::files(&description), ["tokenizer.json"]);
    Pipeline::new(
        &description,
        &signature(),
        &[("tokenizer.json", &tokenizer)],
    )
    .unwrap()
}

fn embed(model: &Model, pipeline: &Pipeline, texts: &[&str]) -> (Vec<Vec<f32>>, u64) {
    let texts = texts.iter().map(|text| TextInput {
        text: (*text).into(),
        pair: None,
    });
    let prepared = pipeline.prepare(Input::Texts(texts.collect())).unwrap();
    let outputs = model.start(prepared.inputs).unwrap().finish().unwrap();
    match pipeline.answer(&prepared.context, outputs).unwrap() {
        Answer::Embeddings(vectors) => (vectors, prepared.context.tokens),
        other => panic!("{other:?}"),
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| f64::from(*a) * f64::from(*b))
        .sum()
}

#[test]
fn should_embed_as_onnxruntime_does() {
    let onnx = read("target/models/minilm/minilm.onnx");
    let model = stoa_engine::load(onnx, &signature(), Limits::default()).unwrap();
    let pipeline = pipeline();
    let samples: serde_json::Value =
        serde_json::from_slice(&read("examples/models/minilm/samples/sentences.json")).unwrap();
    let sentences = samples["sentences"].as_array().unwrap();
    let mut vectors = Vec::new();
    for sentence in sentences {
        let (found, tokens) = embed(&model, &pipeline, &[sentence["text"].as_str().unwrap()]);
        assert_eq!(tokens, sentence["tokens"].as_u64().unwrap());
        let expected = sentence["embedding"].as_array().unwrap();
        assert_eq!(found[0].len(), expected.len());
        for (found, expected) in found[0].iter().zip(expected) {
            let expected = expected.as_f64().unwrap() as f32;
            assert!(
                (found - expected).abs() <= TOLERANCE,
                "{found} is not {expected}"
            );
        }
        vectors.extend(found);
    }
    for (a, row) in vectors.iter().zip(samples["cosines"].as_array().unwrap()) {
        for (b, expected) in vectors.iter().zip(row.as_array().unwrap()) {
            let (found, expected) = (cosine(a, b), expected.as_f64().unwrap());
            assert!(
                (found - expected).abs() <= 1e-4,
                "{found} is not {expected}"
            );
        }
    }

    // Padding beside a longer text changes nothing that is seen.
    let texts: Vec<&str> = sentences[..3]
        .iter()
        .map(|sentence| sentence["text"].as_str().unwrap())
        .collect();
    let (together, _) = embed(&model, &pipeline, &texts);
    for (a, b) in together.iter().zip(&vectors) {
        assert!(cosine(a, b) > 0.999_999);
    }

    // A slice of a run goes on where it stopped.
    let input = Input::Texts(vec![TextInput {
        text: texts[0].into(),
        pair: None,
    }]);
    let prepared = pipeline.prepare(input).unwrap();
    let mut run = model.start(prepared.inputs).unwrap();
    let outputs = loop {
        match run.step(|| false).unwrap() {
            Slicing::Paused(more) => run = more,
            Slicing::Done(outputs) => break outputs,
        }
    };
    let answer = pipeline.answer(&prepared.context, outputs).unwrap();
    assert_eq!(answer, Answer::Embeddings(vec![vectors[0].clone()]));
}
