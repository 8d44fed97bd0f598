//! How many HTTP requests may become updates. Anybody may send them and the shard pays, so they come from a bucket that holds 30 and
//! gets one every 10 seconds: 8,640 a day. One costs below 100 million cycles (ingress of 4 KiB, a chunk or two hashed, a reply of
//! 1.5 MiB), so all of them together below 0.9 T cycles a day, whatever is sent. The bucket is read by the query, by
//! `inspect_message`, which is free, and by the update itself.

use ic_stable_structures::{Memory, StableCell};

use crate::memory::Book;

pub const BURST: u64 = 30;
pub const REFILL_NANOS: u64 = 10_000_000_000;

pub struct Allowance<M: Memory> {
    /// When the bucket will be full again.
    full_at_nanos: StableCell<u64, Book<M>>,
}

impl<M: Memory> Allowance<M> {
    pub fn open(memory: Book<M>) -> Self {
        Self {
            full_at_nanos: StableCell::init(memory, 0),
        }
    }

    pub fn has_one(&self, now_nanos: u64) -> bool {
        let missing = self.full_at_nanos.get().saturating_sub(now_nanos);
        missing + REFILL_NANOS <= BURST * REFILL_NANOS
    }

    /// Takes one, if there is one.
    pub fn take(&mut self, now_nanos: u64) -> bool {
        let has_one = self.has_one(now_nanos);
        if has_one {
            let full_at = (*self.full_at_nanos.get()).max(now_nanos) + REFILL_NANOS;
            self.full_at_nanos.set(full_at);
        }
        has_one
    }
}

#[cfg(test)]
mod tests {
    use ic_stable_structures::VectorMemory;

    use super::*;
    use crate::memory::{ALLOWANCE, Memories};

    /// Statement 26.
    #[test]
    fn should_bound_what_free_requests_cost() {
        let memories = Memories::new(VectorMemory::default(), 1, 1);
        let mut allowance = Allowance::open(memories.book(ALLOWANCE));
        let now = 1_700_000_000_000_000_000;
        let taken = (0..1_000).filter(|_| allowance.take(now)).count();
        assert_eq!(taken as u64, BURST);
        assert!(!allowance.has_one(now + REFILL_NANOS - 1));
        assert!(allowance.take(now + REFILL_NANOS));
        assert!(!allowance.take(now + REFILL_NANOS));

        let later = now + 3_600_000_000_000;
        let taken = (0..1_000).filter(|_| allowance.take(later)).count();
        assert_eq!(taken as u64, BURST, "no more for having waited long");
    }
}
