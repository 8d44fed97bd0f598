//! Install and upgrade. Everything is in stable memory; an upgrade only opens it again, and
//! traps, which undoes the upgrade, where it finds a layout that it does not know.

use stoa_shard_api::InitArgs;

use crate::runtime::{self, Ic, Runtime};
use crate::{certification, store};

pub fn init(args: InitArgs) {
    if let Err(error) = store::create(args.registry, args.capacity_bytes) {
        runtime::trap(&format!("cannot install: {error:?}"));
    }
    store::with_mut(|store| store.note_born(Ic.now_nanos()));
    certification::publish(&Ic);
    runtime::arm_timers();
}

pub fn post_upgrade() {
    if let Err(error) = store::open() {
        runtime::trap(&format!("cannot upgrade: {error:?}"));
    }
    certification::publish(&Ic);
    runtime::arm_timers();
}
