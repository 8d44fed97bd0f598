//! Byte pair encoding (R. Sennrich, B. Haddow, A. Birch, Neural Machine Translation of Rare Words with Subword Units,
//! 2016): of all neighbours the pair that was merged first in training is merged, until none is left.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::json::Json;
use super::{Map, TokenizerError};

#[derive(Clone, Debug)]
pub(super) struct Bpe {
    vocabulary: Map<String, u32>,
    /// Rank and result of each pair.
    merges: Map<(u32, u32), (u32, u32)>,
    unknown: Option<u32>,
    continuing_prefix: String,
    word_suffix: String,
    fuse_unknown: bool,
    /// The tokens of bytes that stand for characters which have none.
    bytes: Option<Vec<Option<u32>>>,
    ignore_merges: bool,
}

impl Bpe {
    pub fn read(json: &Json<'_>) -> Result<Bpe, TokenizerError> {
        let vocabulary = json.get("vocab")?.vocabulary()?;
        let continuing_prefix = json
            .text_of("continuing_subword_prefix")?
            .unwrap_or_default();
        let mut merges = Map::default();
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
        let byte = |byte| vocabulary.get(&format!("<0x{byte:02X}>")).copied();
        let bytes = json
            .truth_or("byte_fallback", false)?
            .then(|| (0..=u8::MAX).map(byte).collect());
        Ok(Bpe {
            bytes,
            merges,
            unknown,
            continuing_prefix,
            word_suffix: json.text_of("end_of_word_suffix")?.unwrap_or_default(),
            fuse_unknown: json.truth_or("fuse_unk", false)?,
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
        let mut token = String::new();
        for (at, c) in word.char_indices() {
            token.clear();
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
            if let Some(ids) = &self.bytes {
                let id = |byte| ids[usize::from(byte)];
                if token.bytes().all(|byte| id(byte).is_some()) {
                    symbols.extend(token.bytes().filter_map(id));
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
        let mut next: Vec<u32> = (1..=length as u32).collect();
        let mut before: Vec<u32> = (0..length as u32).map(|at| at.wrapping_sub(1)).collect();
        let merged = |symbols: &[u32], left: u32, right: u32| {
            let pair = (symbols[left as usize], symbols[right as usize]);
            self.merges.get(&pair).copied()
        };
        let candidate = |symbols: &[u32], left: u32, right: u32| {
            let (rank, _) = merged(symbols, left, right)?;
            Some(Reverse((rank, left)))
        };
        let mut heap: BinaryHeap<_> = (1..length as u32)
            .filter_map(|right| candidate(&symbols, right - 1, right))
            .collect();
        while let Some(Reverse((rank, left))) = heap.pop() {
            let right = next[left as usize];
            if symbols[left as usize] == GONE || right as usize >= length {
                continue;
            }
            // One pair has one rank. Another one's: what it was is merged already.
            let result = match merged(&symbols, left, right) {
                Some((now, result)) if now == rank => result,
                _ => continue,
            };
            symbols[left as usize] = result;
            symbols[right as usize] = GONE;
            let after = next[right as usize];
            next[left as usize] = after;
            if (after as usize) < length {
                before[after as usize] = left;
                heap.extend(candidate(&symbols, left, after));
            }
            let previous = before[left as usize];
            if (previous as usize) < length {
                heap.extend(candidate(&symbols, previous, left));
            }
        }
        ids.extend(symbols.into_iter().filter(|symbol| *symbol != GONE));
    }
}
