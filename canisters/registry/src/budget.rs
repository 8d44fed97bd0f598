//! What `begin_upload` may cost a principal that pays nothing: chunks listed within an hour, over all its calls, the refused
//! ones included. A call with the largest manifest takes about 5 billion instructions over all its messages and lists 16,384.
//! The counts are in the heap: an upgrade forgives them.

use std::cell::RefCell;
use std::collections::BTreeMap;

use candid::Principal;

use crate::limits::{CHUNKS_PER_CALL_BASE, COUNTED_CALLERS_MAX};

const HOUR_NANOS: u64 = 3_600 * 1_000_000_000;

thread_local! {
    static UNSTABLE_SPENT: RefCell<Spent> = const { RefCell::new(Spent { hour: 0, chunks: BTreeMap::new() }) };
}

struct Spent {
    /// Since the epoch.
    hour: u64,
    chunks: BTreeMap<Principal, u64>,
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
            *spent = Spent {
                hour,
                chunks: BTreeMap::new(),
            };
        }
        let exhausted = Exhausted {
            retry_after_seconds: (HOUR_NANOS - now_nanos % HOUR_NANOS).div_ceil(1_000_000_000),
        };
        let is_known = spent.chunks.contains_key(&caller);
        if !is_known && spent.chunks.len() >= COUNTED_CALLERS_MAX {
            return Err(exhausted);
        }
        let used = spent.chunks.entry(caller).or_default();
        let after = used
            .saturating_add(chunks)
            .saturating_add(CHUNKS_PER_CALL_BASE);
        if after > max {
            return Err(exhausted);
        }
        *used = after;
        Ok(())
    })
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
}
