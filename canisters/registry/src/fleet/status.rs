//! `fleet_status` and `list_jobs`: what anyone may see of the fleet.

use stoa_registry_api as wire;
use stoa_types::Sha256;

use super::records::{Digest, FleetSettings, Job, Member, Module, Role, State as JobState, Work};
use super::{jobs, module};
use crate::state::State;

const LIST_MAX: u32 = 100;

pub fn fleet_status(state: &State) -> wire::FleetStatus {
    let settings = state.fleet.settings.get();
    wire::FleetStatus {
        policy: policy(settings),
        module: settings.module.as_ref().map(shard_module),
        is_module_complete: module::is_complete(state),
        shards: state
            .shards
            .iter()
            .map(|entry| {
                let (number, shard) = entry.into_pair();
                let member = state.fleet.member(number);
                wire::FleetShard {
                    shard: shard.principal,
                    role: match member.role {
                        Role::Active => wire::ShardRole::Active,
                        Role::Retiring => wire::ShardRole::Retiring,
                        Role::Retired => wire::ShardRole::Retired,
                    },
                    capacity_bytes: shard.capacity_bytes,
                    assigned_bytes: shard.assigned_bytes,
                    unanswered: member.unanswered,
                    seen: seen(member),
                }
            })
            .collect(),
        waiting_jobs: jobs::waiting(state).count() as u64,
    }
}

fn seen(member: Member) -> Option<wire::ShardSeen> {
    let seen = member.seen?;
    Some(wire::ShardSeen {
        at_nanos: seen.at_nanos,
        used_bytes: seen.used_bytes,
        reserved_bytes: seen.reserved_bytes,
        stable_bytes: seen.stable_bytes,
        chunks: seen.chunks,
        damaged_chunks: seen.damaged_chunks,
        scrub_passes: seen.scrub_passes,
        cycles: seen.cycles.into(),
    })
}

pub fn policy(settings: &FleetSettings) -> wire::FleetPolicy {
    wire::FleetPolicy {
        shard_capacity_bytes: settings.shard_capacity_bytes,
        shard_initial_cycles: settings.shard_initial_cycles.into(),
        shard_cycles_min: settings.shard_cycles_min.into(),
        growth_free_percent: settings.growth_free_percent,
        shards_max: settings.shards_max,
        watch_seconds: settings.watch_seconds,
    }
}

fn shard_module(module: &Module) -> wire::ShardModule {
    wire::ShardModule {
        hash: sha256(&module.hash),
        chunk_hashes: module.chunks.iter().map(sha256).collect(),
    }
}

fn sha256(digest: &Digest) -> Sha256 {
    Sha256(digest.into_array())
}

pub fn list_jobs(state: &State, args: &wire::ListJobsArgs) -> Vec<wire::FleetJob> {
    let limit = args.limit.unwrap_or(LIST_MAX).min(LIST_MAX) as usize;
    let before = args.before.unwrap_or(u64::MAX);
    state
        .fleet
        .jobs
        .range(..before)
        .rev()
        .take(limit)
        .map(|entry| {
            let (id, job) = entry.into_pair();
            job_info(state, id, job)
        })
        .collect()
}

fn job_info(state: &State, id: u64, job: Job) -> wire::FleetJob {
    let (kind, description) = describe(state, &job.work);
    wire::FleetJob {
        id,
        description,
        kind,
        state: match job.state {
            JobState::Waiting => wire::JobState::Waiting,
            JobState::Done => wire::JobState::Done,
            JobState::Failed => wire::JobState::Failed,
        },
        attempts: job.attempts,
        created_at_nanos: job.created_at_nanos,
        updated_at_nanos: job.updated_at_nanos,
        problem: job.problem,
    }
}

fn describe(state: &State, work: &Work) -> (wire::JobKind, String) {
    let name = |number: &u16| {
        state
            .shards
            .get(number)
            .map_or_else(|| number.to_string(), |shard| shard.principal.to_text())
    };
    match work {
        Work::Serve {
            version,
            shard,
            file,
        } => {
            let version = sha256(version);
            let text = format!("serve version {version}: {shard} shards told, next file {file}");
            (wire::JobKind::Serve, text)
        }
        Work::Copy {
            version,
            segment,
            to,
            instead_of,
            stage,
        } => {
            let (version, to) = (sha256(version), name(to));
            let instead = instead_of
                .as_ref()
                .map_or(String::new(), |old| format!(" instead of {}", name(old)));
            let text = format!("copy segment {segment} of {version} to {to}{instead}: {stage:?}");
            (wire::JobKind::Copy, text)
        }
        Work::Mend { shard, chunk } => {
            let text = format!("mend chunk {} on {}", sha256(chunk), name(shard));
            (wire::JobKind::Mend, text)
        }
        Work::Create { stage } => (wire::JobKind::Create, format!("create a shard: {stage:?}")),
        Work::Retire { shard, .. } => (
            wire::JobKind::Retire,
            format!("empty the shard {}", name(shard)),
        ),
    }
}
