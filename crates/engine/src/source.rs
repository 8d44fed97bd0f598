//! Where a model's file comes from. A canister keeps files in stable memory, in chunks; reading through this trait
//! spares a copy of the whole file in the heap, which holds the weights already.

use sha2::Digest;
use stoa_types::Sha256;

/// Bytes that do not change while a load reads them.
pub trait Source {
    fn size_bytes(&self) -> u64;

    /// Fills `into` from `offset` on.
    ///
    /// # Panics
    /// If the range is not inside of the file: callers ask for what [`Source::size_bytes`] allows.
    fn read(&self, offset: u64, into: &mut [u8]);
}

impl Source for Vec<u8> {
    fn size_bytes(&self) -> u64 {
        self.len() as u64
    }

    fn read(&self, offset: u64, into: &mut [u8]) {
        let begin = usize::try_from(offset).expect("BUG: read past the end");
        into.copy_from_slice(&self[begin..begin + into.len()]);
    }
}

/// Bytes between two questions whether to go on: SHA-256 takes some 30 instructions a byte, so 2 million.
pub(crate) const STRETCH_BYTES: usize = 64 * 1024;

/// A file's hash on its way.
#[derive(Default)]
pub(crate) struct Hashing {
    hasher: sha2::Sha256,
    pub done: u64,
}

impl Hashing {
    /// `None`: there is more to hash.
    pub fn step(
        &mut self,
        source: &dyn Source,
        may_continue: &mut dyn FnMut() -> bool,
    ) -> Option<Sha256> {
        let size = source.size_bytes();
        let mut buffer = vec![0; STRETCH_BYTES.min(size as usize)];
        while self.done < size {
            let length = buffer.len().min((size - self.done) as usize);
            source.read(self.done, &mut buffer[..length]);
            self.hasher.update(&buffer[..length]);
            self.done += length as u64;
            if self.done < size && !may_continue() {
                return None;
            }
        }
        Some(Sha256(self.hasher.clone().finalize().into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_hash_alike_however_it_is_cut() {
        for size in [
            0,
            1,
            STRETCH_BYTES - 1,
            STRETCH_BYTES,
            3 * STRETCH_BYTES + 5,
        ] {
            let bytes: Vec<u8> = (0..size).map(|index| (index * 7) as u8).collect();
            let mut hashing = Hashing::default();
            let mut steps = 0;
            let hash = loop {
                steps += 1;
                if let Some(hash) = hashing.step(&bytes, &mut || false) {
                    break hash;
                }
            };
            assert_eq!(hash, Sha256::of(&bytes));
            assert_eq!(steps, size.div_ceil(STRETCH_BYTES).max(1));
        }
    }
}
