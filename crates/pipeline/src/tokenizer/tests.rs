//! Held to what the package `tokenizers` makes of the same texts (`tests/tokenizers/make.py`).

use std::path::PathBuf;

use serde_json::Value;

use super::{Encoding, Tokenizer};

fn read(path: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}: run scripts/setup", path.display()));
    serde_json::from_slice(&text).unwrap()
}

fn tokenizer(name: &str) -> Tokenizer {
    let json = match name {
        "minilm" => read("../../target/models/minilm/tokenizer.json"),
        _ => read("tests/tokenizers/tokenizers.json")[name].clone(),
    };
    Tokenizer::from_json(&serde_json::to_vec(&json).unwrap()).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    let list = value.as_array().unwrap();
    list.iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

fn should_agree(name: &str) {
    let tokenizer = tokenizer(name);
    let file = read("tests/tokenizers/expected.json");
    let texts: Vec<&str> = file["texts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap())
        .collect();
    let cut = file["cut"].as_u64().unwrap() as usize;
    let expected = &file["expected"][name];
    let mut different = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let found = tokenizer.encode(text, None, usize::MAX);
        let expected = ids(&expected["single"][index]);
        if found.ids != expected {
            different.push(format!("{text:?}: {:?}, not {expected:?}", found.ids));
        }
    }
    for (index, pair) in texts.windows(2).enumerate() {
        let found = tokenizer.encode(pair[0], Some(pair[1]), cut);
        let expected = Encoding {
            ids: ids(&expected["pairs"][index]),
            types: ids(&expected["types"][index]),
        };
        if found != expected {
            different.push(format!("{pair:?}: {found:?}, not {expected:?}"));
        }
    }
    assert!(different.is_empty(), "{}: {different:#?}", different.len());
}

#[test]
fn should_agree_on_bert_with_case() {
    should_agree("bert-cased");
}

#[test]
fn should_agree_on_gpt2() {
    should_agree("gpt2");
}

#[test]
fn should_agree_on_roberta() {
    should_agree("roberta");
}

#[test]
fn should_agree_on_llama2() {
    should_agree("llama2");
}

#[test]
fn should_agree_on_llama3() {
    should_agree("llama3");
}

#[test]
fn should_agree_on_whole_words() {
    should_agree("words");
}

#[test]
fn should_agree_on_word_suffixes() {
    should_agree("suffix");
}

#[test]
fn should_agree_on_minilm() {
    should_agree("minilm");
}

#[test]
fn should_name_the_field_that_is_not_supported() {
    let mut json = read("tests/tokenizers/tokenizers.json")["gpt2"].clone();
    json["pre_tokenizer"] = serde_json::json!({
        "type": "Sequence",
        "pretokenizers": [{"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": false}],
    });
    let refused = Tokenizer::from_json(&serde_json::to_vec(&json).unwrap()).unwrap_err();
    assert_eq!(refused.field, "pre_tokenizer.pretokenizers.0.pattern");
    assert!(refused.reason.contains("(a+)+$"), "{refused}");
    for bytes in [
        &b"{}"[..],
        b"[]",
        b"",
        b"{\"model\":{\"type\":\"Unigram\"}}",
    ] {
        Tokenizer::from_json(bytes).unwrap_err();
    }
}

#[test]
fn should_take_a_word_of_a_million_characters() {
    let text = "ab".repeat(500_000);
    for name in ["gpt2", "llama2", "bert-cased", "suffix"] {
        let found = tokenizer(name).encode(&text, None, 512);
        assert!(found.ids.len() <= 512, "{name}");
    }
}
