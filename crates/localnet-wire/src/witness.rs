//! Pruned hash trees: what is asked for in full, the rest as digests.
//!
//! A branch of the state tree is a sorted list of labels, forked in the middle
//! again and again. The shape is ours to choose, as readers only need the labels
//! to appear in order; so a branch may choose where it forks ([`Branch::fork_at`])
//! and keep the digests of whole ranges.
//!
//! ```text
//!            fork                    asked for: c          fork
//!          /      \                                      /      \
//!      fork        fork                            (pruned)      fork
//!      /  \        /  \                                          /  \
//!     a    b      c    d                                    c: value  (pruned)
//! ```
//!
//! A label that is not there is proven absent by the two labels between which it
//! would stand, both shown with their contents pruned.

use std::collections::BTreeMap;

use ic_certification::{
    Hash, HashTree, empty, fork, fork_hash, labeled, labeled_hash, leaf, leaf_hash, pruned,
};

/// Which parts of a (sub)tree to show: a trie of paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reveal {
    /// Everything from here on.
    Whole,
    /// These labels only. A label that does not exist is proven absent.
    Below(BTreeMap<Vec<u8>, Reveal>),
}

impl Reveal {
    pub(crate) fn nothing() -> Reveal {
        Reveal::Below(BTreeMap::new())
    }

    /// Adds everything whose path has `path` as a prefix.
    pub(crate) fn add<L: AsRef<[u8]>>(&mut self, path: &[L]) {
        let Some((first, rest)) = path.split_first() else {
            *self = Reveal::Whole;
            return;
        };
        match self {
            Reveal::Whole => {}
            Reveal::Below(labels) => labels
                .entry(first.as_ref().to_vec())
                .or_insert_with(Reveal::nothing)
                .add(rest),
        }
    }
}

/// A node of the state tree whose children are known by sorted, distinct labels.
pub(crate) trait Branch {
    fn len(&self) -> usize;

    fn label(&self, index: usize) -> &[u8];

    /// The digest of what stands under the label.
    fn content_digest(&self, index: usize) -> Hash;

    /// What stands under the label, pruned to what is asked for.
    fn content(&self, index: usize, reveal: &Reveal) -> HashTree;

    /// Where the range of at least two children forks; strictly inside it.
    fn fork_at(&self, start: usize, end: usize) -> usize {
        start + (end - start) / 2
    }

    /// The digest of a range of children.
    fn range_digest(&self, start: usize, end: usize) -> Hash {
        computed_range_digest(self, start, end)
    }
}

pub(crate) fn computed_range_digest<B: Branch + ?Sized>(
    branch: &B,
    start: usize,
    end: usize,
) -> Hash {
    match end - start {
        0 => empty().digest(),
        1 => labeled_hash(branch.label(start), &branch.content_digest(start)),
        _ => {
            let middle = branch.fork_at(start, end);
            fork_hash(
                &branch.range_digest(start, middle),
                &branch.range_digest(middle, end),
            )
        }
    }
}

pub(crate) fn digest<B: Branch + ?Sized>(branch: &B) -> Hash {
    branch.range_digest(0, branch.len())
}

pub(crate) fn witness<B: Branch + ?Sized>(branch: &B, reveal: &Reveal) -> HashTree {
    let mut shown: BTreeMap<usize, HashTree> = BTreeMap::new();
    match reveal {
        Reveal::Whole => {
            for index in 0..branch.len() {
                shown.insert(index, branch.content(index, reveal));
            }
        }
        Reveal::Below(labels) => {
            let mut neighbours = Vec::new();
            for (label, below) in labels {
                match position(branch, label) {
                    Ok(index) => {
                        shown.insert(index, branch.content(index, below));
                    }
                    Err(index) => {
                        neighbours.extend(index.checked_sub(1));
                        neighbours.extend((index < branch.len()).then_some(index));
                    }
                }
            }
            for index in neighbours {
                shown
                    .entry(index)
                    .or_insert_with(|| pruned(branch.content_digest(index)));
            }
        }
    }
    range_witness(branch, 0, branch.len(), &mut shown)
}

fn range_witness<B: Branch + ?Sized>(
    branch: &B,
    start: usize,
    end: usize,
    shown: &mut BTreeMap<usize, HashTree>,
) -> HashTree {
    if start == end {
        return empty();
    }
    if shown.range(start..end).next().is_none() {
        return pruned(branch.range_digest(start, end));
    }
    if end - start == 1 {
        let content = shown.remove(&start).expect("the range holds a shown child");
        return labeled(branch.label(start), content);
    }
    let middle = branch.fork_at(start, end);
    let left = range_witness(branch, start, middle, shown);
    let right = range_witness(branch, middle, end, shown);
    fork(left, right)
}

fn position<B: Branch + ?Sized>(branch: &B, label: &[u8]) -> Result<usize, usize> {
    let (mut low, mut high) = (0, branch.len());
    while low < high {
        let middle = low + (high - low) / 2;
        match branch.label(middle).cmp(label) {
            std::cmp::Ordering::Equal => return Ok(middle),
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    Err(low)
}

/// A small part of the state tree, built in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Leaf(Vec<u8>),
    /// Sorted by label.
    Labels(Vec<(Vec<u8>, Node)>),
}

impl Node {
    pub(crate) fn leaf(value: impl Into<Vec<u8>>) -> Node {
        Node::Leaf(value.into())
    }

    pub(crate) fn labels<L: Into<Vec<u8>>>(children: impl IntoIterator<Item = (L, Node)>) -> Node {
        let mut children: Vec<(Vec<u8>, Node)> = children
            .into_iter()
            .map(|(label, node)| (label.into(), node))
            .collect();
        children.sort_by(|left, right| left.0.cmp(&right.0));
        Node::Labels(children)
    }

    pub(crate) fn digest(&self) -> Hash {
        match self {
            Node::Leaf(value) => leaf_hash(value),
            Node::Labels(children) => digest(children),
        }
    }

    pub(crate) fn witness(&self, reveal: &Reveal) -> HashTree {
        match (self, reveal) {
            (Node::Leaf(value), Reveal::Whole) => leaf(value.clone()),
            // Nothing stands below a leaf, and its value was not asked for.
            (Node::Leaf(value), Reveal::Below(_)) => pruned(leaf_hash(value)),
            (Node::Labels(children), reveal) => witness(children, reveal),
        }
    }
}

impl Branch for Vec<(Vec<u8>, Node)> {
    fn len(&self) -> usize {
        Vec::len(self)
    }

    fn label(&self, index: usize) -> &[u8] {
        &self[index].0
    }

    fn content_digest(&self, index: usize) -> Hash {
        self[index].1.digest()
    }

    fn content(&self, index: usize, reveal: &Reveal) -> HashTree {
        self[index].1.witness(reveal)
    }
}

#[cfg(test)]
mod tests;
