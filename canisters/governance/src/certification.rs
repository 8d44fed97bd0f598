//! What governance certifies: of each proposal its tally and state, and what it is.
//!
//! ```text
//!   "proposals"
//!      <number, u64 big-endian>  ->  | Progress (75 bytes, see proposal.rs) | digest of its content (32) |
//! ```
//! The tree must not be rebuilt after an upgrade, whose cost would grow with the number
//! of proposals. So its inner nodes are in stable memory, as a Merkle mountain range:
//! proposals are appended, each completes the perfect trees that end with it, and nodes
//! lie in the order in which they were completed:
//!
//! ```text
//!        6              mountains of 5 leaves: 6 (leaves 0..4) and 7 (leaf 4);
//!      /   \            before leaf `s` of a perfect tree lie 2s - ones(s) nodes, so its
//!     2     5           root of height h is node 2s - ones(s) + 2^(h+1) - 2
//!    / \   / \
//!   0   1 3   4   7
//! ```
//! A change of one proposal hashes its mountain's path anew: 17 nodes of 131,072 leaves.
//! The mountains hang together as forks, the first leftmost, so labels are in order and
//! the whole is a hash tree as the interface specification has it.

use ic_certification::{
    Hash, HashTree, fork, fork_hash, labeled, labeled_hash, leaf, leaf_hash, pruned,
};

use crate::memory::State;
use crate::proposal::{Content, Progress, Terms};
use crate::refusal::Refusal;
use crate::runtime;

const PROPOSALS: &[u8] = b"proposals";

/// SHA-256 of title, summary, url, rendering and payload (empty where the action is not
/// a generic function), each behind its length as u64 big-endian, and of the action's
/// id as u64 big-endian.
pub fn digest(content: &Content) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for part in [
        content.title.as_bytes(),
        content.summary.as_bytes(),
        content.url.as_bytes(),
        content.rendering.as_bytes(),
        content.action.payload(),
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update(content.action.id().to_be_bytes());
    hash.finalize().into()
}

fn leaf_bytes(progress: &Progress, terms: &Terms) -> Vec<u8> {
    let mut bytes = progress.as_bytes();
    bytes.extend_from_slice(&terms.digest.0.0);
    bytes
}

/// A perfect tree: its first leaf and its height.
#[derive(Clone, Copy)]
struct Mountain {
    first: u64,
    height: u32,
}

impl Mountain {
    fn root(self) -> u64 {
        2 * self.first - u64::from(self.first.count_ones()) + (2 << self.height) - 2
    }

    fn halves(self) -> (Self, Self) {
        let height = self.height - 1;
        let right = self.first + (1 << height);
        (
            Self { height, ..self },
            Self {
                first: right,
                height,
            },
        )
    }

    fn has(self, leaf: u64) -> bool {
        (self.first..self.first + (1 << self.height)).contains(&leaf)
    }
}

/// Left to right: the ones of the number of leaves, the largest first.
fn mountains(leaves: u64) -> Vec<Mountain> {
    let mut first = 0;
    (0..u64::BITS)
        .rev()
        .filter(|height| leaves >> height & 1 == 1)
        .map(|height| {
            let mountain = Mountain { first, height };
            first += 1 << height;
            mountain
        })
        .collect()
}

fn leaf_node(proposal: u64, value: &[u8]) -> Hash {
    labeled_hash(&proposal.to_be_bytes(), &leaf_hash(value))
}

impl State {
    fn node(&self, index: u64) -> Hash {
        self.certified_nodes
            .get(index)
            .expect("BUG: the certified tree lacks a node")
    }

    /// The new proposal, which is the newest. The caller certifies.
    pub fn append_certified(&mut self, proposal: u64, progress: &Progress, terms: &Terms) {
        let leaf = proposal - 1;
        let mut node = leaf_node(proposal, &leaf_bytes(progress, terms));
        self.certified_nodes.push(&node);
        // It completes as many trees as its number has ones at the end.
        for height in 0..leaf.trailing_ones() {
            let width = 1 << height;
            let left = Mountain {
                first: leaf + 1 - 2 * width,
                height,
            };
            node = fork_hash(&self.node(left.root()), &node);
            self.certified_nodes.push(&node);
        }
    }

    pub fn update_certified(&mut self, proposal: u64, progress: &Progress, terms: &Terms) {
        let leaf = proposal - 1;
        let mountain = mountains(self.newest_proposal())
            .into_iter()
            .find(|mountain| mountain.has(leaf))
            .expect("BUG: a proposal outside of the certified tree");
        let mut node = leaf_node(proposal, &leaf_bytes(progress, terms));
        let mut tree = Mountain {
            first: leaf,
            height: 0,
        };
        self.certified_nodes.set(tree.root(), &node);
        while tree.height < mountain.height {
            let parent = Mountain {
                first: leaf >> (tree.height + 1) << (tree.height + 1),
                height: tree.height + 1,
            };
            let (left, right) = parent.halves();
            node = if tree.first == left.first {
                fork_hash(&node, &self.node(right.root()))
            } else {
                fork_hash(&self.node(left.root()), &node)
            };
            self.certified_nodes.set(parent.root(), &node);
            tree = parent;
        }
    }

    fn certified_root(&self) -> Hash {
        let below = mountains(self.newest_proposal())
            .into_iter()
            .rev()
            .map(|mountain| self.node(mountain.root()))
            .reduce(|right, left| fork_hash(&left, &right))
            .unwrap_or_else(|| ic_certification::empty().digest());
        labeled_hash(PROPOSALS, &below)
    }

    /// To be called in every message that changed the tree, and after an upgrade.
    pub fn certify(&self) {
        runtime::set_certified_data(&self.certified_root());
    }

    /// CBOR of the tree that reveals this proposal alone.
    pub fn witness(&self, proposal: u64) -> Result<Vec<u8>, Refusal> {
        let progress = self.progress_of(proposal)?;
        let value = leaf_bytes(&progress, &self.terms_of(proposal)?);
        let tree = mountains(self.newest_proposal())
            .into_iter()
            .rev()
            .map(|mountain| {
                if mountain.has(proposal - 1) {
                    self.path_below(mountain, proposal, &value)
                } else {
                    pruned(self.node(mountain.root()))
                }
            })
            .reduce(|right, left| fork(left, right))
            .expect("BUG: a proposal and no tree");
        let mut bytes = Vec::new();
        ciborium::into_writer(&labeled(PROPOSALS, tree), &mut bytes)
            .expect("BUG: a hash tree does not encode");
        Ok(bytes)
    }

    fn path_below(&self, tree: Mountain, proposal: u64, value: &[u8]) -> HashTree {
        if tree.height == 0 {
            return labeled(proposal.to_be_bytes(), leaf(value));
        }
        let (left, right) = tree.halves();
        if left.has(proposal - 1) {
            fork(
                self.path_below(left, proposal, value),
                pruned(self.node(right.root())),
            )
        } else {
            fork(
                pruned(self.node(left.root())),
                self.path_below(right, proposal, value),
            )
        }
    }
}
