//! Pipelines in the manifest: every field counts for the digest, and rules keep them such that an engine can set them up.

mod golden;

use golden::golden;
use stoa_types::manifest::{Dimension, Manifest, TensorSpec};
use stoa_types::pipeline::{
    Activation, Answer, AnswerKind, CategoryEncoding, Cell, Class, Classes, Colours, Column,
    ColumnKind, Embedding, Extent, Filter, ImageLayout, ImagePipeline, Input, Padding,
    PaddingLength, PipelineKind, Pooling, Resize, Side, TabularPipeline, TextInput, TextPipeline,
    hash_answer, hash_input,
};
use stoa_types::tensor::{DataType, Tensor, hash_tensors};
use stoa_types::{InvalidManifest, ValidManifest};

fn spec(name: &str, datatype: DataType, shape: &[u64]) -> TensorSpec {
    let items = Dimension::Dynamic {
        name: "items".into(),
        max: 8,
    };
    TensorSpec {
        name: name.into(),
        datatype,
        shape: std::iter::once(items)
            .chain(shape.iter().map(|extent| Dimension::Fixed(*extent)))
            .collect(),
    }
}

fn manifest(kind: PipelineKind, inputs: Vec<TensorSpec>, outputs: Vec<TensorSpec>) -> Manifest {
    let mut manifest = golden();
    manifest.signature.inputs = inputs;
    manifest.signature.outputs = outputs;
    manifest.pipeline.kind = kind;
    manifest
}

fn text() -> TextPipeline {
    TextPipeline {
        tokenizer: golden().files[0].path.clone(),
        ids: "ids".into(),
        mask: Some("mask".into()),
        types: Some("types".into()),
        tokens_max: 16,
        padding: Padding {
            token: "[PAD]".into(),
            side: Side::Right,
            length: PaddingLength::Longest,
        },
        answer: AnswerKind::Embedding(Embedding {
            output: "hidden".into(),
            pooling: Pooling::Mean,
            normalise: true,
        }),
    }
}

fn text_manifest(change: impl FnOnce(&mut TextPipeline)) -> Manifest {
    let mut text = text();
    change(&mut text);
    let inputs = ["ids", "mask", "types"].map(|name| spec(name, DataType::INT64, &[16]));
    let outputs = vec![
        spec("hidden", DataType::FP32, &[16, 4]),
        spec("scores", DataType::FP32, &[3]),
    ];
    manifest(PipelineKind::Text(text), inputs.into(), outputs)
}

fn image_manifest(change: impl FnOnce(&mut ImagePipeline)) -> Manifest {
    let mut image = ImagePipeline {
        input: "pixels".into(),
        colours: Colours::Rgb,
        layout: ImageLayout::Nchw,
        resize: Resize::ShortestSide(40),
        filter: Filter::Bilinear,
        crop: Some(Extent {
            width: 32,
            height: 24,
        }),
        scale: "0.00392156862745098".into(),
        mean: vec!["0.485".into(), "0.456".into(), "0.406".into()],
        deviation: vec!["0.229".into(), "0.224".into(), "0.225".into()],
        answer: AnswerKind::Classes(Classes {
            output: "scores".into(),
            activation: Activation::Softmax,
            top: 5,
        }),
    };
    change(&mut image);
    let inputs = vec![spec("pixels", DataType::FP32, &[3, 24, 32])];
    let outputs = vec![spec("scores", DataType::FP32, &[3])];
    manifest(PipelineKind::Image(image), inputs, outputs)
}

fn tabular_manifest(change: impl FnOnce(&mut TabularPipeline)) -> Manifest {
    let column = |name: &str, kind| Column {
        name: name.into(),
        input: "x".into(),
        kind,
    };
    let number = ColumnKind::Number {
        mean: "1.5".into(),
        deviation: "2".into(),
        missing: Some("0".into()),
    };
    let category = ColumnKind::Category {
        values: vec!["a".into(), "b".into()],
        encoding: CategoryEncoding::OneHot,
    };
    let mut table = TabularPipeline {
        columns: vec![column("n", number), column("c", category)],
        answer: AnswerKind::Tensors,
    };
    change(&mut table);
    let inputs = vec![spec("x", DataType::FP32, &[3])];
    manifest(
        PipelineKind::Tabular(table),
        inputs,
        vec![spec("y", DataType::FP32, &[1])],
    )
}

#[test]
fn should_give_another_digest_for_every_change_of_a_pipeline() {
    let mut digests = vec![
        golden().digest(),
        text_manifest(|_| {}).digest(),
        text_manifest(|t| t.tokenizer.push('x')).digest(),
        text_manifest(|t| t.ids.push('x')).digest(),
        text_manifest(|t| t.mask = None).digest(),
        text_manifest(|t| t.types = None).digest(),
        text_manifest(|t| t.tokens_max += 1).digest(),
        text_manifest(|t| t.padding.token.push('x')).digest(),
        text_manifest(|t| t.padding.side = Side::Left).digest(),
        text_manifest(|t| t.padding.length = PaddingLength::Fixed).digest(),
        text_manifest(|t| t.answer = AnswerKind::Tensors).digest(),
        image_manifest(|_| {}).digest(),
        image_manifest(|i| i.input.push('x')).digest(),
        image_manifest(|i| i.colours = Colours::Bgr).digest(),
        image_manifest(|i| i.layout = ImageLayout::Nhwc).digest(),
        image_manifest(|i| i.resize = Resize::ShortestSide(41)).digest(),
        image_manifest(|i| {
            i.resize = Resize::Exact(Extent {
                width: 40,
                height: 40,
            })
        })
        .digest(),
        image_manifest(|i| i.filter = Filter::Bicubic).digest(),
        image_manifest(|i| i.crop = None).digest(),
        image_manifest(|i| i.scale.push('1')).digest(),
        image_manifest(|i| i.mean.swap(0, 1)).digest(),
        image_manifest(|i| i.deviation.swap(0, 1)).digest(),
        tabular_manifest(|_| {}).digest(),
        tabular_manifest(|t| t.columns.swap(0, 1)).digest(),
        tabular_manifest(|t| t.columns[0].name.push('x')).digest(),
        tabular_manifest(|t| t.columns[0].input.push('x')).digest(),
        tabular_manifest(|t| t.columns[0].kind = ColumnKind::Text).digest(),
    ];
    for (pooling, normalise) in [(Pooling::Max, true), (Pooling::Mean, false)] {
        let answer = AnswerKind::Embedding(Embedding {
            output: "hidden".into(),
            pooling,
            normalise,
        });
        digests.push(text_manifest(|t| t.answer = answer).digest());
    }
    for (activation, top) in [(Activation::Sigmoid, 5), (Activation::Softmax, 4)] {
        let answer = AnswerKind::Classes(Classes {
            output: "scores".into(),
            activation,
            top,
        });
        digests.push(image_manifest(|i| i.answer = answer).digest());
    }
    let count = digests.len();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), count);
}

#[test]
fn should_keep_a_pipeline_over_candid() {
    for manifest in [
        text_manifest(|_| {}),
        image_manifest(|_| {}),
        tabular_manifest(|_| {}),
    ] {
        let bytes = candid::encode_one(&manifest).unwrap();
        let back: Manifest = candid::decode_one(&bytes).unwrap();
        assert_eq!(back, manifest);
    }
}

fn refused(manifest: Manifest) -> InvalidManifest {
    match ValidManifest::try_from(manifest) {
        Ok(_) => panic!("it was accepted"),
        Err(error) => error,
    }
}

#[test]
fn should_take_pipelines_that_fit_their_signature() {
    for manifest in [
        text_manifest(|_| {}),
        image_manifest(|_| {}),
        tabular_manifest(|_| {}),
    ] {
        ValidManifest::try_from(manifest).unwrap();
    }
}

#[test]
fn should_refuse_pipelines_that_no_engine_could_set_up() {
    refused(text_manifest(|t| t.tokenizer = "nowhere.json".into()));
    refused(text_manifest(|t| t.ids = "nobody".into()));
    refused(text_manifest(|t| t.types = None));
    refused(text_manifest(|t| t.tokens_max = 17));
    refused(text_manifest(|t| t.tokens_max = 0));
    refused(text_manifest(|t| t.padding.token.clear()));
    refused(text_manifest(|t| {
        t.answer = AnswerKind::Embedding(Embedding {
            output: "scores".into(),
            pooling: Pooling::Mean,
            normalise: true,
        });
    }));
    refused(image_manifest(|i| i.crop = None));
    refused(image_manifest(|i| i.resize = Resize::ShortestSide(31)));
    refused(image_manifest(|i| {
        i.resize = Resize::ShortestSide(u64::MAX)
    }));
    refused(image_manifest(|i| i.layout = ImageLayout::Nhwc));
    refused(image_manifest(|i| i.colours = Colours::Grey));
    refused(image_manifest(|i| i.scale = "1e-3".into()));
    refused(image_manifest(|i| i.deviation[1] = "0.000".into()));
    refused(image_manifest(|i| i.mean[0] = "9".repeat(32) + "9"));
    refused(image_manifest(|i| {
        i.answer = AnswerKind::Classes(Classes {
            output: "scores".into(),
            activation: Activation::None,
            top: 0,
        });
    }));
    refused(tabular_manifest(|t| t.columns.truncate(1)));
    refused(tabular_manifest(|t| t.columns[1].name = "n".into()));
    refused(tabular_manifest(|t| t.columns[0].kind = ColumnKind::Text));
    refused(tabular_manifest(|t| {
        t.columns[1].kind = ColumnKind::Category {
            values: vec!["a".into(), "a".into()],
            encoding: CategoryEncoding::OneHot,
        };
    }));
}

#[test]
fn should_hash_inputs_and_answers_by_all_they_say() {
    let text = |text: &str, pair: Option<&str>| {
        Input::Texts(vec![TextInput {
            text: text.into(),
            pair: pair.map(str::to_owned),
        }])
    };
    let tensor = Tensor {
        name: "x".into(),
        datatype: DataType::FP32,
        shape: vec![1],
        data: vec![0; 4],
    };
    // As receipts of tensors have always carried it.
    let tensors = Input::Tensors(vec![tensor.clone()]);
    assert_eq!(
        hash_input(&tensors),
        hash_tensors(std::slice::from_ref(&tensor))
    );
    assert_eq!(
        hash_answer(&Answer::Tensors(vec![tensor.clone()])),
        hash_tensors(&[tensor])
    );
    let class = |index, score| {
        Answer::Classes(vec![vec![Class {
            index,
            label: "a".into(),
            score,
        }]])
    };
    let mut hashes = vec![
        hash_input(&tensors),
        hash_input(&text("a", None)),
        hash_input(&text("b", None)),
        hash_input(&text("a", Some(""))),
        hash_input(&Input::Images(vec![vec![1].into()])),
        hash_input(&Input::Rows(vec![vec![Cell::Number(1.0)]])),
        hash_input(&Input::Rows(vec![vec![Cell::Number(-1.0)]])),
        hash_input(&Input::Rows(vec![vec![Cell::Text("1".into())]])),
        hash_input(&Input::Rows(vec![vec![Cell::Missing]])),
        hash_answer(&Answer::Embeddings(vec![vec![1.0, 2.0]])),
        hash_answer(&Answer::Embeddings(vec![vec![1.0], vec![2.0]])),
        hash_answer(&class(0, 0.5)),
        hash_answer(&class(1, 0.5)),
        hash_answer(&class(0, 0.25)),
    ];
    let count = hashes.len();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), count);
}
