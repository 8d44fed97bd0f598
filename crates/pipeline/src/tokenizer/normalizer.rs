//! Normalizers: a text becomes another text.

use unicode_normalization::UnicodeNormalization;

use super::TokenizerError;
use super::characters::{is_bert_mark, is_cleaned, is_ideograph, is_mark};
use super::json::Json;
use super::pre_tokenizer::byte_level;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Normalizer {
    Sequence(Vec<Normalizer>),
    Bert {
        clean_text: bool,
        handle_chinese_chars: bool,
        strip_accents: bool,
        lowercase: bool,
    },
    Lowercase,
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
    StripAccents,
    Strip {
        left: bool,
        right: bool,
    },
    Replace {
        pattern: String,
        content: String,
    },
    Prepend(String),
    ByteLevel,
}

impl Normalizer {
    pub fn read(json: &Json<'_>) -> Result<Normalizer, TokenizerError> {
        Ok(match json.kind()? {
            "Sequence" => {
                let list = json.get("normalizers")?.list()?;
                Normalizer::Sequence(
                    list.iter()
                        .map(Normalizer::read)
                        .collect::<Result<_, _>>()?,
                )
            }
            "BertNormalizer" => {
                let lowercase = json.truth_or("lowercase", true)?;
                Normalizer::Bert {
                    clean_text: json.truth_or("clean_text", true)?,
                    handle_chinese_chars: json.truth_or("handle_chinese_chars", true)?,
                    strip_accents: json.truth_or("strip_accents", lowercase)?,
                    lowercase,
                }
            }
            "Lowercase" => Normalizer::Lowercase,
            "NFC" => Normalizer::Nfc,
            "NFD" => Normalizer::Nfd,
            "NFKC" => Normalizer::Nfkc,
            "NFKD" => Normalizer::Nfkd,
            "StripAccents" => Normalizer::StripAccents,
            "Strip" => Normalizer::Strip {
                left: json.truth_or("strip_left", true)?,
                right: json.truth_or("strip_right", true)?,
            },
            "Replace" => Normalizer::Replace {
                // Only fixed texts; an expression is refused since `String` is then missing.
                pattern: json.get("pattern")?.get("String")?.text()?.to_owned(),
                content: json.get("content")?.text()?.to_owned(),
            },
            "Prepend" => Normalizer::Prepend(json.get("prepend")?.text()?.to_owned()),
            "ByteLevel" => Normalizer::ByteLevel,
            kind => return Err(json.unknown(kind)),
        })
    }

    pub fn normalize(&self, text: &str) -> String {
        match self {
            Normalizer::Sequence(list) => list
                .iter()
                .fold(text.to_owned(), |text, next| next.normalize(&text)),
            Normalizer::Bert {
                clean_text,
                handle_chinese_chars,
                strip_accents,
                lowercase,
            } => {
                let mut text = text.to_owned();
                if *clean_text {
                    text = clean(&text);
                }
                if *handle_chinese_chars {
                    text = space_ideographs(&text);
                }
                if *strip_accents {
                    let decomposed = text.nfd();
                    text = decomposed.filter(|c| !is_bert_mark(*c)).collect();
                }
                if *lowercase {
                    text = lower(&text);
                }
                text
            }
            Normalizer::Lowercase => lower(text),
            Normalizer::Nfc => text.nfc().collect(),
            Normalizer::Nfd => text.nfd().collect(),
            Normalizer::Nfkc => text.nfkc().collect(),
            Normalizer::Nfkd => text.nfkd().collect(),
            Normalizer::StripAccents => text.chars().filter(|c| !is_mark(*c)).collect(),
            Normalizer::Strip { left, right } => {
                let mut rest = text;
                if *left {
                    rest = rest.trim_start();
                }
                if *right {
                    rest = rest.trim_end();
                }
                rest.to_owned()
            }
            Normalizer::Replace { pattern, content } => {
                if pattern.is_empty() {
                    text.to_owned()
                } else {
                    text.replace(pattern, content)
                }
            }
            Normalizer::Prepend(prefix) => {
                if text.is_empty() {
                    String::new()
                } else {
                    format!("{prefix}{text}")
                }
            }
            Normalizer::ByteLevel => byte_level(text),
        }
    }
}

/// Character by character: a sigma at the end of a word is not looked at, other than `str::to_lowercase` does.
fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

fn clean(text: &str) -> String {
    text.chars()
        .filter(|c| !is_cleaned(*c))
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .collect()
}

fn space_ideographs(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len());
    for c in text.chars() {
        if is_ideograph(c) {
            spaced.extend([' ', c, ' ']);
        } else {
            spaced.push(c);
        }
    }
    spaced
}
