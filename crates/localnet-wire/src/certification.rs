//! The certified state tree and certificates over parts of it.
//!
//! ```text
//! /time                                     nanoseconds, LEB128
//! /subnet/<id>/{public_key, canister_ranges, type, node/<id>/public_key}
//! /canister_ranges/<subnet>/<start>         the same ranges, in shards
//! /canister/<id>/{certified_data, controllers, metadata/<name>, module_hash}
//! /request_status/<id>/{status, reply, reject_code, reject_message, error_code}
//! ```
//!
//! The signature is BLS12-381 over the domain separator and the root hash.

use std::collections::{BTreeMap, HashMap};

use candid::Principal;
use ciborium::value::Value;
use ic_certification::{Certificate, Hash, HashTree, pruned};

use crate::keys::Keys;
use crate::request_tree::{RequestBranch, RequestDigests};
use crate::state_tree::{CanisterEntry, StateTree};
use crate::witness::{self, Branch, Node};

pub(crate) use crate::witness::Reveal;

/// CBOR's self-describing tag (55799), which the interface asks for everywhere.
pub(crate) const SELF_DESCRIBING_TAG: [u8; 3] = [0xd9, 0xd9, 0xf7];

/// A natural number as the state tree holds it: the shortest unsigned LEB128.
pub(crate) fn natural(number: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(10);
    leb128::write::unsigned(&mut bytes, number).expect("BUG: a vector refused a byte");
    bytes
}

/// What the root key signs: this, then the root hash.
pub(crate) const STATE_ROOT_DOMAIN: &[u8; 14] = b"\x0Dic-state-root";

/// All canister ids there can be: eight bytes of number, then 0x0101. This covers
/// what the machine counts out and the mainnet ids of the ICP ledger, the CMC
/// and the cycles ledger, so that none of them needs a range of its own.
const CANISTER_RANGE: ([u8; 10], [u8; 10]) = (
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1],
    [255, 255, 255, 255, 255, 255, 255, 255, 1, 1],
);

/// Digests of the last certificate's tree, kept beside the state.
#[derive(Default, Debug)]
pub(crate) struct Digests {
    requests: RequestDigests,
    canisters: HashMap<Principal, (CanisterEntry, Hash)>,
}

impl Digests {
    fn refresh(&mut self, state: &StateTree) {
        self.requests.refresh(state);
        self.canisters
            .retain(|canister_id, _| state.canisters.contains_key(canister_id));
        for (canister_id, entry) in &state.canisters {
            match self.canisters.get(canister_id) {
                Some((known, _)) if known == entry => {}
                _ => {
                    let digest = canister_node(entry).digest();
                    self.canisters.insert(*canister_id, (entry.clone(), digest));
                }
            }
        }
    }
}

/// A CBOR certificate at `time` that shows `/time` and what `reveal` asks for.
pub(crate) fn certificate(keys: &Keys, state: &StateTree, time: u64, reveal: Reveal) -> Vec<u8> {
    let tree = pruned_state_tree(keys, state, time, reveal);
    let message = [&STATE_ROOT_DOMAIN[..], &tree.digest()].concat();
    let certificate = Certificate {
        tree,
        signature: keys.sign_as_root(&message).to_vec(),
        delegation: None,
    };
    to_cbor(&certificate)
}

fn pruned_state_tree(keys: &Keys, state: &StateTree, time: u64, mut reveal: Reveal) -> HashTree {
    reveal.add(&[b"time"]);
    let mut digests = state
        .digests
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    digests.refresh(state);
    let root = Root {
        time: Node::leaf(natural(time)),
        subnet: subnet_node(keys),
        ranges: canister_ranges_node(keys),
        canisters: CanisterBranch::new(&digests, state),
        requests: RequestBranch {
            digests: &digests.requests,
            state,
        },
    };
    witness::witness(&root, &reveal)
}

/// CBOR with the self-describing tag.
pub(crate) fn to_cbor<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = SELF_DESCRIBING_TAG.to_vec();
    ciborium::into_writer(value, &mut bytes).expect("writing CBOR into memory cannot fail");
    bytes
}

/// The root of the tree. Labels in order; `canister` is a prefix of
/// `canister_ranges` and so comes first.
struct Root<'a> {
    canisters: CanisterBranch<'a>,
    ranges: Node,
    requests: RequestBranch<'a>,
    subnet: Node,
    time: Node,
}

impl Branch for Root<'_> {
    fn len(&self) -> usize {
        5
    }

    fn label(&self, index: usize) -> &[u8] {
        const LABELS: [&[u8]; 5] = [
            b"canister",
            b"canister_ranges",
            b"request_status",
            b"subnet",
            b"time",
        ];
        LABELS[index]
    }

    fn content_digest(&self, index: usize) -> Hash {
        match index {
            0 => witness::digest(&self.canisters),
            1 => self.ranges.digest(),
            2 => witness::digest(&self.requests),
            3 => self.subnet.digest(),
            _ => self.time.digest(),
        }
    }

    fn content(&self, index: usize, reveal: &Reveal) -> HashTree {
        match index {
            0 => witness::witness(&self.canisters, reveal),
            1 => self.ranges.witness(reveal),
            2 => witness::witness(&self.requests, reveal),
            3 => self.subnet.witness(reveal),
            _ => self.time.witness(reveal),
        }
    }
}

struct CanisterBranch<'a> {
    /// By the bytes of the id: `Principal` itself orders by length first.
    canisters: Vec<(Principal, &'a CanisterEntry, Hash)>,
}

impl<'a> CanisterBranch<'a> {
    fn new(digests: &Digests, state: &'a StateTree) -> CanisterBranch<'a> {
        let mut canisters: Vec<_> = state
            .canisters
            .iter()
            .map(|(canister_id, entry)| (*canister_id, entry, digests.canisters[canister_id].1))
            .collect();
        canisters.sort_by(|left, right| left.0.as_slice().cmp(right.0.as_slice()));
        CanisterBranch { canisters }
    }
}

impl Branch for CanisterBranch<'_> {
    fn len(&self) -> usize {
        self.canisters.len()
    }

    fn label(&self, index: usize) -> &[u8] {
        self.canisters[index].0.as_slice()
    }

    fn content_digest(&self, index: usize) -> Hash {
        self.canisters[index].2
    }

    fn content(&self, index: usize, reveal: &Reveal) -> HashTree {
        match reveal {
            Reveal::Below(labels) if labels.is_empty() => pruned(self.content_digest(index)),
            _ => canister_node(self.canisters[index].1).witness(reveal),
        }
    }
}

/// An empty canister has controllers and nothing else.
fn canister_node(entry: &CanisterEntry) -> Node {
    let mut children: BTreeMap<&str, Node> = BTreeMap::new();
    let controllers = entry.controllers.iter().map(principal_value).collect();
    children.insert(
        "controllers",
        Node::Leaf(to_cbor(&Value::Array(controllers))),
    );
    if let Some(module_hash) = entry.module_hash {
        children.insert("certified_data", Node::leaf(entry.certified_data.clone()));
        children.insert("module_hash", Node::leaf(module_hash));
        let metadata = entry
            .metadata
            .iter()
            .map(|(name, metadata)| (name.as_str(), Node::leaf(metadata.content.clone())));
        children.insert("metadata", Node::labels(metadata));
    }
    Node::labels(children)
}

fn subnet_node(keys: &Keys) -> Node {
    let node = Node::labels([("public_key", Node::leaf(keys.node_key_der()))]);
    let subnet = Node::labels([
        ("public_key", Node::leaf(keys.root_key_der())),
        ("canister_ranges", Node::Leaf(canister_ranges())),
        ("type", Node::leaf("application")),
        ("node", Node::labels([(keys.node_id().as_slice(), node)])),
    ]);
    Node::labels([(keys.subnet_id().as_slice(), subnet)])
}

fn canister_ranges_node(keys: &Keys) -> Node {
    let shards = Node::labels([(CANISTER_RANGE.0, Node::Leaf(canister_ranges()))]);
    Node::labels([(keys.subnet_id().as_slice(), shards)])
}

/// `tagged<[[low, high]]>`, both ends included.
fn canister_ranges() -> Vec<u8> {
    let (low, high) = CANISTER_RANGE;
    to_cbor(&Value::Array(vec![Value::Array(vec![
        Value::Bytes(low.to_vec()),
        Value::Bytes(high.to_vec()),
    ])]))
}

fn principal_value(principal: &Principal) -> Value {
    Value::Bytes(principal.as_slice().to_vec())
}

#[cfg(test)]
mod tests;
