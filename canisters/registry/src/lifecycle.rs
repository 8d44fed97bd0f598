//! Install and upgrade. Everything is in stable memory but the certified tree, which an upgrade makes
//! anew; it traps, which undoes the upgrade, where it finds a layout that it does not know.

use std::collections::BTreeSet;

use candid::Principal;
use stoa_registry_api::InitArgs;
use stoa_types::Sha256;

use crate::certification;
use crate::limits::SHARDS_MAX;
use crate::memory::RawMemory;
use crate::runtime::{self, Ic, Runtime};
use crate::state::{self, State};

pub fn init(args: &InitArgs, installer: Principal) {
    if let Err(reason) = check(args) {
        runtime::trap(&format!("cannot install: {reason}"));
    }
    let raw = RawMemory::default();
    match State::create(
        raw,
        Ic.now_nanos(),
        installer,
        args.governance,
        &args.shards,
    ) {
        Ok(state) => state::set(state),
        Err(error) => runtime::trap(&format!("cannot install: {error:?}")),
    }
    certification::rebuild(&Ic, std::iter::empty());
}

fn check(args: &InitArgs) -> Result<(), String> {
    let given = args.shards.len() as u64;
    if given > SHARDS_MAX {
        return Err(format!(
            "{given} shards are too many, the most is {SHARDS_MAX}"
        ));
    }
    let distinct: BTreeSet<&Principal> = args.shards.iter().collect();
    if distinct.len() as u64 != given {
        return Err("a shard is listed twice".to_owned());
    }
    if args.governance == Principal::anonymous() {
        return Err("the anonymous principal cannot govern".to_owned());
    }
    Ok(())
}

pub fn post_upgrade() {
    match State::open(RawMemory::default()) {
        Ok(state) => state::set(state),
        Err(error) => runtime::trap(&format!("cannot upgrade: {error:?}")),
    }
    rebuild_certification(&Ic);
}

pub fn rebuild_certification(runtime: &impl Runtime) {
    state::with(|state| {
        let statuses = state
            .versions
            .iter()
            .map(|entry| (Sha256(*entry.key()), entry.value().status.into()));
        certification::rebuild(runtime, statuses);
    });
}
