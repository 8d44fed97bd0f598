//! What the shard does by itself: a slice of the scrub, a slice of the sweep for strays. One tick is one bounded message; where
//! something is left the next follows in a second, and an hourly one takes up what a trap or an upgrade dropped.

use crate::runtime::Runtime;
use crate::store;
use crate::store::{Slice, Sweep};

pub fn tick(runtime: &impl Runtime) {
    let now = runtime.now_nanos();
    let (slice, sweep) = store::with_mut(|store| {
        if store.is_scrub_due(now) {
            store.start_scrub(now);
        }
        (store.scrub_slice(now), store.sweep_strays(now))
    });
    if slice == Slice::Paused || sweep == Sweep::Paused {
        runtime.tick_soon();
    }
}
