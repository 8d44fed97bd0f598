//! What the DAO decides about the fleet. Each generic function has a validator, which shows voters what they vote on, and a
//! target, which runs on adoption, accepts governance alone and checks everything again.

use candid::Principal;
use stoa_registry_api as wire;
use stoa_registry_api::ValidationResult;
use stoa_shard_api::{ScrubResult, ShardStatus};

use super::module::MODULE_CHUNKS_MAX;
use super::records::{Digest, FleetSettings, Module, Role, Work};
use super::{create, jobs};
use crate::authority::check_governance;
use crate::limits::{COPIES, SHARDS_MAX};
use crate::runtime::{self, Runtime};
use crate::state::records::Action;
use crate::state::{State, with, with_mut};

type Refusal = String;

fn govern(state: &State, caller: Principal) -> Result<(), Refusal> {
    check_governance(state, caller).map_err(|error| error.to_string())
}

fn number_of(state: &State, shard: &Principal) -> Option<u16> {
    state
        .shards
        .iter()
        .find(|entry| entry.value().principal == *shard)
        .map(|entry| *entry.key())
}

pub fn validate_add_shard(state: &State, args: &wire::ShardArgs) -> ValidationResult {
    check_add(state, &args.shard)?;
    Ok(format!(
        "# Add the shard `{}`\n\nIt must name this registry as the one that it obeys; on adoption it is asked.\n",
        args.shard
    ))
}

fn check_add(state: &State, shard: &Principal) -> Result<(), Refusal> {
    if number_of(state, shard).is_some() {
        return Err(format!("{shard} is a shard of this fleet"));
    }
    let shards = state.shards.len();
    if shards >= SHARDS_MAX {
        return Err(format!("{shards} shards are the most that a fleet has"));
    }
    Ok(())
}

pub async fn add_shard(
    runtime: &impl Runtime,
    caller: Principal,
    args: wire::ShardArgs,
) -> Result<(), Refusal> {
    with(|state| {
        govern(state, caller)?;
        check_add(state, &args.shard)
    })?;
    let status: ShardStatus = runtime
        .shard_status(args.shard)
        .await
        .map_err(|failed| format!("{} did not answer: {}", args.shard, failed.message))?;
    if status.registry != runtime.own_id() {
        return Err(format!("{} obeys {}", args.shard, status.registry));
    }
    with_mut(|state| {
        // Again: another proposal may have run during the call.
        check_add(state, &args.shard)?;
        let capacity = Some(status.capacity_bytes);
        create::register(state, runtime, caller, args.shard, capacity);
        Ok(())
    })
}

pub fn validate_retire_shard(state: &State, args: &wire::ShardArgs) -> ValidationResult {
    let number = check_retire(state, &args.shard)?;
    let seen = state.fleet.member(number).seen;
    let bytes = seen.map_or(0, |seen| seen.used_bytes);
    Ok(format!(
        "# Retire the shard `{}`\n\nIts {bytes} bytes move to other shards, segment by segment; it takes nothing new from \
         then on. The canister itself stays until a further proposal removes it.\n",
        args.shard
    ))
}

fn check_retire(state: &State, shard: &Principal) -> Result<u16, Refusal> {
    let number = number_of(state, shard).ok_or(format!("{shard} is no shard of this fleet"))?;
    let role = state.fleet.member(number).role;
    if role != Role::Active {
        return Err(format!("{shard} is {role:?}"));
    }
    let others = state
        .shards
        .iter()
        .filter(|entry| *entry.key() != number)
        .filter(|entry| state.fleet.member(*entry.key()).role == Role::Active)
        .count();
    if others < COPIES {
        return Err(format!("{others} shards would be left, two are needed"));
    }
    Ok(number)
}

pub fn retire_shard(
    state: &mut State,
    runtime: &impl Runtime,
    caller: Principal,
    args: &wire::ShardArgs,
) -> Result<(), Refusal> {
    govern(state, caller)?;
    let number = check_retire(state, &args.shard)?;
    let mut member = state.fleet.member(number);
    member.role = Role::Retiring;
    state.fleet.members.insert(number, member);
    jobs::enqueue(
        state,
        runtime,
        Work::Retire {
            shard: number,
            after: None,
            has_found: false,
        },
    );
    let shard = args.shard;
    state.record(runtime, caller, Action::RetiredShard { shard });
    Ok(())
}

fn checked_policy(state: &State, wire: &wire::FleetPolicy) -> Result<FleetSettings, Refusal> {
    let cycles = |field: &str, given: &candid::Nat, min: u64| {
        u64::try_from(&given.0)
            .ok()
            .filter(|cycles| (min..=1_000_000_000_000_000).contains(cycles))
            .ok_or(format!("{field}: {given} is outside of {min} to 1,000 T"))
    };
    let within = |field: &str, given: u64, min: u64, max: u64| {
        if (min..=max).contains(&given) {
            Ok(given)
        } else {
            Err(format!("{field}: {given} is outside of {min} to {max}"))
        }
    };
    // Creating alone takes 0.5 T on a subnet of 13 nodes.
    let initial = cycles(
        "shard_initial_cycles",
        &wire.shard_initial_cycles,
        700_000_000_000,
    )?;
    Ok(FleetSettings {
        shard_capacity_bytes: within(
            "shard_capacity_bytes",
            wire.shard_capacity_bytes,
            1 << 20,
            480 << 30,
        )?,
        shard_initial_cycles: initial,
        shard_cycles_min: cycles("shard_cycles_min", &wire.shard_cycles_min, 0)?.min(initial),
        growth_free_percent: within(
            "growth_free_percent",
            wire.growth_free_percent.into(),
            0,
            90,
        )? as u8,
        shards_max: within("shards_max", wire.shards_max, COPIES as u64, SHARDS_MAX)?,
        watch_seconds: within("watch_seconds", wire.watch_seconds, 2, 86_400)?,
        ..state.fleet.settings.get().clone()
    })
}

pub fn validate_set_fleet_policy(state: &State, policy: &wire::FleetPolicy) -> ValidationResult {
    let new = checked_policy(state, policy)?;
    let now = state.fleet.settings.get();
    let rows = [
        (
            "Capacity of a new shard (bytes)",
            now.shard_capacity_bytes,
            new.shard_capacity_bytes,
        ),
        (
            "Cycles of a new shard",
            now.shard_initial_cycles,
            new.shard_initial_cycles,
        ),
        (
            "Least cycles of a shard",
            now.shard_cycles_min,
            new.shard_cycles_min,
        ),
        (
            "Free share of two shards below which the fleet grows (%)",
            now.growth_free_percent.into(),
            new.growth_free_percent.into(),
        ),
        ("Most shards", now.shards_max, new.shards_max),
        (
            "Seconds between two looks at the shards",
            now.watch_seconds,
            new.watch_seconds,
        ),
    ];
    let mut text = "# Fleet policy\n\n| | now | new |\n|---|---|---|\n".to_owned();
    for (name, now, new) in rows {
        text.push_str(&format!("| {name} | {now} | {new} |\n"));
    }
    Ok(text)
}

pub fn set_fleet_policy(
    state: &mut State,
    runtime: &impl Runtime,
    caller: Principal,
    policy: &wire::FleetPolicy,
) -> Result<(), Refusal> {
    govern(state, caller)?;
    let settings = checked_policy(state, policy)?;
    state.fleet.settings.set(settings);
    state.record(runtime, caller, Action::SetFleetPolicy);
    runtime.schedule(std::time::Duration::ZERO, runtime::Task::FleetWatch);
    Ok(())
}

fn checked_module(module: &wire::ShardModule) -> Result<Module, Refusal> {
    let given = module.chunk_hashes.len();
    if given == 0 || given > MODULE_CHUNKS_MAX {
        return Err(format!(
            "{given} chunks; a module has 1 to {MODULE_CHUNKS_MAX}"
        ));
    }
    Ok(Module {
        hash: Digest::new(module.hash.0),
        chunks: module
            .chunk_hashes
            .iter()
            .map(|hash| Digest::new(hash.0))
            .collect(),
    })
}

pub fn validate_set_shard_module(module: &wire::ShardModule) -> ValidationResult {
    let checked = checked_module(module)?;
    Ok(format!(
        "# Code of new shards\n\nModule hash `{}`, {} chunks. Shards that exist are upgraded by proposals of their own.\n",
        module.hash,
        checked.chunks.len()
    ))
}

pub fn set_shard_module(
    state: &mut State,
    runtime: &impl Runtime,
    caller: Principal,
    module: &wire::ShardModule,
) -> Result<(), Refusal> {
    govern(state, caller)?;
    let checked = checked_module(module)?;
    super::module::choose(state, checked);
    let hash = module.hash;
    state.record(runtime, caller, Action::SetShardModule { module: hash });
    Ok(())
}

pub fn validate_scrub_shards(state: &State) -> ValidationResult {
    Ok(format!(
        "# Check all chunks now\n\n{} shards hash everything that they hold. It costs about 0.03 T cycles a GiB.\n",
        state.shards.len()
    ))
}

pub async fn scrub_shards(runtime: &impl Runtime, caller: Principal) -> Result<(), Refusal> {
    let shards: Vec<Principal> = with(|state| {
        govern(state, caller)?;
        Ok::<_, Refusal>(
            state
                .shards
                .iter()
                .map(|entry| entry.value().principal)
                .collect(),
        )
    })?;
    let mut silent = Vec::new();
    for shard in shards {
        let answer: Result<ScrubResult, _> = runtime::call(runtime, shard, "c2c_scrub", ()).await;
        if !matches!(answer, Ok(Ok(()))) {
            silent.push(shard.to_text());
        }
    }
    match silent.len() {
        0 => Ok(()),
        _ => Err(format!("no answer from {}", silent.join(", "))),
    }
}

pub fn validate_grow_fleet(state: &State) -> ValidationResult {
    check_grow(state)?;
    let settings = state.fleet.settings.get();
    Ok(format!(
        "# Add a shard of {} bytes\n\nThe registry creates it with {} cycles of its own.\n",
        settings.shard_capacity_bytes, settings.shard_initial_cycles
    ))
}

fn check_grow(state: &State) -> Result<(), Refusal> {
    if !super::module::is_complete(state) {
        return Err("the module of new shards is not complete".to_owned());
    }
    let max = state.fleet.settings.get().shards_max;
    if state.shards.len() >= max {
        return Err(format!("the policy allows {max} shards"));
    }
    Ok(())
}

pub fn grow_fleet(
    state: &mut State,
    runtime: &impl Runtime,
    caller: Principal,
) -> Result<(), Refusal> {
    govern(state, caller)?;
    check_grow(state)?;
    super::grow(state, runtime);
    Ok(())
}
