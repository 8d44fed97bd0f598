//! `stoa fleet`: the shards as anyone may see them, and what token holders decide about them.

use std::path::Path;

use candid::Nat;
use serde_json::{Value, json};
use stoa_client::amount::format_cycles;
use stoa_client::fleet::{self, Decision, Fleet as Shards, policy_fields};
use stoa_client::governance::upgrade_argument;
use stoa_client::wasm::Wasm;
use stoa_client::{ClientError, Result};
use stoa_governance_api::RolloutState;
use stoa_registry_api::{FleetJob, FleetShard, FleetStatus, JobState, ShardRole};

use super::neuron::neuron_id;
use super::propose::with_title;
use crate::arguments::fleet::{Fleet, Proposing};
use crate::context::{Context, Stoa};
use crate::output::{Output, bytes, columns};

pub async fn run(context: &Context, command: Fleet) -> Result<Output> {
    let stoa = context.open().await?;
    let shards = Shards::new(&stoa.connection, stoa.deployment.registry);
    let (decision, proposing) = match command {
        Fleet::Status => return Ok(status(&shards.status().await?)),
        Fleet::Jobs {
            limit,
            before,
            waiting,
        } => return jobs(&shards, limit, before, waiting).await,
        Fleet::Rollout => return rollout(&stoa).await,
        Fleet::PutModule { wasm } => return put_module(&shards, &wasm).await,
        Fleet::Grow(proposing) => (fleet::grow()?, proposing),
        Fleet::Scrub(proposing) => (fleet::scrub()?, proposing),
        Fleet::Add { shard, proposing } => (fleet::add(shard)?, proposing),
        Fleet::Retire { shard, proposing } => (fleet::retire(shard)?, proposing),
        Fleet::Policy { changes, proposing } => {
            let policy = fleet::changed_policy(shards.status().await?.policy, &changes)?;
            (fleet::set_policy(&policy)?, proposing)
        }
        Fleet::Module { wasm, proposing } => {
            let module = fleet::module_of(&Wasm::read(&wasm)?.bytes);
            (fleet::set_module(&module)?, proposing)
        }
        Fleet::Upgrade {
            wasm,
            store,
            argument,
            proposing,
        } => {
            let in_use = shards.status().await?.shards.into_iter();
            let in_use = in_use
                .filter(|shard| shard.role != ShardRole::Retired)
                .map(|shard| shard.shard);
            let argument = match argument {
                Some(text) => upgrade_argument(&text)?,
                None => stoa_client::deploy::candid_nothing(),
            };
            let module = stoa.governance().store(&Wasm::read(&wasm)?, store).await?;
            (
                fleet::upgrade(in_use.collect(), &module, argument)?,
                proposing,
            )
        }
    };
    propose(&stoa, decision, proposing).await
}

async fn propose(stoa: &Stoa, decision: Decision, proposing: Proposing) -> Result<Output> {
    let governance = stoa.governance();
    let neuron = neuron_id(&governance, &proposing.neuron.which)?;
    let texts = with_title(proposing.texts, || decision.title.clone());
    let id = governance
        .propose_execution(neuron, texts, decision.function_id, decision.payload)
        .await?;
    Ok(Output::new(
        format!("proposal {id}; vote on it with `stoa vote {id} yes`"),
        json!({"proposal": id}),
    ))
}

fn role(shard: &FleetShard) -> &'static str {
    match shard.role {
        ShardRole::Active => "active",
        ShardRole::Retiring => "retiring",
        ShardRole::Retired => "retired",
    }
}

fn status(status: &FleetStatus) -> Output {
    let rows: Vec<Vec<String>> = status
        .shards
        .iter()
        .map(|shard| {
            let seen = shard.seen.as_ref();
            let or_unknown = |text: Option<String>| text.unwrap_or_else(|| "?".to_owned());
            vec![
                shard.shard.to_text(),
                role(shard).to_owned(),
                or_unknown(seen.map(|seen| bytes(seen.used_bytes))),
                bytes(shard.assigned_bytes),
                or_unknown(shard.capacity_bytes.map(bytes)),
                or_unknown(seen.map(|seen| seen.chunks.to_string())),
                or_unknown(seen.map(|seen| seen.damaged_chunks.to_string())),
                or_unknown(seen.map(|seen| format_cycles(&seen.cycles))),
                match shard.unanswered {
                    0 => "yes".to_owned(),
                    calls => format!("no, {calls} times"),
                },
            ]
        })
        .collect();
    let mut lines = columns(
        &[
            "SHARD", "ROLE", "HOLDS", "ASSIGNED", "CAPACITY", "CHUNKS", "DAMAGED", "CYCLES",
            "ANSWERS",
        ],
        &rows,
    );
    lines.push(match &status.module {
        None => "no module is chosen for new shards: the fleet cannot grow".to_owned(),
        Some(module) if status.is_module_complete => {
            format!("new shards get the module {}", module.hash)
        }
        Some(module) => format!(
            "new shards get the module {}, whose bytes are missing: `stoa fleet put-module`",
            module.hash
        ),
    });
    lines.push(format!("{} jobs are waiting", status.waiting_jobs));
    let fields = policy_fields(&status.policy);
    lines.extend(fields.iter().map(|(name, value)| format!("{name}={value}")));
    let policy = fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()));
    Output::lines(
        lines,
        json!({
            "shards": status.shards.iter().map(shard_json).collect::<Vec<_>>(),
            "module": status.module.as_ref().map(|module| module.hash.to_string()),
            "is_module_complete": status.is_module_complete,
            "waiting_jobs": status.waiting_jobs,
            "policy": policy.collect::<serde_json::Map<String, Value>>(),
        }),
    )
}

fn shard_json(shard: &FleetShard) -> Value {
    let seen = shard.seen.as_ref().map(|seen| {
        json!({
            "at_nanos": seen.at_nanos,
            "used_bytes": seen.used_bytes,
            "reserved_bytes": seen.reserved_bytes,
            "stable_bytes": seen.stable_bytes,
            "chunks": seen.chunks,
            "damaged_chunks": seen.damaged_chunks,
            "scrub_passes": seen.scrub_passes,
            "cycles": plain(&seen.cycles),
        })
    });
    json!({
        "shard": shard.shard.to_text(),
        "role": role(shard),
        "capacity_bytes": shard.capacity_bytes,
        "assigned_bytes": shard.assigned_bytes,
        "unanswered": shard.unanswered,
        "seen": seen,
    })
}

/// Candid writes its numbers with underscores, JSON has none.
fn plain(number: &Nat) -> String {
    number.0.to_string()
}

const JOBS_PAGE: usize = 100;

async fn jobs(
    shards: &Shards,
    limit: usize,
    mut before: Option<u64>,
    only_waiting: bool,
) -> Result<Output> {
    let mut found: Vec<FleetJob> = Vec::new();
    loop {
        let page = shards.jobs(before).await?;
        let is_last = page.len() < JOBS_PAGE;
        before = page.last().map(|job| job.id);
        found.extend(
            page.into_iter()
                .filter(|job| !only_waiting || job.state == JobState::Waiting),
        );
        if is_last || found.len() >= limit {
            break;
        }
    }
    found.truncate(limit);
    let lines = found.iter().map(|job| {
        let problem = job.problem.as_ref().map_or_else(String::new, |problem| {
            format!("; attempt {}: {problem}", job.attempts)
        });
        format!(
            "{:>6}  {:<7}  {}{problem}",
            job.id,
            state(job),
            job.description
        )
    });
    let lines = match found.is_empty() {
        true => vec!["no jobs".to_owned()],
        false => lines.collect(),
    };
    let json = found.iter().map(|job| {
        json!({
            "id": job.id,
            "kind": format!("{:?}", job.kind).to_lowercase(),
            "state": state(job),
            "description": job.description,
            "attempts": job.attempts,
            "problem": job.problem,
            "created_at_nanos": job.created_at_nanos,
            "updated_at_nanos": job.updated_at_nanos,
        })
    });
    let json = json!({"jobs": json.collect::<Vec<_>>()});
    Ok(Output::lines(lines, json))
}

fn state(job: &FleetJob) -> &'static str {
    match job.state {
        JobState::Waiting => "waiting",
        JobState::Done => "done",
        JobState::Failed => "failed",
    }
}

async fn rollout(stoa: &Stoa) -> Result<Output> {
    let Some(rollout) = stoa.governance().rollout().await? else {
        return Ok(Output::new("no module was rolled out yet", Value::Null));
    };
    let (state, reason) = match rollout.state {
        RolloutState::UnderWay => ("under way", None),
        RolloutState::Done => ("done", None),
        RolloutState::Failed { reason } => ("failed", Some(reason)),
    };
    let hash = hex::encode(&rollout.wasm_module_hash);
    let next = rollout.next.map(|canister| canister.to_text());
    let mut lines = vec![format!(
        "module {hash}: {state}, {} of {} canisters run it",
        rollout.upgraded, rollout.canisters
    )];
    lines.extend(next.as_ref().map(|canister| {
        let attempts = rollout.attempts;
        format!("the turn is with {canister}, attempt {attempts}")
    }));
    lines.extend(reason.clone());
    let json = json!({
        "module": hash,
        "state": state,
        "canisters": rollout.canisters,
        "upgraded": rollout.upgraded,
        "next": next,
        "attempts": rollout.attempts,
        "reason": reason,
    });
    Ok(Output::lines(lines, json))
}

async fn put_module(shards: &Shards, wasm: &Path) -> Result<Output> {
    let module = Wasm::read(wasm)?;
    let status = shards.status().await?;
    let chosen = status.module.map(|module| module.hash);
    if chosen != Some(module.hash) {
        let chosen = chosen.map_or_else(|| "none".to_owned(), |hash| hash.to_string());
        return Err(ClientError::InvalidArgument(format!(
            "{} has the hash {}, token holders chose {chosen}: propose it with `stoa fleet module`",
            wasm.display(),
            module.hash
        )));
    }
    shards.put_module(&module.bytes).await?;
    Ok(Output::new(
        format!("new shards get the module {}", module.hash),
        json!({"module": module.hash.to_string()}),
    ))
}
