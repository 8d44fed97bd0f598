//! Representation-independent hash, as the Internet Computer's interface
//! specification defines it for request ids ("Hash of map"). Digests of
//! manifests, tensors and receipts are made with it, so that any language that
//! can hash a request can also recompute them.
//!
//! | value | hash |
//! |---|---|
//! | text  | SHA-256 of its UTF-8 bytes |
//! | blob  | SHA-256 of its bytes |
//! | nat   | SHA-256 of its unsigned LEB128, shortest form |
//! | array | SHA-256 of the concatenated hashes of its elements |
//! | map   | SHA-256 of the sorted concatenation of hash(key) · hash(value) |
//!
//! The hash does not tell types apart: `65`, `"A"` and the blob `41` hash alike, and so do
//! the empty text, blob, array and map. Whoever hashes a structure must fix the type of
//! every field, as the schemas here do.

use sha2::Digest;

use crate::hash::Sha256;

/// A value to be hashed. It borrows texts and bytes, so that hashing a tensor of 100 MiB copies nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    Text(&'a str),
    Blob(&'a [u8]),
    Nat(u128),
    Array(Vec<Value<'a>>),
    /// Keys must differ; their order does not matter.
    Map(Vec<(&'a str, Value<'a>)>),
}

impl<'a> Value<'a> {
    /// Array of the texts of `list`, in order.
    pub fn texts(list: &'a [String]) -> Self {
        Value::Array(list.iter().map(|text| Value::Text(text)).collect())
    }

    /// Array of the digests of `list` as blobs, in order.
    pub fn digests(list: &'a [Sha256]) -> Self {
        Value::Array(list.iter().map(|hash| Value::Blob(&hash.0)).collect())
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Value::Text(text)
    }
}

impl<'a> From<&'a Sha256> for Value<'a> {
    fn from(hash: &'a Sha256) -> Self {
        Value::Blob(&hash.0)
    }
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Value::Nat(number.into())
    }
}

/// Depth of the recursion is the depth of the value, which our schemas bound; no value comes from a caller as it is.
pub fn hash(value: &Value<'_>) -> Sha256 {
    match value {
        Value::Text(text) => Sha256::of(text.as_bytes()),
        Value::Blob(bytes) => Sha256::of(bytes),
        Value::Nat(number) => hash_nat(*number),
        Value::Array(elements) => {
            let mut hasher = sha2::Sha256::new();
            for element in elements {
                hasher.update(hash(element).0);
            }
            Sha256(hasher.finalize().into())
        }
        Value::Map(entries) => {
            let mut hashes: Vec<(Sha256, Sha256)> = entries
                .iter()
                .map(|(key, value)| (Sha256::of(key.as_bytes()), hash(value)))
                .collect();
            hashes.sort_unstable();
            debug_assert!(
                hashes.windows(2).all(|pair| pair[0].0 != pair[1].0),
                "BUG: a key occurs twice"
            );
            let mut hasher = sha2::Sha256::new();
            for (key, value) in hashes {
                hasher.update(key.0);
                hasher.update(value.0);
            }
            Sha256(hasher.finalize().into())
        }
    }
}

fn hash_nat(mut number: u128) -> Sha256 {
    // 128 bits in groups of 7: at most 19 bytes.
    let mut bytes = [0_u8; 19];
    let mut length = 0;
    loop {
        let group = (number & 0x7f) as u8;
        number >>= 7;
        bytes[length] = if number == 0 { group } else { group | 0x80 };
        length += 1;
        if number == 0 {
            return Sha256::of(&bytes[..length]);
        }
    }
}

#[cfg(test)]
mod tests {
    use ic_representation_independent_hash as reference;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn should_give_the_request_id_worked_out_in_the_interface_specification() {
        let request = Value::Map(vec![
            ("request_type", "call".into()),
            ("sender", Value::Blob(&[0x04])),
            ("ingress_expiry", 1_685_570_400_000_000_000_u64.into()),
            ("canister_id", Value::Blob(&[0, 0, 0, 0, 0, 0, 0x04, 0xD2])),
            ("method_name", "hello".into()),
            ("arg", Value::Blob(b"DIDL\x00\xFD*")),
        ]);
        assert_eq!(
            hash(&request).to_string(),
            "1d1091364d6bb8a6c16b203ee75467d59ead468f523eb058880ae8ec80e2b101"
        );
    }

    #[test]
    fn should_give_the_older_worked_request_id() {
        let request = Value::Map(vec![
            ("request_type", "call".into()),
            ("canister_id", Value::Blob(&[0, 0, 0, 0, 0, 0, 0x04, 0xD2])),
            ("method_name", "hello".into()),
            ("arg", Value::Blob(b"DIDL\x00\xFD*")),
        ]);
        assert_eq!(
            hash(&request).to_string(),
            "8781291c347db32a9d8c10eb62b710fce5a93be676474c42babc74c51858f94b"
        );
    }

    #[test]
    fn should_hash_a_nested_map_as_the_value_of_its_key() {
        let inner = Value::Map(vec![("b", Value::Nat(1)), ("a", Value::Nat(u128::MAX))]);
        let inner_hash = hash(&inner);
        let outer = Value::Map(vec![("k", inner)]);
        let mut bytes = Sha256::of(b"k").0.to_vec();
        bytes.extend(inner_hash.0);
        assert_eq!(hash(&outer), Sha256::of(&bytes));
    }

    #[derive(Clone, Debug)]
    enum Owned {
        Text(String),
        Blob(Vec<u8>),
        Nat(u64),
        Array(Vec<Owned>),
    }

    impl Owned {
        fn ours(&self) -> Value<'_> {
            match self {
                Owned::Text(text) => Value::Text(text),
                Owned::Blob(bytes) => Value::Blob(bytes),
                Owned::Nat(number) => Value::Nat((*number).into()),
                Owned::Array(list) => Value::Array(list.iter().map(Owned::ours).collect()),
            }
        }

        fn theirs(&self) -> reference::Value {
            match self {
                Owned::Text(text) => reference::Value::String(text.clone()),
                Owned::Blob(bytes) => reference::Value::Bytes(bytes.clone()),
                Owned::Nat(number) => reference::Value::Number(*number),
                Owned::Array(list) => {
                    reference::Value::Array(list.iter().map(Owned::theirs).collect())
                }
            }
        }
    }

    fn owned() -> impl Strategy<Value = Owned> {
        prop_oneof![
            ".{0,12}".prop_map(Owned::Text),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(Owned::Blob),
            any::<u64>().prop_map(Owned::Nat),
            (0_u64..300).prop_map(Owned::Nat),
        ]
        .prop_recursive(3, 24, 5, |inner| {
            prop::collection::vec(inner, 0..5).prop_map(Owned::Array)
        })
    }

    proptest! {
        #[test]
        fn should_agree_with_the_reference_crate(
            map in prop::collection::btree_map(".{0,8}", owned(), 0..8)
        ) {
            let ours = Value::Map(map.iter().map(|(key, value)| (key.as_str(), value.ours())).collect());
            let theirs: Vec<_> = map.iter().rev().map(|(key, value)| (key.clone(), value.theirs())).collect();
            prop_assert_eq!(hash(&ours).0, reference::representation_independent_hash(&theirs));
        }
    }
}
