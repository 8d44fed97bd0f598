//! Held to what the package `tokenizers` makes of the same texts (`tests/tokenizers/make.py`).

use std::path::PathBuf;

use serde_json::Value;

use super::{Encoding, Room, Tokenizer, TooLong, truncate};

const NAMES: [&str; 8] = [
    "minilm",
    "bert-cased",
    "gpt2",
    "roberta",
    "llama2",
    "llama3",
    "words",
    "suffix",
];

const ENOUGH: Room = Room { bytes: 64 << 20 };

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

fn encode(tokenizer: &Tokenizer, text: &str, pair: Option<&str>, tokens_max: usize) -> Encoding {
    let encoded = tokenizer.encode(text, pair, tokens_max, &mut ENOUGH.clone());
    encoded.expect("room enough")
}

/// The same without stopping: everything is split, then cut.
fn encode_whole(
    tokenizer: &Tokenizer,
    text: &str,
    pair: Option<&str>,
    tokens_max: usize,
) -> Encoding {
    let all = |text| {
        tokenizer
            .ids(text, usize::MAX, &mut ENOUGH.clone())
            .unwrap()
    };
    let (mut first, mut second) = (all(text), pair.map(all));
    let special = tokenizer.post_processor.added(pair.is_some());
    let max = tokens_max.saturating_sub(special);
    truncate(&mut first, second.as_mut(), max);
    let mut encoding = tokenizer.post_processor.process(first, second);
    encoding.ids.truncate(tokens_max);
    encoding.types.truncate(tokens_max);
    encoding
}

fn texts() -> Vec<String> {
    let file = read("tests/tokenizers/expected.json");
    let texts = file["texts"].as_array().unwrap();
    texts
        .iter()
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
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
        let found = encode(&tokenizer, text, None, usize::MAX);
        let expected = ids(&expected["single"][index]);
        if found.ids != expected {
            different.push(format!("{text:?}: {:?}, not {expected:?}", found.ids));
        }
    }
    for (index, pair) in texts.windows(2).enumerate() {
        let found = encode(&tokenizer, pair[0], Some(pair[1]), cut);
        let expected = Encoding {
            ids: ids(&expected["pairs"][index]),
            types: ids(&expected["types"][index]),
        };
        if found != expected {
            different.push(format!("{pair:?}: {found:?}, not {expected:?}"));
        }
    }
    // Far longer than what is kept, to an even and an odd number of tokens.
    let number = |key: &str| file[key].as_u64().unwrap() as usize;
    let lengthen = |text: &str| text.repeat(number("long_bytes") / text.len().max(1) + 1);
    for (more, expected) in expected["long"].as_array().unwrap().iter().enumerate() {
        let pairs = texts.windows(2).step_by(number("long_each"));
        let expected = expected.as_array().unwrap();
        assert_eq!(pairs.len(), expected.len());
        for (pair, expected) in pairs.zip(expected) {
            let [first, second] = [lengthen(pair[0]), lengthen(pair[1])];
            let found = encode(&tokenizer, &first, Some(&second), cut + more);
            if found.ids != ids(expected) {
                different.push(format!("long {pair:?}: {found:?}, not {expected}"));
            }
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
        let found = encode(&tokenizer(name), &text, None, 512);
        assert!(found.ids.len() <= 512, "{name}");
    }
}

#[test]
fn should_stop_where_no_more_is_kept_and_give_the_same() {
    let texts = texts();
    // Longer and longer ones, and the longest again and again.
    let counts = (1..=texts.len()).step_by(6);
    let mut long: Vec<String> = counts.map(|count| texts[..count].concat()).collect();
    long.extend(texts.iter().step_by(3).map(|text| text.repeat(20)));
    for name in NAMES {
        let tokenizer = tokenizer(name);
        for tokens_max in [0, 1, 2, 3, 4, 7, 16, 31] {
            for (index, text) in long.iter().enumerate() {
                let found = encode(&tokenizer, text, None, tokens_max);
                let expected = encode_whole(&tokenizer, text, None, tokens_max);
                assert_eq!(found, expected, "{name}, {tokens_max}: {text:?}");
                let pair = &long[(index * 7 + 3) % long.len()];
                let found = encode(&tokenizer, text, Some(pair), tokens_max);
                let expected = encode_whole(&tokenizer, text, Some(pair), tokens_max);
                assert_eq!(found, expected, "{name}, {tokens_max}: {text:?}, {pair:?}");
            }
        }
    }
}

#[test]
fn should_give_the_odd_token_to_the_longer_of_two_long_texts() {
    let tokenizer = tokenizer("bert-cased");
    let (long, longer) = ("a ".repeat(5_000), "a ".repeat(5_001));
    let of_second = |first: &str, second: &str| {
        let found = encode(&tokenizer, first, Some(second), 24);
        found.types.iter().filter(|kind| **kind == 1).count()
    };
    // Three special tokens, one of them the second text's.
    assert_eq!(of_second(&long, &longer), 1 + 11);
    assert_eq!(of_second(&longer, &long), 1 + 10);
    assert_eq!(of_second(&long, &long), 1 + 11);
}

#[test]
fn should_normalize_no_more_than_there_is_room_for() {
    // One character of three bytes becomes eighteen characters of 33.
    let grows = "\u{fdfa}".repeat(1_000);
    let tokenizer = tokenizer("words");
    let mut room = Room { bytes: 20_000 };
    assert_eq!(tokenizer.encode(&grows, None, 16, &mut room), Err(TooLong));
    let mut room = Room { bytes: 40_000 };
    tokenizer.encode(&grows, None, 16, &mut room).unwrap();
    assert_eq!(room.bytes, 7_000);
    assert_eq!(tokenizer.encode(&grows, None, 16, &mut room), Err(TooLong));
}

#[test]
fn should_refuse_a_file_of_too_many_steps_or_too_long_tokens() {
    let json = read("tests/tokenizers/tokenizers.json")["words"].clone();
    let read = |json: &Value| Tokenizer::from_json(&serde_json::to_vec(json).unwrap());
    read(&json).unwrap();
    let step = serde_json::json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"});
    let mut many = json.clone();
    many["normalizer"] = serde_json::json!({"type": "Sequence", "normalizers": vec![step; 16]});
    let refused = read(&many).unwrap_err();
    assert!(refused.reason.contains("[17, 4]"), "{refused}");
    let mut long = json;
    long["added_tokens"][0]["content"] = "x".repeat(257).into();
    let refused = read(&long).unwrap_err();
    assert_eq!(refused.field, "added_tokens");
}
