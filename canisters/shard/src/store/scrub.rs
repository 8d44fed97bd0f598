//! All chunks are hashed again, slice by slice. What no longer hashes to its name is noted as damaged; the registry sees that
//! in `scrub_report` and has it copied from where it is whole. The place of a pass is in stable memory, so that an upgrade or a
//! trap loses one slice at most.

use ic_stable_structures::Memory;
use stoa_shard_api::ScrubReport;
use stoa_types::Sha256;

use super::Store;
use super::records::{Place, Scrub};

/// 32 MiB hash in below 2 of the 40 billion instructions of a message.
const SLICE_BYTES_MAX: u64 = 32 << 20;
/// Small chunks cost their reading.
const SLICE_CHUNKS_MAX: usize = 2_000;
/// A pass begins this long after the last ended.
pub const PASS_EVERY_NANOS: u64 = 30 * 24 * 3_600 * 1_000_000_000;
/// Damaged chunks that a report names.
const REPORTED_MAX: usize = 1_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Slice {
    Paused,
    Done,
}

impl<M: Memory + Clone> Store<M> {
    pub fn is_scrub_due(&self, now_nanos: u64) -> bool {
        let scrub = self.scrub.get();
        let due_at = scrub.finished_at_nanos.max(scrub.started_at_nanos) + PASS_EVERY_NANOS;
        // A shard that was never scrubbed has nothing that is 30 days old.
        scrub.is_running || (scrub.started_at_nanos > 0 && due_at <= now_nanos)
    }

    /// A pass that runs goes on.
    pub fn start_scrub(&mut self, now_nanos: u64) {
        let last = self.scrub.get().clone();
        if !last.is_running {
            self.scrub.set(Scrub {
                is_running: true,
                next: [0; 32],
                started_at_nanos: now_nanos,
                checked_chunks: 0,
                checked_bytes: 0,
                ..last
            });
        }
    }

    /// Begins to count the days to the first pass.
    pub fn note_born(&mut self, now_nanos: u64) {
        let scrub = self.scrub.get().clone();
        self.scrub.set(Scrub {
            started_at_nanos: now_nanos,
            ..scrub
        });
    }

    pub fn scrub_slice(&mut self, now_nanos: u64) -> Slice {
        let mut scrub = self.scrub.get().clone();
        if !scrub.is_running {
            return Slice::Done;
        }
        let mut damaged = Vec::new();
        let (mut bytes, mut chunks) = (0, 0);
        let mut next = None;
        for entry in self.chunks.range(scrub.next..) {
            if bytes >= SLICE_BYTES_MAX || chunks == SLICE_CHUNKS_MAX {
                next = Some(*entry.key());
                break;
            }
            chunks += 1;
            let Place::Stored { offset, size_bytes } = entry.value().place else {
                continue;
            };
            let mut data = vec![0; size_bytes as usize];
            self.data.read(offset, &mut data);
            if Sha256::of(&data).0 != *entry.key() {
                damaged.push(*entry.key());
            }
            bytes += u64::from(size_bytes);
            scrub.checked_chunks += 1;
        }
        for hash in damaged {
            if !self.damaged.contains_key(&hash) {
                self.damaged.insert(hash, now_nanos);
            }
        }
        scrub.checked_bytes += bytes;
        scrub.is_running = next.is_some();
        scrub.next = next.unwrap_or_default();
        if next.is_none() {
            scrub.finished_at_nanos = now_nanos;
            scrub.passes += 1;
        }
        self.scrub.set(scrub);
        match next {
            Some(_) => Slice::Paused,
            None => Slice::Done,
        }
    }

    pub fn scrub_report(&self) -> ScrubReport {
        let scrub = self.scrub.get();
        let at = |nanos: u64| (nanos > 0).then_some(nanos);
        ScrubReport {
            is_running: scrub.is_running,
            passes: scrub.passes,
            started_at_nanos: at(scrub.started_at_nanos),
            finished_at_nanos: at(scrub.finished_at_nanos),
            checked_chunks: scrub.checked_chunks,
            checked_bytes: scrub.checked_bytes,
            damaged_chunks: self.damaged.len(),
            damaged: self
                .damaged
                .iter()
                .take(REPORTED_MAX)
                .map(|entry| Sha256(*entry.key()))
                .collect(),
        }
    }

    pub fn is_damaged(&self, hash: &Sha256) -> bool {
        self.damaged.contains_key(&hash.0)
    }
}
