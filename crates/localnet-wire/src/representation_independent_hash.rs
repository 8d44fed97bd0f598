//! The representation-independent hash of the interface specification: what
//! request ids, delegations and query answers are signed by.
//!
//! A map hashes to `H(sorted concatenation of H(key) · H(value))`; texts and blobs
//! by their bytes, naturals by their shortest LEB128, arrays by the concatenated
//! hashes of their elements, maps recursively. An absent field is left out.

use sha2::{Digest, Sha256};

pub(crate) enum Value<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
    Nat(u64),
    Array(Vec<Value<'a>>),
    Map(Vec<(&'a str, Value<'a>)>),
}

pub(crate) fn hash_of_map(fields: &[(&str, Value<'_>)]) -> [u8; 32] {
    let mut hashes: Vec<([u8; 32], [u8; 32])> = fields
        .iter()
        .map(|(key, value)| (sha256(key.as_bytes()), hash_of_value(value)))
        .collect();
    hashes.sort_unstable();
    let mut hasher = Sha256::new();
    for (key, value) in hashes {
        hasher.update(key);
        hasher.update(value);
    }
    hasher.finalize().into()
}

fn hash_of_value(value: &Value<'_>) -> [u8; 32] {
    match value {
        Value::Text(text) => sha256(text.as_bytes()),
        Value::Bytes(bytes) => sha256(bytes),
        Value::Nat(number) => sha256(&leb128(*number)),
        Value::Array(elements) => {
            let mut hasher = Sha256::new();
            for element in elements {
                hasher.update(hash_of_value(element));
            }
            hasher.finalize().into()
        }
        Value::Map(fields) => hash_of_map(fields),
    }
}

/// The shortest unsigned LEB128 encoding.
pub(crate) fn leb128(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(10);
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_write_the_shortest_leb128() {
        assert_eq!(leb128(0), [0x00]);
        assert_eq!(leb128(624_485), [0xE5, 0x8E, 0x26]);
        assert_eq!(leb128(u64::MAX).len(), 10);
    }

    #[test]
    fn should_hash_nested_maps_as_the_specification_says() {
        let inner = [sha256(b"arg"), sha256(b"DIDL\x00\x00")].concat();
        let outer = [sha256(b"reply"), sha256(&inner)].concat();
        let hash = hash_of_map(&[(
            "reply",
            Value::Map(vec![("arg", Value::Bytes(b"DIDL\x00\x00"))]),
        )]);
        assert_eq!(hash, sha256(&outer));
    }

    /// The worked example of earlier specifications, whose request ids had no
    /// sender and no expiry. Today's example is held against whole envelopes.
    #[test]
    fn should_give_the_worked_example_of_the_specification() {
        let hash = hash_of_map(&[
            ("request_type", Value::Text("call")),
            ("canister_id", Value::Bytes(&[0, 0, 0, 0, 0, 0, 4, 0xD2])),
            ("method_name", Value::Text("hello")),
            ("arg", Value::Bytes(b"DIDL\x00\xFD*")),
        ]);
        assert_eq!(
            data_encoding::HEXLOWER.encode(&hash),
            "8781291c347db32a9d8c10eb62b710fce5a93be676474c42babc74c51858f94b"
        );
    }

    #[test]
    fn should_leave_the_order_of_fields_out_of_the_hash() {
        let forth = hash_of_map(&[("a", Value::Nat(1)), ("b", Value::Text("x"))]);
        let back = hash_of_map(&[("b", Value::Text("x")), ("a", Value::Nat(1))]);
        assert_eq!(forth, back);
    }
}
