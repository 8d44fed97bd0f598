//! Texts to token ids, as a Hugging Face `tokenizer.json` describes it.
//!
//! The package `tokenizers` itself does not fit: its regular expressions need a C library, and alone it is as large as what
//! is left of a canister's code. This is the part of it that models like BERT, RoBERTa and GPT-2 use, held to the
//! package's own results on texts of many scripts (`tests/tokenizers`). What is not known here is refused by name when the
//! file is read, never approximated.
//!
//! ```text
//! text -> added tokens cut out -> normalizer -> pre-tokenizer -> model -> truncation -> post-processor -> ids
//! ```

mod added;
mod bpe;
mod characters;
mod json;
mod model;
mod normalizer;
mod patterns;
mod post_processor;
mod pre_tokenizer;
#[cfg(test)]
mod tests;
mod unicode_tables;
mod word_piece;

use added::AddedTokens;
use json::Json;
use model::Model;
use normalizer::Normalizer;
use post_processor::PostProcessor;
use pre_tokenizer::{Piece, PreTokenizer};

/// Why a `tokenizer.json` cannot be used; `field` is a path into it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("tokenizer {field}: {reason}")]
pub struct TokenizerError {
    pub field: String,
    pub reason: String,
}

/// Ready to encode any text.
#[derive(Debug)]
pub(crate) struct Tokenizer {
    added: AddedTokens,
    normalizer: Option<Normalizer>,
    pre_tokenizer: Option<PreTokenizer>,
    model: Model,
    post_processor: PostProcessor,
}

/// A text, or a pair of them, as ids; without padding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Encoding {
    pub ids: Vec<u32>,
    pub types: Vec<u32>,
}

impl Tokenizer {
    pub fn from_json(bytes: &[u8]) -> Result<Tokenizer, TokenizerError> {
        let value: serde_json::Value =
            serde_json::from_slice(bytes).map_err(|error| TokenizerError {
                field: "file".into(),
                reason: error.to_string(),
            })?;
        let root = Json::root(&value);
        let model = Model::read(&root.get("model")?)?;
        let added = AddedTokens::read(&root.get("added_tokens")?)?;
        let normalizer = root.optional("normalizer", Normalizer::read)?;
        let pre_tokenizer = root.optional("pre_tokenizer", PreTokenizer::read)?;
        let post_processor = root
            .optional("post_processor", |json| {
                PostProcessor::read(json, &|token| added.id(token).or_else(|| model.id(token)))
            })?
            .unwrap_or_default();
        Ok(Tokenizer {
            added,
            normalizer,
            pre_tokenizer,
            model,
            post_processor,
        })
    }

    /// The id of a token of the vocabulary or of an added one.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.added.id(token).or_else(|| self.model.id(token))
    }

    /// Cuts to `tokens_max`, special tokens included: of a pair from the longer text first.
    pub fn encode(&self, text: &str, pair: Option<&str>, tokens_max: usize) -> Encoding {
        let mut first = self.ids(text);
        let mut second = pair.map(|pair| self.ids(pair));
        let special = self.post_processor.added(second.is_some());
        truncate(
            &mut first,
            second.as_mut(),
            tokens_max.saturating_sub(special),
        );
        let mut encoding = self.post_processor.process(first, second);
        // Only where not even the special tokens fit.
        encoding.ids.truncate(tokens_max);
        encoding.types.truncate(tokens_max);
        encoding
    }

    fn ids(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        let normalize = |text: &str| match &self.normalizer {
            Some(normalizer) => normalizer.normalize(text),
            None => text.to_owned(),
        };
        for (at, part) in self.added.split(text, &normalize).into_iter().enumerate() {
            match part {
                added::Part::Token(id) => ids.push(id),
                added::Part::Text(text) => {
                    let whole = vec![Piece {
                        text,
                        first: at == 0,
                    }];
                    let pieces = match &self.pre_tokenizer {
                        Some(pre_tokenizer) => pre_tokenizer.split(whole),
                        None => whole,
                    };
                    for piece in pieces.iter().filter(|piece| !piece.text.is_empty()) {
                        self.model.tokenize(&piece.text, &mut ids);
                    }
                }
            }
        }
        ids
    }
}

/// The strategy `LongestFirst`, from the right.
fn truncate(first: &mut Vec<u32>, second: Option<&mut Vec<u32>>, max: usize) {
    let Some(second) = second else {
        first.truncate(max);
        return;
    };
    let total = first.len() + second.len();
    if total <= max {
        return;
    }
    // What the shorter one does not need goes to the other; if both are long, half for each.
    let shorter = first.len().min(second.len());
    let longer = if shorter > max {
        shorter
    } else {
        shorter.max(max - shorter)
    };
    let (keep_shorter, keep_longer) = if shorter + longer > max {
        (max / 2, max / 2 + max % 2)
    } else {
        (shorter, longer)
    };
    let (keep_first, keep_second) = if first.len() > second.len() {
        (keep_longer, keep_shorter)
    } else {
        (keep_shorter, keep_longer)
    };
    first.truncate(keep_first);
    second.truncate(keep_second);
}
