//! Install and upgrade. Everything is in stable memory; an upgrade certifies its root again and arms the timers. It traps, which
//! undoes the upgrade, where it finds a layout that it does not know.

use std::collections::BTreeSet;

use candid::Principal;
use stoa_registry_api::InitArgs;

use crate::limits::SHARDS_MAX;
use crate::memory::RawMemory;
use crate::runtime::{self, Ic, Runtime};
use crate::state::records::Parameters;
use crate::state::{self, Installation, State};
use crate::{certification, fleet, parameters};

pub fn init(args: &InitArgs, installer: Principal) {
    let parameters =
        check(args).unwrap_or_else(|reason| runtime::trap(&format!("cannot install: {reason}")));
    let shard_module = args.shard_module.as_ref().map(|module| {
        fleet::functions::checked_module(module)
            .unwrap_or_else(|reason| runtime::trap(&format!("cannot install: {reason}")))
    });
    let installation = Installation {
        shard_module,
        installer,
        governance: args.governance,
        icp_ledger: args.icp_ledger,
        shards: &args.shards,
        inference: args.inference.as_deref().unwrap_or_default(),
        parameters,
    };
    state::set(State::create(
        RawMemory::default(),
        Ic.now_nanos(),
        &installation,
    ));
    state::with(|state| certification::certify(state, &Ic));
    runtime::arm_timers();
}

fn check(args: &InitArgs) -> Result<Parameters, String> {
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
    for (name, canister) in [
        ("governance", args.governance),
        ("icp_ledger", args.icp_ledger),
    ] {
        if canister == Principal::anonymous() {
            return Err(format!("{name} cannot be the anonymous principal"));
        }
    }
    let parameters = args
        .parameters
        .clone()
        .map_or(parameters::DEFAULT, Parameters::from);
    let ledger_fee_e8s = state::records::usual_ledger_fee_e8s();
    parameters::check(&parameters, ledger_fee_e8s).map_err(|invalid| invalid.to_string())?;
    Ok(parameters)
}

pub fn post_upgrade() {
    match State::open(RawMemory::default(), Ic.now_nanos()) {
        Ok(state) => state::set(state),
        Err(error) => runtime::trap(&format!("cannot upgrade: {error:?}")),
    }
    state::with(|state| certification::certify(state, &Ic));
    runtime::arm_timers();
}
