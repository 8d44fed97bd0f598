//! Records of what is served by name: versions, files, folders, dag-pb nodes. The first byte of a value is the version of its encoding.

use std::borrow::Cow;

use candid::Principal;
use ic_stable_structures::Storable;
use ic_stable_structures::storable::Bound;
use stoa_types::Sha256;

use super::{Fields, Record, decode, encode, push_principal, push_text, stored};
use crate::certified::models::VersionPlace;
use crate::certified::response::Terminal;

/// A version whose files are served.
///
/// ```text
/// | 1 | publisher | name | semver (each u16 length + UTF-8) | digest of the file tree 32 | 0 or 1 | hash of the root folder's node 32 |
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServedVersion {
    pub place: VersionPlace,
    pub files_digest: [u8; 32],
    /// Where all files are known and make a folder that is not too large.
    pub root: Option<Sha256>,
}

impl Record for ServedVersion {
    const NAME: &'static str = "served version";
    const VERSION: u8 = 1;

    fn write(&self, out: &mut Vec<u8>) {
        for text in [&self.place.publisher, &self.place.name, &self.place.semver] {
            push_text(out, text);
        }
        out.extend_from_slice(&self.files_digest);
        out.push(u8::from(self.root.is_some()));
        out.extend_from_slice(&self.root.unwrap_or_default().0);
    }

    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            place: VersionPlace {
                publisher: fields.text(),
                name: fields.text(),
                semver: fields.text(),
            },
            files_digest: fields.take(),
            root: {
                let is_there = fields.u8() == 1;
                let root = fields.hash();
                is_there.then_some(root)
            },
        }
    }
}
stored!(ServedVersion, Bound::Unbounded);

/// A file as it is served. All its chunks are named, also those that other shards hold.
///
/// ```text
/// | 1 | size u64 | sha256 32 | digest of its path 32 | segments u16 | each: first chunk u32, shard (1 length + 29) | chunk hashes, 32 each |
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServedFile {
    pub size_bytes: u64,
    pub sha256: Sha256,
    /// Of the responses at its path.
    pub digest: [u8; 32],
    /// In the order of segments.
    pub others: Vec<OtherShard>,
    pub chunks: Vec<Sha256>,
}

/// Another shard that holds the segment which begins with this chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OtherShard {
    pub first_chunk: u32,
    /// Stored as the empty principal where there is none.
    pub shard: Option<Principal>,
}

impl ServedFile {
    pub fn other_shard_of(&self, chunk: u64) -> Option<Principal> {
        self.others
            .iter()
            .rfind(|other| u64::from(other.first_chunk) <= chunk)
            .and_then(|other| other.shard)
    }
}

impl Record for ServedFile {
    const NAME: &'static str = "served file";
    const VERSION: u8 = 1;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.size_bytes.to_le_bytes());
        out.extend_from_slice(&self.sha256.0);
        out.extend_from_slice(&self.digest);
        let segments = u16::try_from(self.others.len()).expect("BUG: a file of 64 TiB");
        out.extend_from_slice(&segments.to_le_bytes());
        for other in &self.others {
            out.extend_from_slice(&other.first_chunk.to_le_bytes());
            push_principal(out, &other.shard.unwrap_or(NOBODY));
        }
        for chunk in &self.chunks {
            out.extend_from_slice(&chunk.0);
        }
    }

    fn read(fields: &mut Fields<'_>) -> Self {
        let (size_bytes, sha256, digest) = (fields.u64(), fields.hash(), fields.take());
        let segments = u16::from_le_bytes(fields.take());
        let others = (0..segments)
            .map(|_| OtherShard {
                first_chunk: fields.u32(),
                shard: Some(fields.principal()).filter(|shard| *shard != NOBODY),
            })
            .collect();
        let (chunks, cut_off) = fields.rest().as_chunks::<32>();
        assert!(cut_off.is_empty(), "BUG: a stored file is cut off");
        Self {
            size_bytes,
            sha256,
            digest,
            others,
            chunks: chunks.iter().map(|hash| Sha256(*hash)).collect(),
        }
    }
}
stored!(ServedFile, Bound::Unbounded);

const NOBODY: Principal = Principal::from_slice(&[]);

/// Of a file: its responses, as its place in the certified tree has them.
///
/// ```text
/// | 1 | responses u32 | their hashes, 32 each | digests of runs of them, 32 each |
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServedResponses {
    hashes: Vec<[u8; 32]>,
    runs: Vec<[u8; 32]>,
}

impl From<Terminal> for ServedResponses {
    fn from(terminal: Terminal) -> Self {
        let (hashes, runs) = terminal.parts();
        Self {
            hashes: hashes.to_vec(),
            runs: runs.to_vec(),
        }
    }
}

impl From<ServedResponses> for Terminal {
    fn from(stored: ServedResponses) -> Self {
        Self::of_parts(stored.hashes, stored.runs)
    }
}

impl Record for ServedResponses {
    const NAME: &'static str = "responses";
    const VERSION: u8 = 1;

    fn write(&self, out: &mut Vec<u8>) {
        let count = u32::try_from(self.hashes.len()).expect("BUG: a file of 4 PiB");
        out.extend_from_slice(&count.to_le_bytes());
        out.extend_from_slice(self.hashes.as_flattened());
        out.extend_from_slice(self.runs.as_flattened());
    }

    fn read(fields: &mut Fields<'_>) -> Self {
        let count = fields.u32() as usize;
        let (all, cut_off) = fields.rest().as_chunks::<32>();
        assert!(cut_off.is_empty(), "BUG: stored responses are cut off");
        let (hashes, runs) = all.split_at(count);
        Self {
            hashes: hashes.to_vec(),
            runs: runs.to_vec(),
        }
    }
}
stored!(ServedResponses, Bound::Unbounded);

/// How far a folder's node and the paths below it are certified.
///
/// ```text
/// | 1 | next u32 | 0 or 1 |
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct FolderRecord {
    /// 0 is the node, then come the entries in the order of a walk.
    pub next: u32,
    pub is_whole: bool,
}

impl Record for FolderRecord {
    const NAME: &'static str = "folder";
    const VERSION: u8 = 1;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.next.to_le_bytes());
        out.push(u8::from(self.is_whole));
    }

    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            next: fields.u32(),
            is_whole: fields.u8() == 1,
        }
    }
}
stored!(FolderRecord, Bound::Unbounded);

/// A dag-pb block that files or folders served here have in common.
///
/// ```text
/// | 1 | files u32 | block |
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServedNode {
    /// Files that it belongs to; versions, where it is a folder's.
    pub files: u32,
    pub block: Vec<u8>,
}

impl Record for ServedNode {
    const NAME: &'static str = "served node";
    const VERSION: u8 = 1;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.files.to_le_bytes());
        out.extend_from_slice(&self.block);
    }

    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            files: fields.u32(),
            block: fields.rest().to_vec(),
        }
    }
}
stored!(ServedNode, Bound::Unbounded);

/// `version · path`, or `folder · path`
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FileKey(pub [u8; 32], pub String);

impl FileKey {
    /// Before all paths of a version or folder.
    pub fn first_of(whole: &Sha256) -> Self {
        Self(whole.0, String::new())
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
