//! Reading back: chunks come from somebody who is not trusted, and only the
//! bytes that the manifest names pass.

use sha2::Digest;
use stoa_types::Sha256;
use stoa_types::manifest::FileEntry;

use crate::cid::Cid;
use crate::file::{LayoutError, file_cid};

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error("the chunk list gives the CID {computed}, the manifest says {given}")]
    CidMismatch { given: String, computed: Cid },
    #[error("chunk {index} hashes to {computed}, expected {expected}")]
    ChunkMismatch {
        index: u64,
        computed: Sha256,
        expected: Sha256,
    },
    #[error("the file has {expected} chunks, this is one more")]
    TooManyChunks { expected: u64 },
    #[error("{given} of {expected} chunks have come")]
    TooFewChunks { given: u64, expected: u64 },
    #[error("chunk {index} has {given} bytes, expected {expected}")]
    ChunkSize {
        index: u64,
        given: u64,
        expected: u64,
    },
    #[error(
        "all chunks are right, but the file hashes to {computed}, the manifest says {expected}"
    )]
    FileMismatch { computed: Sha256, expected: Sha256 },
}

/// Checks that an entry's CID is the one its chunk list gives. Needs no bytes of the file.
pub fn check_file_entry(entry: &FileEntry) -> Result<Cid, VerifyError> {
    let computed = file_cid(&entry.chunks, entry.size_bytes)?;
    if entry.cid != computed.to_string() {
        return Err(VerifyError::CidMismatch {
            given: entry.cid.clone(),
            computed,
        });
    }
    Ok(computed)
}

/// Takes a file's chunks in order. `finish` must be asked: until then the file is not verified.
#[must_use]
pub struct FileVerifier<'a> {
    entry: &'a FileEntry,
    whole: sha2::Sha256,
    taken: u64,
}

impl<'a> FileVerifier<'a> {
    pub fn new(entry: &'a FileEntry) -> Result<Self, VerifyError> {
        check_file_entry(entry)?;
        Ok(Self {
            entry,
            whole: sha2::Sha256::new(),
            taken: 0,
        })
    }

    /// A refused chunk changes nothing: another copy of it may be tried.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), VerifyError> {
        let index = self.taken;
        let expected =
            *self
                .entry
                .chunks
                .get(index as usize)
                .ok_or(VerifyError::TooManyChunks {
                    expected: self.entry.chunks.len() as u64,
                })?;
        let given = chunk.len() as u64;
        let size = FileEntry::chunk_size_bytes(self.entry.size_bytes, index);
        if given != size {
            return Err(VerifyError::ChunkSize {
                index,
                given,
                expected: size,
            });
        }
        let computed = Sha256::of(chunk);
        if computed != expected {
            return Err(VerifyError::ChunkMismatch {
                index,
                computed,
                expected,
            });
        }
        self.whole.update(chunk);
        self.taken += 1;
        Ok(())
    }

    pub fn finish(self) -> Result<(), VerifyError> {
        let expected = self.entry.chunks.len() as u64;
        if self.taken != expected {
            return Err(VerifyError::TooFewChunks {
                given: self.taken,
                expected,
            });
        }
        let computed = Sha256(self.whole.finalize().into());
        if computed != self.entry.sha256 {
            return Err(VerifyError::FileMismatch {
                computed,
                expected: self.entry.sha256,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hasher::FileHasher;

    fn bytes() -> Vec<u8> {
        (0..(2 << 20) + 7)
            .map(|index| (index % 253) as u8)
            .collect()
    }

    fn entry() -> FileEntry {
        let mut hasher = FileHasher::new();
        hasher.update(&bytes());
        hasher.finish("f")
    }

    fn verify(entry: &FileEntry, chunks: &[&[u8]]) -> Result<(), VerifyError> {
        let mut verifier = FileVerifier::new(entry)?;
        for chunk in chunks {
            verifier.push(chunk)?;
        }
        verifier.finish()
    }

    #[test]
    fn should_pass_the_bytes_that_were_named_and_no_others() {
        let (bytes, entry) = (bytes(), entry());
        let chunks: Vec<&[u8]> = bytes.chunks(1 << 20).collect();
        assert_eq!(verify(&entry, &chunks), Ok(()));

        let mut wrong = bytes.clone();
        wrong[(1 << 20) + 3] ^= 1;
        let wrong: Vec<&[u8]> = wrong.chunks(1 << 20).collect();
        assert!(matches!(
            verify(&entry, &wrong),
            Err(VerifyError::ChunkMismatch { index: 1, .. })
        ));
        assert!(matches!(
            verify(&entry, &[chunks[1], chunks[0], chunks[2]]),
            Err(VerifyError::ChunkMismatch { index: 0, .. })
        ));
        assert_eq!(
            verify(&entry, &chunks[..2]),
            Err(VerifyError::TooFewChunks {
                given: 2,
                expected: 3
            })
        );
        assert_eq!(
            verify(&entry, &[chunks[0], chunks[1], chunks[2], b""]),
            Err(VerifyError::TooManyChunks { expected: 3 })
        );
        assert_eq!(
            verify(&entry, &[chunks[0], chunks[1], &chunks[2][..6]]),
            Err(VerifyError::ChunkSize {
                index: 2,
                given: 6,
                expected: 7
            })
        );
    }

    #[test]
    fn should_refuse_an_entry_whose_hashes_do_not_belong_together() {
        let bytes = bytes();
        let chunks: Vec<&[u8]> = bytes.chunks(1 << 20).collect();
        let mut other = entry();
        other.sha256 = Sha256::of(b"other");
        assert!(matches!(
            verify(&other, &chunks),
            Err(VerifyError::FileMismatch { .. })
        ));
        let mut other = entry();
        other.cid = Cid::raw(other.sha256).to_string();
        assert!(matches!(
            check_file_entry(&other),
            Err(VerifyError::CidMismatch { .. })
        ));
    }
}
