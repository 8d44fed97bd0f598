use serde_json::{Value as Json, json};
use stoa_types::manifest::{Dimension, PipelineKind};
use stoa_types::pipeline::{Activation, AnswerKind, ImageLayout, Pooling, Resize};
use stoa_types::tensor::DataType;
use tempfile::TempDir;

use super::*;

fn options() -> InitOptions {
    InitOptions {
        name: Some("model".to_owned()),
        license: Some("apache-2.0".to_owned()),
        ..InitOptions::default()
    }
}

/// A folder with a TensorFlow.js model of these layers, all weights 0.5.
fn layers_model(layers: &[Json], weights: &[(&str, &[u64])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let elements: u64 = weights
        .iter()
        .map(|(_, shape)| shape.iter().product::<u64>())
        .sum();
    let bytes: Vec<u8> = (0..elements).flat_map(|_| 0.5_f32.to_le_bytes()).collect();
    std::fs::write(folder.path().join("weights.bin"), bytes).unwrap();
    let entries: Vec<Json> = weights
        .iter()
        .map(|(name, shape)| json!({"name": name, "shape": shape, "dtype": "float32"}))
        .collect();
    write(
        &folder,
        "model.json",
        &json!({
            "modelTopology": {"class_name": "Sequential", "config": {"layers": layers}},
            "weightsManifest": [{"paths": ["weights.bin"], "weights": entries}],
        })
        .to_string(),
    );
    folder
}

fn write(folder: &TempDir, name: &str, text: &str) {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// As a text model of two classes that takes token ids.
fn text_model() -> TempDir {
    let folder = layers_model(
        &[
            json!({"class_name": "InputLayer", "config": {"name": "input_ids", "batch_input_shape": [null, null], "dtype": "int32"}}),
            json!({"class_name": "Embedding", "config": {"name": "e", "input_dim": 9, "output_dim": 2}}),
            json!({"class_name": "GlobalAveragePooling1D", "config": {"name": "logits"}}),
        ],
        &[("e/embeddings", &[9, 2])],
    );
    init(folder.path(), &options()).unwrap();
    std::fs::remove_file(folder.path().join("model.json")).unwrap();
    std::fs::remove_file(folder.path().join("model.toml")).unwrap();
    write(
        &folder,
        "tokenizer.json",
        r#"{"added_tokens": [{"id": 0, "content": "[PAD]"}]}"#,
    );
    folder
}

#[test]
fn should_describe_a_tensorflow_js_model_and_say_what_it_was_made_from() {
    let folder = layers_model(
        &[
            json!({"class_name": "Dense", "config": {"name": "d", "units": 2, "activation": "softmax", "batch_input_shape": [null, 3]}}),
        ],
        &[("d/kernel", &[3, 2]), ("d/bias", &[2])],
    );
    write(&folder, "labels.txt", "no\nyes\n");
    let done = init(folder.path(), &options()).unwrap();
    let manifest = &done.model.manifest;
    assert_eq!(done.converted, Some(folder.path().join("model.onnx")));
    let paths: Vec<&str> = manifest
        .files
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(
        paths,
        ["labels.txt", "model.json", "model.onnx", "weights.bin"]
    );
    assert_eq!(manifest.pipeline.labels, ["no", "yes"]);
    assert_eq!(manifest.license, "Apache-2.0");
    let input = &manifest.signature.inputs[0];
    assert_eq!(
        (input.name.as_str(), input.datatype),
        ("d_input", DataType::FP32)
    );
    assert_eq!(input.shape[1], Dimension::Fixed(3));
    assert_eq!(manifest.signature.outputs[0].name, "d");
    assert!(done.to_do.iter().any(|what| what.starts_with("task")));

    // Again: the same, unless it was asked for; then the same bytes.
    let refused = init(folder.path(), &options()).unwrap_err().to_string();
    assert!(refused.contains("--replace"), "{refused}");
    let again = InitOptions {
        replace: true,
        ..options()
    };
    assert_eq!(
        init(folder.path(), &again).unwrap().model.version(),
        done.model.version()
    );
}

#[test]
fn should_not_write_over_an_onnx_file_of_another_origin() {
    let folder = layers_model(
        &[
            json!({"class_name": "Flatten", "config": {"name": "f", "batch_input_shape": [null, 3, 1]}}),
        ],
        &[],
    );
    write(&folder, "model.onnx", "mine");
    let refused = init(folder.path(), &options()).unwrap_err().to_string();
    assert!(refused.contains("--model model.onnx"), "{refused}");
    assert_eq!(
        std::fs::read(folder.path().join("model.onnx")).unwrap(),
        b"mine"
    );
}

#[test]
fn should_describe_a_text_classifier_in_the_layout_of_hugging_face() {
    let folder = text_model();
    write(
        &folder,
        "README.md",
        "---\nlicense: mit\npipeline_tag: text-classification\ntags: [spam]\ndatasets:\n- sms\n---\n# Spam\n",
    );
    write(
        &folder,
        "config.json",
        r#"{"id2label": {"1": "spam", "0": "ham"}, "max_position_embeddings": 128, "architectures": ["BertForTokenClassification"]}"#,
    );
    write(
        &folder,
        "tokenizer_config.json",
        r#"{"model_max_length": 1000000000000000019884624838656, "padding_side": "left", "pad_token": {"content": "[PAD]"}}"#,
    );
    let options = InitOptions {
        license: None,
        ..options()
    };
    let done = init(folder.path(), &options).unwrap();
    let manifest = &done.model.manifest;
    assert_eq!(
        (manifest.license.as_str(), manifest.task.as_str()),
        ("MIT", "text-classification")
    );
    assert_eq!(manifest.card.tags, ["spam"]);
    assert_eq!(manifest.card.datasets, ["sms"]);
    assert_eq!(manifest.pipeline.labels, ["ham", "spam"]);
    let PipelineKind::Text(text) = &manifest.pipeline.kind else {
        panic!("{:?}", manifest.pipeline.kind);
    };
    assert_eq!(
        (text.ids.as_str(), text.mask.as_deref()),
        ("input_ids", None)
    );
    assert_eq!(
        (text.tokens_max, text.padding.token.as_str()),
        (128, "[PAD]")
    );
    assert_eq!(text.padding.side, stoa_types::pipeline::Side::Left);
    let AnswerKind::Classes(classes) = &text.answer else {
        panic!("{:?}", text.answer);
    };
    assert_eq!((classes.output.as_str(), classes.top), ("logits", 2));
    assert_eq!(classes.activation, Activation::Softmax);
    assert!(done.to_do.is_empty(), "{:?}", done.to_do);
}

#[test]
fn should_take_pooling_and_length_from_sentence_transformers() {
    let folder = text_model();
    write(
        &folder,
        "modules.json",
        r#"[{"type": "sentence_transformers.models.Normalize"}]"#,
    );
    write(
        &folder,
        "1_Pooling/config.json",
        r#"{"pooling_mode_cls_token": true}"#,
    );
    let done = init(folder.path(), &options()).unwrap();
    assert_eq!(done.model.manifest.task, "sentence-similarity");
    let PipelineKind::Text(text) = &done.model.manifest.pipeline.kind else {
        panic!("{:?}", done.model.manifest.pipeline.kind);
    };
    let AnswerKind::Embedding(embedding) = &text.answer else {
        panic!("{:?}", text.answer);
    };
    // One vector for a text comes out as it is; there is nothing to pool.
    assert_eq!(embedding.pooling, Pooling::None);
}

#[test]
fn should_describe_an_image_classifier_by_its_preprocessor() {
    let folder = layers_model(
        &[
            json!({"class_name": "InputLayer", "config": {"name": "pixel_values", "batch_input_shape": [null, 8, 8, 3]}}),
            json!({"class_name": "GlobalAveragePooling2D", "config": {"name": "scores"}}),
        ],
        &[],
    );
    write(
        &folder,
        "preprocessor_config.json",
        r#"{"size": {"shortest_edge": 10}, "crop_size": 8, "do_center_crop": true, "resample": 3,
            "rescale_factor": 0.00392156862745098, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}"#,
    );
    let options = InitOptions {
        task: Some("image-classification".to_owned()),
        ..options()
    };
    let manifest = init(folder.path(), &options).unwrap().model.manifest;
    let PipelineKind::Image(image) = manifest.pipeline.kind else {
        panic!("{:?}", manifest.pipeline.kind);
    };
    assert_eq!(
        (image.layout, image.resize),
        (ImageLayout::Nhwc, Resize::ShortestSide(10))
    );
    assert_eq!(image.scale, "0.00392156862745098");
    assert_eq!(
        (&image.mean[0][..], &image.deviation[2][..]),
        ("0.5", "0.25")
    );
}

#[test]
fn should_describe_a_model_of_teachable_machine() {
    let folder = layers_model(
        &[
            json!({"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 8, 8, 3]}}),
            json!({"class_name": "GlobalMaxPooling2D", "config": {"name": "scores"}}),
        ],
        &[],
    );
    write(
        &folder,
        "metadata.json",
        r#"{"packageName": "@teachablemachine/image", "labels": ["a", "b", "c"], "imageSize": 8}"#,
    );
    let manifest = init(folder.path(), &options()).unwrap().model.manifest;
    assert_eq!(manifest.task, "image-classification");
    assert_eq!(manifest.pipeline.labels, ["a", "b", "c"]);
    let PipelineKind::Image(image) = manifest.pipeline.kind else {
        panic!("{:?}", manifest.pipeline.kind);
    };
    assert_eq!(image.scale, "0.007874015748031496");
    assert!(
        matches!(&image.answer, AnswerKind::Classes(classes) if classes.activation == Activation::None)
    );
}

#[test]
fn should_describe_the_committed_digits_model_from_its_files_alone() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/models/digits");
    let folder = tempfile::tempdir().unwrap();
    for name in ["digits.onnx", "README.md"] {
        std::fs::copy(committed.join(name), folder.path().join(name)).unwrap();
    }
    let options = InitOptions {
        name: Some("digits".to_owned()),
        task: Some("image-classification".to_owned()),
        ..InitOptions::default()
    };
    let found = init(folder.path(), &options).unwrap().model.manifest;
    let by_hand = ModelDirectory::read(&committed, "publisher")
        .unwrap()
        .manifest;
    assert_eq!(found.files, by_hand.files);
    assert_eq!(found.card, by_hand.card);
    assert_eq!(found.license, by_hand.license);
    assert_eq!(
        found.signature.inputs[0].name,
        by_hand.signature.inputs[0].name
    );
    assert_eq!(
        found.signature.outputs[0].shape[1],
        by_hand.signature.outputs[0].shape[1]
    );
}

#[test]
fn should_say_what_is_missing_and_what_to_do() {
    let empty = tempfile::tempdir().unwrap();
    let several = tempfile::tempdir().unwrap();
    for name in ["a.onnx", "onnx/b.onnx"] {
        write(&several, name, "");
    }
    let unlicensed = layers_model(
        &[
            json!({"class_name": "Flatten", "config": {"name": "f", "batch_input_shape": [null, 3, 1]}}),
        ],
        &[],
    );
    let recurrent = layers_model(
        &[
            json!({"class_name": "LSTM", "config": {"name": "l", "batch_input_shape": [null, 3, 1]}}),
        ],
        &[],
    );
    let with = |license: Option<&str>| InitOptions {
        license: license.map(str::to_owned),
        ..options()
    };
    for (folder, options, expected) in [
        (&empty, options(), "optimum-cli export onnx"),
        (
            &several,
            options(),
            "choose one with --model: a.onnx, onnx/b.onnx",
        ),
        (&unlicensed, with(None), "name it in SPDX with --license"),
        (&unlicensed, with(Some("openrail")), "LicenseRef-<name>"),
        (&recurrent, options(), "layer \"l\" (LSTM) is recurrent"),
        (
            &unlicensed,
            InitOptions {
                version: Some("1".to_owned()),
                ..options()
            },
            "\"1\" is no version number",
        ),
    ] {
        let error = init(folder.path(), &options).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!folder.path().join("model.toml").exists());
    }
}
