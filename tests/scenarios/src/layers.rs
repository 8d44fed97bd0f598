//! Small models in TensorFlow.js' format, made ready by what `stoa model init` does: one that takes texts, one that takes pictures.

use std::path::Path;

use serde_json::{Value, json};
use stoa_client::init::{InitOptions, init};
use tempfile::TempDir;

/// A layers model in a folder of its own; no two weights are equal.
fn layers_model(layers: &[Value], weights: &[(&str, &[u64])]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let elements: u64 = weights
        .iter()
        .map(|(_, shape)| shape.iter().product::<u64>())
        .sum();
    let weight = |index: u64| ((index * 37 % 101) as f32 / 50.0 - 1.0).to_le_bytes();
    let bytes: Vec<u8> = (0..elements).flat_map(weight).collect();
    std::fs::write(folder.path().join("weights.bin"), bytes).expect("written");
    let entries: Vec<Value> = weights
        .iter()
        .map(|(name, shape)| json!({"name": name, "shape": shape, "dtype": "float32"}))
        .collect();
    let model = json!({
        "modelTopology": {"class_name": "Sequential", "config": {"layers": layers}},
        "weightsManifest": [{"paths": ["weights.bin"], "weights": entries}],
    });
    write(folder.path(), "model.json", &model);
    folder
}

fn write(folder: &Path, name: &str, json: &Value) {
    std::fs::write(folder.join(name), json.to_string()).expect("written");
}

fn options(task: &str) -> InitOptions {
    InitOptions {
        name: Some(task.to_owned()),
        license: Some("Apache-2.0".to_owned()),
        task: Some(task.to_owned()),
        ..InitOptions::default()
    }
}

/// Two classes of texts; in the layout of Hugging Face, with a tokenizer of a few words.
pub fn text_classifier() -> TempDir {
    let folder = layers_model(
        &[
            json!({"class_name": "InputLayer", "config": {"name": "input_ids", "batch_input_shape": [null, null], "dtype": "int32"}}),
            json!({"class_name": "Embedding", "config": {"name": "words", "input_dim": 8, "output_dim": 2}}),
            json!({"class_name": "GlobalAveragePooling1D", "config": {"name": "logits"}}),
        ],
        &[("words/embeddings", &[8, 2])],
    );
    let path = folder.path();
    init(path, &options("text-classification")).expect("converted");
    for name in ["model.json", "model.toml", "weights.bin"] {
        std::fs::remove_file(path.join(name)).expect("removed");
    }
    let tokenizer = json!({
        "added_tokens": [{"id": 0, "content": "[PAD]", "special": true}],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": null,
        "model": {
            "type": "WordLevel",
            "unk_token": "[UNK]",
            "vocab": {"[PAD]": 0, "[UNK]": 1, "cheap": 2, "pills": 3, "hello": 4, "friend": 5},
        },
    });
    write(path, "tokenizer.json", &tokenizer);
    let padding = json!({"model_max_length": 16, "pad_token": "[PAD]"});
    write(path, "tokenizer_config.json", &padding);
    write(
        path,
        "config.json",
        &json!({"id2label": {"0": "ham", "1": "spam"}}),
    );
    init(path, &options("text-classification")).expect("described");
    folder
}

/// Three classes of pictures of any size.
pub fn image_classifier() -> TempDir {
    let folder = layers_model(
        &[
            json!({"class_name": "InputLayer", "config": {"name": "pixel_values", "batch_input_shape": [null, 8, 8, 3]}}),
            json!({"class_name": "GlobalAveragePooling2D", "config": {"name": "means"}}),
            json!({"class_name": "Dense", "config": {"name": "scores", "units": 3}}),
        ],
        &[("scores/kernel", &[3, 3]), ("scores/bias", &[3])],
    );
    let preprocessor = json!({
        "size": {"shortest_edge": 10}, "crop_size": 8, "do_center_crop": true, "resample": 3,
        "rescale_factor": 0.00392156862745098, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25],
    });
    write(folder.path(), "preprocessor_config.json", &preprocessor);
    init(folder.path(), &options("image-classification")).expect("described");
    folder
}
