//! WordPiece (M. Schuster, K. Nakajima, Japanese and Korean Voice Search, 2012), as BERT uses it: the longest token that
//! the rest of a word begins with, again and again.

use std::collections::HashMap;

use super::TokenizerError;
use super::json::Json;

#[derive(Clone, Debug)]
pub(super) struct WordPiece {
    vocabulary: HashMap<String, u32>,
    unknown: u32,
    prefix: String,
    characters_max: usize,
    /// No token is longer, so no longer candidate is looked up.
    token_bytes_max: usize,
}

impl WordPiece {
    pub fn read(json: &Json<'_>) -> Result<WordPiece, TokenizerError> {
        let vocabulary = json.get("vocab")?.vocabulary()?;
        let unknown = json.get("unk_token")?;
        let Some(unknown) = vocabulary.get(unknown.text()?).copied() else {
            return Err(unknown.refuse("it is not in the vocabulary"));
        };
        let characters_max = json.optional("max_input_chars_per_word", Json::id)?;
        Ok(WordPiece {
            unknown,
            prefix: json
                .text_of("continuing_subword_prefix")?
                .unwrap_or("##".into()),
            characters_max: characters_max.unwrap_or(100) as usize,
            token_bytes_max: vocabulary.keys().map(String::len).max().unwrap_or(0),
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
        let mut begin = 0;
        let mut candidate = String::new();
        while begin < word.len() {
            candidate.clear();
            if begin > 0 {
                candidate.push_str(&self.prefix);
            }
            let prefix = candidate.len();
            candidate.push_str(&word[begin..]);
            let mut end = candidate.len();
            let found = loop {
                if end <= self.token_bytes_max
                    && let Some(id) = self.id(&candidate[..end])
                {
                    break Some(id);
                }
                // The next shorter one that ends at a character.
                match candidate[..end].char_indices().next_back() {
                    Some((at, _)) if at > prefix => end = at,
                    _ => break None,
                }
            };
            let Some(id) = found else {
                // One part that is unknown makes the whole word so.
                ids.truncate(before);
                ids.push(self.unknown);
                return;
            };
            ids.push(id);
            begin += end - prefix;
        }
    }
}
