//! The only CIDs this library makes and takes: version 1, SHA2-256, a raw block
//! or a dag-pb node, written in base32. A closed type, so that no other form needs handling behind it.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use stoa_types::Sha256;

/// What the block is. The numbers are those of the multicodec table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Codec {
    /// The bytes themselves: a chunk.
    Raw = 0x55,
    /// A UnixFS file or directory node.
    DagPb = 0x70,
}

/// ```text
/// +------+-------+------+------+-----------------+
/// | 0x01 | codec | 0x12 | 0x20 | SHA-256 (32)    |
/// +------+-------+------+------+-----------------+
///  version        SHA2-256  length
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Cid {
    pub codec: Codec,
    pub digest: Sha256,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidCid {
    #[error("not in lower-case base32 behind a 'b'")]
    NotBase32,
    #[error("{given} bytes, a CIDv1 with SHA2-256 has {expected}")]
    Length { given: u64, expected: u64 },
    #[error("not a CIDv1 of a raw or dag-pb block with SHA2-256")]
    NotSupported,
}

impl Cid {
    pub const LENGTH_BYTES: usize = 36;

    pub const fn raw(digest: Sha256) -> Self {
        Self {
            codec: Codec::Raw,
            digest,
        }
    }

    pub const fn dag_pb(digest: Sha256) -> Self {
        Self {
            codec: Codec::DagPb,
            digest,
        }
    }

    pub fn to_bytes(&self) -> [u8; Self::LENGTH_BYTES] {
        let mut bytes = [0; Self::LENGTH_BYTES];
        bytes[..4].copy_from_slice(&[0x01, self.codec as u8, 0x12, 0x20]);
        bytes[4..].copy_from_slice(&self.digest.0);
        bytes
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidCid> {
        let bytes: &[u8; Self::LENGTH_BYTES] =
            bytes.try_into().map_err(|_| InvalidCid::Length {
                given: bytes.len() as u64,
                expected: Self::LENGTH_BYTES as u64,
            })?;
        let codec = match bytes[..4] {
            [0x01, 0x55, 0x12, 0x20] => Codec::Raw,
            [0x01, 0x70, 0x12, 0x20] => Codec::DagPb,
            _ => return Err(InvalidCid::NotSupported),
        };
        let digest = Sha256::try_from(&bytes[4..]).expect("BUG: 36 - 4 is not 32");
        Ok(Self { codec, digest })
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = BASE32_NOPAD.encode(&self.to_bytes());
        text.make_ascii_lowercase();
        write!(f, "b{text}")
    }
}

impl FromStr for Cid {
    type Err = InvalidCid;

    fn from_str(text: &str) -> Result<Self, InvalidCid> {
        let digits = text.strip_prefix('b').ok_or(InvalidCid::NotBase32)?;
        if digits.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(InvalidCid::NotBase32);
        }
        // Bounded before it is decoded; the decoder also refuses bits past the last byte.
        let bytes = BASE32_NOPAD
            .decode(digits.to_ascii_uppercase().as_bytes())
            .map_err(|_| InvalidCid::NotBase32)?;
        Self::from_bytes(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn should_write_and_read_cids_as_the_cid_crate_does(digest in any::<[u8; 32]>(), raw in any::<bool>()) {
            let ours = if raw { Cid::raw(Sha256(digest)) } else { Cid::dag_pb(Sha256(digest)) };
            let multihash = cid::multihash::Multihash::<64>::wrap(0x12, &digest).unwrap();
            let theirs = cid::Cid::new_v1(ours.codec as u64, multihash);
            prop_assert_eq!(ours.to_string(), theirs.to_string());
            prop_assert_eq!(ours.to_bytes().to_vec(), theirs.to_bytes());
            prop_assert_eq!(ours.to_string().parse::<Cid>(), Ok(ours));
        }

        #[test]
        fn should_never_panic_on_any_text(text in ".{0,80}") {
            if let Ok(cid) = text.parse::<Cid>() {
                prop_assert_eq!(cid.to_string(), text);
            }
        }
    }

    #[test]
    fn should_refuse_other_forms_of_a_cid() {
        let cid = Cid::raw(Sha256::of(b"")).to_string();
        for text in [
            "".to_owned(),
            "b".to_owned(),
            cid.to_uppercase(),
            format!("{cid}="),
            format!("{cid}a"),
            cid[1..].to_owned(),
            "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n".to_owned(),
        ] {
            assert!(text.parse::<Cid>().is_err(), "{text}");
        }
    }
}
