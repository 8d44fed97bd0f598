//! The certified tree. It lives in the heap and is made anew from stable memory after an upgrade, together with the
//! certified data.
//!
//! ```text
//!   "alias"
//!      <publisher/name, publisher/name@latest, ...@stable, ...@own alias>  ->  digest
//!   "last_block_hash"   ->  of the audit log, as ICRC-3 has it
//!   "last_block_index"  ->  the same, unsigned LEB128
//!   "version"
//!      <digest, 32 bytes>
//!         "status"  ->  text in lower case, e.g. admitted
//! ```
//! A manifest needs no leaf of its own: its hash is the digest. Labels stand in ascending order, so that the absence of a
//! version or an alias is provable as well as its presence.

use std::cell::RefCell;

use ic_certification::{
    AsHashTree, Hash, HashTree, RbTree, fork, fork_hash, labeled, labeled_hash, leaf, leaf_hash,
    pruned,
};
use stoa_registry_api::VersionStatus;
use stoa_types::Sha256;

use crate::runtime::Runtime;

const ALIAS: &[u8] = b"alias";
const LAST_BLOCK_HASH: &[u8] = b"last_block_hash";
const LAST_BLOCK_INDEX: &[u8] = b"last_block_index";
const VERSION: &[u8] = b"version";
const STATUS: &[u8] = b"status";

thread_local! {
    static UNSTABLE_TREE: RefCell<Tree> = const { RefCell::new(Tree::new()) };
}

struct Tree {
    aliases: RbTree<String, DigestLeaf>,
    versions: RbTree<[u8; 32], StatusLeaf>,
    /// Index and hash of the last audit block.
    tip: Option<(u64, [u8; 32])>,
}

#[derive(Clone, Copy)]
struct StatusLeaf(VersionStatus);

impl AsHashTree for StatusLeaf {
    fn root_hash(&self) -> Hash {
        labeled_hash(STATUS, &leaf_hash(self.0.name().as_bytes()))
    }

    fn as_hash_tree(&self) -> HashTree {
        labeled(STATUS, leaf(self.0.name().as_bytes()))
    }
}

#[derive(Clone, Copy, PartialEq)]
struct DigestLeaf([u8; 32]);

impl AsHashTree for DigestLeaf {
    fn root_hash(&self) -> Hash {
        leaf_hash(&self.0)
    }

    fn as_hash_tree(&self) -> HashTree {
        leaf(self.0)
    }
}

/// Which part of the tree a witness is to show.
enum Shown<'a> {
    Alias(&'a str),
    Tip,
    Version(&'a Sha256),
}

impl Tree {
    const fn new() -> Self {
        Self {
            aliases: RbTree::new(),
            versions: RbTree::new(),
            tip: None,
        }
    }

    fn tip_leaves(&self) -> (Vec<u8>, Vec<u8>) {
        match self.tip {
            Some((index, hash)) => (hash.to_vec(), leb128(index)),
            None => (vec![], vec![]),
        }
    }

    fn root_hash(&self) -> Hash {
        let (hash, index) = self.tip_leaves();
        fork_hash(
            &fork_hash(
                &labeled_hash(ALIAS, &self.aliases.root_hash()),
                &labeled_hash(LAST_BLOCK_HASH, &leaf_hash(&hash)),
            ),
            &fork_hash(
                &labeled_hash(LAST_BLOCK_INDEX, &leaf_hash(&index)),
                &labeled_hash(VERSION, &self.versions.root_hash()),
            ),
        )
    }

    fn witness(&self, shown: Shown<'_>) -> HashTree {
        let (hash, index) = self.tip_leaves();
        let hidden = |tree: HashTree| pruned(tree.digest());
        let hash = labeled(LAST_BLOCK_HASH, leaf(hash));
        let index = labeled(LAST_BLOCK_INDEX, leaf(index));
        let aliases = || pruned(labeled_hash(ALIAS, &self.aliases.root_hash()));
        let versions = || pruned(labeled_hash(VERSION, &self.versions.root_hash()));
        match shown {
            Shown::Alias(name) => fork(
                fork(
                    labeled(ALIAS, self.aliases.witness(name.as_bytes())),
                    hidden(hash),
                ),
                hidden(fork(index, versions())),
            ),
            Shown::Tip => fork(fork(aliases(), hash), fork(index, versions())),
            Shown::Version(version) => fork(
                hidden(fork(aliases(), hash)),
                fork(
                    hidden(index),
                    labeled(VERSION, self.versions.witness(&version.0)),
                ),
            ),
        }
    }
}

fn leb128(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let group = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(group);
            return bytes;
        }
        bytes.push(group | 0x80);
    }
}

fn change(runtime: &impl Runtime, change: impl FnOnce(&mut Tree)) {
    let root = UNSTABLE_TREE.with_borrow_mut(|tree| {
        change(tree);
        tree.root_hash()
    });
    runtime.set_certified_data(&root);
}

/// Sets a version's status, or takes the version out.
pub fn set_status(runtime: &impl Runtime, version: Sha256, status: Option<VersionStatus>) {
    change(runtime, |tree| match status {
        Some(status) => tree.versions.insert(version.0, StatusLeaf(status)),
        None => tree.versions.delete(&version.0),
    });
}

/// Sets what a name means, or that it means nothing.
pub fn set_alias(runtime: &impl Runtime, name: String, version: Option<Sha256>) {
    change(runtime, |tree| match version {
        Some(version) => tree.aliases.insert(name, DigestLeaf(version.0)),
        None => tree.aliases.delete(name.as_bytes()),
    });
}

/// The last block of the audit log.
pub fn set_tip(runtime: &impl Runtime, index: u64, hash: [u8; 32]) {
    change(runtime, |tree| tree.tip = Some((index, hash)));
}

/// From stable memory, at installation and after an upgrade.
pub fn rebuild(
    runtime: &impl Runtime,
    versions: impl Iterator<Item = (Sha256, VersionStatus)>,
    aliases: impl Iterator<Item = (String, Sha256)>,
    tip: Option<(u64, [u8; 32])>,
) {
    let mut tree = Tree::new();
    for (version, status) in versions {
        tree.versions.insert(version.0, StatusLeaf(status));
    }
    for (name, version) in aliases {
        tree.aliases.insert(name, DigestLeaf(version.0));
    }
    tree.tip = tip;
    runtime.set_certified_data(&tree.root_hash());
    UNSTABLE_TREE.set(tree);
}

#[cfg(test)]
pub fn root_hash() -> Hash {
    UNSTABLE_TREE.with_borrow(Tree::root_hash)
}

/// CBOR of the tree that reveals this version's status, or that it is not there.
pub fn version_witness(version: &Sha256) -> Vec<u8> {
    witness(Shown::Version(version))
}

/// CBOR of the tree that reveals what a name means, or that it means nothing.
pub fn alias_witness(name: &str) -> Vec<u8> {
    witness(Shown::Alias(name))
}

/// CBOR of the tree that reveals the last block of the audit log.
pub fn tip_witness() -> Vec<u8> {
    witness(Shown::Tip)
}

fn witness(shown: Shown<'_>) -> Vec<u8> {
    let tree = UNSTABLE_TREE.with_borrow(|tree| tree.witness(shown));
    let mut bytes = Vec::new();
    ciborium::into_writer(&tree, &mut bytes).expect("BUG: a hash tree does not encode");
    bytes
}

#[cfg(test)]
mod tests {
    use ic_certification::LookupResult;

    use super::*;
    use crate::testing::TestRuntime;

    fn decoded(bytes: &[u8]) -> HashTree {
        serde_cbor::from_slice(bytes).unwrap()
    }

    #[test]
    fn should_witness_a_status_under_the_root_that_is_certified() {
        let runtime = TestRuntime::new();
        for number in 0..50 {
            set_status(&runtime, Sha256([number; 32]), Some(VersionStatus::Draft));
        }
        let version = Sha256([7; 32]);
        set_status(&runtime, version, Some(VersionStatus::Admitted));
        let tree = decoded(&version_witness(&version));
        assert_eq!(tree.digest(), root_hash());
        assert_eq!(runtime.certified_data(), root_hash());
        let path = [VERSION, &version.0, STATUS];
        assert_eq!(tree.lookup_path(path), LookupResult::Found(b"admitted"));
        let hidden = tree.lookup_path([ALIAS, b"stoa/digits"]);
        assert_eq!(hidden, LookupResult::Unknown);
    }

    #[test]
    fn should_witness_that_a_version_and_an_alias_are_absent_in_a_tree_of_any_size() {
        let runtime = TestRuntime::new();
        rebuild(&runtime, std::iter::empty(), std::iter::empty(), None);
        for number in 0..4 {
            let absent = Sha256([200; 32]);
            let tree = decoded(&version_witness(&absent));
            assert_eq!(tree.digest(), runtime.certified_data());
            assert_eq!(
                tree.lookup_path([VERSION, &absent.0, STATUS]),
                LookupResult::Absent
            );
            let tree = decoded(&alias_witness("stoa/none"));
            assert_eq!(tree.digest(), runtime.certified_data());
            let path: [&[u8]; 2] = [ALIAS, b"stoa/none"];
            assert_eq!(tree.lookup_path(path), LookupResult::Absent);
            set_status(&runtime, Sha256([number; 32]), Some(VersionStatus::Draft));
            set_alias(&runtime, format!("stoa/{number}"), Some(absent));
        }
    }

    #[test]
    fn should_forget_what_is_taken_out() {
        let runtime = TestRuntime::new();
        rebuild(&runtime, std::iter::empty(), std::iter::empty(), None);
        let empty = runtime.certified_data();
        let version = Sha256([1; 32]);
        set_status(&runtime, version, Some(VersionStatus::Draft));
        set_alias(&runtime, "stoa/digits".into(), Some(version));
        let tree = decoded(&alias_witness("stoa/digits"));
        let path: [&[u8]; 2] = [ALIAS, b"stoa/digits"];
        assert_eq!(tree.lookup_path(path), LookupResult::Found(&version.0));
        set_status(&runtime, version, None);
        set_alias(&runtime, "stoa/digits".into(), None);
        assert_eq!(runtime.certified_data(), empty);
    }

    #[test]
    fn should_show_the_tip_as_icrc_3_says() {
        let runtime = TestRuntime::new();
        set_tip(&runtime, 300, [5; 32]);
        let tree = decoded(&tip_witness());
        assert_eq!(tree.digest(), runtime.certified_data());
        assert_eq!(
            tree.lookup_path([LAST_BLOCK_HASH]),
            LookupResult::Found(&[5; 32])
        );
        assert_eq!(
            tree.lookup_path([LAST_BLOCK_INDEX]),
            LookupResult::Found(&[0xac, 0x02])
        );
    }

    #[test]
    fn should_certify_the_same_root_after_it_is_rebuilt_in_any_order() {
        let runtime = TestRuntime::new();
        let entries: Vec<_> = (0..20)
            .map(|number| (Sha256([number; 32]), VersionStatus::Sealed))
            .collect();
        let tip = Some((4, [4; 32]));
        rebuild(&runtime, entries.iter().copied(), std::iter::empty(), tip);
        let digest = |version: &Sha256| decoded(&version_witness(version)).digest();
        assert_eq!(digest(&entries[3].0), runtime.certified_data());
        assert_eq!(digest(&entries[19].0), runtime.certified_data());
    }
}
