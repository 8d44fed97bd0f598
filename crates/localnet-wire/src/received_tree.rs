//! Hash trees that came from outside, decoded from CBOR.
//!
//! ic-certification decodes its trees only from readers that lend out their bytes,
//! which ours does not; hence this.
//!
//! ```text
//! [0]  [1, left, right]  [2, label, subtree]  [3, leaf]  [4, digest of 32 bytes]
//! ```

use ciborium::value::Value;
use ic_certification::{Hash, HashTree, empty, fork, labeled, leaf, pruned};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

pub(crate) struct ReceivedTree(pub(crate) HashTree);

impl<'de> Deserialize<'de> for ReceivedTree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        tree(Value::deserialize(deserializer)?)
            .map(ReceivedTree)
            .ok_or_else(|| D::Error::custom("not a hash tree"))
    }
}

/// The decoder has bounded how deep the value is nested.
fn tree(value: Value) -> Option<HashTree> {
    let mut parts = value.into_array().ok()?.into_iter();
    let kind = u8::try_from(parts.next()?.into_integer().ok()?).ok()?;
    let tree = match kind {
        0 => empty(),
        1 => fork(tree(parts.next()?)?, tree(parts.next()?)?),
        2 => labeled(parts.next()?.into_bytes().ok()?, tree(parts.next()?)?),
        3 => leaf(parts.next()?.into_bytes().ok()?),
        4 => pruned(Hash::try_from(parts.next()?.into_bytes().ok()?).ok()?),
        _ => return None,
    };
    parts.next().is_none().then_some(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(cbor: &[u8]) -> Option<HashTree> {
        let received: ReceivedTree = ciborium::from_reader(cbor).ok()?;
        Some(received.0)
    }

    #[test]
    fn should_read_what_ic_certification_writes() {
        let whole = fork(
            labeled("a", fork(empty(), leaf("value"))),
            labeled("b", pruned([7; 32])),
        );
        let mut cbor = Vec::new();
        ciborium::into_writer(&whole, &mut cbor).expect("CBOR");
        assert_eq!(received(&cbor), Some(whole));
    }

    #[test]
    fn should_refuse_what_is_no_tree() {
        assert_eq!(received(&[0x81, 0x00]), Some(empty()));
        let wrong: [&[u8]; 6] = [
            &[0x80],
            &[0x81, 0x05],
            &[0x82, 0x00, 0x00],
            &[0x82, 0x03, 0x61, 0x61],
            &[0x82, 0x04, 0x41, 0x00],
            &[0x82, 0x01, 0x81, 0x00],
        ];
        for cbor in wrong {
            assert_eq!(received(cbor), None, "{cbor:?}");
        }
        let mut deep: Vec<u8> = [0x83, 0x02, 0x41, 0x61].repeat(10_000);
        deep.extend([0x81, 0x00]);
        assert_eq!(received(&deep), None);
    }
}
