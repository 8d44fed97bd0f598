//! The certified tree. Its maps are in stable memory (`certified_maps.rs`) and the tip is the audit log's, so that an upgrade
//! only hashes the top of the tree again.
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

use ic_certification::{
    Hash, HashTree, fork, fork_hash, labeled, labeled_hash, leaf, leaf_hash, pruned,
};
use stoa_registry_api::VersionStatus;
use stoa_types::Sha256;

use crate::certified_maps::{Content, Map};
use crate::runtime::Runtime;
use crate::state::State;

const ALIAS: &[u8] = b"alias";
const LAST_BLOCK_HASH: &[u8] = b"last_block_hash";
const LAST_BLOCK_INDEX: &[u8] = b"last_block_index";
const VERSION: &[u8] = b"version";
const STATUS: &[u8] = b"status";

/// Of the name of a status.
const OF_VERSION: Content = |status| labeled(STATUS, leaf(status.to_vec()));
/// Of a digest.
const OF_ALIAS: Content = |digest| leaf(digest.to_vec());

/// Which part of the tree a witness is to show.
enum Shown<'a> {
    Alias(&'a str),
    Tip,
    Version(&'a Sha256),
}

/// Of the last audit block: its hash and its index.
fn tip_leaves(state: &State) -> (Vec<u8>, Vec<u8>) {
    match state.audit_tip() {
        Some((index, hash)) => (hash.to_vec(), leb128(index)),
        None => (vec![], vec![]),
    }
}

pub fn root_hash(state: &State) -> Hash {
    let (hash, index) = tip_leaves(state);
    fork_hash(
        &fork_hash(
            &labeled_hash(ALIAS, &state.certified.digest(Map::Aliases)),
            &labeled_hash(LAST_BLOCK_HASH, &leaf_hash(&hash)),
        ),
        &fork_hash(
            &labeled_hash(LAST_BLOCK_INDEX, &leaf_hash(&index)),
            &labeled_hash(VERSION, &state.certified.digest(Map::Versions)),
        ),
    )
}

fn tree(state: &State, shown: Shown<'_>) -> HashTree {
    let (hash, index) = tip_leaves(state);
    let maps = &state.certified;
    let hidden = |tree: HashTree| pruned(tree.digest());
    let hash = labeled(LAST_BLOCK_HASH, leaf(hash));
    let index = labeled(LAST_BLOCK_INDEX, leaf(index));
    let aliases = || pruned(labeled_hash(ALIAS, &maps.digest(Map::Aliases)));
    let versions = || pruned(labeled_hash(VERSION, &maps.digest(Map::Versions)));
    match shown {
        Shown::Alias(name) => {
            let witness = maps.witness(Map::Aliases, OF_ALIAS, name.as_bytes());
            fork(
                fork(labeled(ALIAS, witness), hidden(hash)),
                hidden(fork(index, versions())),
            )
        }
        Shown::Tip => fork(fork(aliases(), hash), fork(index, versions())),
        Shown::Version(version) => {
            let witness = maps.witness(Map::Versions, OF_VERSION, &version.0);
            fork(
                hidden(fork(aliases(), hash)),
                fork(hidden(index), labeled(VERSION, witness)),
            )
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

/// In every message that changed the tree or the audit log, and after an upgrade.
pub fn certify(state: &State, runtime: &impl Runtime) {
    runtime.set_certified_data(&root_hash(state));
}

/// Sets a version's status, or takes the version out.
pub fn set_status(
    state: &mut State,
    runtime: &impl Runtime,
    version: Sha256,
    status: Option<VersionStatus>,
) {
    let value = status.map(|status| status.name().as_bytes());
    state
        .certified
        .set(Map::Versions, OF_VERSION, &version.0, value);
    certify(state, runtime);
}

/// Sets what a name means, or that it means nothing.
pub fn set_alias(state: &mut State, runtime: &impl Runtime, name: &str, version: Option<Sha256>) {
    let value = version.as_ref().map(|version| version.0.as_slice());
    state
        .certified
        .set(Map::Aliases, OF_ALIAS, name.as_bytes(), value);
    certify(state, runtime);
}

/// Of a library from before the maps were in stable memory.
pub fn fill(
    state: &mut State,
    versions: impl Iterator<Item = (Sha256, VersionStatus)>,
    aliases: impl Iterator<Item = (String, Sha256)>,
) {
    let of_version = |(version, status): (Sha256, VersionStatus)| {
        (version.0.to_vec(), status.name().as_bytes().to_vec())
    };
    let of_alias = |(name, version): (String, Sha256)| (name.into_bytes(), version.0.to_vec());
    let mut versions: Vec<_> = versions.map(of_version).collect();
    let mut aliases: Vec<_> = aliases.map(of_alias).collect();
    versions.sort_unstable();
    // Not in the order of models: "a/b-c" comes between "a/b" and "a/b@latest".
    aliases.sort_unstable();
    state.certified.fill(Map::Versions, OF_VERSION, &versions);
    state.certified.fill(Map::Aliases, OF_ALIAS, &aliases);
}

/// CBOR of the tree that reveals this version's status, or that it is not there.
pub fn version_witness(state: &State, version: &Sha256) -> Vec<u8> {
    witness(state, Shown::Version(version))
}

/// CBOR of the tree that reveals what a name means, or that it means nothing.
pub fn alias_witness(state: &State, name: &str) -> Vec<u8> {
    witness(state, Shown::Alias(name))
}

/// CBOR of the tree that reveals the last block of the audit log.
pub fn tip_witness(state: &State) -> Vec<u8> {
    witness(state, Shown::Tip)
}

fn witness(state: &State, shown: Shown<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(&tree(state, shown), &mut bytes)
        .expect("BUG: a hash tree does not encode");
    bytes
}

#[cfg(test)]
impl State {
    /// The certified maps say what the books say.
    pub fn check_certified(&self) {
        let statuses: Vec<_> = self
            .versions
            .iter()
            .map(|entry| {
                let status = VersionStatus::from(entry.value().status);
                (entry.key().to_vec(), status.name().as_bytes().to_vec())
            })
            .collect();
        assert_eq!(self.certified.entries(Map::Versions, OF_VERSION), statuses);
        let mut names: Vec<_> = self
            .models
            .iter()
            .flat_map(|entry| crate::models::names(entry.key(), &entry.value()))
            .map(|(name, version)| (name.into_bytes(), version.0.to_vec()))
            .collect();
        names.sort_unstable();
        assert_eq!(self.certified.entries(Map::Aliases, OF_ALIAS), names);
        self.certified.check_slots();
    }
}

#[cfg(test)]
mod tests {
    use ic_certification::LookupResult;

    use super::*;
    use crate::state::{with, with_mut};
    use crate::testing::{TestRuntime, install};

    fn decoded(bytes: &[u8]) -> HashTree {
        serde_cbor::from_slice(bytes).unwrap()
    }

    fn set(runtime: &TestRuntime, version: Sha256, status: Option<VersionStatus>) {
        with_mut(|state| set_status(state, runtime, version, status));
    }

    fn name(runtime: &TestRuntime, name: &str, version: Option<Sha256>) {
        with_mut(|state| set_alias(state, runtime, name, version));
    }

    #[test]
    fn should_witness_a_status_under_the_root_that_is_certified() {
        install();
        let runtime = TestRuntime::new();
        for number in 0..50 {
            set(&runtime, Sha256([number; 32]), Some(VersionStatus::Draft));
        }
        let version = Sha256([7; 32]);
        set(&runtime, version, Some(VersionStatus::Admitted));
        let tree = decoded(&with(|state| version_witness(state, &version)));
        assert_eq!(tree.digest(), with(root_hash));
        assert_eq!(runtime.certified_data(), with(root_hash));
        let path = [VERSION, &version.0, STATUS];
        assert_eq!(tree.lookup_path(path), LookupResult::Found(b"admitted"));
        let hidden = tree.lookup_path([ALIAS, b"stoa/digits"]);
        assert_eq!(hidden, LookupResult::Unknown);
    }

    #[test]
    fn should_witness_that_a_version_and_an_alias_are_absent_in_a_tree_of_any_size() {
        install();
        let runtime = TestRuntime::new();
        with(|state| certify(state, &runtime));
        for number in 0..4 {
            let absent = Sha256([200; 32]);
            let tree = decoded(&with(|state| version_witness(state, &absent)));
            assert_eq!(tree.digest(), runtime.certified_data());
            assert_eq!(
                tree.lookup_path([VERSION, &absent.0, STATUS]),
                LookupResult::Absent
            );
            let tree = decoded(&with(|state| alias_witness(state, "stoa/none")));
            assert_eq!(tree.digest(), runtime.certified_data());
            let path: [&[u8]; 2] = [ALIAS, b"stoa/none"];
            assert_eq!(tree.lookup_path(path), LookupResult::Absent);
            set(&runtime, Sha256([number; 32]), Some(VersionStatus::Draft));
            name(&runtime, &format!("stoa/{number}"), Some(absent));
        }
    }

    #[test]
    fn should_forget_what_is_taken_out() {
        install();
        let runtime = TestRuntime::new();
        let empty = with(root_hash);
        let version = Sha256([1; 32]);
        set(&runtime, version, Some(VersionStatus::Draft));
        name(&runtime, "stoa/digits", Some(version));
        let tree = decoded(&with(|state| alias_witness(state, "stoa/digits")));
        let path: [&[u8]; 2] = [ALIAS, b"stoa/digits"];
        assert_eq!(tree.lookup_path(path), LookupResult::Found(&version.0));
        set(&runtime, version, None);
        name(&runtime, "stoa/digits", None);
        assert_eq!(runtime.certified_data(), empty);
    }

    #[test]
    fn should_write_the_index_of_the_tip_as_icrc_3_says() {
        for (index, bytes) in [(0, &[0][..]), (127, &[0x7f]), (300, &[0xac, 0x02])] {
            assert_eq!(leb128(index), bytes);
        }
    }
}
