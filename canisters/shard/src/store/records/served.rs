//! Records of what is served by name: versions, files, dag-pb nodes. The first byte of a value is the version of its encoding.

use std::borrow::Cow;

use ic_stable_structures::Storable;
use ic_stable_structures::storable::Bound;
use stoa_types::Sha256;

use super::{Fields, push_text};
use crate::certified::models::VersionPlace;

/// A version whose files are served.
///
/// ```text
/// | 1 | publisher | name | semver (each u16 length + UTF-8) | digest of the file tree 32 |
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServedVersion {
    pub place: VersionPlace,
    pub files_digest: [u8; 32],
}

const SERVED_V1: u8 = 1;

impl Storable for ServedVersion {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        let mut out = vec![SERVED_V1];
        for text in [&self.place.publisher, &self.place.name, &self.place.semver] {
            push_text(&mut out, text);
        }
        out.extend_from_slice(&self.files_digest);
        Cow::Owned(out)
    }

    fn into_bytes(self) -> Vec<u8> {
        self.to_bytes().into_owned()
    }

    fn from_bytes(bytes: Cow<[u8]>) -> Self {
        let mut fields = Fields(&bytes);
        let version = fields.u8();
        assert_eq!(
            version, SERVED_V1,
            "BUG: served version of unknown encoding"
        );
        Self {
            place: VersionPlace {
                publisher: fields.text(),
                name: fields.text(),
                semver: fields.text(),
            },
            files_digest: fields.take(),
        }
    }

    const BOUND: Bound = Bound::Unbounded;
}

/// A file as it is served. All its chunks are named, also those that other shards hold.
///
/// ```text
/// | 1 | size u64 | sha256 32 | digest of its path 32 | chunk hashes, 32 each |
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServedFile {
    pub size_bytes: u64,
    pub sha256: Sha256,
    /// Of the responses at its path.
    pub digest: [u8; 32],
    pub chunks: Vec<Sha256>,
}

const FILE_V1: u8 = 1;

impl Storable for ServedFile {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        let mut out = vec![FILE_V1];
        out.extend_from_slice(&self.size_bytes.to_le_bytes());
        out.extend_from_slice(&self.sha256.0);
        out.extend_from_slice(&self.digest);
        for chunk in &self.chunks {
            out.extend_from_slice(&chunk.0);
        }
        Cow::Owned(out)
    }

    fn into_bytes(self) -> Vec<u8> {
        self.to_bytes().into_owned()
    }

    fn from_bytes(bytes: Cow<[u8]>) -> Self {
        let mut fields = Fields(&bytes);
        let version = fields.u8();
        assert_eq!(version, FILE_V1, "BUG: served file of unknown encoding");
        let (size_bytes, sha256, digest) = (fields.u64(), fields.hash(), fields.take());
        let (chunks, cut_off) = fields.rest().as_chunks::<32>();
        assert!(cut_off.is_empty(), "BUG: a stored file is cut off");
        Self {
            size_bytes,
            sha256,
            digest,
            chunks: chunks.iter().map(|hash| Sha256(*hash)).collect(),
        }
    }

    const BOUND: Bound = Bound::Unbounded;
}

/// A dag-pb block that files served here have in common.
///
/// ```text
/// | 1 | files u32 | block |
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServedNode {
    pub files: u32,
    pub block: Vec<u8>,
}

const NODE_V1: u8 = 1;

impl Storable for ServedNode {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        let mut out = vec![NODE_V1];
        out.extend_from_slice(&self.files.to_le_bytes());
        out.extend_from_slice(&self.block);
        Cow::Owned(out)
    }

    fn into_bytes(self) -> Vec<u8> {
        self.to_bytes().into_owned()
    }

    fn from_bytes(bytes: Cow<[u8]>) -> Self {
        let mut fields = Fields(&bytes);
        let version = fields.u8();
        assert_eq!(version, NODE_V1, "BUG: served node of unknown encoding");
        Self {
            files: fields.u32(),
            block: fields.rest().to_vec(),
        }
    }

    const BOUND: Bound = Bound::Unbounded;
}

/// `version · path`
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FileKey(pub [u8; 32], pub String);

impl FileKey {
    /// Before all files of a version.
    pub fn first_of(version: &Sha256) -> Self {
        Self(version.0, String::new())
    }
}

impl Storable for FileKey {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Owned([&self.0[..], self.1.as_bytes()].concat())
    }

    fn into_bytes(self) -> Vec<u8> {
        self.to_bytes().into_owned()
    }

    fn from_bytes(bytes: Cow<[u8]>) -> Self {
        let mut fields = Fields(&bytes);
        let version = fields.take();
        let path = String::from_utf8(fields.rest().to_vec());
        Self(version, path.expect("BUG: a stored path is no UTF-8"))
    }

    const BOUND: Bound = Bound::Unbounded;
}
