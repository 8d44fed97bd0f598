//! Ordered maps whose digests are certified, in stable memory, so that an upgrade reads their roots and nothing else.
//!
//! Each is an AVL tree: whatever labels people choose, a path has at most 1.44 log2(n) + 1 nodes, 30 of a million entries, and so has a
//! witness. (A tree whose shape follows from its labels would be as deep as somebody takes the trouble to make it.) A node knows the
//! digests of what is below it, so that a change reads and hashes its path and no sibling.
//!
//! As a hash tree a node is `fork(left, fork(entry, right))`, without the forks of what it lacks. What a label has below it is its
//! owner's affair: a value is kept with each, and its owner says which digest it stands for. A value may be the link of another tree of the
//! same `Trees`, which is then below the label.

mod check;
mod node;
#[cfg(test)]
mod tests;
mod tree;
mod witness;

use ic_stable_structures::{Memory, StableCell, StableVec};

pub use node::{LINK_BYTES, Link};
use node::{Node, Roots};

/// Trees with labels and values of at most so many bytes (255 for a value), of which `ROOTS` are found again by their number after an
/// upgrade. The layout is in `node.rs`; it depends on all three numbers.
pub struct Trees<M: Memory, const ROOTS: usize, const LABEL: usize, const VALUE: usize> {
    roots: StableCell<Roots<ROOTS>, M>,
    nodes: StableVec<Node<LABEL, VALUE>, M>,
}

impl<M: Memory, const ROOTS: usize, const LABEL: usize, const VALUE: usize>
    Trees<M, ROOTS, LABEL, VALUE>
{
    pub fn open(roots: M, nodes: M) -> Self {
        Self {
            roots: StableCell::init(roots, Roots::default()),
            nodes: StableVec::init(nodes),
        }
    }

    pub fn root(&self, number: usize) -> Link {
        self.roots.get().links[number]
    }

    pub fn set_root(&mut self, number: usize, root: Link) {
        let mut roots = *self.roots.get();
        roots.links[number] = root;
        self.roots.set(roots);
    }
}
