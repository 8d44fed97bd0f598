//! Changes and look-ups. Each change gives back the link of the tree as it is now.

use std::cmp::Ordering;

use ic_certification::{Hash, labeled_hash};
use ic_stable_structures::Memory;

use crate::Trees;
use crate::node::{LEFT, Link, Node, RIGHT};

/// What a label is about to have.
struct Entry<'a> {
    label: &'a [u8],
    value: &'a [u8],
    digest: Hash,
}

impl<M: Memory, const ROOTS: usize, const LABEL: usize, const VALUE: usize>
    Trees<M, ROOTS, LABEL, VALUE>
{
    pub fn get(&self, tree: Link, label: &[u8]) -> Option<Vec<u8>> {
        let mut link = tree;
        while !link.is_none() {
            let node = self.read(link);
            match side_of(label, &node) {
                Some(side) => link = node.below[side],
                None => return Some(node.value),
            }
        }
        None
    }

    /// Sets what a label has: a value, and the digest of the content that it stands for.
    pub fn insert(&mut self, tree: Link, label: &[u8], value: &[u8], content: &Hash) -> Link {
        assert!(
            label.len() <= LABEL && value.len() <= VALUE,
            "BUG: a certified entry is too long"
        );
        let digest = labeled_hash(label, content);
        self.insert_below(
            tree,
            &Entry {
                label,
                value,
                digest,
            },
        )
    }

    /// A tree of entries in the order of their labels, with the content that each value stands for.
    pub fn fill(
        &mut self,
        entries: &[(Vec<u8>, Vec<u8>)],
        content: impl Fn(&[u8]) -> Hash,
    ) -> Link {
        debug_assert!(entries.is_sorted_by(|a, b| a.0 < b.0));
        self.fill_below(entries, &content)
    }

    fn fill_below(
        &mut self,
        entries: &[(Vec<u8>, Vec<u8>)],
        content: &impl Fn(&[u8]) -> Hash,
    ) -> Link {
        let (left, rest) = entries.split_at(entries.len() / 2);
        let Some(((label, value), right)) = rest.split_first() else {
            return Link::NONE;
        };
        let below = [left, right].map(|part| self.fill_below(part, content));
        let node = Node {
            below,
            entry: labeled_hash(label, &content(value)),
            value: value.clone(),
            label: label.clone(),
        };
        let slot = self.take_slot();
        self.write(slot, &node)
    }

    fn insert_below(&mut self, link: Link, entry: &Entry<'_>) -> Link {
        if link.is_none() {
            let slot = self.take_slot();
            let node = Node {
                below: [Link::NONE; 2],
                entry: entry.digest,
                value: entry.value.to_vec(),
                label: entry.label.to_vec(),
            };
            return self.write(slot, &node);
        }
        let mut node = self.read(link);
        match side_of(entry.label, &node) {
            Some(side) => node.below[side] = self.insert_below(node.below[side], entry),
            None => {
                node.value = entry.value.to_vec();
                node.entry = entry.digest;
            }
        }
        self.balance(link.slot, node)
    }

    /// Takes a label out, if it is there.
    pub fn remove(&mut self, tree: Link, label: &[u8]) -> Link {
        if tree.is_none() {
            return tree;
        }
        let mut node = self.read(tree);
        if let Some(side) = side_of(label, &node) {
            node.below[side] = self.remove(node.below[side], label);
            return self.balance(tree.slot, node);
        }
        self.give_slot_back(tree.slot);
        match node.below {
            [one, other] if one.is_none() || other.is_none() => {
                if one.is_none() {
                    other
                } else {
                    one
                }
            }
            [left, right] => {
                let (slot, mut next, rest) = self.take_first(right);
                next.below = [left, rest];
                self.balance(slot, next)
            }
        }
    }

    /// The node with the least label, its slot, and what is left.
    fn take_first(&mut self, link: Link) -> (u32, Node<LABEL, VALUE>, Link) {
        let mut node = self.read(link);
        if node.below[LEFT].is_none() {
            let rest = node.below[RIGHT];
            return (link.slot, node, rest);
        }
        let (slot, first, rest) = self.take_first(node.below[LEFT]);
        node.below[LEFT] = rest;
        (slot, first, self.balance(link.slot, node))
    }

    /// Writes a node whose subtrees are balanced and differ by two at most in their heights.
    fn balance(&mut self, slot: u32, mut node: Node<LABEL, VALUE>) -> Link {
        for (side, other) in [(LEFT, RIGHT), (RIGHT, LEFT)] {
            if node.below[side].height <= node.below[other].height + 1 {
                continue;
            }
            let mut top_slot = node.below[side].slot;
            let mut top = self.read(node.below[side]);
            if top.below[side].height < top.below[other].height {
                let inner_slot = top.below[other].slot;
                let mut inner = self.read(top.below[other]);
                top.below[other] = inner.below[side];
                inner.below[side] = self.write(top_slot, &top);
                (top_slot, top) = (inner_slot, inner);
            }
            node.below[side] = top.below[other];
            top.below[other] = self.write(slot, &node);
            return self.write(top_slot, &top);
        }
        self.write(slot, &node)
    }
}

/// Where to look for a label from a node; `None` at its own.
pub fn side_of<const LABEL: usize, const VALUE: usize>(
    label: &[u8],
    node: &Node<LABEL, VALUE>,
) -> Option<usize> {
    match label.cmp(&node.label) {
        Ordering::Less => Some(LEFT),
        Ordering::Equal => None,
        Ordering::Greater => Some(RIGHT),
    }
}
