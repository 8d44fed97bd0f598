//! The certified tree: `version / <digest> / status`. It lives in the heap and is
//! made anew from the versions after an upgrade, together with the certified data.
//!
//! ```text
//!   "version"
//!      <digest, 32 bytes>
//!         "status"  ->  text in lower case, e.g. admitted
//! ```
//! A manifest needs no leaf of its own: its hash is the digest.

use std::cell::RefCell;

use ic_certification::{
    AsHashTree, Hash, HashTree, RbTree, labeled, labeled_hash, leaf, leaf_hash,
};
use stoa_registry_api::VersionStatus;
use stoa_types::Sha256;

use crate::runtime::Runtime;

const VERSION: &[u8] = b"version";
const STATUS: &[u8] = b"status";

thread_local! {
    static UNSTABLE_TREE: RefCell<RbTree<[u8; 32], StatusLeaf>> = const { RefCell::new(RbTree::new()) };
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

/// Sets a version's status and the certified data.
pub fn insert(runtime: &impl Runtime, version: Sha256, status: VersionStatus) {
    UNSTABLE_TREE.with_borrow_mut(|tree| tree.insert(version.0, StatusLeaf(status)));
    certify(runtime);
}

/// From all versions, after an upgrade.
pub fn rebuild(runtime: &impl Runtime, versions: impl Iterator<Item = (Sha256, VersionStatus)>) {
    let mut tree = RbTree::new();
    for (version, status) in versions {
        tree.insert(version.0, StatusLeaf(status));
    }
    UNSTABLE_TREE.set(tree);
    certify(runtime);
}

fn certify(runtime: &impl Runtime) {
    runtime.set_certified_data(&root_hash());
}

pub fn root_hash() -> Hash {
    UNSTABLE_TREE.with_borrow(|tree| labeled_hash(VERSION, &tree.root_hash()))
}

/// CBOR of the tree that reveals this version's status, or that it is not there.
pub fn witness(version: &Sha256) -> Vec<u8> {
    let tree = UNSTABLE_TREE.with_borrow(|tree| labeled(VERSION, tree.witness(&version.0)));
    let mut bytes = Vec::new();
    ciborium::into_writer(&tree, &mut bytes).expect("BUG: a hash tree does not encode");
    bytes
}

#[cfg(test)]
mod tests {
    use ic_certification::LookupResult;

    use super::*;
    use crate::testing::TestRuntime;

    fn decoded(version: &Sha256) -> HashTree {
        serde_cbor::from_slice(&witness(version)).unwrap()
    }

    #[test]
    fn should_witness_a_status_under_the_root_that_is_certified() {
        let runtime = TestRuntime::new();
        for number in 0..50 {
            insert(&runtime, Sha256([number; 32]), VersionStatus::Draft);
        }
        let version = Sha256([7; 32]);
        insert(&runtime, version, VersionStatus::Admitted);
        let tree = decoded(&version);
        assert_eq!(tree.digest(), root_hash());
        assert_eq!(runtime.certified_data(), root_hash());
        let path = [VERSION, &version.0, STATUS];
        assert_eq!(tree.lookup_path(path), LookupResult::Found(b"admitted"));
    }

    #[test]
    fn should_witness_that_a_version_is_absent() {
        let runtime = TestRuntime::new();
        insert(&runtime, Sha256([1; 32]), VersionStatus::Draft);
        let absent = Sha256([2; 32]);
        let tree = decoded(&absent);
        assert_eq!(tree.digest(), root_hash());
        assert_eq!(
            tree.lookup_path([VERSION, &absent.0, STATUS]),
            LookupResult::Absent
        );
    }

    #[test]
    fn should_certify_the_same_root_after_it_is_rebuilt_in_any_order() {
        let runtime = TestRuntime::new();
        let entries: Vec<_> = (0..20)
            .map(|number| (Sha256([number; 32]), VersionStatus::Sealed))
            .collect();
        rebuild(&runtime, entries.iter().copied());
        let lookup = |version: &Sha256| decoded(version).digest();
        assert_eq!(lookup(&entries[3].0), runtime.certified_data());
        assert_eq!(lookup(&entries[19].0), runtime.certified_data());
    }
}
