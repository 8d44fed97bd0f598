//! What is stored, and where:
//!
//! ```text
//! ROOTS   | link of each root | first free slot u32 |
//! NODES   vector of slots; a link names the first of them 1, and none 0
//!         | link: left | link: right | digest of the entry 32 | value length u8 | value | label |
//!         a slot that is free has the next free one as the left link's slot
//! link    | slot u32 | height u8 | digest of the subtree 32 |
//! ```

use std::borrow::Cow;

use ic_certification::{Hash, fork_hash};
use ic_stable_structures::storable::Bound;
use ic_stable_structures::{Memory, Storable};

use crate::Trees;

pub const LINK_BYTES: usize = 4 + 1 + 32;

pub const LEFT: usize = 0;
pub const RIGHT: usize = 1;

/// A tree, by its first node. A change of the tree makes another link of it, and the old one is of no use any more.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Link {
    pub(crate) slot: u32,
    pub(crate) height: u8,
    pub(crate) digest: Hash,
}

impl Link {
    /// A tree of nothing.
    pub const NONE: Self = Self {
        slot: 0,
        height: 0,
        digest: [0; 32],
    };

    pub fn is_none(self) -> bool {
        self.slot == 0
    }

    pub fn digest(self) -> Option<Hash> {
        (!self.is_none()).then_some(self.digest)
    }

    pub fn to_bytes(self) -> [u8; LINK_BYTES] {
        let mut bytes = [0; LINK_BYTES];
        bytes[..4].copy_from_slice(&self.slot.to_le_bytes());
        bytes[4] = self.height;
        bytes[5..].copy_from_slice(&self.digest);
        bytes
    }

    /// As `to_bytes` gave them.
    pub fn from_bytes(bytes: &[u8; LINK_BYTES]) -> Self {
        let mut bytes = &bytes[..];
        Self {
            slot: u32::from_le_bytes(take(&mut bytes)),
            height: take::<1>(&mut bytes)[0],
            digest: take(&mut bytes),
        }
    }

    fn read(bytes: &mut &[u8]) -> Self {
        Self::from_bytes(&take(bytes))
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node<const LABEL: usize, const VALUE: usize> {
    pub below: [Link; 2],
    /// Of the label with its content.
    pub entry: Hash,
    pub value: Vec<u8>,
    pub label: Vec<u8>,
}

impl<const LABEL: usize, const VALUE: usize> Node<LABEL, VALUE> {
    const BYTES_MAX: usize = 2 * LINK_BYTES + 32 + 1 + VALUE + LABEL;

    pub fn digest(&self) -> Hash {
        let [left, right] = self.below.map(Link::digest);
        let from_entry = right.map_or(self.entry, |right| fork_hash(&self.entry, &right));
        left.map_or(from_entry, |left| fork_hash(&left, &from_entry))
    }

    pub fn height(&self) -> u8 {
        1 + self.below[LEFT].height.max(self.below[RIGHT].height)
    }

    fn free(next: u32) -> Self {
        let next = Link {
            slot: next,
            ..Link::NONE
        };
        Self {
            below: [next, Link::NONE],
            entry: [0; 32],
            value: Vec::new(),
            label: Vec::new(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Roots<const N: usize> {
    pub links: [Link; N],
    pub free: u32,
}

impl<const N: usize> Default for Roots<N> {
    fn default() -> Self {
        Self {
            links: [Link::NONE; N],
            free: 0,
        }
    }
}

impl<M: Memory, const ROOTS: usize, const LABEL: usize, const VALUE: usize>
    Trees<M, ROOTS, LABEL, VALUE>
{
    pub(crate) fn read(&self, link: Link) -> Node<LABEL, VALUE> {
        self.node_at(link.slot)
    }

    pub(crate) fn node_at(&self, slot: u32) -> Node<LABEL, VALUE> {
        let node = self.nodes.get(u64::from(slot) - 1);
        node.expect("BUG: a certified node is gone")
    }

    pub(crate) fn write(&mut self, slot: u32, node: &Node<LABEL, VALUE>) -> Link {
        self.nodes.set(u64::from(slot) - 1, node);
        Link {
            slot,
            height: node.height(),
            digest: node.digest(),
        }
    }

    /// To be written at once.
    pub(crate) fn take_slot(&mut self) -> u32 {
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

    pub(crate) fn give_slot_back(&mut self, slot: u32) {
        let mut roots = *self.roots.get();
        self.nodes.set(u64::from(slot) - 1, &Node::free(roots.free));
        roots.free = slot;
        self.roots.set(roots);
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let (taken, rest) = bytes
        .split_first_chunk()
        .expect("BUG: a certified node is cut off");
    *bytes = rest;
    *taken
}

impl<const N: usize> Storable for Roots<N> {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        let mut bytes: Vec<u8> = self.links.iter().flat_map(|link| link.to_bytes()).collect();
        bytes.extend_from_slice(&self.free.to_le_bytes());
        Cow::Owned(bytes)
    }

    fn into_bytes(self) -> Vec<u8> {
        self.to_bytes().into_owned()
    }

    fn from_bytes(bytes: Cow<[u8]>) -> Self {
        let mut bytes = &bytes[..];
        Self {
            links: std::array::from_fn(|_| Link::read(&mut bytes)),
            free: u32::from_le_bytes(take(&mut bytes)),
        }
    }

    const BOUND: Bound = Bound::Bounded {
        max_size: (N * LINK_BYTES + 4) as u32,
        is_fixed_size: true,
    };
}

impl<const LABEL: usize, const VALUE: usize> Storable for Node<LABEL, VALUE> {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        let mut bytes = Vec::with_capacity(Self::BYTES_MAX);
        for link in self.below {
            bytes.extend_from_slice(&link.to_bytes());
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
        let (value, label) = bytes.split_at(value_bytes);
        Self {
            below,
            entry,
            value: value.to_vec(),
            label: label.to_vec(),
        }
    }

    const BOUND: Bound = Bound::Bounded {
        max_size: Self::BYTES_MAX as u32,
        is_fixed_size: false,
    };
}
