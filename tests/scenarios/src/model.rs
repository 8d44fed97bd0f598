//! The models that scenarios push: the committed digits classifier, and variants of it.

use std::path::{Path, PathBuf};

use stoa_client::model_directory::ModelDirectory;
use stoa_client::sample::parse_inputs;
use stoa_types::tensor::Tensor;
use tempfile::TempDir;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/models/digits")
}

/// The committed model as `publisher` would push it.
pub fn digits(publisher: &str) -> ModelDirectory {
    ModelDirectory::read(&folder(), publisher).expect("the committed model is complete")
}

/// A model that `scripts/setup` made, under its name in `target/models`.
pub fn made_model(name: &str, publisher: &str) -> ModelDirectory {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/models")
        .join(name);
    ModelDirectory::read(&folder, publisher)
        .unwrap_or_else(|error| panic!("{}: {error}: run scripts/setup", folder.display()))
}

/// Matrices that are multiplied with themselves: 4 billion instructions for each row of a call. A row of length 1 comes
/// back times the sum of its elements.
pub fn projection(publisher: &str) -> ModelDirectory {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/projection");
    ModelDirectory::read(&folder, publisher).expect("the committed model is complete")
}

/// The ids of a text's tokens, by one of the tokenizers that the pipeline's are tested with: their name, and a token of it to
/// pad with.
pub fn token_ids(publisher: &str, tokenizer: &str, padding: &str) -> (TempDir, ModelDirectory) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let from = here.join("models/token_ids");
    let temporary = tempfile::tempdir().expect("a temporary folder");
    for name in ["token_ids.onnx", "README.md"] {
        std::fs::copy(from.join(name), temporary.path().join(name)).expect("copied");
    }
    let read = |path: &Path| std::fs::read_to_string(path).expect("a committed file");
    let all = read(&here.join("../../crates/pipeline/tests/tokenizers/tokenizers.json"));
    let all: serde_json::Value = serde_json::from_str(&all).expect("tokenizers");
    let text = read(&from.join("model.toml"))
        .replace("token-ids", &format!("token-ids-{tokenizer}"))
        .replace("[PAD]", padding);
    let write = |name: &str, text: String| {
        std::fs::write(temporary.path().join(name), text).expect("written");
    };
    write("model.toml", text);
    write("tokenizer.json", all[tokenizer].to_string());
    let model = ModelDirectory::read(temporary.path(), publisher).expect("a model");
    (temporary, model)
}

/// One real scan.
pub fn digits_inputs() -> Vec<Tensor> {
    let path = folder().join("samples/one-digit.json");
    let text = std::fs::read_to_string(path).expect("the committed sample is there");
    parse_inputs(&text).expect("the committed sample is a request")
}

/// The digits model with one more file of `size_bytes` random bytes, so that no shard has seen its chunks before.
pub fn model_with_extra_file(publisher: &str, size_bytes: usize) -> (TempDir, ModelDirectory) {
    let temporary = tempfile::tempdir().expect("a temporary folder");
    for name in ["digits.onnx", "README.md"] {
        std::fs::copy(folder().join(name), temporary.path().join(name)).expect("copied");
    }
    let text = std::fs::read_to_string(folder().join("model.toml")).expect("model.toml");
    let files = r#"files = ["digits.onnx", "README.md"]"#;
    assert!(
        text.contains(files),
        "model.toml lists its files as this test expects"
    );
    let text = text.replace(
        files,
        r#"files = ["README.md", "digits.onnx", "extra.bin"]"#,
    );
    std::fs::write(temporary.path().join("model.toml"), text).expect("written");
    let mut extra = vec![0; size_bytes];
    getrandom::fill(&mut extra).expect("randomness");
    std::fs::write(temporary.path().join("extra.bin"), extra).expect("written");
    let model = ModelDirectory::read(temporary.path(), publisher).expect("a complete model");
    (temporary, model)
}
