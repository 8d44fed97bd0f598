//! The regular expressions of common tokenizers, written out by hand: a general engine for them would be as large as
//! everything else here. An expression that is not one of these is refused.

use super::TokenizerError;
use super::characters::{is_letter, is_number};
use super::json::Json;

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// The encoding cl100k, as Llama 3 (up to three digits) and Qwen 2 (each digit alone) write it.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Pattern {
    Text(String),
    Gpt2,
    Cl100k { digits_max: usize },
    Spaces { several: bool },
    Digit { several: bool },
}

impl Pattern {
    pub fn read(json: &Json<'_>) -> Result<Pattern, TokenizerError> {
        if let Some(text) = json.text_of("String")? {
            return Ok(Pattern::Text(text));
        }
        Ok(match json.get("Regex")?.text()? {
            GPT2 => Pattern::Gpt2,
            LLAMA3 => Pattern::Cl100k { digits_max: 3 },
            QWEN2 => Pattern::Cl100k { digits_max: 1 },
            r"\s+" => Pattern::Spaces { several: true },
            r"\s" => Pattern::Spaces { several: false },
            r"\d+" => Pattern::Digit { several: true },
            r"\d" | "[0-9]" => Pattern::Digit { several: false },
            other => {
                return Err(json.refuse(format!("the expression `{other}` is not supported")));
            }
        })
    }

    /// Ranges of bytes, ascending, that do not overlap.
    pub fn find<'a>(&'a self, text: &'a str) -> Box<dyn Iterator<Item = (usize, usize)> + 'a> {
        match self {
            Pattern::Text(pattern) if pattern.is_empty() => Box::new(std::iter::empty()),
            Pattern::Text(pattern) => Box::new(
                text.match_indices(pattern.as_str())
                    .map(|(at, found)| (at, at + found.len())),
            ),
            Pattern::Gpt2 => Box::new(gpt2(text)),
            Pattern::Cl100k { digits_max } => Box::new(cl100k(text, *digits_max)),
            Pattern::Spaces { several } => kind(text, char::is_whitespace, *several),
            Pattern::Digit { several } => kind(text, |c| c.is_ascii_digit(), *several),
        }
    }
}

fn kind<'a>(
    text: &'a str,
    is_kind: impl Fn(char) -> bool + 'a,
    several: bool,
) -> Box<dyn Iterator<Item = (usize, usize)> + 'a> {
    if several {
        return Box::new(runs(text, move |c| is_kind(c).then_some(0)));
    }
    let found = text.char_indices().filter(move |(_, c)| is_kind(*c));
    Box::new(found.map(|(at, c)| (at, at + c.len_utf8())))
}

/// Longest stretches of characters of one kind; `None` is no kind.
pub(super) fn runs(
    text: &str,
    kind: impl Fn(char) -> Option<u8>,
) -> impl Iterator<Item = (usize, usize)> {
    let mut characters = text
        .char_indices()
        .map(move |(at, c)| (at, at + c.len_utf8(), kind(c)))
        .peekable();
    std::iter::from_fn(move || {
        let (from, mut to, kind) = characters.find(|(.., kind)| kind.is_some())?;
        while let Some((_, end, _)) = characters.next_if(|(.., next)| *next == kind) {
            to = end;
        }
        Some((from, to))
    })
}

/// What is left of a text, character by character.
#[derive(Clone)]
struct Rest<'a> {
    text: &'a str,
    at: usize,
}

impl Rest<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    /// Takes as many as fit.
    fn take_while(&mut self, is_kind: impl Fn(char) -> bool, max: usize) -> usize {
        let mut taken = 0;
        while taken < max
            && let Some(c) = self.peek().filter(|c| is_kind(*c))
        {
            self.at += c.len_utf8();
            taken += 1;
        }
        taken
    }

    /// An apostrophe and one of the endings of English.
    fn take_contraction(&mut self, any_case: bool) -> bool {
        let rest = &self.text[self.at..];
        for ending in ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"] {
            let Some(found) = rest.get(..ending.len()) else {
                continue;
            };
            if found == ending || any_case && found.eq_ignore_ascii_case(ending) {
                self.at += ending.len();
                return true;
            }
        }
        // U+017F is an s to an expression that ignores case.
        if any_case && rest.starts_with("'ſ") {
            self.at += "'ſ".len();
            return true;
        }
        false
    }

    /// `\s+(?!\S)|\s+`: all blanks, but for the last one where a word follows and there are several.
    fn take_blanks(&mut self) -> bool {
        let begin = self.at;
        let mut last = begin;
        while let Some(c) = self.peek().filter(|c| c.is_whitespace()) {
            last = self.at;
            self.at += c.len_utf8();
        }
        if self.at < self.text.len() && last > begin {
            self.at = last;
        }
        self.at > begin
    }
}

fn all<'a>(
    text: &'a str,
    mut next: impl FnMut(&mut Rest<'a>),
) -> impl Iterator<Item = (usize, usize)> {
    let mut rest = Rest { text, at: 0 };
    std::iter::from_fn(move || {
        while let Some(c) = rest.peek() {
            let begin = rest.at;
            next(&mut rest);
            if rest.at > begin {
                return Some((begin, rest.at));
            }
            rest.at += c.len_utf8();
        }
        None
    })
}

fn is_other(c: char) -> bool {
    !c.is_whitespace() && !is_letter(c) && !is_number(c)
}

pub(super) fn gpt2(text: &str) -> impl Iterator<Item = (usize, usize)> {
    all(text, |rest| {
        if rest.take_contraction(false) {
            return;
        }
        for is_kind in [is_letter, is_number, is_other] {
            let mut attempt = rest.clone();
            attempt.take_while(|c| c == ' ', 1);
            if attempt.take_while(is_kind, usize::MAX) > 0 {
                *rest = attempt;
                return;
            }
        }
        rest.take_blanks();
    })
}

fn cl100k(text: &str, digits_max: usize) -> impl Iterator<Item = (usize, usize)> {
    let is_break = |c: char| c == '\r' || c == '\n';
    all(text, move |rest| {
        if rest.take_contraction(true) {
            return;
        }
        // One character that is neither, then letters; without it where it is a letter itself.
        let mut attempt = rest.clone();
        attempt.take_while(|c| !is_break(c) && !is_letter(c) && !is_number(c), 1);
        if attempt.take_while(is_letter, usize::MAX) > 0 {
            *rest = attempt;
            return;
        }
        if rest.take_while(is_number, digits_max) > 0 {
            return;
        }
        let mut attempt = rest.clone();
        attempt.take_while(|c| c == ' ', 1);
        if attempt.take_while(is_other, usize::MAX) > 0 {
            attempt.take_while(is_break, usize::MAX);
            *rest = attempt;
            return;
        }
        // `\s*[\r\n]+`: up to the last line break of the blanks.
        let mut attempt = rest.clone();
        attempt.take_while(char::is_whitespace, usize::MAX);
        let blanks = &rest.text[rest.at..attempt.at];
        if let Some(last) = blanks.rfind(is_break) {
            rest.at += last + 1;
            return;
        }
        rest.take_blanks();
    })
}
