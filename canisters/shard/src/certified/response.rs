//! A response and its hash, as response verification 2 defines it: H(H(headers and status) · H(body)), the first of which is the
//! representation-independent hash of the headers with their names in lower case. All headers are certified.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

use ic_certification::{Hash, HashTree, label, labeled_hash, leaf, leaf_hash, pruned};
use stoa_types::Sha256;

use super::forest::{self, Item};

/// Labels that end a path.
pub const EXACT: &[u8] = b"<$>";
pub const WILDCARD: &[u8] = b"<*>";
/// Names below which a verifier looks for wildcards: an empty segment is a directory to it.
pub const WILDCARD_NAMES: [&str; 2] = ["", "<*>"];

/// The label that a path of these further segments would have next.
pub fn next_label<'a>(rest: &[&'a str]) -> &'a str {
    rest.first().copied().unwrap_or("<$>")
}

pub const EXPRESSION_HEADER: &str = "IC-CertificateExpression";
/// No header is left out, nothing of the request is certified: each response says itself what it is (`ETag`, `Content-Range`).
pub const EXPRESSION: &str = "default_certification(ValidationArgs{certification:Certification{\
    no_request_certification:Empty{},response_certification:ResponseCertification{\
    response_header_exclusions:ResponseHeaderList{headers:[]}}}})";

pub type Text = Cow<'static, str>;

/// All names in lower case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, Text)>,
    pub body: Body,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    Bytes(Vec<u8>),
    /// A chunk that this shard holds, by the hash that is its name.
    Chunk(Sha256),
}

impl Response {
    pub fn hash(&self) -> Hash {
        let body = match &self.body {
            Body::Bytes(bytes) => Sha256::of(bytes),
            Body::Chunk(hash) => *hash,
        };
        let mut pairs: Vec<[Hash; 2]> = self
            .headers
            .iter()
            .map(|(name, value)| [constant_hash(name), text_hash(value)])
            .collect();
        // The hash of a header is that of its name in lower case.
        pairs.push([
            constant_hash("ic-certificateexpression"),
            constant_hash(EXPRESSION),
        ]);
        pairs.push([constant_hash(":ic-cert-status"), status_hash(self.status)]);
        pairs.sort_unstable();
        let headers = Sha256::of(pairs.as_flattened().as_flattened());
        Sha256::of(&[headers.0, body.0].concat()).0
    }
}

fn text_hash(text: &Text) -> Hash {
    match text {
        Cow::Borrowed(constant) => constant_hash(constant),
        Cow::Owned(text) => Sha256::of(text.as_bytes()).0,
    }
}

/// An unsigned LEB128 number.
fn status_hash(status: u16) -> Hash {
    let (low, high) = (status as u8 & 0x7f, (status >> 7) as u8);
    if high == 0 {
        Sha256::of(&[low]).0
    } else {
        Sha256::of(&[low | 0x80, high]).0
    }
}

thread_local! {
    /// Hashes of texts in this program, which most headers are made of.
    static UNSTABLE_CONSTANT_HASHES: RefCell<HashMap<&'static str, Hash>> = RefCell::default();
}

fn constant_hash(text: &'static str) -> Hash {
    UNSTABLE_CONSTANT_HASHES.with_borrow_mut(|hashes| {
        *hashes
            .entry(text)
            .or_insert_with(|| Sha256::of(text.as_bytes()).0)
    })
}

/// Digest of what a name has below it, where that is an exact path only.
pub fn node_digest(exact: &Hash) -> Hash {
    labeled_hash(EXACT, exact)
}

/// All responses that a path may give, with the digests of runs of them, so that one can be shown without hashing all others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terminal {
    /// In order, as labels stand in a tree.
    hashes: Vec<Hash>,
    /// Of the parts into which the row falls by halves until none is longer than a run.
    runs: Vec<Hash>,
}

/// To show a response hashes its run and forks all runs: 64 and 511 hashes for the largest file's 16,387 responses.
const RUN: usize = 64;

impl Terminal {
    pub fn of_hashes(mut hashes: Vec<Hash>) -> Self {
        hashes.sort_unstable();
        hashes.dedup();
        let mut runs = Vec::new();
        each_run(&hashes, &mut |run| {
            let nodes: Vec<Hash> = run
                .iter()
                .map(|hash| labeled_hash(hash, &leaf_hash(b"")))
                .collect();
            runs.push(forest::row_digest(&nodes).expect("BUG: a path without a response"));
        });
        Self { hashes, runs }
    }

    /// As `parts` gave it.
    pub fn of_parts(hashes: Vec<Hash>, runs: Vec<Hash>) -> Self {
        Self { hashes, runs }
    }

    /// Hashes of the responses, and digests of their runs.
    pub fn parts(&self) -> (&[Hash], &[Hash]) {
        (&self.hashes, &self.runs)
    }

    /// Whether to derive it again takes much.
    pub fn is_long(&self) -> bool {
        self.runs.len() > 1
    }

    /// Digest of what stands below `<$>` or `<*>`.
    pub fn digest(&self) -> Hash {
        let row = row_of_runs(&self.hashes, &mut self.runs.iter(), &mut |_, run| {
            pruned(*run)
        });
        let row = row.digest();
        labeled_hash(&constant_hash(EXPRESSION), &labeled_hash(b"", &row))
    }

    /// What stands below `<$>` or `<*>`, with one response shown.
    pub fn tree(&self, shown: &Hash) -> HashTree {
        let empty_leaf = leaf_hash(b"");
        let row = row_of_runs(&self.hashes, &mut self.runs.iter(), &mut |hashes, run| {
            if hashes.binary_search(shown).is_err() {
                return pruned(*run);
            }
            let items = hashes
                .iter()
                .map(|hash| Item {
                    label: hash.to_vec(),
                    content: empty_leaf,
                    shown: (hash == shown).then(|| leaf(b"".to_vec())),
                })
                .collect();
            forest::row(items)
        });
        label(constant_hash(EXPRESSION), label(b"", row))
    }

    /// The same below its exact path, as a name has it.
    pub fn node(&self, shown: &Hash) -> HashTree {
        label(EXACT, self.tree(shown))
    }

    pub fn hidden_node(&self) -> HashTree {
        label(EXACT, pruned(self.digest()))
    }
}

fn each_run(hashes: &[Hash], visit: &mut impl FnMut(&[Hash])) {
    if hashes.len() <= RUN {
        return visit(hashes);
    }
    // As `forest` halves a row.
    let (left, right) = hashes.split_at(hashes.len() / 2);
    each_run(left, visit);
    each_run(right, visit);
}

/// The row as a tree of what each run, with its digest, is shown as.
fn row_of_runs<'a>(
    hashes: &[Hash],
    runs: &mut impl Iterator<Item = &'a Hash>,
    show: &mut impl FnMut(&[Hash], &Hash) -> HashTree,
) -> HashTree {
    if hashes.len() <= RUN {
        return show(hashes, runs.next().expect("BUG: a run without a digest"));
    }
    let (left, right) = hashes.split_at(hashes.len() / 2);
    let left = row_of_runs(left, runs, show);
    let right = row_of_runs(right, runs, show);
    forest::fork_of(Some(left), Some(right)).expect("BUG: a row of nothing")
}

#[cfg(test)]
mod tests {
    use ic_certification::LookupResult;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn should_show_any_of_a_row_of_any_length_as_if_it_were_hashed_whole(length in 1_usize..700, shown in any::<prop::sample::Index>()) {
            let hashes: Vec<Hash> = (0..length).map(|number| Sha256::of(&number.to_le_bytes()).0).collect();
            let terminal = Terminal::of_hashes(hashes.clone());
            prop_assert_eq!(terminal.is_long(), length > RUN);
            let mut sorted = hashes.clone();
            sorted.sort_unstable();
            let nodes: Vec<Hash> = sorted.iter().map(|hash| labeled_hash(hash, &leaf_hash(b""))).collect();
            let row = labeled_hash(b"", &forest::row_digest(&nodes).unwrap());
            let expression = constant_hash(EXPRESSION);
            prop_assert_eq!(terminal.digest(), labeled_hash(&expression, &row));

            let (stored, runs) = terminal.parts();
            let again = Terminal::of_parts(stored.to_vec(), runs.to_vec());
            let shown = hashes[shown.index(length)];
            let tree = again.tree(&shown);
            prop_assert_eq!(tree.digest(), terminal.digest());
            let path: [&[u8]; 3] = [&expression, b"", &shown];
            prop_assert_eq!(tree.lookup_path(path), LookupResult::Found(b""));
        }
    }
}
