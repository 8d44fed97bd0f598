//! Normalizers: a text becomes another text.

use unicode_normalization::UnicodeNormalization;

use super::characters::{is_bert_mark, is_cleaned, is_ideograph, is_mark};
use super::json::Json;
use super::pre_tokenizer::byte_character;
use super::{TokenizerError, TooLong};

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Normalizer {
    Sequence(Vec<Normalizer>),
    Bert(Bert),
    Lowercase,
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
    StripAccents,
    Strip { left: bool, right: bool },
    Replace { pattern: String, content: String },
    Prepend(String),
    ByteLevel,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Bert {
    clean_text: bool,
    handle_chinese_chars: bool,
    strip_accents: bool,
    lowercase: bool,
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
                Normalizer::Bert(Bert {
                    clean_text: json.truth_or("clean_text", true)?,
                    handle_chinese_chars: json.truth_or("handle_chinese_chars", true)?,
                    strip_accents: json.truth_or("strip_accents", lowercase)?,
                    lowercase,
                })
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
            "Replace" => {
                // Only fixed texts; an expression is refused since `String` is then missing.
                let pattern = json.get("pattern")?.get("String")?.text()?.to_owned();
                if pattern.is_empty() {
                    // Nothing is replaced.
                    return Ok(Normalizer::Sequence(Vec::new()));
                }
                Normalizer::Replace {
                    pattern,
                    content: json.get("content")?.text()?.to_owned(),
                }
            }
            "Prepend" => Normalizer::Prepend(json.get("prepend")?.text()?.to_owned()),
            "ByteLevel" => Normalizer::ByteLevel,
            kind => return Err(json.unknown(kind)),
        })
    }

    /// How many there are in it, itself among them.
    pub fn steps(&self) -> usize {
        match self {
            Normalizer::Sequence(list) => 1 + list.iter().map(Normalizer::steps).sum::<usize>(),
            _ => 1,
        }
    }

    /// Stops where more than `bytes_max` would come of it.
    pub fn normalize(&self, text: &str, bytes_max: usize) -> Result<String, TooLong> {
        let mut made = Made {
            text: String::with_capacity(text.len().min(bytes_max)),
            bytes_max,
        };
        match self {
            Normalizer::Sequence(list) => {
                return list.iter().try_fold(text.to_owned(), |text, next| {
                    next.normalize(&text, bytes_max)
                });
            }
            Normalizer::Bert(bert) => bert.normalize(text, &mut made)?,
            Normalizer::Lowercase => made.extend(text.chars().flat_map(lower))?,
            // They leave ASCII as it is.
            Normalizer::Nfc | Normalizer::Nfd | Normalizer::Nfkc | Normalizer::Nfkd
                if text.is_ascii() =>
            {
                made.push_str(text)?;
            }
            Normalizer::Nfc => made.extend(text.nfc())?,
            Normalizer::Nfd => made.extend(text.nfd())?,
            Normalizer::Nfkc => made.extend(text.nfkc())?,
            Normalizer::Nfkd => made.extend(text.nfkd())?,
            Normalizer::StripAccents => made.extend(text.chars().filter(|c| !is_mark(*c)))?,
            Normalizer::Strip { left, right } => {
                let mut rest = text;
                if *left {
                    rest = rest.trim_start();
                }
                if *right {
                    rest = rest.trim_end();
                }
                made.push_str(rest)?;
            }
            Normalizer::Replace { pattern, content } => {
                let mut done = 0;
                for (at, found) in text.match_indices(pattern.as_str()) {
                    made.push_str(&text[done..at])?;
                    made.push_str(content)?;
                    done = at + found.len();
                }
                made.push_str(&text[done..])?;
            }
            Normalizer::Prepend(prefix) => {
                if !text.is_empty() {
                    made.push_str(prefix)?;
                    made.push_str(text)?;
                }
            }
            Normalizer::ByteLevel => made.extend(text.bytes().map(byte_character))?,
        }
        Ok(made.text)
    }
}

/// A text that does not become longer than it may.
struct Made {
    text: String,
    bytes_max: usize,
}

impl Made {
    fn push_str(&mut self, more: &str) -> Result<(), TooLong> {
        if more.len() > self.bytes_max - self.text.len() {
            return Err(TooLong);
        }
        self.text.push_str(more);
        Ok(())
    }

    fn extend(&mut self, more: impl Iterator<Item = char>) -> Result<(), TooLong> {
        for c in more {
            if c.len_utf8() > self.bytes_max - self.text.len() {
                return Err(TooLong);
            }
            self.text.push(c);
        }
        Ok(())
    }
}

impl Bert {
    fn normalize(&self, text: &str, made: &mut Made) -> Result<(), TooLong> {
        // What is left as it is, but for its case, and next to which marks keep their order: it begins a combination, and is no part
        // of another one. All the rest goes character by character through tables.
        let is_plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r');
        let mut rest = text;
        while !rest.is_empty() {
            let bytes = rest.as_bytes();
            let end = bytes.iter().position(|byte| !is_plain(byte));
            let (plain, others) = rest.split_at(end.unwrap_or(rest.len()));
            made.extend(plain.chars().map(|c| match c {
                '\t' | '\n' | '\r' if self.clean_text => ' ',
                c if self.lowercase => c.to_ascii_lowercase(),
                c => c,
            }))?;
            let end = others.as_bytes().iter().position(is_plain);
            let (others, next) = others.split_at(end.unwrap_or(others.len()));
            self.normalize_others(others, made)?;
            rest = next;
        }
        Ok(())
    }

    fn normalize_others(&self, text: &str, made: &mut Made) -> Result<(), TooLong> {
        let cleaned = text
            .chars()
            .filter(|c| !(self.clean_text && is_cleaned(*c)))
            .map(|c| match c {
                c if self.clean_text && c.is_whitespace() => ' ',
                c => c,
            });
        let spaced = cleaned.flat_map(|c| {
            let is_word = self.handle_chinese_chars && is_ideograph(c);
            let space = is_word.then_some(' ');
            space.into_iter().chain([c]).chain(space)
        });
        let lower = |c| {
            let lower = self.lowercase.then(|| lower(c));
            let same = (!self.lowercase).then_some(c);
            lower.into_iter().flatten().chain(same)
        };
        if self.strip_accents {
            let decomposed = spaced.nfd().filter(|c| !is_bert_mark(*c));
            made.extend(decomposed.flat_map(lower))
        } else {
            made.extend(spaced.flat_map(lower))
        }
    }
}

/// Character by character: a sigma at the end of a word is not looked at, other than `str::to_lowercase` does.
fn lower(c: char) -> std::char::ToLowercase {
    c.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One step after the other, each over the whole text.
    fn step_by_step(bert: &Bert, text: &str) -> String {
        let mut text = text.to_owned();
        if bert.clean_text {
            let kept = text.chars().filter(|c| !is_cleaned(*c));
            text = kept
                .map(|c| if c.is_whitespace() { ' ' } else { c })
                .collect();
        }
        if bert.handle_chinese_chars {
            let space = |c: char| match is_ideograph(c) {
                true => format!(" {c} "),
                false => c.to_string(),
            };
            text = text.chars().map(space).collect();
        }
        if bert.strip_accents {
            text = text.nfd().filter(|c| !is_bert_mark(*c)).collect();
        }
        if bert.lowercase {
            text = text.chars().flat_map(char::to_lowercase).collect();
        }
        text
    }

    #[test]
    fn should_normalize_stretches_of_a_text_as_the_whole() {
        let characters: Vec<char> =
            "aZ \t\n\u{7}\u{0}\u{7f}é\u{301}\u{334}\u{345}\u{93e}\u{1d165}\u{1d16d}\u{200d}漢각\u{a0}İß\u{fdfa}\u{ad}Å"
                .chars()
                .collect();
        let mut state = 1_u64;
        let mut random = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as usize % below
        };
        for case in 0..20_000 {
            let bert = Bert {
                clean_text: case & 1 > 0,
                handle_chinese_chars: case & 2 > 0,
                strip_accents: case & 4 > 0,
                lowercase: case & 8 > 0,
            };
            let length = random(12);
            let text: String = (0..length)
                .map(|_| characters[random(characters.len())])
                .collect();
            let expected = step_by_step(&bert, &text);
            let found = Normalizer::Bert(bert.clone()).normalize(&text, 1_000);
            assert_eq!(found.as_ref(), Ok(&expected), "{bert:?}: {text:?}");
            let short = expected.len().saturating_sub(1);
            let cut = Normalizer::Bert(bert).normalize(&text, short);
            assert_eq!(cut.is_err(), !expected.is_empty());
        }
    }
}
