//! Two ordered maps whose digests are certified, in stable memory, so that an upgrade reads their roots and nothing else.
//!
//! Each is an AVL tree: whatever labels people choose, a path has at most 1.44 log2(n) + 1 nodes, 30 of a million entries, and so has a
//! witness. (A tree whose shape follows from its labels would be as deep as somebody takes the trouble to make it.) A node knows the
//! digests of what is below it, so that a change reads and hashes its path and no sibling.
//!
//! ```text
//! ROOTS   | link: aliases | link: versions | first free slot u32 |
//! NODES   vector of slots; a link names the first of them 1, and none 0
//!         | link: left | link: right | digest of the entry 32 | value length u8 | value | label |
//!         a slot that is free has the next free one as the left link's slot
//! link    | slot u32 | height u8 | digest of the subtree 32 |
//! ```
//! As a hash tree a node is `fork(left, fork(entry, right))`, without the forks of what it lacks.

use std::borrow::Cow;
use std::cmp::Ordering;

use ic_certification::{
    Hash, HashTree, empty, fork, fork_hash, hash_tree::HashTreeNode, label, pruned,
};
use ic_stable_structures::memory_manager::MemoryManager;
use ic_stable_structures::storable::Bound;
use ic_stable_structures::{StableCell, StableVec, Storable};
use stoa_types::limits::{ALIAS_CHARS_MAX, HANDLE_CHARS_MAX, NAME_CHARS_MAX};

use crate::memory::{self, RawMemory, Stable};

/// `publisher/name@alias`; a digest is shorter.
const LABEL_BYTES_MAX: usize =
    (HANDLE_CHARS_MAX + 1 + NAME_CHARS_MAX + 1 + ALIAS_CHARS_MAX) as usize;
/// A digest; the name of a status is shorter.
const VALUE_BYTES_MAX: usize = 32;
const LINK_BYTES: usize = 4 + 1 + 32;
const NODE_BYTES_MAX: usize = 2 * LINK_BYTES + 32 + 1 + VALUE_BYTES_MAX + LABEL_BYTES_MAX;

const LEFT: usize = 0;
const RIGHT: usize = 1;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Map {
    Aliases,
    Versions,
}

pub struct CertifiedMaps {
    roots: StableCell<Roots, Stable>,
    nodes: StableVec<Node, Stable>,
}

/// What a map's entries look like in the hash tree: the content of a label, of its value.
pub type Content = fn(&[u8]) -> HashTree;

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Link {
    slot: u32,
    height: u8,
    digest: Hash,
}

impl Link {
    fn is_none(self) -> bool {
        self.slot == 0
    }

    fn digest(self) -> Option<Hash> {
        (!self.is_none()).then_some(self.digest)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Node {
    below: [Link; 2],
    /// Of the label with its content.
    entry: Hash,
    value: Vec<u8>,
    label: Vec<u8>,
}

impl Node {
    fn digest(&self) -> Hash {
        let [left, right] = self.below.map(Link::digest);
        let from_entry = right.map_or(self.entry, |right| fork_hash(&self.entry, &right));
        left.map_or(from_entry, |left| fork_hash(&left, &from_entry))
    }

    fn height(&self) -> u8 {
        1 + self.below[LEFT].height.max(self.below[RIGHT].height)
    }
}

impl CertifiedMaps {
    pub fn open(manager: &MemoryManager<RawMemory>) -> Self {
        Self {
            roots: StableCell::init(manager.get(memory::CERTIFIED_ROOTS), Roots::default()),
            nodes: StableVec::init(manager.get(memory::CERTIFIED_NODES)),
        }
    }

    pub fn digest(&self, map: Map) -> Hash {
        let root = self.root(map);
        root.digest().unwrap_or_else(|| empty().digest())
    }

    /// Sets what a label has, or takes it out.
    pub fn set(&mut self, map: Map, content: Content, name: &[u8], value: Option<&[u8]>) {
        let root = self.root(map);
        let root = match value {
            Some(value) => {
                assert!(
                    name.len() <= LABEL_BYTES_MAX && value.len() <= VALUE_BYTES_MAX,
                    "BUG: a certified entry is too long"
                );
                let entry = label(name, content(value)).digest();
                self.insert_below(root, name, value, entry)
            }
            None => self.remove_below(root, name),
        };
        self.set_root(map, root);
    }

    /// Fills a map that is empty. Entries stand in the order of their labels.
    pub fn fill(&mut self, map: Map, content: Content, entries: &[(Vec<u8>, Vec<u8>)]) {
        debug_assert!(entries.is_sorted_by(|a, b| a.0 < b.0));
        assert!(self.root(map).is_none(), "BUG: a map is filled twice");
        let root = self.fill_below(content, entries);
        self.set_root(map, root);
    }

    fn fill_below(&mut self, content: Content, entries: &[(Vec<u8>, Vec<u8>)]) -> Link {
        let (left, rest) = entries.split_at(entries.len() / 2);
        let Some(((name, value), right)) = rest.split_first() else {
            return Link::default();
        };
        let below = [left, right].map(|part| self.fill_below(content, part));
        let node = Node {
            below,
            entry: label(name.as_slice(), content(value)).digest(),
            value: value.clone(),
            label: name.clone(),
        };
        let slot = self.take_slot();
        self.write(slot, &node)
    }

    fn insert_below(&mut self, link: Link, name: &[u8], value: &[u8], entry: Hash) -> Link {
        if link.is_none() {
            let slot = self.take_slot();
            let node = Node {
                below: [Link::default(); 2],
                entry,
                value: value.to_vec(),
                label: name.to_vec(),
            };
            return self.write(slot, &node);
        }
        let mut node = self.read(link);
        match side_of(name, &node) {
            Some(side) => {
                node.below[side] = self.insert_below(node.below[side], name, value, entry);
            }
            None => {
                node.value = value.to_vec();
                node.entry = entry;
            }
        }
        self.balance(link.slot, node)
    }

    fn remove_below(&mut self, link: Link, name: &[u8]) -> Link {
        if link.is_none() {
            return link;
        }
        let mut node = self.read(link);
        if let Some(side) = side_of(name, &node) {
            node.below[side] = self.remove_below(node.below[side], name);
            return self.balance(link.slot, node);
        }
        self.give_slot_back(link.slot);
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
    fn take_first(&mut self, link: Link) -> (u32, Node, Link) {
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
    fn balance(&mut self, slot: u32, mut node: Node) -> Link {
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

    /// The tree that shows what a label has; or, where it is not there, the labels on both sides of its place.
    pub fn witness(&self, map: Map, content: Content, name: &[u8]) -> HashTree {
        let mut path = Vec::new();
        let mut found = None;
        let mut link = self.root(map);
        while !link.is_none() {
            let node = self.read(link);
            let Some(side) = side_of(name, &node) else {
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
            let entry = label(node.label, content(&node.value));
            row(left, entry, right)
        });
        for (depth, (node, side)) in path.into_iter().enumerate().rev() {
            let entry = if neighbours.contains(&Some(depth)) {
                let hidden = pruned(content(&node.value).digest());
                label(node.label, hidden)
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

    fn root(&self, map: Map) -> Link {
        self.roots.get().of(map)
    }

    fn set_root(&mut self, map: Map, root: Link) {
        let mut roots = *self.roots.get();
        match map {
            Map::Aliases => roots.aliases = root,
            Map::Versions => roots.versions = root,
        }
        self.roots.set(roots);
    }

    fn read(&self, link: Link) -> Node {
        self.node_at(link.slot)
    }

    fn node_at(&self, slot: u32) -> Node {
        let index = u64::from(slot) - 1;
        self.nodes
            .get(index)
            .expect("BUG: a certified node is gone")
    }

    fn write(&mut self, slot: u32, node: &Node) -> Link {
        self.nodes.set(u64::from(slot) - 1, node);
        Link {
            slot,
            height: node.height(),
            digest: node.digest(),
        }
    }

    /// To be written at once.
    fn take_slot(&mut self) -> u32 {
        let mut roots = *self.roots.get();
        let slot = roots.free;
        if slot == 0 {
            self.nodes.push(&Node::free(0));
            return u32::try_from(self.nodes.len()).expect("BUG: too many certified entries");
        }
        roots.free = self.node_at(slot).below[LEFT].slot;
        self.roots.set(roots);
        slot
    }

    fn give_slot_back(&mut self, slot: u32) {
        let mut roots = *self.roots.get();
        self.nodes.set(u64::from(slot) - 1, &Node::free(roots.free));
        roots.free = slot;
        self.roots.set(roots);
    }
}

/// Where to look for a label from a node; `None` at its own.
fn side_of(name: &[u8], node: &Node) -> Option<usize> {
    match name.cmp(&node.label) {
        Ordering::Less => Some(LEFT),
        Ordering::Equal => None,
        Ordering::Greater => Some(RIGHT),
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

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Roots {
    aliases: Link,
    versions: Link,
    free: u32,
}

impl Roots {
    fn of(&self, map: Map) -> Link {
        match map {
            Map::Aliases => self.aliases,
            Map::Versions => self.versions,
        }
    }
}

impl Link {
    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.slot.to_le_bytes());
        out.push(self.height);
        out.extend_from_slice(&self.digest);
    }

    fn read(bytes: &mut &[u8]) -> Self {
        Self {
            slot: u32::from_le_bytes(take(bytes)),
            height: take::<1>(bytes)[0],
            digest: take(bytes),
        }
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let (taken, rest) = bytes
        .split_first_chunk()
        .expect("BUG: a certified node is cut off");
    *bytes = rest;
    *taken
}

impl Storable for Roots {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        let mut bytes = Vec::with_capacity(2 * LINK_BYTES + 4);
        self.aliases.write(&mut bytes);
        self.versions.write(&mut bytes);
        bytes.extend_from_slice(&self.free.to_le_bytes());
        Cow::Owned(bytes)
    }

    fn into_bytes(self) -> Vec<u8> {
        self.to_bytes().into_owned()
    }

    fn from_bytes(bytes: Cow<[u8]>) -> Self {
        let mut bytes = &bytes[..];
        Self {
            aliases: Link::read(&mut bytes),
            versions: Link::read(&mut bytes),
            free: u32::from_le_bytes(take(&mut bytes)),
        }
    }

    const BOUND: Bound = Bound::Bounded {
        max_size: (2 * LINK_BYTES + 4) as u32,
        is_fixed_size: true,
    };
}

impl Node {
    fn free(next: u32) -> Self {
        let next = Link {
            slot: next,
            ..Link::default()
        };
        Self {
            below: [next, Link::default()],
            entry: [0; 32],
            value: Vec::new(),
            label: Vec::new(),
        }
    }
}

impl Storable for Node {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        let mut bytes = Vec::with_capacity(NODE_BYTES_MAX);
        for link in self.below {
            link.write(&mut bytes);
        }
        bytes.extend_from_slice(&self.entry);
        bytes.push(self.value.len() as u8);
        bytes.extend_from_slice(&self.value);
        bytes.extend_from_slice(&self.label);
        Cow::Owned(bytes)
    }

    fn into_bytes(self) -> Vec<u8> {
        self.to_bytes().into_owned()
    }

    fn from_bytes(bytes: Cow<[u8]>) -> Self {
        let mut bytes = &bytes[..];
        let below = [Link::read(&mut bytes), Link::read(&mut bytes)];
        let entry = take(&mut bytes);
        let value_bytes = usize::from(take::<1>(&mut bytes)[0]);
        let (value, name) = bytes.split_at(value_bytes);
        Self {
            below,
            entry,
            value: value.to_vec(),
            label: name.to_vec(),
        }
    }

    const BOUND: Bound = Bound::Bounded {
        max_size: NODE_BYTES_MAX as u32,
        is_fixed_size: false,
    };
}

#[cfg(test)]
impl CertifiedMaps {
    /// All entries in order, after a look at what must hold of each node.
    pub fn entries(&self, map: Map, content: Content) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut entries = Vec::new();
        self.check_below(self.root(map), content, &mut entries);
        assert!(
            entries.is_sorted_by(|a, b| a.0 < b.0),
            "labels out of order"
        );
        entries
    }

    fn check_below(&self, link: Link, content: Content, entries: &mut Vec<(Vec<u8>, Vec<u8>)>) {
        if link.is_none() {
            assert_eq!(link, Link::default());
            return;
        }
        let node = self.read(link);
        assert_eq!(link.height, node.height());
        assert!(node.below[LEFT].height.abs_diff(node.below[RIGHT].height) <= 1);
        assert_eq!(link.digest, node.digest());
        let entry = label(node.label.as_slice(), content(&node.value));
        assert_eq!(node.entry, entry.digest());
        self.check_below(node.below[LEFT], content, entries);
        entries.push((node.label.clone(), node.value.clone()));
        self.check_below(node.below[RIGHT], content, entries);
    }

    /// Slots of both maps and of none: as many as there are.
    pub fn check_slots(&self) {
        let mut seen = std::collections::BTreeSet::new();
        let mut next = vec![self.root(Map::Aliases).slot, self.root(Map::Versions).slot];
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ic_certification::{LookupResult, leaf};
    use proptest::prelude::*;

    use super::*;

    const CONTENT: Content = |value| leaf(value.to_vec());

    fn open(raw: &RawMemory) -> CertifiedMaps {
        CertifiedMaps::open(&memory::manager(raw.clone()))
    }

    fn decoded(tree: &HashTree) -> HashTree {
        let mut bytes = Vec::new();
        ciborium::into_writer(tree, &mut bytes).unwrap();
        serde_cbor::from_slice(&bytes).unwrap()
    }

    fn check(maps: &CertifiedMaps, map: Map, model: &BTreeMap<Vec<u8>, Vec<u8>>) {
        let expected: Vec<_> = model.clone().into_iter().collect();
        assert_eq!(maps.entries(map, CONTENT), expected);
        maps.check_slots();
    }

    fn check_witness(
        maps: &CertifiedMaps,
        map: Map,
        model: &BTreeMap<Vec<u8>, Vec<u8>>,
        name: &[u8],
    ) {
        let tree = decoded(&maps.witness(map, CONTENT, name));
        assert_eq!(tree.digest(), maps.digest(map));
        let expected = match model.get(name) {
            Some(value) => LookupResult::Found(value),
            None => LookupResult::Absent,
        };
        assert_eq!(tree.lookup_path([name]), expected, "{name:?}");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Set(bool, Vec<u8>, Vec<u8>),
        Remove(bool, Vec<u8>),
        Upgrade,
    }

    fn map_of(is_alias: bool) -> Map {
        if is_alias {
            Map::Aliases
        } else {
            Map::Versions
        }
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        // Few and short labels, some the beginning of others, so that most are met again.
        let name = || prop::collection::vec(0_u8..4, 0..4);
        let value = || prop::collection::vec(any::<u8>(), 0..=VALUE_BYTES_MAX);
        let step = prop_oneof![
            6 => (any::<bool>(), name(), value()).prop_map(|(map, name, value)| Step::Set(map, name, value)),
            4 => (any::<bool>(), name()).prop_map(|(map, name)| Step::Remove(map, name)),
            1 => Just(Step::Upgrade),
        ];
        prop::collection::vec(step, 0..120)
    }

    proptest! {
        #[test]
        fn should_be_a_plain_map_with_proofs_through_any_changes(steps in steps(), asked in prop::collection::vec(0_u8..4, 0..4)) {
            let raw = RawMemory::default();
            let mut maps = open(&raw);
            let mut models = [BTreeMap::new(), BTreeMap::new()];
            for step in steps {
                match step {
                    Step::Set(is_alias, name, value) => {
                        maps.set(map_of(is_alias), CONTENT, &name, Some(&value));
                        models[usize::from(is_alias)].insert(name, value);
                    }
                    Step::Remove(is_alias, name) => {
                        maps.set(map_of(is_alias), CONTENT, &name, None);
                        models[usize::from(is_alias)].remove(&name);
                    }
                    Step::Upgrade => maps = open(&raw),
                }
                for is_alias in [false, true] {
                    check(&maps, map_of(is_alias), &models[usize::from(is_alias)]);
                }
            }
            for is_alias in [false, true] {
                let model = &models[usize::from(is_alias)];
                check_witness(&maps, map_of(is_alias), model, &asked);
                for name in model.keys() {
                    check_witness(&maps, map_of(is_alias), model, name);
                }
            }
        }

        #[test]
        fn should_fill_a_map_as_if_entries_came_one_by_one(names in prop::collection::btree_set(prop::collection::vec(any::<u8>(), 0..6), 0..80)) {
            let mut maps = open(&RawMemory::default());
            let mut model: BTreeMap<Vec<u8>, Vec<u8>> = names.into_iter().map(|name| (name, vec![1])).collect();
            let entries: Vec<_> = model.clone().into_iter().collect();
            maps.fill(Map::Versions, CONTENT, &entries);
            check(&maps, Map::Versions, &model);
            // What was filled is changed like anything else.
            for (name, _) in entries.iter().step_by(2) {
                maps.set(Map::Versions, CONTENT, name, None);
                model.remove(name);
                check(&maps, Map::Versions, &model);
            }
            check_witness(&maps, Map::Versions, &model, b"abc");
        }
    }

    /// Whoever chooses labels cannot make proofs long, nor changes dear.
    #[test]
    fn should_stay_shallow_whatever_the_order_of_labels() {
        let mut maps = open(&RawMemory::default());
        for number in 0_u32..4_096 {
            maps.set(Map::Aliases, CONTENT, &number.to_be_bytes(), Some(b"x"));
        }
        // 1.44 log2(4,096) + 1
        assert!(maps.root(Map::Aliases).height <= 18);
        for number in 0_u32..4_000 {
            maps.set(Map::Aliases, CONTENT, &number.to_be_bytes(), None);
        }
        assert!(maps.root(Map::Aliases).height <= 10);
        maps.check_slots();
    }
}
