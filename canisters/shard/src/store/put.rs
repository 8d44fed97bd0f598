//! Chunks come in: from their uploader, or from another shard because the registry said so. They are hashed before anything else.

use candid::Principal;
use ic_stable_structures::Memory;
use stoa_shard_api::{CHUNK_SIZE_BYTES_MAX, PutChunkError, PutOutcome};
use stoa_types::Sha256;

use super::Store;
use super::records::{ChunkRecord, HashPair, Place};
use crate::memory::{GrowRefused, PAGE_BYTES};

impl<M: Memory + Clone> Store<M> {
    /// Stores bytes that somebody expects. Their size is not held against the announced one: bytes that hash to the
    /// name are the chunk, and a manifest that is wrong about its size is found out when the registry seals it.
    pub fn put(&mut self, uploader: Principal, data: &[u8]) -> Result<PutOutcome, PutChunkError> {
        self.put_from(Some(uploader), data)
    }

    /// The same for a copy that the registry has ordered.
    pub fn put_copy(&mut self, data: &[u8]) -> Result<PutOutcome, PutChunkError> {
        self.put_from(None, data)
    }

    fn put_from(
        &mut self,
        uploader: Option<Principal>,
        data: &[u8],
    ) -> Result<PutOutcome, PutChunkError> {
        let given = data.len() as u64;
        if given > CHUNK_SIZE_BYTES_MAX {
            return Err(PutChunkError::ChunkTooLarge {
                given,
                max: CHUNK_SIZE_BYTES_MAX,
            });
        }
        let hash = Sha256::of(data);
        let Some(record) = self.chunks.get(&hash.0) else {
            return Err(PutChunkError::NotExpected { hash });
        };
        match record.place {
            Place::Stored { offset, .. } => Ok(self.mend(&hash, offset, data)),
            Place::Expected { size_bytes } => {
                let waiting = self.check_uploader(&hash, uploader)?;
                self.store_new(hash, record, size_bytes.into(), data)?;
                for pair in waiting {
                    self.expected.remove(&pair);
                }
                Ok(PutOutcome::Stored)
            }
        }
    }

    /// What is held is not written again, unless it was found damaged.
    fn mend(&mut self, hash: &Sha256, offset: u64, data: &[u8]) -> PutOutcome {
        if self.damaged.remove(&hash.0).is_none() {
            return PutOutcome::AlreadyStored;
        }
        self.data.write(offset, data);
        PutOutcome::Stored
    }

    fn store_new(
        &mut self,
        hash: Sha256,
        record: ChunkRecord,
        reserved: u64,
        data: &[u8],
    ) -> Result<(), PutChunkError> {
        let given = data.len() as u64;
        let free_bytes = self.free_bytes() + reserved;
        let out_of_space = PutChunkError::OutOfSpace {
            needed_bytes: given,
            free_bytes,
        };
        if given > free_bytes {
            return Err(out_of_space);
        }
        let hole = self.holes.fitting(given);
        let append = if hole.is_some() { 0 } else { given };
        self.ensure_data(append).map_err(|_| out_of_space)?;

        let offset = match hole {
            Some(hole) => self.holes.take(hole, given),
            // The empty chunk is nowhere.
            None if given == 0 => 0,
            None => self.settings.get().data_end,
        };
        self.data.write(offset, data);
        let place = Place::Stored {
            offset,
            size_bytes: given as u32,
        };
        self.chunks.insert(hash.0, ChunkRecord { place, ..record });
        self.update_settings(|settings| {
            settings.data_end += append;
            settings.used_bytes += given;
            settings.reserved_bytes -= reserved;
            settings.chunks += 1;
        });
        self.certify_chunk(&hash, given);
        Ok(())
    }

    /// All versions that wait for the chunk, if `uploader` uploads one of them. There are at most as many as
    /// the registry has open drafts.
    fn check_uploader(
        &self,
        hash: &Sha256,
        uploader: Option<Principal>,
    ) -> Result<Vec<HashPair>, PutChunkError> {
        let mut waiting = Vec::new();
        let mut other = None;
        let mut is_expected = uploader.is_none();
        for entry in self.expected.range(HashPair::all_of(hash.0)) {
            let awaited = entry.value();
            is_expected |= Some(awaited.uploader) == uploader;
            other.get_or_insert(awaited.uploader);
            waiting.push(*entry.key());
        }
        match other {
            _ if is_expected => Ok(waiting),
            Some(uploader) => Err(PutChunkError::NotUploader { uploader }),
            None => Err(PutChunkError::NotExpected { hash: *hash }),
        }
    }

    /// Grows DATA so that `bytes` more fit behind its end.
    fn ensure_data(&self, bytes: u64) -> Result<(), GrowRefused> {
        self.memories.ensure_room(bytes)?;
        let pages = (self.settings.get().data_end + bytes).div_ceil(PAGE_BYTES);
        let missing = pages.saturating_sub(self.data.size());
        if missing > 0 && self.data.grow(missing) == -1 {
            return Err(GrowRefused);
        }
        Ok(())
    }
}
