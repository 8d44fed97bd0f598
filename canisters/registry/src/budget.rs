//! What `begin_upload` and `seal` may cost a principal that pays nothing: chunks asked about within an hour, over all its calls,
//! the refused ones included. A call with the largest manifest lists 16,384 and takes 1.7 billion instructions of the registry, 0.6 of
//! them for the manifest's rules and its digest (`benches/results/registry.md`), beside those of the shards.
//! The counts are in the heap: an upgrade forgives them.
//!
//! There are places for so many principals, and principals are to be had for nothing. So where all places are taken a newcomer takes the
//! one of whoever has spent the least, and what was spent there counts as his own ("space saving", Metwally et al. 2005). The counts add up
//! to all that was spent; nobody spends more than a principal may, and all together no more than that for each place; and to keep
//! newcomers out takes as much as fills every place, not one call for each.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use candid::Principal;

use crate::limits::{CHUNKS_PER_CALL_BASE, COUNTED_CALLERS_MAX};

const HOUR_NANOS: u64 = 3_600 * 1_000_000_000;

thread_local! {
    static UNSTABLE_SPENT: RefCell<Spent> = const { RefCell::new(Spent::none(0)) };
}

struct Spent {
    /// Since the epoch.
    hour: u64,
    chunks: BTreeMap<Principal, u64>,
    /// The same, the least first.
    by_chunks: BTreeSet<(u64, Principal)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exhausted {
    pub retry_after_seconds: u64,
}

/// Counts a call that lists `chunks`, unless the caller has none left.
pub fn spend(now_nanos: u64, caller: Principal, chunks: u64, max: u64) -> Result<(), Exhausted> {
    UNSTABLE_SPENT.with_borrow_mut(|spent| {
        let hour = now_nanos / HOUR_NANOS;
        if spent.hour != hour {
            *spent = Spent::none(hour);
        }
        let exhausted = Exhausted {
            retry_after_seconds: (HOUR_NANOS - now_nanos % HOUR_NANOS).div_ceil(1_000_000_000),
        };
        let (place, used) = spent.place_of(caller);
        let after = used
            .saturating_add(chunks)
            .saturating_add(CHUNKS_PER_CALL_BASE);
        if after > max {
            return Err(exhausted);
        }
        spent.chunks.remove(&place);
        spent.by_chunks.remove(&(used, place));
        spent.chunks.insert(caller, after);
        spent.by_chunks.insert((after, caller));
        Ok(())
    })
}

impl Spent {
    const fn none(hour: u64) -> Self {
        Spent {
            hour,
            chunks: BTreeMap::new(),
            by_chunks: BTreeSet::new(),
        }
    }

    /// Whose place the caller has or takes, and what was spent there.
    fn place_of(&self, caller: Principal) -> (Principal, u64) {
        if let Some(used) = self.chunks.get(&caller) {
            return (caller, *used);
        }
        if self.chunks.len() < COUNTED_CALLERS_MAX {
            return (caller, 0);
        }
        let (used, principal) = self.by_chunks.first().expect("BUG: no places");
        (*principal, *used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::principal;

    #[test]
    fn should_refuse_a_caller_that_has_asked_for_too_much_within_the_hour_and_nobody_else() {
        let start = 7 * HOUR_NANOS;
        let ask = |now, caller| spend(now, principal(caller), 16_384, 40_000);
        assert_eq!(ask(start, 1), Ok(()));
        assert_eq!(ask(start + 1, 1), Ok(()));
        let late = start + HOUR_NANOS / 2;
        let retry_after_seconds = 1_800;
        assert_eq!(
            ask(late, 1),
            Err(Exhausted {
                retry_after_seconds
            })
        );
        assert_eq!(ask(late, 2), Ok(()));
        assert_eq!(ask(start + HOUR_NANOS, 1), Ok(()));
    }

    fn number(number: u32) -> Principal {
        Principal::from_slice(&number.to_be_bytes())
    }

    /// Statement 26: 10,000 principals with one call each are easily had; they keep nobody out.
    #[test]
    fn should_let_a_newcomer_in_where_every_place_is_taken_by_somebody_who_spent_little() {
        let now = 7 * HOUR_NANOS;
        let places = COUNTED_CALLERS_MAX as u32;
        for caller in 0..places {
            assert_eq!(spend(now, number(caller), 0, 40_000), Ok(()));
        }
        let large = || spend(now, number(places), 16_384, 40_000);
        assert_eq!(large(), Ok(()));
        assert_eq!(large(), Ok(()));
        assert!(large().is_err(), "as for everybody");
        // Nor does his place go to those who call again.
        for caller in 0..places {
            assert_eq!(spend(now, number(caller), 0, 40_000), Ok(()));
        }
        assert!(large().is_err(), "what he spent is not forgotten");
    }

    #[test]
    fn should_let_all_callers_together_spend_no_more_than_every_place_has() {
        let now = 8 * HOUR_NANOS;
        let max = 3 * CHUNKS_PER_CALL_BASE;
        let calls = (0..5 * COUNTED_CALLERS_MAX as u32)
            .filter(|caller| spend(now, number(*caller), 0, max).is_ok())
            .count();
        assert_eq!(calls, 3 * COUNTED_CALLERS_MAX);
        UNSTABLE_SPENT.with_borrow(|spent| {
            assert_eq!(spent.chunks.len(), COUNTED_CALLERS_MAX);
            assert!(spent.chunks.values().all(|used| *used == max));
        });
    }
}
