//! `search`, and the index behind it. Every sealed version has a number; every term (a status, a task, a word of its name)
//! has the set of the numbers that have it, in blocks of 4,096. A query intersects sets block by block, from the newest
//! number down, so that it costs the same whatever it finds:
//!
//! ```text
//! key   | first 16 bytes of SHA-256(kind · term) | block, u32 big-endian |
//! value | 0 | offsets in ascending order, u16 big-endian each            |   up to 255 of them
//!       | 1 | bitmap of 512 bytes                                        |
//! ```
//! At 1,000,000 versions a term has at most 245 blocks, and a query has at most 14 terms (8 words and 6 more). Numbers are
//! never used again, and each page is below the one before, so that pages stay apart whatever is published in between.
//!
//! The beginnings of a word are terms as well, so that a search finds what somebody is still typing.

use std::collections::BTreeSet;

use stoa_registry_api::{SearchArgs, SearchError, SearchPage, SearchResult};
use stoa_types::Sha256;
use stoa_types::manifest::Manifest;

use crate::limits::{LIST_MAX, SEARCH_FIELD_BYTES_MAX, SEARCH_LIST_DEFAULT, SEARCH_WORDS_MAX};
use crate::state::State;
use crate::state::records::Status;
use crate::summary::summary_of;

const BLOCK: u32 = 4_096;
const BITMAP_BYTES: usize = BLOCK as usize / 8;
/// Above that a bitmap is smaller or near enough.
const OFFSETS_MAX: usize = 255;

/// Beginnings of a word that are indexed, in characters; the whole word is in any case.
const BEGINNING_CHARS_MAX: usize = 16;
const WORD_CHARS_MAX: usize = 24;
/// Words of one version. With their beginnings these are up to 544 terms, at about 250,000 instructions each.
const WORDS_OF_VERSION_MAX: usize = 32;
/// What of the card is read for words.
const CARD_HEAD_BYTES: usize = 600;

/// What a term is about; the numbers are stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Kind {
    Every = 0,
    Face = 1,
    Status = 2,
    Task = 3,
    Tag = 4,
    Publisher = 5,
    License = 6,
    Word = 7,
}

type Term = [u8; 16];

fn term(kind: Kind, text: &str) -> Term {
    let mut bytes = vec![kind as u8];
    bytes.extend(text.to_lowercase().as_bytes());
    let hash = Sha256::of(&bytes).0;
    *hash.first_chunk().expect("BUG: a hash has 32 bytes")
}

fn status_term(status: Status) -> Term {
    let wire = stoa_registry_api::VersionStatus::from(status);
    term(Kind::Status, wire.name())
}

/// Which of 4,096 numbers have a term.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Members([u64; 64]);

impl Members {
    const NONE: Self = Self([0; 64]);
    const ALL: Self = Self([u64::MAX; 64]);

    fn read(bytes: &[u8]) -> Self {
        let (form, rest) = bytes.split_first().expect("BUG: an empty posting");
        let mut members = Self::NONE;
        if *form == 0 {
            for offset in rest.as_chunks::<2>().0 {
                members.set(u16::from_be_bytes(*offset), true);
            }
        } else {
            for (word, bytes) in members.0.iter_mut().zip(rest.as_chunks::<8>().0) {
                *word = u64::from_le_bytes(*bytes);
            }
        }
        members
    }

    fn write(&self) -> Vec<u8> {
        if self.count() as usize <= OFFSETS_MAX {
            let mut bytes = vec![0];
            for offset in self.offsets() {
                bytes.extend(offset.to_be_bytes());
            }
            return bytes;
        }
        let mut bytes = Vec::with_capacity(1 + BITMAP_BYTES);
        bytes.push(1);
        for word in self.0 {
            bytes.extend(word.to_le_bytes());
        }
        bytes
    }

    fn set(&mut self, offset: u16, is_member: bool) {
        let (word, bit) = (usize::from(offset) / 64, offset % 64);
        if is_member {
            self.0[word] |= 1 << bit;
        } else {
            self.0[word] &= !(1 << bit);
        }
    }

    fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    fn and(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word &= other;
        }
    }

    fn offsets(&self) -> impl DoubleEndedIterator<Item = u16> + '_ {
        (0..BLOCK as u16).filter(|offset| {
            let (word, bit) = (usize::from(*offset) / 64, offset % 64);
            self.0[word] >> bit & 1 == 1
        })
    }
}

fn key(term: &Term, block: u32) -> [u8; 20] {
    let mut key = [0; 20];
    key[..16].copy_from_slice(term);
    key[16..].copy_from_slice(&block.to_be_bytes());
    key
}

fn mark(state: &mut State, term: &Term, number: u32, is_member: bool) {
    let key = key(term, number / BLOCK);
    let mut members = state
        .postings
        .get(&key)
        .map_or(Members::NONE, |bytes| Members::read(&bytes));
    members.set((number % BLOCK) as u16, is_member);
    if members == Members::NONE {
        state.postings.remove(&key);
    } else {
        state.postings.insert(key, members.write());
    }
}

/// Gives a version its number and its terms; again changes nothing.
pub fn insert(state: &mut State, version: Sha256, manifest: &Manifest) {
    let mut record = state
        .version(&version)
        .expect("BUG: a version to be indexed is gone");
    let number = match record.document {
        Some(number) => number,
        None => {
            let number = state.settings.get().next_document;
            state.change_settings(|settings| settings.next_document = number + 1);
            record.document = Some(number);
            state.documents.insert(number, version.0);
            state.versions.insert(version.0, record.clone());
            number
        }
    };
    for term in terms(manifest) {
        mark(state, &term, number, true);
    }
    mark(state, &status_term(record.status), number, true);
    mark(state, &term(Kind::Every, ""), number, true);
}

/// Hides it; every query asks for one of these two terms.
pub fn remove(state: &mut State, version: Sha256) {
    let record = state.version(&version);
    let Some(number) = record.and_then(|record| record.document) else {
        return;
    };
    mark(state, &term(Kind::Every, ""), number, false);
    mark(state, &term(Kind::Face, ""), number, false);
    state.documents.remove(&number);
}

pub fn move_status(state: &mut State, version: Sha256, from: Status, to: Status) {
    let record = state.version(&version);
    if let Some(number) = record.and_then(|record| record.document) {
        mark(state, &status_term(from), number, false);
        mark(state, &status_term(to), number, true);
    }
}

pub fn move_face(state: &mut State, from: Option<u32>, to: Option<u32>) {
    if from == to {
        return;
    }
    if let Some(number) = from {
        mark(state, &term(Kind::Face, ""), number, false);
    }
    if let Some(number) = to {
        mark(state, &term(Kind::Face, ""), number, true);
    }
}

/// What never changes about a version.
fn terms(manifest: &Manifest) -> BTreeSet<Term> {
    let mut terms = BTreeSet::new();
    terms.insert(term(Kind::Publisher, &manifest.publisher));
    terms.insert(term(Kind::Task, &manifest.task));
    terms.insert(term(Kind::License, &manifest.license));
    for part in licenses(&manifest.license) {
        terms.insert(term(Kind::License, part));
    }
    for tag in &manifest.card.tags {
        terms.insert(term(Kind::Tag, tag));
    }
    let card = &manifest.card;
    let head_end = card.markdown.floor_char_boundary(CARD_HEAD_BYTES);
    let texts = [&manifest.publisher, &manifest.name, &manifest.task]
        .into_iter()
        .chain(&card.tags)
        .chain(&card.base_model)
        .chain(&card.datasets)
        .map(String::as_str)
        .chain([&card.markdown[..head_end]]);
    let mut words_seen = BTreeSet::new();
    for word in texts.flat_map(words) {
        if words_seen.len() >= WORDS_OF_VERSION_MAX {
            break;
        }
        words_seen.insert(word);
    }
    for word in words_seen {
        let ends = word.char_indices().map(|(start, c)| start + c.len_utf8());
        for end in ends.take(BEGINNING_CHARS_MAX) {
            terms.insert(term(Kind::Word, &word[..end]));
        }
        terms.insert(term(Kind::Word, &word));
    }
    terms
}

/// The licences that an SPDX expression names.
fn licenses(expression: &str) -> impl Iterator<Item = &str> {
    expression
        .split([' ', '(', ')'])
        .filter(|part| !part.is_empty() && !matches!(*part, "AND" | "OR" | "WITH"))
}

/// In lower case, cut at everything that is neither letter nor digit.
fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| {
            let lower = word.to_lowercase();
            lower.chars().take(WORD_CHARS_MAX).collect()
        })
        .collect()
}

pub fn search(state: &State, args: &SearchArgs) -> SearchResult {
    let wanted = wanted_terms(args)?;
    let limit = args.limit.unwrap_or(SEARCH_LIST_DEFAULT).clamp(1, LIST_MAX) as usize;
    let before = args.before.unwrap_or(u64::MAX);
    let mut matches = 0;
    let mut found = Vec::new();
    let blocks = state.settings.get().next_document.div_ceil(BLOCK);
    for block in (0..blocks).rev() {
        let Some(members) = intersect(state, &wanted, block) else {
            continue;
        };
        matches += u64::from(members.count());
        if found.len() > limit {
            continue;
        }
        for offset in members.offsets().rev() {
            let number = u64::from(block * BLOCK + u32::from(offset));
            // One more than asked for tells whether there is another page.
            if number < before && found.len() <= limit {
                found.push(number);
            }
        }
    }
    let has_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().copied().filter(|_| has_more);
    let versions = found
        .into_iter()
        .filter_map(|number| {
            let version = state.documents.get(&u32::try_from(number).ok()?)?;
            summary_of(state, Sha256(version))
        })
        .collect();
    Ok(SearchPage {
        versions,
        next,
        matches,
    })
}

fn intersect(state: &State, terms: &[Term], block: u32) -> Option<Members> {
    let mut members = Members::ALL;
    for term in terms {
        let bytes = state.postings.get(&key(term, block))?;
        members.and(&Members::read(&bytes));
    }
    (members != Members::NONE).then_some(members)
}

/// What must hold of each answer. The first term is the one that hides what was removed.
fn wanted_terms(args: &SearchArgs) -> Result<Vec<Term>, SearchError> {
    let scope = if args.every_version == Some(true) {
        Kind::Every
    } else {
        Kind::Face
    };
    let mut wanted = vec![term(scope, "")];
    for (field, kind, value) in [
        ("task", Kind::Task, &args.task),
        ("tag", Kind::Tag, &args.tag),
        ("publisher", Kind::Publisher, &args.publisher),
        ("license", Kind::License, &args.license),
        ("text", Kind::Word, &args.text),
    ] {
        let Some(value) = value else { continue };
        let given = value.len() as u64;
        if given > SEARCH_FIELD_BYTES_MAX {
            return Err(SearchError::TooLong {
                field: field.to_owned(),
                given,
                max: SEARCH_FIELD_BYTES_MAX,
            });
        }
        if kind != Kind::Word {
            wanted.push(term(kind, value));
        }
    }
    if let Some(status) = args.status {
        wanted.push(term(Kind::Status, status.name()));
    }
    let words: BTreeSet<String> = words(args.text.as_deref().unwrap_or_default())
        .into_iter()
        .collect();
    let given = words.len() as u64;
    if given > SEARCH_WORDS_MAX {
        return Err(SearchError::TooManyWords {
            given,
            max: SEARCH_WORDS_MAX,
        });
    }
    wanted.extend(words.iter().map(|word| term(Kind::Word, word)));
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn should_read_back_any_set_of_numbers(offsets in prop::collection::btree_set(0_u16..4_096, 0..600)) {
            let mut members = Members::NONE;
            for offset in &offsets {
                members.set(*offset, true);
            }
            prop_assert_eq!(members.count() as usize, offsets.len());
            let back = Members::read(&members.write());
            prop_assert_eq!(&back, &members);
            prop_assert_eq!(back.offsets().collect::<BTreeSet<_>>(), offsets);
        }
    }

    #[test]
    fn should_cut_texts_into_words_of_any_script() {
        assert_eq!(words("all-MiniLM_L6.v2"), ["all", "minilm", "l6", "v2"]);
        assert_eq!(words("Ünïcode 数字, ok"), ["ünïcode", "数字", "ok"]);
        assert_eq!(words(&"x".repeat(100)), ["x".repeat(24)]);
        assert!(words(" -- ").is_empty());
    }

    #[test]
    fn should_find_each_licence_of_an_expression() {
        let found: Vec<_> =
            licenses("(MIT AND BSD-3-Clause) OR GPL-2.0-only WITH Classpath-exception-2.0")
                .collect();
        assert_eq!(
            found,
            [
                "MIT",
                "BSD-3-Clause",
                "GPL-2.0-only",
                "Classpath-exception-2.0"
            ]
        );
    }
}
