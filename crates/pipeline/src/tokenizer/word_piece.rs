//! WordPiece (M. Schuster, K. Nakajima, Japanese and Korean Voice Search, 2012), as BERT uses it: the longest token that
//! the rest of a word begins with, again and again.

use super::TokenizerError;
use super::json::Json;
use super::tree::{Node, ROOT, Tree};

#[derive(Clone, Debug)]
pub(super) struct WordPiece {
    vocabulary: Tree<u32>,
    /// Where those tokens are that go on within a word, if there are any.
    inside: Option<Node>,
    unknown: u32,
    characters_max: usize,
}

impl WordPiece {
    pub fn read(json: &Json<'_>) -> Result<WordPiece, TokenizerError> {
        let mut vocabulary = Tree::default();
        for (token, id) in json.get("vocab")?.vocabulary()? {
            vocabulary.insert(&token, id);
        }
        let unknown = json.get("unk_token")?;
        let Some(unknown) = vocabulary.get(unknown.text()?).copied() else {
            return Err(unknown.refuse("it is not in the vocabulary"));
        };
        let characters_max = json.optional("max_input_chars_per_word", Json::id)?;
        let prefix = json.text_of("continuing_subword_prefix")?;
        Ok(WordPiece {
            unknown,
            inside: vocabulary.walk(ROOT, prefix.as_deref().unwrap_or("##")),
            characters_max: characters_max.unwrap_or(100) as usize,
            vocabulary,
        })
    }

    pub fn id(&self, token: &str) -> Option<u32> {
        self.vocabulary.get(token).copied()
    }

    pub fn tokenize(&self, word: &str, ids: &mut Vec<u32>) {
        if word.chars().nth(self.characters_max).is_some() {
            ids.push(self.unknown);
            return;
        }
        let before = ids.len();
        let mut from = Some(ROOT);
        let mut rest = word.as_bytes();
        while !rest.is_empty() {
            let longest = from.and_then(|from| self.vocabulary.longest(from, rest));
            let Some((length, id)) = longest else {
                // One part that is unknown makes the whole word so.
                ids.truncate(before);
                ids.push(self.unknown);
                return;
            };
            ids.push(*id);
            rest = &rest[length..];
            from = self.inside;
        }
    }
}
