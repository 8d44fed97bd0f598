//! For tests of this crate and of those that use it: what must hold of trees. All of it panics where it does not.

use std::collections::BTreeSet;

use ic_certification::{Hash, labeled_hash};
use ic_stable_structures::Memory;

use crate::Trees;
use crate::node::{LEFT, Link, RIGHT};

type Entries = Vec<(Vec<u8>, Vec<u8>)>;

impl<M: Memory, const ROOTS: usize, const LABEL: usize, const VALUE: usize>
    Trees<M, ROOTS, LABEL, VALUE>
{
    /// All labels with their values in order, after a look at each node.
    pub fn checked_entries(&self, tree: Link, content: impl Fn(&[u8]) -> Hash) -> Entries {
        let mut entries = Vec::new();
        self.check_below(tree, &content, &mut entries);
        assert!(
            entries.is_sorted_by(|a, b| a.0 < b.0),
            "labels out of order"
        );
        entries
    }

    fn check_below(&self, link: Link, content: &impl Fn(&[u8]) -> Hash, entries: &mut Entries) {
        if link.is_none() {
            assert_eq!(link, Link::NONE);
            return;
        }
        let node = self.read(link);
        assert_eq!(link.height, node.height());
        assert!(node.below[LEFT].height.abs_diff(node.below[RIGHT].height) <= 1);
        assert_eq!(link.digest, node.digest());
        assert_eq!(node.entry, labeled_hash(&node.label, &content(&node.value)));
        self.check_below(node.below[LEFT], content, entries);
        entries.push((node.label.clone(), node.value.clone()));
        self.check_below(node.below[RIGHT], content, entries);
    }

    /// Slots of these trees, which are all that there are, and of none: as many as were ever taken.
    pub fn check_slots(&self, trees: &[Link]) {
        let mut seen = BTreeSet::new();
        let mut next: Vec<u32> = trees.iter().map(|tree| tree.slot).collect();
        while let Some(slot) = next.pop() {
            if slot != 0 {
                assert!(seen.insert(slot), "a slot is used twice");
                next.extend(self.node_at(slot).below.map(|link| link.slot));
            }
        }
        let mut free = self.roots.get().free;
        while free != 0 {
            assert!(seen.insert(free), "a slot is used and free");
            free = self.node_at(free).below[LEFT].slot;
        }
        assert_eq!(seen.len() as u64, self.nodes.len(), "a slot is lost");
    }
}
