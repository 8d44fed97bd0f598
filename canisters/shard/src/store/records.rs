//! What stands in stable memory, byte by byte. The first byte of a value is the
//! version of its encoding; a reader knows all versions that were ever written.

mod served;

use std::borrow::Cow;

use candid::Principal;
use ic_stable_structures::Storable;
use ic_stable_structures::storable::Bound;
use stoa_types::Sha256;

pub use served::{
    FileKey, FolderRecord, OtherShard, ServedFile, ServedNode, ServedResponses, ServedVersion,
};

pub const PRINCIPAL_BYTES_MAX: usize = 29;

fn push_principal(out: &mut Vec<u8>, principal: &Principal) {
    let mut field = [0; 1 + PRINCIPAL_BYTES_MAX];
    let bytes = principal.as_slice();
    field[0] = bytes.len() as u8;
    field[1..=bytes.len()].copy_from_slice(bytes);
    out.extend_from_slice(&field);
}

/// | length u16 | UTF-8 |
fn push_text(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).expect("BUG: a name of 64 KiB");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// Reads fields one after the other; running out is a broken invariant.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self
            .0
            .split_first_chunk::<N>()
            .expect("BUG: a stored record is cut off");
        self.0 = rest;
        *field
    }

    fn u8(&mut self) -> u8 {
        self.take::<1>()[0]
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    fn text(&mut self) -> String {
        let length = usize::from(u16::from_le_bytes(self.take()));
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        String::from_utf8(text.to_vec()).expect("BUG: a stored text is no UTF-8")
    }

    fn hash(&mut self) -> Sha256 {
        Sha256(self.take())
    }

    /// All that is left.
    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    fn principal(&mut self) -> Principal {
        let field: [u8; 1 + PRINCIPAL_BYTES_MAX] = self.take();
        Principal::from_slice(&field[1..=usize::from(field[0])])
    }
}

/// A value behind the version of its encoding.
trait Record: Sized {
    const NAME: &'static str;
    /// Of what is written; a second one will need `read` to be told which it reads.
    const VERSION: u8;

    fn write(&self, out: &mut Vec<u8>);
    fn read(fields: &mut Fields<'_>) -> Self;
}

fn encode<R: Record>(record: &R) -> Vec<u8> {
    let mut out = vec![R::VERSION];
    record.write(&mut out);
    out
}

fn decode<R: Record>(bytes: &[u8]) -> R {
    let mut fields = Fields(bytes);
    let version = fields.u8();
    assert_eq!(
        version,
        R::VERSION,
        "BUG: {} of unknown version {version}",
        R::NAME
    );
    R::read(&mut fields)
}

/// Stores a record as its encoding.
macro_rules! stored {
    ($record:ty, $bound:expr) => {
        impl Storable for $record {
            fn to_bytes(&self) -> Cow<'_, [u8]> {
                Cow::Owned(encode(self))
            }

            fn into_bytes(self) -> Vec<u8> {
                encode(&self)
            }

            fn from_bytes(bytes: Cow<[u8]>) -> Self {
                decode(&bytes)
            }

            const BOUND: Bound = $bound;
        }
    };
}
use stored;

/// ```text
/// | 1 | registry (1 length + 29) | capacity u64 | used u64 | reserved u64 | data_end u64 | chunks u64 |
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    pub registry: Principal,
    pub capacity_bytes: u64,
    /// Sum of the sizes of stored chunks.
    pub used_bytes: u64,
    /// Sum of the announced sizes of expected chunks.
    pub reserved_bytes: u64,
    /// End of the last chunk or hole within DATA.
    pub data_end: u64,
    /// Stored chunks.
    pub chunks: u64,
}

impl Record for Settings {
    const NAME: &'static str = "settings";
    const VERSION: u8 = 1;

    fn write(&self, out: &mut Vec<u8>) {
        push_principal(out, &self.registry);
        for number in [
            self.capacity_bytes,
            self.used_bytes,
            self.reserved_bytes,
            self.data_end,
            self.chunks,
        ] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }

    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            registry: fields.principal(),
            capacity_bytes: fields.u64(),
            used_bytes: fields.u64(),
            reserved_bytes: fields.u64(),
            data_end: fields.u64(),
            chunks: fields.u64(),
        }
    }
}
stored!(Settings, Bound::Unbounded);

/// ```text
/// | 1 | 0 expected, 1 stored | claims u32 | size u32 | offset u64 (0 while expected) |
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChunkRecord {
    /// Versions that refer to the chunk; it may go when none does.
    pub claims: u32,
    pub place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Announced and not yet put. The size is the largest that was announced; the true one is known when it comes.
    Expected {
        size_bytes: u32,
    },
    Stored {
        offset: u64,
        size_bytes: u32,
    },
}

impl Record for ChunkRecord {
    const NAME: &'static str = "chunk record";
    const VERSION: u8 = 1;

    fn write(&self, out: &mut Vec<u8>) {
        let (kind, size_bytes, offset) = match self.place {
            Place::Expected { size_bytes } => (0, size_bytes, 0),
            Place::Stored { offset, size_bytes } => (1, size_bytes, offset),
        };
        out.push(kind);
        out.extend_from_slice(&self.claims.to_le_bytes());
        out.extend_from_slice(&size_bytes.to_le_bytes());
        out.extend_from_slice(&offset.to_le_bytes());
    }

    fn read(fields: &mut Fields<'_>) -> Self {
        let kind = fields.u8();
        let claims = fields.u32();
        let size_bytes = fields.u32();
        let offset = fields.u64();
        let place = match kind {
            0 => Place::Expected { size_bytes },
            1 => Place::Stored { offset, size_bytes },
            unknown => panic!("BUG: chunk record of kind {unknown}"),
        };
        Self { claims, place }
    }
}
stored!(
    ChunkRecord,
    Bound::Bounded {
        max_size: 32,
        is_fixed_size: false,
    }
);

/// Who is to send a chunk, and since when it is waited for.
///
/// ```text
/// | 1 | uploader (1 length + 29) | since u64 |
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Awaited {
    pub uploader: Principal,
    pub since_nanos: u64,
}

impl Record for Awaited {
    const NAME: &'static str = "awaited chunk";
    const VERSION: u8 = 1;

    fn write(&self, out: &mut Vec<u8>) {
        push_principal(out, &self.uploader);
        out.extend_from_slice(&self.since_nanos.to_le_bytes());
    }

    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            uploader: fields.principal(),
            since_nanos: fields.u64(),
        }
    }
}
stored!(
    Awaited,
    Bound::Bounded {
        max_size: 48,
        is_fixed_size: false,
    }
);

/// How far the check of all chunks is.
///
/// ```text
/// | 1 | 0 idle, 1 running | next hash 32 | started u64 | finished u64 | chunks u64 | bytes u64 | passes u64 |
/// ```
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Scrub {
    pub is_running: bool,
    pub next: [u8; 32],
    pub started_at_nanos: u64,
    /// When the last whole pass ended; 0 before the first.
    pub finished_at_nanos: u64,
    /// Of the pass that runs, or of the last.
    pub checked_chunks: u64,
    pub checked_bytes: u64,
    pub passes: u64,
}

impl Record for Scrub {
    const NAME: &'static str = "scrub";
    const VERSION: u8 = 1;

    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.is_running));
        out.extend_from_slice(&self.next);
        for number in [
            self.started_at_nanos,
            self.finished_at_nanos,
            self.checked_chunks,
            self.checked_bytes,
            self.passes,
        ] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }

    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            is_running: fields.u8() == 1,
            next: fields.take(),
            started_at_nanos: fields.u64(),
            finished_at_nanos: fields.u64(),
            checked_chunks: fields.u64(),
            checked_bytes: fields.u64(),
            passes: fields.u64(),
        }
    }
}
stored!(Scrub, Bound::Unbounded);

/// Two hashes, one behind the other: `version · chunk` in CLAIMS, `chunk · version` in EXPECTED.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct HashPair(pub [u8; 32], pub [u8; 32]);

impl HashPair {
    /// Range of all pairs that begin with `first`.
    pub fn all_of(first: [u8; 32]) -> std::ops::RangeInclusive<Self> {
        Self(first, [0; 32])..=Self(first, [0xff; 32])
    }
}

impl Storable for HashPair {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Owned([self.0, self.1].concat())
    }

    fn into_bytes(self) -> Vec<u8> {
        [self.0, self.1].concat()
    }

    fn from_bytes(bytes: Cow<[u8]>) -> Self {
        let mut fields = Fields(&bytes);
        Self(fields.take(), fields.take())
    }

    const BOUND: Bound = Bound::Bounded {
        max_size: 64,
        is_fixed_size: true,
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certified::models::VersionPlace;

    /// The bytes of today's records, which every later version must still read.
    #[test]
    fn should_read_records_of_version_1() {
        let mut settings = vec![1, 3, 7, 8, 9];
        settings.resize(1 + 30, 0);
        for number in 1_u64..=5 {
            settings.extend(number.to_le_bytes());
        }
        let expected = Settings {
            registry: Principal::from_slice(&[7, 8, 9]),
            capacity_bytes: 1,
            used_bytes: 2,
            reserved_bytes: 3,
            data_end: 4,
            chunks: 5,
        };
        assert_eq!(expected.to_bytes(), settings);
        assert_eq!(Settings::from_bytes(settings.into()), expected);

        let bytes = [1, 1, 2, 0, 0, 0, 5, 0, 0, 0, 9, 1, 0, 0, 0, 0, 0, 0];
        let record = ChunkRecord {
            claims: 2,
            place: Place::Stored {
                offset: 265,
                size_bytes: 5,
            },
        };
        assert_eq!(record.to_bytes(), &bytes[..]);
        assert_eq!(ChunkRecord::from_bytes(Cow::Borrowed(&bytes)), record);
    }

    #[test]
    fn should_read_back_what_it_writes() {
        fn assert_kept<T: Storable + Clone + PartialEq + std::fmt::Debug>(record: T) {
            assert_eq!(T::from_bytes(record.to_bytes()), record);
        }
        let hash = Sha256([9; 32]);
        assert_kept(Awaited {
            uploader: Principal::anonymous(),
            since_nanos: 7,
        });
        assert_kept(ServedVersion {
            place: VersionPlace {
                publisher: "stoa".into(),
                name: "digits".into(),
                semver: "1.0.0".into(),
            },
            files_digest: [3; 32],
            root: Some(hash),
        });
        assert_kept(FolderRecord {
            next: 7,
            is_whole: true,
        });
        assert_kept(ServedFile {
            size_bytes: 1 << 40,
            sha256: hash,
            digest: [4; 32],
            others: vec![
                OtherShard {
                    first_chunk: 0,
                    shard: None,
                },
                OtherShard {
                    first_chunk: 1,
                    shard: Some(Principal::from_slice(&[7])),
                },
            ],
            chunks: vec![hash, Sha256([1; 32])],
        });
        assert_kept(ServedNode {
            files: 3,
            block: vec![1, 2, 3],
        });
        assert_kept(FileKey([5; 32], "a/b.onnx".into()));
        assert_kept(Scrub {
            is_running: true,
            next: [8; 32],
            started_at_nanos: 1,
            finished_at_nanos: 2,
            checked_chunks: 3,
            checked_bytes: 4,
            passes: 5,
        });
    }

    #[test]
    #[should_panic(expected = "BUG: settings of unknown version 2")]
    fn should_refuse_settings_of_a_version_it_does_not_know() {
        Settings::from_bytes(Cow::Owned(vec![2; 71]));
    }
}
