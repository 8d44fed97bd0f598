//! Answers of queries that say of themselves that they are not certified, in the form that HTTP gateways verify
//! (response verification, version 2): the certified data has the hash of the expression that says so, for every path.
//!
//! ```text
//! http_expr -> "<*>" -> SHA-256 of the expression -> ""
//! ```

use data_encoding::BASE64;
use ic_certification::hash_tree::{HashTree, fork, label, leaf, pruned};
use stoa_types::Sha256;

use crate::receipts;

const EXPRESSION: &str = "default_certification(ValidationArgs{no_certification:Empty{}})";
/// The tag of CBOR that describes itself.
const TAG: [u8; 3] = [0xd9, 0xd9, 0xf7];

pub fn tree() -> HashTree<Vec<u8>> {
    let hash = Sha256::of(EXPRESSION.as_bytes());
    label("http_expr", label("<*>", label(hash.0, leaf(Vec::new()))))
}

pub fn headers(certificate: &[u8]) -> Vec<(String, String)> {
    let witness: HashTree<Vec<u8>> = fork(tree(), pruned(receipts::tree().digest()));
    let value = format!(
        "certificate=:{}:, tree=:{}:, expr_path=:{}:, version=2",
        BASE64.encode(certificate),
        BASE64.encode(&cbor(&witness)),
        BASE64.encode(&cbor(&["http_expr", "<*>"])),
    );
    vec![
        ("IC-Certificate".to_owned(), value),
        ("IC-CertificateExpression".to_owned(), EXPRESSION.to_owned()),
    ]
}

fn cbor(value: &impl serde::Serialize) -> Vec<u8> {
    let mut bytes = TAG.to_vec();
    ciborium::into_writer(value, &mut bytes).expect("BUG: a tree encodes");
    bytes
}
