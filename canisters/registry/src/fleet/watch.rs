//! Watch: shards are asked how they are. Damage becomes a job, thirst is answered with cycles, fullness with another shard.

use std::time::Duration;

use candid::{Encode, Nat, Principal};
use stoa_shard_api::{ShardHealth, ShardStatus};
use stoa_types::Sha256;

use super::create::CanisterId;
use super::jobs;
use super::records::{Digest, Member, Role, Seen, State as JobState, Work};
use crate::runtime::{self, Runtime, Task};
use crate::state::records::Status;
use crate::state::{State, with, with_mut};

/// The registry gives none of its own below this.
const OWN_CYCLES_MIN: u128 = 2_000_000_000_000;
/// Mend jobs of one shard at a time.
const MENDS_MAX: usize = 100;

pub async fn run(runtime: &impl Runtime) {
    let shards: Vec<(u16, Principal)> = with(|state| {
        state
            .shards
            .iter()
            .map(|entry| (*entry.key(), entry.value().principal))
            .filter(|(number, _)| state.fleet.member(*number).role != Role::Retired)
            .collect()
    });
    for (number, shard) in shards {
        let answer: Result<ShardHealth, _> = runtime::call(runtime, shard, "health", ()).await;
        match answer {
            Ok(health) => {
                with_mut(|state| note_health(state, runtime, number, &health));
                refill(runtime, shard, &health.status).await;
            }
            Err(_) => with_mut(|state| {
                let mut member = state.fleet.member(number);
                member.unanswered += 1;
                state.fleet.members.insert(number, member);
            }),
        }
    }
    with_mut(|state| super::consider_growth(state, runtime));
    let seconds = with(|state| state.fleet.settings.get().watch_seconds);
    runtime.schedule(Duration::from_secs(seconds), Task::FleetWatch);
}

fn note_health(state: &mut State, runtime: &impl Runtime, number: u16, health: &ShardHealth) {
    let member = Member {
        seen: Some(Seen {
            at_nanos: runtime.now_nanos(),
            used_bytes: health.status.used_bytes,
            reserved_bytes: health.status.reserved_bytes,
            stable_bytes: health.stable_bytes,
            chunks: health.status.chunks,
            damaged_chunks: health.scrub.damaged_chunks,
            scrub_passes: health.scrub.passes,
            cycles: saturated(&health.status.cycles),
        }),
        unanswered: 0,
        ..state.fleet.member(number)
    };
    state.fleet.members.insert(number, member);
    note_room(state, number, health);
    mend_damage(state, runtime, number, &health.scrub.damaged);
}

fn saturated(cycles: &Nat) -> u64 {
    u64::try_from(&cycles.0).unwrap_or(u64::MAX)
}

/// What the shard says replaces what was only assigned, where no draft is between the two.
fn note_room(state: &mut State, number: u16, health: &ShardHealth) {
    let is_between = state.open_versions.iter().any(|(_, version)| {
        state
            .versions
            .get(&version)
            .is_some_and(|record| record.status == Status::Draft && record.announced_for.is_none())
    }) || jobs::waiting(state).any(|job| matches!(job.work, Work::Copy { .. }));
    let Some(mut shard) = state.shards.get(&number) else {
        return;
    };
    shard.capacity_bytes = Some(health.status.capacity_bytes);
    if !is_between {
        shard.assigned_bytes = health.status.used_bytes + health.status.reserved_bytes;
    }
    state.shards.insert(number, shard);
}

fn mend_damage(state: &mut State, runtime: &impl Runtime, number: u16, damaged: &[Sha256]) {
    let under_way: Vec<Digest> = jobs::waiting(state)
        .filter(|job| job.state == JobState::Waiting)
        .filter_map(|job| match job.work {
            Work::Mend { shard, chunk } if shard == number => Some(chunk),
            _ => None,
        })
        .collect();
    let room = MENDS_MAX.saturating_sub(under_way.len());
    let new = damaged
        .iter()
        .map(|hash| Digest::new(hash.0))
        .filter(|chunk| !under_way.contains(chunk))
        .take(room);
    for chunk in new {
        jobs::enqueue(
            state,
            runtime,
            Work::Mend {
                shard: number,
                chunk,
            },
        );
    }
}

/// What counts is what the shard has above its freezing limit, which grows with what it holds.
async fn refill(runtime: &impl Runtime, shard: Principal, status: &ShardStatus) {
    let liquid = status.liquid_cycles.as_ref().unwrap_or(&status.cycles);
    let liquid = saturated(liquid);
    let missing = with(|state| {
        let settings = state.fleet.settings.get();
        (liquid < settings.shard_cycles_min)
            .then(|| settings.shard_initial_cycles.saturating_sub(liquid))
    });
    let Some(missing) = missing.filter(|missing| *missing > 0) else {
        return;
    };
    if runtime.liquid_cycles() < OWN_CYCLES_MIN + u128::from(missing) {
        // The registry asks governance for cycles itself (`cycles.rs`).
        return;
    }
    let argument = Encode!(&CanisterId { canister_id: shard }).expect("BUG: an id does not encode");
    // Whatever the answer, the next look tells the balance. Cycles of a call that fails come back.
    let answer = runtime
        .manage("deposit_cycles", argument, missing.into())
        .await;
    if let Err(failure) = answer {
        runtime.log(&format!("no cycles for {shard}: {}", failure.message));
    }
}
