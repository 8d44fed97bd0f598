//! Chunks that were announced and never sent: after 30 days their room is given back. The registry's drafts are swept long before;
//! this is for what a lost message left behind. A chunk that has come is never touched here.

use ic_stable_structures::Memory;

use super::Store;
use super::records::HashPair;

pub const STRAY_AFTER_NANOS: u64 = 30 * 24 * 3_600 * 1_000_000_000;
/// Entries looked at in one message.
const LOOK_MAX: usize = 5_000;
/// Claims dropped in one message.
const DROP_MAX: usize = 1_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Sweep {
    Paused,
    Done,
}

impl<M: Memory + Clone> Store<M> {
    /// Goes on where it stopped; from the beginning again after the end.
    pub fn sweep_strays(&mut self, now_nanos: u64) -> Sweep {
        let start = *self.strays_next.get();
        let mut strays = Vec::new();
        let mut next = None;
        for (looked_at, entry) in self.expected.range(start..).enumerate() {
            let HashPair(hash, version) = *entry.key();
            if looked_at == LOOK_MAX || strays.len() == DROP_MAX {
                next = Some(*entry.key());
                break;
            }
            if entry.value().since_nanos.saturating_add(STRAY_AFTER_NANOS) <= now_nanos {
                strays.push(HashPair(version, hash));
            }
        }
        for stray in &strays {
            self.drop_claim(stray);
        }
        self.strays_next
            .set(next.unwrap_or(HashPair([0; 32], [0; 32])));
        match next {
            Some(_) => Sweep::Paused,
            None => Sweep::Done,
        }
    }
}
