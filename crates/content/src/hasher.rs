//! Bytes of a file in, its manifest entry out, in one pass and constant memory but for the chunk hashes.

use std::io::{self, Read};

use sha2::Digest;
use stoa_types::Sha256;
use stoa_types::limits::CHUNK_SIZE_BYTES;
use stoa_types::manifest::FileEntry;

use crate::file::file_cid;

/// Takes a file's bytes in pieces of any size.
#[derive(Clone, Default)]
pub struct FileHasher {
    whole: sha2::Sha256,
    chunk: sha2::Sha256,
    chunk_size_bytes: u64,
    chunks: Vec<Sha256>,
    size_bytes: u64,
}

impl FileHasher {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn update(&mut self, mut bytes: &[u8]) {
        self.whole.update(bytes);
        self.size_bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = CHUNK_SIZE_BYTES - self.chunk_size_bytes;
            let taken = bytes.len().min(room as usize);
            self.chunk.update(&bytes[..taken]);
            self.chunk_size_bytes += taken as u64;
            bytes = &bytes[taken..];
            if self.chunk_size_bytes == CHUNK_SIZE_BYTES {
                self.end_chunk();
            }
        }
    }

    fn end_chunk(&mut self) {
        let hash = std::mem::take(&mut self.chunk).finalize();
        self.chunks.push(Sha256(hash.into()));
        self.chunk_size_bytes = 0;
    }

    /// Bytes taken so far.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    pub fn finish(mut self, path: &str) -> FileEntry {
        if self.chunk_size_bytes > 0 || self.chunks.is_empty() {
            self.end_chunk();
        }
        let cid = file_cid(&self.chunks, self.size_bytes)
            .expect("BUG: the chunks were cut from these very bytes");
        FileEntry {
            path: path.to_owned(),
            size_bytes: self.size_bytes,
            sha256: Sha256(self.whole.finalize().into()),
            cid: cid.to_string(),
            chunks: self.chunks,
        }
    }
}

/// Reads to the end.
pub fn hash_file(path: &str, mut reader: impl Read) -> io::Result<FileEntry> {
    let mut hasher = FileHasher::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish(path)),
            Ok(length) => hasher.update(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn should_not_depend_on_how_the_bytes_arrive(
            size in prop_oneof![0_usize..3, (1_usize << 20) - 1..=(1_usize << 20) + 1, Just(3_usize << 20)],
            pieces in prop::collection::vec(1_usize..700_000, 1..8),
        ) {
            let bytes: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
            let mut hasher = FileHasher::new();
            let mut rest = &bytes[..];
            for length in pieces.iter().cycle() {
                if rest.is_empty() { break }
                let (piece, after) = rest.split_at((*length).min(rest.len()));
                hasher.update(piece);
                rest = after;
            }
            let entry = hasher.finish("f");
            let expected: Vec<Sha256> = if bytes.is_empty() {
                vec![Sha256::of(b"")]
            } else {
                bytes.chunks(1 << 20).map(Sha256::of).collect()
            };
            prop_assert_eq!(&entry.chunks, &expected);
            prop_assert_eq!(entry.sha256, Sha256::of(&bytes));
            prop_assert_eq!(entry.size_bytes, size as u64);
            prop_assert_eq!(hash_file("f", &bytes[..]).unwrap(), entry);
        }
    }
}
