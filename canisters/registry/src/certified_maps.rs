//! The two maps whose digests are certified: trees in stable memory (`stoa-certified-trees`), so that an upgrade reads their roots and
//! nothing else.

use ic_certification::{Hash, HashTree, empty};
use ic_stable_structures::memory_manager::MemoryManager;
use stoa_certified_trees::{Link, Trees};
use stoa_types::limits::{ALIAS_CHARS_MAX, HANDLE_CHARS_MAX, NAME_CHARS_MAX};

use crate::memory::{self, RawMemory, Stable};

/// `publisher/name@alias`; a digest is shorter.
const LABEL_BYTES_MAX: usize =
    (HANDLE_CHARS_MAX + 1 + NAME_CHARS_MAX + 1 + ALIAS_CHARS_MAX) as usize;
/// A digest; the name of a status is shorter.
const VALUE_BYTES_MAX: usize = 32;

/// By the number of its root.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Map {
    Aliases = 0,
    Versions = 1,
}

pub struct CertifiedMaps {
    trees: Trees<Stable, 2, LABEL_BYTES_MAX, VALUE_BYTES_MAX>,
}

/// What a map's entries look like in the hash tree: the content of a label, of its value.
pub type Content = fn(&[u8]) -> HashTree;

impl CertifiedMaps {
    pub fn open(manager: &MemoryManager<RawMemory>) -> Self {
        Self {
            trees: Trees::open(
                manager.get(memory::CERTIFIED_ROOTS),
                manager.get(memory::CERTIFIED_NODES),
            ),
        }
    }

    fn root(&self, map: Map) -> Link {
        self.trees.root(map as usize)
    }

    pub fn digest(&self, map: Map) -> Hash {
        let digest = self.root(map).digest();
        digest.unwrap_or_else(|| empty().digest())
    }

    /// Sets what a label has, or takes it out.
    pub fn set(&mut self, map: Map, content: Content, name: &[u8], value: Option<&[u8]>) {
        let tree = self.root(map);
        let tree = match value {
            Some(value) => self
                .trees
                .insert(tree, name, value, &content(value).digest()),
            None => self.trees.remove(tree, name),
        };
        self.trees.set_root(map as usize, tree);
    }

    /// Fills a map that is empty. Entries stand in the order of their labels.
    pub fn fill(&mut self, map: Map, content: Content, entries: &[(Vec<u8>, Vec<u8>)]) {
        assert!(self.root(map).is_none(), "BUG: a map is filled twice");
        let tree = self.trees.fill(entries, |value| content(value).digest());
        self.trees.set_root(map as usize, tree);
    }

    /// The tree that shows what a label has; or, where it is not there, the labels on both sides of its place.
    pub fn witness(&self, map: Map, content: Content, name: &[u8]) -> HashTree {
        let digest = |value: &[u8]| content(value).digest();
        self.trees.witness(self.root(map), name, digest, content)
    }
}

#[cfg(test)]
impl CertifiedMaps {
    /// All entries in order, after a look at what must hold of each node.
    pub fn entries(&self, map: Map, content: Content) -> Vec<(Vec<u8>, Vec<u8>)> {
        let digest = |value: &[u8]| content(value).digest();
        self.trees.checked_entries(self.root(map), digest)
    }

    pub fn check_slots(&self) {
        let maps = [Map::Aliases, Map::Versions];
        self.trees.check_slots(&maps.map(|map| self.root(map)));
    }
}
