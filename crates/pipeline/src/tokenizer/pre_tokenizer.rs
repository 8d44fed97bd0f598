//! Pre-tokenizers: a text becomes pieces, each of which the model takes for itself.

use super::TokenizerError;
use super::characters::{is_number, is_punctuation, is_word};
use super::json::Json;
use super::patterns::{self, Pattern};

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum PreTokenizer {
    Sequence(Vec<PreTokenizer>),
    Bert,
    Whitespace,
    WhitespaceSplit,
    Punctuation(Behavior),
    Digits {
        individual: bool,
    },
    ByteLevel {
        add_prefix_space: bool,
        use_regex: bool,
    },
    Metaspace {
        replacement: char,
        prepend: Prepend,
        split: bool,
    },
    Split {
        pattern: Pattern,
        behavior: Behavior,
        invert: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Prepend {
    First,
    Always,
    Never,
}

/// What becomes of the parts at which a text is split.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Behavior {
    Removed,
    Isolated,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Piece {
    pub text: String,
    /// It is where the caller's text begins.
    pub first: bool,
}

impl PreTokenizer {
    pub fn read(json: &Json<'_>) -> Result<PreTokenizer, TokenizerError> {
        Ok(match json.kind()? {
            "Sequence" => {
                let list = json.get("pretokenizers")?.list()?;
                PreTokenizer::Sequence(
                    list.iter()
                        .map(PreTokenizer::read)
                        .collect::<Result<_, _>>()?,
                )
            }
            "BertPreTokenizer" => PreTokenizer::Bert,
            "Whitespace" => PreTokenizer::Whitespace,
            "WhitespaceSplit" => PreTokenizer::WhitespaceSplit,
            "Punctuation" => PreTokenizer::Punctuation(
                json.optional("behavior", Behavior::read)?
                    .unwrap_or(Behavior::Isolated),
            ),
            "Digits" => PreTokenizer::Digits {
                individual: json.truth_or("individual_digits", false)?,
            },
            "ByteLevel" => PreTokenizer::ByteLevel {
                add_prefix_space: json.truth_or("add_prefix_space", true)?,
                use_regex: json.truth_or("use_regex", true)?,
            },
            "Metaspace" => metaspace(json)?,
            "Split" => PreTokenizer::Split {
                pattern: Pattern::read(&json.get("pattern")?)?,
                behavior: Behavior::read(&json.get("behavior")?)?,
                invert: json.truth_or("invert", false)?,
            },
            kind => return Err(json.unknown(kind)),
        })
    }

    pub fn split(&self, pieces: Vec<Piece>) -> Vec<Piece> {
        if let PreTokenizer::Sequence(list) = self {
            return list.iter().fold(pieces, |pieces, next| next.split(pieces));
        }
        let mut result = Vec::new();
        for piece in pieces {
            self.split_one(piece, &mut result);
        }
        result
    }

    fn split_one(&self, piece: Piece, result: &mut Vec<Piece>) {
        match self {
            PreTokenizer::Sequence(_) => unreachable!("BUG: a sequence is taken apart before"),
            PreTokenizer::Bert => {
                let mut words = Vec::new();
                by_characters(piece, char::is_whitespace, Behavior::Removed, &mut words);
                for word in words {
                    by_characters(word, is_punctuation, Behavior::Isolated, result);
                }
            }
            PreTokenizer::Whitespace => {
                let matches = patterns::runs(&piece.text, |c| {
                    if is_word(c) {
                        Some(0)
                    } else if c.is_whitespace() {
                        None
                    } else {
                        Some(1)
                    }
                });
                // The pattern says what is kept, so what is between is removed.
                cut(&piece, &matches, true, Behavior::Removed, result);
            }
            PreTokenizer::WhitespaceSplit => {
                by_characters(piece, char::is_whitespace, Behavior::Removed, result);
            }
            PreTokenizer::Punctuation(behavior) => {
                by_characters(piece, is_punctuation, *behavior, result);
            }
            PreTokenizer::Digits { individual } => {
                let behavior = if *individual {
                    Behavior::Isolated
                } else {
                    Behavior::Contiguous
                };
                by_characters(piece, is_number, behavior, result);
            }
            PreTokenizer::ByteLevel {
                add_prefix_space,
                use_regex,
            } => {
                let mut piece = piece;
                if *add_prefix_space && !piece.text.is_empty() && !piece.text.starts_with(' ') {
                    piece.text.insert(0, ' ');
                }
                let mut words = Vec::new();
                if *use_regex {
                    let matches = patterns::gpt2(&piece.text);
                    cut(&piece, &matches, false, Behavior::Isolated, &mut words);
                } else {
                    words.push(piece);
                }
                result.extend(words.into_iter().map(|word| Piece {
                    text: byte_level(&word.text),
                    ..word
                }));
            }
            PreTokenizer::Metaspace {
                replacement,
                prepend,
                split,
            } => {
                let mut text = piece.text.replace(' ', &replacement.to_string());
                let prepends = match prepend {
                    Prepend::Always => true,
                    Prepend::First => piece.first,
                    Prepend::Never => false,
                };
                if prepends && !text.is_empty() && !text.starts_with(*replacement) {
                    text.insert(0, *replacement);
                }
                let piece = Piece { text, ..piece };
                if *split {
                    let is_mark = |c| c == *replacement;
                    by_characters(piece, is_mark, Behavior::MergedWithNext, result);
                } else {
                    result.push(piece);
                }
            }
            PreTokenizer::Split {
                pattern,
                behavior,
                invert,
            } => {
                let matches = pattern.find(&piece.text);
                cut(&piece, &matches, *invert, *behavior, result);
            }
        }
    }
}

fn metaspace(json: &Json<'_>) -> Result<PreTokenizer, TokenizerError> {
    let replacement = json.text_of("replacement")?.unwrap_or("▁".into());
    let mut characters = replacement.chars();
    let (Some(replacement), None) = (characters.next(), characters.next()) else {
        return Err(json.refuse("`replacement` is one character"));
    };
    let prepend = match json.text_of("prepend_scheme")?.as_deref() {
        Some("first") => Prepend::First,
        Some("never") => Prepend::Never,
        Some("always") => Prepend::Always,
        // Files of older versions.
        None if json.truth_or("add_prefix_space", true)? => Prepend::Always,
        None => Prepend::Never,
        Some(_) => return Err(json.refuse("`prepend_scheme` is first, never or always")),
    };
    Ok(PreTokenizer::Metaspace {
        replacement,
        prepend,
        split: json.truth_or("split", true)?,
    })
}

impl Behavior {
    fn read(json: &Json<'_>) -> Result<Behavior, TokenizerError> {
        Ok(match json.text()? {
            "Removed" => Behavior::Removed,
            "Isolated" => Behavior::Isolated,
            "MergedWithPrevious" => Behavior::MergedWithPrevious,
            "MergedWithNext" => Behavior::MergedWithNext,
            "Contiguous" => Behavior::Contiguous,
            kind => return Err(json.unknown(kind)),
        })
    }
}

/// Splits at each character of a kind.
fn by_characters(
    piece: Piece,
    is_kind: impl Fn(char) -> bool,
    behavior: Behavior,
    result: &mut Vec<Piece>,
) {
    let matches: Vec<(usize, usize)> = piece
        .text
        .char_indices()
        .filter(|(_, c)| is_kind(*c))
        .map(|(at, c)| (at, at + c.len_utf8()))
        .collect();
    cut(&piece, &matches, false, behavior, result);
}

/// Splits at `matches`, ranges of bytes in ascending order.
fn cut(
    piece: &Piece,
    matches: &[(usize, usize)],
    invert: bool,
    behavior: Behavior,
    result: &mut Vec<Piece>,
) {
    // Every stretch of the text, with whether it is one at which to split.
    let mut stretches: Vec<(usize, usize, bool)> = Vec::with_capacity(2 * matches.len() + 1);
    let mut end = 0;
    for (from, to) in matches {
        if *from > end {
            stretches.push((end, *from, invert));
        }
        stretches.push((*from, *to, !invert));
        end = *to;
    }
    if end < piece.text.len() {
        stretches.push((end, piece.text.len(), invert));
    }

    let mut kept: Vec<(usize, usize)> = Vec::new();
    match behavior {
        Behavior::Isolated => kept.extend(stretches.iter().map(|(from, to, _)| (*from, *to))),
        Behavior::Removed => {
            let others = stretches.iter().filter(|(.., splits)| !splits);
            kept.extend(others.map(|(from, to, _)| (*from, *to)));
        }
        Behavior::Contiguous => {
            let mut before = None;
            for (from, to, splits) in stretches {
                match kept.last_mut() {
                    Some(last) if before == Some(splits) => last.1 = to,
                    _ => kept.push((from, to)),
                }
                before = Some(splits);
            }
        }
        Behavior::MergedWithPrevious => {
            let mut before = false;
            for (from, to, splits) in stretches {
                match kept.last_mut() {
                    Some(last) if splits && !before => last.1 = to,
                    _ => kept.push((from, to)),
                }
                before = splits;
            }
        }
        Behavior::MergedWithNext => {
            let mut before = false;
            for (from, to, splits) in stretches.into_iter().rev() {
                match kept.last_mut() {
                    Some(last) if splits && !before => last.0 = from,
                    _ => kept.push((from, to)),
                }
                before = splits;
            }
            kept.reverse();
        }
    }
    result.extend(
        kept.into_iter()
            .filter(|(from, to)| from < to)
            .map(|(from, to)| Piece {
                text: piece.text[from..to].to_owned(),
                first: piece.first && from == 0,
            }),
    );
}

/// Each byte as a character that can be seen: printable ones of Latin-1 are themselves, the others follow from U+0100 on.
pub(super) fn byte_level(text: &str) -> String {
    text.bytes().map(byte_character).collect()
}

pub(super) fn byte_character(byte: u8) -> char {
    let code = match byte {
        b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => u32::from(byte),
        0..=b' ' => 0x100 + u32::from(byte),
        0x7F..=0xA0 => 0x100 + 33 + u32::from(byte) - 0x7F,
        0xAD => 0x100 + 67,
    };
    char::from_u32(code).expect("BUG: these are all characters")
}
