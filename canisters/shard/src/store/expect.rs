//! Announcements: which chunks a version claims, and who may send those that are missing.

use std::collections::BTreeMap;

use ic_stable_structures::Memory;
use stoa_shard_api::{CHUNK_SIZE_BYTES_MAX, CHUNKS_PER_CALL_MAX, ExpectArgs, ExpectError};
use stoa_types::Sha256;

use super::Store;
use super::records::{Awaited, ChunkRecord, HashPair, Place};

impl<M: Memory + Clone> Store<M> {
    /// Announces chunks of a version and claims them for it. Repeating changes nothing but the uploader and the time.
    pub fn expect(&mut self, args: &ExpectArgs, now_nanos: u64) -> Result<(), ExpectError> {
        let announced = check_announced(args)?;
        let more_reserved = self.check_reservation(&announced)?;
        self.memories
            .ensure_room(0)
            .map_err(|_| ExpectError::OutOfMemory)?;

        for (hash, size_bytes) in announced {
            let is_new_claim = self.claims.insert(HashPair(args.version.0, hash.0));
            let mut record = self.chunks.get(&hash.0).unwrap_or(ChunkRecord {
                claims: 0,
                place: Place::Expected { size_bytes: 0 },
            });
            record.claims += u32::from(is_new_claim);
            if let Place::Expected { size_bytes: known } = &mut record.place {
                *known = size_bytes.max(*known);
                let awaited = Awaited {
                    uploader: args.uploader,
                    since_nanos: now_nanos,
                };
                self.expected
                    .insert(HashPair(hash.0, args.version.0), awaited);
            }
            self.chunks.insert(hash.0, record);
        }
        self.update_settings(|settings| settings.reserved_bytes += more_reserved);
        Ok(())
    }

    /// How many bytes more are to be kept free, if they can be.
    fn check_reservation(&self, announced: &BTreeMap<Sha256, u32>) -> Result<u64, ExpectError> {
        let mut more = 0;
        for (hash, size_bytes) in announced {
            more += match self.chunks.get(&hash.0).map(|record| record.place) {
                None => u64::from(*size_bytes),
                Some(Place::Expected { size_bytes: known }) => {
                    u64::from(size_bytes.saturating_sub(known))
                }
                Some(Place::Stored {
                    size_bytes: stored, ..
                }) if stored != *size_bytes => {
                    return Err(ExpectError::SizeMismatch {
                        hash: *hash,
                        announced: (*size_bytes).into(),
                        stored: stored.into(),
                    });
                }
                Some(Place::Stored { .. }) => 0,
            };
        }
        let free_bytes = self.free_bytes();
        if more > free_bytes {
            return Err(ExpectError::CapacityExceeded {
                needed_bytes: more,
                free_bytes,
            });
        }
        Ok(more)
    }
}

/// Each announced chunk once, at the largest size given for it.
fn check_announced(args: &ExpectArgs) -> Result<BTreeMap<Sha256, u32>, ExpectError> {
    let given = args.chunks.len() as u64;
    if given > CHUNKS_PER_CALL_MAX {
        return Err(ExpectError::TooManyChunks {
            given,
            max: CHUNKS_PER_CALL_MAX,
        });
    }
    let mut announced = BTreeMap::new();
    for chunk in &args.chunks {
        if chunk.size_bytes > CHUNK_SIZE_BYTES_MAX {
            return Err(ExpectError::ChunkTooLarge {
                given: chunk.size_bytes,
                max: CHUNK_SIZE_BYTES_MAX,
            });
        }
        let size_bytes = chunk.size_bytes as u32;
        let size = announced.entry(chunk.hash).or_insert(size_bytes);
        *size = size_bytes.max(*size);
    }
    Ok(announced)
}
