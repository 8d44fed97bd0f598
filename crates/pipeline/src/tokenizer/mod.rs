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
//!
//! A text is normalized as a whole. From there on it is taken piece by piece, and no further than ids are kept. What it costs is
//! bounded by the bytes that there are before and after the normalizer, whatever they are ([`Room`]).

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
mod tree;
mod unicode_tables;
mod word_piece;

use std::collections::HashMap;
use std::ops::ControlFlow;

use added::{AddedTokens, Part};
use json::Json;
use model::Model;
use normalizer::Normalizer;
use post_processor::PostProcessor;
use pre_tokenizer::{Piece, PreTokenizer};

/// Normalizers, or pre-tokenizers, in one file: each goes over the whole text.
const STEPS_MAX: usize = 16;

/// The keys are the file's and a text can only ask for them, so nothing has to be kept from colliding.
type Map<K, V> = HashMap<K, V, rustc_hash::FxBuildHasher>;

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

/// Bytes that normalized texts may still have: one character can become eighteen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Room {
    pub bytes: usize,
}

/// There is no [`Room`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooLong;

impl Tokenizer {
    pub fn from_json(bytes: &[u8]) -> Result<Tokenizer, TokenizerError> {
        let value: serde_json::Value =
            serde_json::from_slice(bytes).map_err(|error| TokenizerError {
                field: "file".into(),
                reason: error.to_string(),
            })?;
        let root = Json::root(&value);
        let model = Model::read(&root.get("model")?)?;
        let normalizer = root.optional("normalizer", Normalizer::read)?;
        let pre_tokenizer = root.optional("pre_tokenizer", PreTokenizer::read)?;
        let steps = [
            normalizer.as_ref().map_or(0, Normalizer::steps),
            pre_tokenizer.as_ref().map_or(0, PreTokenizer::steps),
        ];
        if steps.iter().any(|steps| *steps > STEPS_MAX) {
            return Err(root.refuse(format!(
                "it has {steps:?} normalizers and pre-tokenizers, at most {STEPS_MAX} of each are supported"
            )));
        }
        let added = AddedTokens::read(&root.get("added_tokens")?, normalizer.as_ref())?;
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
    pub fn encode(
        &self,
        text: &str,
        pair: Option<&str>,
        tokens_max: usize,
        room: &mut Room,
    ) -> Result<Encoding, TooLong> {
        let special = self.post_processor.added(pair.is_some());
        let max = tokens_max.saturating_sub(special);
        // One more than can be kept says of a text that it is too long. Of two that are, the longer one keeps the odd token, if
        // there is one; to know which it is they have to be counted.
        let mut wanted = max.saturating_add(1);
        let before = room.clone();
        let mut first = self.ids(text, wanted, room)?;
        let mut second = pair.map(|pair| self.ids(pair, wanted, room)).transpose()?;
        if let (Some(cut), Some(pair)) = (&second, pair)
            && max % 2 == 1
            && first.len() > max
            && cut.len() > max
        {
            *room = before;
            wanted = usize::MAX;
            first = self.ids(text, wanted, room)?;
            second = Some(self.ids(pair, wanted, room)?);
        }
        truncate(&mut first, second.as_mut(), max);
        let mut encoding = self.post_processor.process(first, second);
        // Only where not even the special tokens fit.
        encoding.ids.truncate(tokens_max);
        encoding.types.truncate(tokens_max);
        Ok(encoding)
    }

    /// The first `wanted`, or a few more.
    fn ids(&self, text: &str, wanted: usize, room: &mut Room) -> Result<Vec<u32>, TooLong> {
        let mut ids = Vec::new();
        let mut is_first = true;
        for part in self.added.split_given(text) {
            let text = match part {
                Part::Token(id) => {
                    ids.push(id);
                    is_first = false;
                    continue;
                }
                Part::Text(text) => text,
            };
            if ids.len() >= wanted {
                break;
            }
            let text = match &self.normalizer {
                Some(normalizer) => normalizer.normalize(text, room.bytes)?,
                None => text.to_owned(),
            };
            room.bytes = room.bytes.checked_sub(text.len()).ok_or(TooLong)?;
            for part in self.added.split_normalized(&text) {
                match part {
                    Part::Token(id) => ids.push(id),
                    Part::Text(text) => self.add(text, is_first, wanted, &mut ids),
                }
                is_first = false;
            }
        }
        Ok(ids)
    }

    /// Of what has no added tokens in it.
    fn add(&self, text: &str, is_first: bool, wanted: usize, ids: &mut Vec<u32>) {
        let whole = Piece {
            text,
            first: is_first,
        };
        let mut tokenize = |piece: Piece<'_>| {
            if ids.len() >= wanted {
                return ControlFlow::Break(());
            }
            if !piece.text.is_empty() {
                self.model.tokenize(piece.text, ids);
            }
            ControlFlow::Continue(())
        };
        // That it stopped shows in how many ids there are.
        let _stopped: ControlFlow<()> = match &self.pre_tokenizer {
            Some(pre_tokenizer) => pre_tokenizer.split(whole, &mut tokenize),
            None => tokenize(whole),
        };
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
