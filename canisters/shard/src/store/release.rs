//! A version goes, page by page: its files are served no longer, its claims fall, and a chunk that no version claims leaves. Only the registry
//! says so. Repeating is harmless.

use ic_stable_structures::Memory;
use stoa_types::Sha256;

use super::Store;
use super::extents::Hole;
use super::records::{HashPair, Place};

/// Claims in one call. Each costs two certified trees at about 2 million instructions where a shard is full: 2 of 40 billion.
const CLAIMS_PER_CALL_MAX: usize = 1_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub struct Released {
    pub is_done: bool,
    /// Chunks that no version claims any more.
    pub freed_chunks: u64,
    pub freed_bytes: u64,
}

impl<M: Memory + Clone> Store<M> {
    pub fn release(&mut self, version: &Sha256) -> Released {
        self.unserve(version);
        let claims: Vec<HashPair> = self
            .claims
            .range(HashPair::all_of(version.0))
            .take(CLAIMS_PER_CALL_MAX)
            .collect();
        self.drop_claims(&claims)
    }

    /// The same for chunks that moved elsewhere. The version goes on being served as far as it is here.
    pub fn release_chunks(&mut self, version: &Sha256, chunks: &[Sha256]) -> Released {
        let claims: Vec<HashPair> = chunks
            .iter()
            .map(|chunk| HashPair(version.0, chunk.0))
            .collect();
        self.drop_claims(&claims)
    }

    fn drop_claims(&mut self, claims: &[HashPair]) -> Released {
        let mut released = Released {
            is_done: claims.len() < CLAIMS_PER_CALL_MAX,
            freed_chunks: 0,
            freed_bytes: 0,
        };
        for claim in claims {
            if let Some(bytes) = self.drop_claim(claim) {
                released.freed_chunks += 1;
                released.freed_bytes += bytes;
            }
        }
        released
    }

    /// Bytes that got free, where the chunk was stored and this was the last claim.
    pub(super) fn drop_claim(&mut self, claim: &HashPair) -> Option<u64> {
        if !self.claims.remove(claim) {
            return None;
        }
        let HashPair(version, hash) = *claim;
        self.expected.remove(&HashPair(hash, version));
        let mut record = self
            .chunks
            .get(&hash)
            .expect("BUG: a claim on a chunk without a record");
        record.claims -= 1;
        if record.claims > 0 {
            self.chunks.insert(hash, record);
            return None;
        }
        self.chunks.remove(&hash);
        match record.place {
            Place::Expected { size_bytes } => {
                self.update_settings(|settings| {
                    settings.reserved_bytes -= u64::from(size_bytes);
                });
                None
            }
            Place::Stored { offset, size_bytes } => {
                let size_bytes = u64::from(size_bytes);
                let hole = Hole { offset, size_bytes };
                let data_end = self.holes.free(hole, self.settings.get().data_end);
                self.damaged.remove(&hash);
                self.certified.blobs.remove(&Sha256(hash));
                self.certified.raw_blocks.remove(&Sha256(hash));
                self.update_settings(|settings| {
                    settings.data_end = data_end;
                    settings.used_bytes -= size_bytes;
                    settings.chunks -= 1;
                });
                Some(size_bytes)
            }
        }
    }
}
