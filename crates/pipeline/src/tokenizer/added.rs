//! Tokens that are found in a text before anything else looks at it, such as `[MASK]` or `<|endoftext|>`.

use std::collections::HashMap;

use super::characters::is_word;
use super::json::Json;
use super::normalizer::Normalizer;
use super::tree::{ROOT, Tree};
use super::{TokenizerError, TooLong};

#[derive(Clone, Debug)]
pub(super) struct AddedTokens {
    /// Looked for in the text as it is given.
    given: Finder,
    normalized: Finder,
    by_content: HashMap<String, u32>,
}

#[derive(Clone, Debug)]
struct Added {
    id: u32,
    single_word: bool,
    strip_left: bool,
    strip_right: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Part<'a> {
    Token(u32),
    Text(&'a str),
}

impl AddedTokens {
    /// `normalizer` is what texts go through.
    pub fn read(
        json: &Json<'_>,
        normalizer: Option<&Normalizer>,
    ) -> Result<AddedTokens, TokenizerError> {
        const TOKENS_MAX: usize = 10_000;
        /// At each place of a text as many bytes are compared as a token has.
        const TOKEN_BYTES_MAX: usize = 256;
        let list = json.list()?;
        if list.len() > TOKENS_MAX {
            return Err(json.refuse(format!("at most {TOKENS_MAX} are supported")));
        }
        let too_long = || json.refuse(format!("at most {TOKEN_BYTES_MAX} bytes are supported"));
        let mut found = AddedTokens {
            given: Finder::default(),
            normalized: Finder::default(),
            by_content: HashMap::new(),
        };
        for entry in list {
            let content = entry.get("content")?.text()?.to_owned();
            if content.is_empty() {
                continue;
            }
            let token = Added {
                id: entry.get("id")?.id()?,
                single_word: entry.truth_or("single_word", false)?,
                strip_left: entry.truth_or("lstrip", false)?,
                strip_right: entry.truth_or("rstrip", false)?,
            };
            found.by_content.insert(content.clone(), token.id);
            let is_normalized = entry.truth_or("normalized", true)?;
            let content = match normalizer {
                Some(normalizer) if is_normalized => normalizer
                    .normalize(&content, TOKEN_BYTES_MAX)
                    .map_err(|TooLong| too_long())?,
                _ => content,
            };
            let finder = if is_normalized {
                &mut found.normalized
            } else {
                &mut found.given
            };
            if content.len() > TOKEN_BYTES_MAX {
                return Err(too_long());
            }
            finder.insert(&content, token);
        }
        Ok(found)
    }

    pub fn id(&self, token: &str) -> Option<u32> {
        self.by_content.get(token).copied()
    }

    pub fn split_given<'a>(&self, text: &'a str) -> Vec<Part<'a>> {
        self.given.split(text)
    }

    pub fn split_normalized<'a>(&self, text: &'a str) -> Vec<Part<'a>> {
        self.normalized.split(text)
    }
}

#[derive(Clone, Debug)]
struct Finder {
    tokens: Tree<Added>,
    /// Most places of a text are none where a token begins.
    begins: [bool; 256],
}

impl Default for Finder {
    fn default() -> Self {
        Finder {
            tokens: Tree::default(),
            begins: [false; 256],
        }
    }
}

impl Finder {
    fn insert(&mut self, content: &str, token: Added) {
        if let Some(first) = content.bytes().next() {
            self.begins[usize::from(first)] = true;
            self.tokens.insert(content, token);
        }
    }

    /// From left to right, at each place the longest.
    fn split<'a>(&self, text: &'a str) -> Vec<Part<'a>> {
        let mut parts = Vec::new();
        // Up to here the text is in `parts`, from `at` on it is looked at.
        let (mut done, mut at) = (0, 0);
        while let Some(first) = text.as_bytes().get(at) {
            let matching = match self.begins[usize::from(*first)] {
                true => self.tokens.longest(ROOT, &text.as_bytes()[at..]),
                false => None,
            };
            let Some((length, token)) = matching else {
                at += 1;
                continue;
            };
            let (mut begin, mut end) = (at, at + length);
            at = end;
            let in_word = text[..begin].chars().next_back().is_some_and(is_word)
                || text[end..].chars().next().is_some_and(is_word);
            if token.single_word && in_word {
                continue;
            }
            if token.strip_left {
                begin = done + text[done..begin].trim_end().len();
            }
            if token.strip_right {
                end = text.len() - text[end..].trim_start().len();
            }
            if begin > done {
                parts.push(Part::Text(&text[done..begin]));
            }
            parts.push(Part::Token(token.id));
            (done, at) = (end, end);
        }
        if done < text.len() {
            parts.push(Part::Text(&text[done..]));
        }
        parts
    }
}
