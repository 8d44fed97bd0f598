//! Trees that show a label, or that it is not there.

use ic_certification::hash_tree::HashTreeNode;
use ic_certification::{Hash, HashTree, empty, fork, fork_hash, label as labeled, pruned};
use ic_stable_structures::Memory;

use crate::Trees;
use crate::node::{LEFT, Link, RIGHT};
use crate::tree::side_of;

impl<M: Memory, const ROOTS: usize, const LABEL: usize, const VALUE: usize>
    Trees<M, ROOTS, LABEL, VALUE>
{
    /// Shows a label with `shown` of its value below it; or, where it is not there, the labels on both sides of its place. `content` is the
    /// digest that a value stands for, and that of what is shown of it.
    pub fn witness(
        &self,
        tree: Link,
        label: &[u8],
        content: impl Fn(&[u8]) -> Hash,
        shown: impl FnOnce(&[u8]) -> HashTree,
    ) -> HashTree {
        let mut path = Vec::new();
        let mut found = None;
        let mut link = tree;
        while !link.is_none() {
            let node = self.read(link);
            let Some(side) = side_of(label, &node) else {
                found = Some(node);
                break;
            };
            link = node.below[side];
            path.push((node, side));
        }
        // Where a path turned left last stands the next label, where it turned right last the one before.
        let neighbours = match found {
            Some(_) => [None; 2],
            None => [LEFT, RIGHT].map(|turn| path.iter().rposition(|(_, side)| *side == turn)),
        };
        let mut tree = found.map(|node| {
            let [left, right] = node.below.map(|link| link.digest().map(pruned));
            let entry = labeled(node.label, shown(&node.value));
            row(left, entry, right)
        });
        for (depth, (node, side)) in path.into_iter().enumerate().rev() {
            let entry = if neighbours.contains(&Some(depth)) {
                labeled(node.label, pruned(content(&node.value)))
            } else {
                pruned(node.entry)
            };
            let [left, right] = node.below.map(|link| link.digest().map(pruned));
            tree = Some(match side {
                LEFT => row(tree, entry, right),
                _ => row(left, entry, tree),
            });
        }
        tree.unwrap_or_else(empty)
    }
}

/// A node as a hash tree.
fn row(left: Option<HashTree>, entry: HashTree, right: Option<HashTree>) -> HashTree {
    let from_entry = match right {
        Some(right) => fork_of(entry, right),
        None => entry,
    };
    match left {
        Some(left) => fork_of(left, from_entry),
        None => from_entry,
    }
}

/// What shows nothing on either side is one digest.
fn fork_of(left: HashTree, right: HashTree) -> HashTree {
    let is_hidden = |tree: &HashTree| matches!(tree.as_ref(), HashTreeNode::Pruned(_));
    if is_hidden(&left) && is_hidden(&right) {
        pruned(fork_hash(&left.digest(), &right.digest()))
    } else {
        fork(left, right)
    }
}
