//! Tokens that are found in a text before anything else looks at it, such as `[MASK]` or `<|endoftext|>`.

use std::collections::HashMap;

use super::TokenizerError;
use super::characters::is_word;
use super::json::Json;

#[derive(Clone, Debug, Default)]
pub(super) struct AddedTokens {
    tokens: Vec<Added>,
    by_content: HashMap<String, u32>,
}

#[derive(Clone, Debug)]
struct Added {
    id: u32,
    content: String,
    single_word: bool,
    strip_left: bool,
    strip_right: bool,
    /// Looked for in the normalized text.
    normalized: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Token(u32),
    /// Normalized.
    Text(String),
}

impl AddedTokens {
    pub fn read(json: &Json<'_>) -> Result<AddedTokens, TokenizerError> {
        /// Each is tried at each character that it may begin with.
        const TOKENS_MAX: usize = 10_000;
        let list = json.list()?;
        if list.len() > TOKENS_MAX {
            return Err(json.refuse(format!("at most {TOKENS_MAX} are supported")));
        }
        let mut tokens = Vec::new();
        let mut by_content = HashMap::new();
        for entry in list {
            let content = entry.get("content")?.text()?.to_owned();
            let id = entry.get("id")?.id()?;
            if content.is_empty() {
                continue;
            }
            by_content.insert(content.clone(), id);
            tokens.push(Added {
                id,
                content,
                single_word: entry.truth_or("single_word", false)?,
                strip_left: entry.truth_or("lstrip", false)?,
                strip_right: entry.truth_or("rstrip", false)?,
                normalized: entry.truth_or("normalized", true)?,
            });
        }
        // The longest at a place wins.
        tokens.sort_by_key(|token| std::cmp::Reverse(token.content.len()));
        Ok(AddedTokens { tokens, by_content })
    }

    pub fn id(&self, token: &str) -> Option<u32> {
        self.by_content.get(token).copied()
    }

    pub fn split(&self, text: &str, normalize: &dyn Fn(&str) -> String) -> Vec<Part> {
        let raw: Vec<(&str, &Added)> = self
            .tokens
            .iter()
            .filter(|token| !token.normalized)
            .map(|token| (token.content.as_str(), token))
            .collect();
        let contents: Vec<(String, &Added)> = self
            .tokens
            .iter()
            .filter(|token| token.normalized)
            .map(|token| (normalize(&token.content), token))
            .collect();
        let normalized: Vec<(&str, &Added)> = contents
            .iter()
            .map(|(content, token)| (content.as_str(), *token))
            .collect();
        let mut parts = Vec::new();
        for part in find(text, &raw) {
            match part {
                Found::Token(id) => parts.push(Part::Token(id)),
                Found::Text(text) => {
                    let text = normalize(text);
                    for part in find(&text, &normalized) {
                        parts.push(match part {
                            Found::Token(id) => Part::Token(id),
                            Found::Text(text) => Part::Text(text.to_owned()),
                        });
                    }
                }
            }
        }
        parts
    }
}

enum Found<'a> {
    Token(u32),
    Text(&'a str),
}

/// From left to right, at each place the longest.
fn find<'a>(text: &'a str, tokens: &[(&str, &Added)]) -> Vec<Found<'a>> {
    let mut by_first: HashMap<u8, Vec<&(&str, &Added)>> = HashMap::new();
    for token in tokens {
        if let Some(first) = token.0.bytes().next() {
            by_first.entry(first).or_default().push(token);
        }
    }
    let mut parts = Vec::new();
    // Up to here the text is in `parts`, from `at` on it is looked at.
    let (mut done, mut at) = (0, 0);
    while let Some(first) = text.as_bytes().get(at) {
        let matching = by_first.get(first).and_then(|tokens| {
            let rest = &text.as_bytes()[at..];
            tokens
                .iter()
                .find(|(content, _)| rest.starts_with(content.as_bytes()))
        });
        let Some((content, token)) = matching else {
            at += 1;
            continue;
        };
        let (mut begin, mut end) = (at, at + content.len());
        at = end;
        let in_word = text[..begin].chars().next_back().is_some_and(is_word)
            || text[end..].chars().next().is_some_and(is_word);
        if token.single_word && in_word {
            continue;
        }
        if token.strip_left {
            begin = text[..begin].trim_end().len().max(done);
        }
        if token.strip_right {
            end = text.len() - text[end..].trim_start().len();
        }
        if begin > done {
            parts.push(Found::Text(&text[done..begin]));
        }
        parts.push(Found::Token(token.id));
        (done, at) = (end, end);
    }
    if done < text.len() {
        parts.push(Found::Text(&text[done..]));
    }
    parts
}
