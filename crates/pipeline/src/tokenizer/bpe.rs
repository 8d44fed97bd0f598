//! Byte pair encoding (R. Sennrich, B. Haddow, A. Birch, Neural Machine Translation of Rare Words with Subword Units,
//! 2016): of all neighbours the pair that was merged first in training is merged, until none is left.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::TokenizerError;
use super::json::Json;

#[derive(Clone, Debug)]
pub(super) struct Bpe {
    vocabulary: HashMap<String, u32>,
    /// Rank and result of each pair.
    merges: HashMap<(u32, u32), (u32, u32)>,
    unknown: Option<u32>,
    continuing_prefix: String,
    word_suffix: String,
    fuse_unknown: bool,
    byte_fallback: bool,
    ignore_merges: bool,
}

impl Bpe {
    pub fn read(json: &Json<'_>) -> Result<Bpe, TokenizerError> {
        let vocabulary = json.get("vocab")?.vocabulary()?;
        let continuing_prefix = json
            .text_of("continuing_subword_prefix")?
            .unwrap_or_default();
        let mut merges = HashMap::new();
        for (rank, merge) in json.get("merges")?.list()?.iter().enumerate() {
            let (left, right) = merge.merge()?;
            let id = |token: &str| {
                vocabulary
                    .get(token)
                    .copied()
                    .ok_or_else(|| merge.refuse(format!("`{token}` is not in the vocabulary")))
            };
            let tail = right
                .get(continuing_prefix.len()..)
                .ok_or_else(|| merge.refuse("the second token is shorter than the prefix"))?;
            let result = id(&format!("{left}{tail}"))?;
            merges.insert((id(left)?, id(right)?), (rank as u32, result));
        }
        let unknown = match json.text_of("unk_token")? {
            None => None,
            Some(token) => match vocabulary.get(&token) {
                Some(id) => Some(*id),
                None => return Err(json.refuse(format!("`{token}` is not in the vocabulary"))),
            },
        };
        if json.find("dropout").is_some() {
            return Err(json.refuse("`dropout` draws random numbers"));
        }
        Ok(Bpe {
            merges,
            unknown,
            continuing_prefix,
            word_suffix: json.text_of("end_of_word_suffix")?.unwrap_or_default(),
            fuse_unknown: json.truth_or("fuse_unk", false)?,
            byte_fallback: json.truth_or("byte_fallback", false)?,
            ignore_merges: json.truth_or("ignore_merges", false)?,
            vocabulary,
        })
    }

    pub fn id(&self, token: &str) -> Option<u32> {
        self.vocabulary.get(token).copied()
    }

    pub fn tokenize(&self, word: &str, ids: &mut Vec<u32>) {
        if self.ignore_merges
            && let Some(id) = self.id(word)
        {
            ids.push(id);
            return;
        }
        let symbols = self.symbols(word);
        self.merge(symbols, ids);
    }

    /// One for each character, or for each of its bytes.
    fn symbols(&self, word: &str) -> Vec<u32> {
        let mut symbols = Vec::with_capacity(word.len());
        let mut after_unknown = false;
        for (at, c) in word.char_indices() {
            let mut token = String::new();
            if at > 0 {
                token.push_str(&self.continuing_prefix);
            }
            token.push(c);
            if at + c.len_utf8() == word.len() {
                token.push_str(&self.word_suffix);
            }
            let unknown_before = std::mem::take(&mut after_unknown);
            if let Some(id) = self.id(&token) {
                symbols.push(id);
                continue;
            }
            if self.byte_fallback {
                let bytes: Option<Vec<u32>> = token
                    .bytes()
                    .map(|byte| self.id(&format!("<0x{byte:02X}>")))
                    .collect();
                if let Some(bytes) = bytes {
                    symbols.extend(bytes);
                    continue;
                }
            }
            if let Some(unknown) = self.unknown {
                after_unknown = true;
                if !(self.fuse_unknown && unknown_before) {
                    symbols.push(unknown);
                }
            }
        }
        symbols
    }

    /// Merges by rank, then from the left. A heap of candidates over a linked list, so that a word of a million characters
    /// takes a million steps times a logarithm.
    fn merge(&self, mut symbols: Vec<u32>, ids: &mut Vec<u32>) {
        const GONE: u32 = u32::MAX;
        let length = symbols.len();
        let mut next: Vec<usize> = (1..=length).collect();
        let mut before: Vec<usize> = (0..length).map(|at| at.wrapping_sub(1)).collect();
        let candidate = |symbols: &[u32], left: usize, right: usize| {
            let pair = (symbols[left], symbols[right]);
            self.merges
                .get(&pair)
                .map(|(rank, result)| Reverse((*rank, left, pair, *result)))
        };
        let mut heap: BinaryHeap<_> = (1..length)
            .filter_map(|right| candidate(&symbols, right - 1, right))
            .collect();
        while let Some(Reverse((_, left, pair, result))) = heap.pop() {
            let right = next[left];
            // A candidate whose symbols were merged in the meantime.
            if symbols[left] == GONE || right >= length || (symbols[left], symbols[right]) != pair {
                continue;
            }
            symbols[left] = result;
            symbols[right] = GONE;
            next[left] = next[right];
            if next[left] < length {
                before[next[left]] = left;
                heap.extend(candidate(&symbols, left, next[left]));
            }
            if before[left] < length {
                heap.extend(candidate(&symbols, before[left], left));
            }
        }
        ids.extend(symbols.into_iter().filter(|symbol| *symbol != GONE));
    }
}
