//! Labeled hash trees over sorted rows. A row becomes a balanced tree of forks; what is not shown is pruned. No fork ever
//! has an empty side: a verifier that meets one on its left takes the label for absent.

use ic_certification::{
    Hash, HashTree, empty, fork, fork_hash, hash_tree::HashTreeNode, label, labeled_hash, leaf,
    pruned,
};

use super::Place;
use super::models::FileTree;

/// What a witness is to show.
pub enum Reveal<'a> {
    Nothing,
    Place(&'a Place, HashTree),
    /// That nothing is at these segments, with the content of the wildcard.
    Absence {
        segments: &'a [&'a str],
        files: Option<&'a FileTree>,
        terminal: HashTree,
    },
}

/// A label and what is below it.
pub struct Item {
    pub label: Vec<u8>,
    pub content: Hash,
    /// Where the witness shows the label: its content, pruned or not.
    pub shown: Option<HashTree>,
}

impl Item {
    pub fn hidden(label: &[u8], content: Hash) -> Self {
        Self {
            label: label.to_vec(),
            content,
            shown: None,
        }
    }

    pub fn shown(label: &[u8], content: HashTree) -> Self {
        Self {
            label: label.to_vec(),
            content: content.digest(),
            shown: Some(content),
        }
    }
}

/// Digest of the row whose labeled nodes have these digests.
pub fn row_digest(nodes: &[Hash]) -> Option<Hash> {
    match nodes {
        [] => None,
        [one] => Some(*one),
        _ => {
            let (left, right) = nodes.split_at(nodes.len() / 2);
            fork_digests(row_digest(left), row_digest(right))
        }
    }
}

pub fn fork_digests(left: Option<Hash>, right: Option<Hash>) -> Option<Hash> {
    match (left, right) {
        (Some(left), Some(right)) => Some(fork_hash(&left, &right)),
        (one, other) => one.or(other),
    }
}

/// The same row as a tree. Items stand in the order of their labels.
pub fn tree(mut items: Vec<Item>) -> Option<HashTree> {
    debug_assert!(items.is_sorted_by(|a, b| a.label < b.label));
    row_tree(&mut items)
}

fn row_tree(items: &mut [Item]) -> Option<HashTree> {
    if items.is_empty() {
        return None;
    }
    if items.iter().all(|item| item.shown.is_none()) {
        let digests: Vec<Hash> = items
            .iter()
            .map(|item| labeled_hash(&item.label, &item.content))
            .collect();
        return row_digest(&digests).map(pruned);
    }
    if let [item] = items {
        let content = item.shown.take().unwrap_or_else(|| pruned(item.content));
        return Some(label(std::mem::take(&mut item.label), content));
    }
    let middle = items.len() / 2;
    let (left, right) = items.split_at_mut(middle);
    fork_of(row_tree(left), row_tree(right))
}

pub fn fork_of(left: Option<HashTree>, right: Option<HashTree>) -> Option<HashTree> {
    match (left, right) {
        (Some(left), Some(right)) => Some(match (is_pruned(&left), is_pruned(&right)) {
            (Some(left), Some(right)) => pruned(fork_hash(&left, &right)),
            _ => fork(left, right),
        }),
        (one, other) => one.or(other),
    }
}

fn is_pruned(tree: &HashTree) -> Option<Hash> {
    match tree.as_ref() {
        HashTreeNode::Pruned(hash) => Some(*hash),
        _ => None,
    }
}

/// The row of items of which there is at least one.
pub fn row(items: Vec<Item>) -> HashTree {
    tree(items).expect("BUG: a row of nothing")
}

/// What a labeled node has below it.
pub fn content_of(node: &HashTree) -> Option<HashTree> {
    match node.as_ref() {
        HashTreeNode::Labeled(_, content) => Some(as_tree((**content).clone())),
        _ => None,
    }
}

/// `tree` below a label; an empty tree is shown as such.
pub fn labeled_tree(name: &[u8], tree: Option<HashTree>) -> HashTree {
    label(name, tree.unwrap_or_else(empty))
}

/// Two views of one tree as one that shows what either does.
pub fn merge(one: HashTree, other: HashTree) -> HashTree {
    merge_nodes(one.into(), other.into())
}

type Node = HashTreeNode<Vec<u8>>;

fn merge_nodes(one: Node, other: Node) -> HashTree {
    match (one, other) {
        (HashTreeNode::Pruned(_), shown) | (shown, HashTreeNode::Pruned(_)) => as_tree(shown),
        (HashTreeNode::Fork(one), HashTreeNode::Fork(other)) => {
            let ((left, right), (other_left, other_right)) = (*one, *other);
            fork(
                merge_nodes(left, other_left),
                merge_nodes(right, other_right),
            )
        }
        (HashTreeNode::Labeled(name, one), HashTreeNode::Labeled(_, other)) => {
            label(name, merge_nodes(*one, *other))
        }
        (same, _) => as_tree(same),
    }
}

fn as_tree(node: Node) -> HashTree {
    match node {
        HashTreeNode::Empty() => empty(),
        HashTreeNode::Fork(sides) => fork(as_tree(sides.0), as_tree(sides.1)),
        HashTreeNode::Labeled(name, content) => label(name, as_tree(*content)),
        HashTreeNode::Leaf(bytes) => leaf(bytes),
        HashTreeNode::Pruned(hash) => pruned(hash),
    }
}
