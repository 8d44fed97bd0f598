//! Pre-tokenizers: a text becomes pieces, each of which the model takes for itself.

use std::ops::ControlFlow;

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

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Piece<'a> {
    pub text: &'a str,
    /// It is where the caller's text begins.
    pub first: bool,
}

/// Takes pieces from the left, until it wants no more.
type Next<'a> = &'a mut dyn FnMut(Piece<'_>) -> ControlFlow<()>;

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

    /// How many there are in it, itself among them.
    pub fn steps(&self) -> usize {
        match self {
            PreTokenizer::Sequence(list) => 1 + list.iter().map(PreTokenizer::steps).sum::<usize>(),
            _ => 1,
        }
    }

    /// `next` gets each piece as soon as it is known. Of a sequence each member splits the pieces of the one before.
    pub fn split(&self, piece: Piece<'_>, next: Next<'_>) -> ControlFlow<()> {
        match self {
            PreTokenizer::Sequence(list) => split_by_all(list, piece, next),
            PreTokenizer::Bert => {
                let blanks = by_characters(piece.text, char::is_whitespace);
                cut(piece, blanks, false, Behavior::Removed, &mut |word| {
                    let marks = by_characters(word.text, is_punctuation);
                    cut(word, marks, false, Behavior::Isolated, next)
                })
            }
            PreTokenizer::Whitespace => {
                let matches = patterns::runs(piece.text, |c| {
                    if is_word(c) {
                        Some(0)
                    } else if c.is_whitespace() {
                        None
                    } else {
                        Some(1)
                    }
                });
                // The pattern says what is kept, so what is between is removed.
                cut(piece, matches, true, Behavior::Removed, next)
            }
            PreTokenizer::WhitespaceSplit => {
                let blanks = by_characters(piece.text, char::is_whitespace);
                cut(piece, blanks, false, Behavior::Removed, next)
            }
            PreTokenizer::Punctuation(behavior) => {
                let marks = by_characters(piece.text, is_punctuation);
                cut(piece, marks, false, *behavior, next)
            }
            PreTokenizer::Digits { individual } => {
                let behavior = if *individual {
                    Behavior::Isolated
                } else {
                    Behavior::Contiguous
                };
                let digits = by_characters(piece.text, is_number);
                cut(piece, digits, false, behavior, next)
            }
            PreTokenizer::ByteLevel {
                add_prefix_space,
                use_regex,
            } => {
                let prefixed;
                let mut piece = piece;
                if *add_prefix_space && !piece.text.is_empty() && !piece.text.starts_with(' ') {
                    prefixed = format!(" {}", piece.text);
                    piece.text = &prefixed;
                }
                let mut visible = String::new();
                let mut put = |word: Piece<'_>| {
                    visible.clear();
                    visible.extend(word.text.bytes().map(byte_character));
                    next(Piece {
                        text: &visible,
                        ..word
                    })
                };
                if *use_regex {
                    let words = patterns::gpt2(piece.text);
                    cut(piece, words, false, Behavior::Isolated, &mut put)
                } else {
                    put(piece)
                }
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
                let piece = Piece {
                    text: &text,
                    ..piece
                };
                if *split {
                    let marks = by_characters(piece.text, |c| c == *replacement);
                    cut(piece, marks, false, Behavior::MergedWithNext, next)
                } else {
                    next(piece)
                }
            }
            PreTokenizer::Split {
                pattern,
                behavior,
                invert,
            } => cut(piece, pattern.find(piece.text), *invert, *behavior, next),
        }
    }
}

fn split_by_all(list: &[PreTokenizer], piece: Piece<'_>, next: Next<'_>) -> ControlFlow<()> {
    match list.split_first() {
        None => next(piece),
        Some((one, others)) => one.split(piece, &mut |piece| split_by_all(others, piece, next)),
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

/// Each character of a kind.
fn by_characters(
    text: &str,
    is_kind: impl Fn(char) -> bool,
) -> impl Iterator<Item = (usize, usize)> {
    text.char_indices()
        .filter(move |(_, c)| is_kind(*c))
        .map(|(at, c)| (at, at + c.len_utf8()))
}

/// Splits at `matches`, ranges of bytes in ascending order.
fn cut(
    piece: Piece<'_>,
    matches: impl Iterator<Item = (usize, usize)>,
    invert: bool,
    behavior: Behavior,
    next: Next<'_>,
) -> ControlFlow<()> {
    let mut cut = Cut {
        piece,
        behavior,
        last: None,
        before: None,
    };
    // Every stretch of the text, with whether it is one at which to split.
    let mut end = 0;
    for (from, to) in matches {
        if from > end {
            cut.put(end, from, invert, next)?;
        }
        cut.put(from, to, !invert, next)?;
        end = to;
    }
    if end < piece.text.len() {
        cut.put(end, piece.text.len(), invert, next)?;
    }
    cut.give(next)
}

struct Cut<'a> {
    piece: Piece<'a>,
    behavior: Behavior,
    /// What may still grow.
    last: Option<(usize, usize)>,
    /// Whether the stretch before is one at which to split.
    before: Option<bool>,
}

impl Cut<'_> {
    fn put(&mut self, from: usize, to: usize, splits: bool, next: Next<'_>) -> ControlFlow<()> {
        let joins = match self.behavior {
            Behavior::Removed | Behavior::Isolated => false,
            Behavior::Contiguous => self.before == Some(splits),
            Behavior::MergedWithPrevious => splits && self.before == Some(false),
            Behavior::MergedWithNext => !splits && self.before == Some(true),
        };
        self.before = Some(splits);
        if joins && let Some(last) = &mut self.last {
            last.1 = to;
            return ControlFlow::Continue(());
        }
        self.give(next)?;
        if !(splits && self.behavior == Behavior::Removed) {
            self.last = Some((from, to));
        }
        ControlFlow::Continue(())
    }

    fn give(&mut self, next: Next<'_>) -> ControlFlow<()> {
        match self.last.take() {
            Some((from, to)) if from < to => next(Piece {
                text: &self.piece.text[from..to],
                first: self.piece.first && from == 0,
            }),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Each byte as a character that can be seen: printable ones of Latin-1 are themselves, the others follow from U+0100 on.
pub(super) fn byte_character(byte: u8) -> char {
    let code = match byte {
        b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => u32::from(byte),
        0..=b' ' => 0x100 + u32::from(byte),
        0x7F..=0xA0 => 0x100 + 33 + u32::from(byte) - 0x7F,
        0xAD => 0x100 + 67,
    };
    char::from_u32(code).expect("BUG: these are all characters")
}
