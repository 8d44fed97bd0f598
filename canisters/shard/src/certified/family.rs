//! A certified tree of names that are hashes, all in stable memory. Names are spread over 8,192 buckets by the first 13 bits of
//! their place; a binary tree over the buckets keeps its digests in an array. To add or remove a name hashes its bucket
//! (59 names where a shard is full of mebibytes) and 13 forks; an upgrade does nothing.
//!
//! ```text
//! ENTRIES   map: place -> digest of what is below the name's exact path
//! TREES     map: place -> digest of all that is below the name, where longer paths are (folders; in one family only)
//! DIGESTS   32 bytes a node, node 1 the root, nodes 2n and 2n + 1 below n, buckets from 8,192 on; zeros: nothing there
//! ```

use std::collections::BTreeMap;

use ic_certification::{Hash, HashTree, label, labeled_hash, pruned};
use ic_stable_structures::{Memory, StableBTreeMap};
use stoa_types::Sha256;

use super::forest::{self, Item};
use super::models::FileTree;
use super::naming::{NamePlace, Naming};
use super::response::{EXACT, WILDCARD_NAMES, next_label, node_digest};
use crate::memory::{Book, PAGE_BYTES};

const BUCKET_BITS: u32 = 13;
const BUCKETS: u64 = 1 << BUCKET_BITS;
const DIGEST_BYTES: u64 = 32;
const DIGEST_PAGES: u64 = 2 * BUCKETS * DIGEST_BYTES / PAGE_BYTES;

pub struct Family<M: Memory> {
    naming: Naming,
    entries: StableBTreeMap<NamePlace, Hash, Book<M>>,
    trees: Option<StableBTreeMap<NamePlace, Hash, Book<M>>>,
    digests: Book<M>,
}

/// Names that a witness shows, with what is below them.
type Shown = BTreeMap<NamePlace, HashTree>;

impl<M: Memory> Family<M> {
    pub fn open(naming: Naming, entries: Book<M>, digests: Book<M>) -> Self {
        if digests.size() < DIGEST_PAGES {
            // New memory is all zeros, which is a tree of nothing.
            assert_ne!(
                digests.grow(DIGEST_PAGES - digests.size()),
                -1,
                "no stable memory for a certified tree"
            );
        }
        Self {
            naming,
            entries: StableBTreeMap::init(entries),
            trees: None,
            digests,
        }
    }

    /// The same for names that may have longer paths below them.
    pub fn with_trees(self, trees: Book<M>) -> Self {
        Self {
            trees: Some(StableBTreeMap::init(trees)),
            ..self
        }
    }

    /// Adds a name or changes what is below its exact path.
    pub fn set(&mut self, hash: &Sha256, content: Hash) {
        let place = (self.naming.place)(hash);
        self.entries.insert(place, content);
        self.refresh(&place);
    }

    /// What was set for the name's exact path.
    pub fn get(&self, hash: &Sha256) -> Option<Hash> {
        self.entries.get(&(self.naming.place)(hash))
    }

    /// Sets what is below the name, its exact path and longer ones.
    pub fn set_tree(&mut self, hash: &Sha256, content: Hash) {
        let place = (self.naming.place)(hash);
        let trees = self.trees.as_mut().expect("BUG: a family without trees");
        trees.insert(place, content);
        self.refresh(&place);
    }

    pub fn remove(&mut self, hash: &Sha256) {
        let place = (self.naming.place)(hash);
        self.entries.remove(&place);
        if let Some(trees) = &mut self.trees {
            trees.remove(&place);
        }
        self.refresh(&place);
    }

    #[cfg(test)]
    pub fn hashes(&self) -> Vec<Sha256> {
        self.entries
            .iter()
            .map(|entry| (self.naming.hash)(entry.key()))
            .collect()
    }

    fn refresh(&mut self, place: &NamePlace) {
        let mut node = BUCKETS + bucket_of(place);
        let items = self.bucket(node - BUCKETS, &Shown::new());
        let digests: Vec<Hash> = items
            .iter()
            .map(|item| labeled_hash(&item.label, &item.content))
            .collect();
        self.write(node, forest::row_digest(&digests));
        while node > 1 {
            node /= 2;
            let digest = forest::fork_digests(self.read(2 * node), self.read(2 * node + 1));
            self.write(node, digest);
        }
    }

    fn read(&self, node: u64) -> Option<Hash> {
        let mut digest = [0; 32];
        self.digests.read(node * DIGEST_BYTES, &mut digest);
        (digest != [0; 32]).then_some(digest)
    }

    fn write(&self, node: u64, digest: Option<Hash>) {
        self.digests
            .write(node * DIGEST_BYTES, &digest.unwrap_or_default());
    }

    fn bucket(&self, bucket: u64, shown: &Shown) -> Vec<Item> {
        let (first, last) = bucket_range(bucket);
        self.entries
            .range(first..=last)
            .map(|entry| {
                let (place, content) = entry.into_pair();
                Item {
                    label: self.name(&place).into_bytes(),
                    content: self.content(&place, &content),
                    shown: shown.get(&place).cloned(),
                }
            })
            .collect()
    }

    fn content(&self, place: &NamePlace, exact: &Hash) -> Hash {
        let tree = self.trees.as_ref().and_then(|trees| trees.get(place));
        tree.unwrap_or_else(|| node_digest(exact))
    }

    fn name(&self, place: &NamePlace) -> String {
        (self.naming.name)(&(self.naming.hash)(place))
    }

    /// The tree that shows this name with `content` below it.
    pub fn witness(&self, hash: &Sha256, content: &HashTree) -> Option<HashTree> {
        let place = (self.naming.place)(hash);
        self.tree(1, &Shown::from([(place, content.clone())]))
    }

    /// The tree where nothing is asked of it; or, where `rest` are the segments that follow the family's own, one that shows
    /// that there is no such name, and neither of those that would be wildcards; `below` are the paths below the name, if it has any.
    pub fn section(&self, rest: Option<&[&str]>, below: Option<&FileTree>) -> Option<HashTree> {
        let mut shown = Shown::new();
        if let Some(rest) = rest {
            let asked = next_label(rest);
            let below = below.map(|tree| tree.absence(rest.get(1..).unwrap_or_default()));
            for name in WILDCARD_NAMES {
                self.show_neighbours(name, None, &mut shown);
            }
            self.show_neighbours(asked, below, &mut shown);
        }
        self.tree(1, &shown)
    }

    /// The names on both sides of `name`; or the name itself with `below`, or else with the one label below it, its exact path,
    /// which proves that there is no longer path.
    fn show_neighbours(&self, name: &str, below: Option<HashTree>, shown: &mut Shown) {
        let last_before = self.naming.last_before(name);
        let (before, after) = match last_before {
            Some(place) => (
                self.entries.range(..=place).next_back(),
                self.entries
                    .range((std::ops::Bound::Excluded(place), std::ops::Bound::Unbounded))
                    .next(),
            ),
            None => (None, self.entries.iter().next()),
        };
        for entry in before.into_iter().chain(after) {
            let (place, content) = entry.into_pair();
            if self.name(&place) == name {
                let below = below
                    .clone()
                    .unwrap_or_else(|| label(EXACT, pruned(content)));
                shown.insert(place, below);
            } else {
                let content = self.content(&place, &content);
                shown.entry(place).or_insert_with(|| pruned(content));
            }
        }
    }

    fn tree(&self, node: u64, shown: &Shown) -> Option<HashTree> {
        let digest = self.read(node)?;
        let (first, last) = node_range(node);
        if shown.range(first..=last).next().is_none() {
            return Some(pruned(digest));
        }
        if node >= BUCKETS {
            return forest::tree(self.bucket(node - BUCKETS, shown));
        }
        forest::fork_of(self.tree(2 * node, shown), self.tree(2 * node + 1, shown))
    }
}

fn bucket_of(place: &NamePlace) -> u64 {
    u64::from(u16::from_be_bytes([place[0], place[1]]) >> (16 - BUCKET_BITS))
}

fn bucket_range(bucket: u64) -> (NamePlace, NamePlace) {
    let shift = 16 - BUCKET_BITS;
    let (mut first, mut last) = ([0; 32], [0xff; 32]);
    let low = (bucket << shift) as u16;
    first[..2].copy_from_slice(&low.to_be_bytes());
    last[..2].copy_from_slice(&(low | ((1 << shift) - 1)).to_be_bytes());
    (first, last)
}

/// Places below a node of the tree over the buckets.
fn node_range(node: u64) -> (NamePlace, NamePlace) {
    let height = BUCKET_BITS - node.ilog2();
    let first = (node << height) - BUCKETS;
    let last = ((node + 1) << height) - 1 - BUCKETS;
    (bucket_range(first).0, bucket_range(last).1)
}
