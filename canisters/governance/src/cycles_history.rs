//! Cycles of each canister of the DAO over time: of every hour the first balance that
//! governance read, for thirty days.
//!
//! A sample lies in the slot of its hour and takes the place of what was there 720 hours
//! before, so that nothing is counted, moved or cleaned up, and an upgrade has no position to lose:
//!
//! ```text
//! (canister: 30 bytes, hour since 1970 % 720: u16) -> (seconds since 1970: u64, cycles: u128)
//! ```
//! What must hold: a sample is in the slot of its hour, so a canister has at most
//! `HOURS_KEPT`; only canisters of the DAO have any. What is older than that, because no
//! later hour of its slot had an answer, is not told.
//!
//! Its own balance governance reads within a message, which has paid in advance for as many
//! instructions as it may execute: lower by that, and by the same each time.

use candid::{Nat, Principal};
use stoa_governance_api::CyclesSample;

use crate::memory::{State, with_state};
use crate::neurons::PrincipalKey;
use crate::runtime;

/// Thirty days; with 1,000 canisters 720,000 samples of 56 bytes, and an answer of 20 KiB.
pub const HOURS_KEPT: u64 = 30 * 24;
const SECONDS_PER_HOUR: u64 = 60 * 60;

fn hour_of(seconds: u64) -> u64 {
    seconds / SECONDS_PER_HOUR
}

fn slot_of(hour: u64) -> u16 {
    u16::try_from(hour % HOURS_KEPT).expect("BUG: the slots do not fit their type")
}

impl State {
    /// The first of an hour stays, and nothing is kept of who is not, or no longer, of the DAO.
    pub fn note_cycles(&mut self, canister: Principal, cycles: u128) {
        let key = PrincipalKey::from(&canister);
        if !self.dao_canisters.contains_key(&key) {
            return;
        }
        let now = runtime::now_seconds();
        let place = (key, slot_of(hour_of(now)));
        let is_noted = self
            .cycles_history
            .get(&place)
            .is_some_and(|(at, _)| hour_of(at) == hour_of(now));
        if !is_noted {
            self.cycles_history.insert(place, (now, cycles));
        }
    }

    /// Of a canister that leaves the DAO.
    pub fn forget_cycles(&mut self, canister: Principal) {
        let key = PrincipalKey::from(&canister);
        let places: Vec<_> = self
            .cycles_history
            .keys_range((key, 0)..=(key, u16::MAX))
            .collect();
        for place in places {
            self.cycles_history.remove(&place);
        }
    }
}

/// Oldest first; empty for a canister that is not of the DAO or was not seen yet.
pub fn get_cycles_history(canister: Principal) -> Vec<CyclesSample> {
    let key = PrincipalKey::from(&canister);
    let this_hour = hour_of(runtime::now_seconds());
    let mut samples: Vec<(u64, u128)> = with_state(|state| {
        state
            .cycles_history
            .range((key, 0)..=(key, u16::MAX))
            .map(|entry| entry.value())
            .filter(|(at, _)| hour_of(*at) + HOURS_KEPT > this_hour)
            .collect()
    });
    samples.sort_unstable_by_key(|(at, _)| *at);
    samples
        .into_iter()
        .map(|(at_seconds, cycles)| CyclesSample {
            at_seconds,
            cycles: Nat::from(cycles),
        })
        .collect()
}
