//! Create: a canister with cycles of the registry's own, the module that the DAO chose, governance as its only controller,
//! only then a place in the fleet, and one among the canisters that governance keeps in cycles.
//!
//! The one call that cannot be repeated is the first. It is written down before; found so by another run, the outcome is
//! unknown, the job ends as failed and says so, and the fleet begins another one: a canister may be lost then, never used twice.

use candid::{CandidType, Encode, Principal, Reserved};
use serde::Deserialize;
use stoa_shard_api::InitArgs;

use super::jobs::{self, Step};
use super::module;
use super::records::{CreateStage, Member, Work};
use crate::authority::Mandate;
use crate::runtime::{self, CallFailure, Runtime};
use crate::state::records::{Action, ShardRecord};
use crate::state::{State, with, with_mut};

/// What the registry keeps of its cycles when it makes a shard.
const OWN_CYCLES_MIN: u128 = 1_000_000_000_000;

pub async fn step(runtime: &impl Runtime, id: u64, stage: CreateStage) -> Step {
    let next = |stage| Step::Next(Work::Create { stage });
    match stage {
        CreateStage::Wanted => match create(runtime, id).await {
            Ok(canister) => next(CreateStage::Created(canister)),
            Err(Refused::Again(problem)) => {
                // Nothing was made, so that it may be asked again.
                let wanted = CreateStage::Wanted;
                with_mut(|state| jobs::note(state, id, Work::Create { stage: wanted }));
                Step::Retry(problem)
            }
            Err(Refused::Unknown(problem)) => Step::Failed(problem),
        },
        CreateStage::Asked => Step::Failed(
            "interrupted while a canister was created; one may exist that nobody knows".to_owned(),
        ),
        CreateStage::Created(canister) => match install(runtime, canister).await {
            Ok(()) => next(CreateStage::Installed(canister)),
            Err(problem) => Step::Retry(problem),
        },
        CreateStage::Installed(canister) => match hand_over(runtime, canister).await {
            Ok(()) => next(CreateStage::HandedOver(canister)),
            Err(problem) => Step::Retry(problem),
        },
        CreateStage::HandedOver(canister) => {
            with_mut(|state| {
                let capacity_bytes = state.fleet.settings.get().shard_capacity_bytes;
                let governance = state.governance();
                register(state, runtime, governance, canister, Some(capacity_bytes));
            });
            next(CreateStage::Registered(canister))
        }
        CreateStage::Registered(canister) => match join_the_dao(runtime, canister).await {
            Ok(()) => Step::Done,
            Err(problem) => Step::Retry(problem),
        },
    }
}

/// Governance's answer; whatever it refuses by is for people to read.
#[derive(CandidType, Deserialize)]
enum Joined {
    Ok,
    Err(Reserved),
}

/// The shard serves in any case, and gets cycles of the registry's own; governance gives some to whoever it knows.
async fn join_the_dao(runtime: &impl Runtime, canister: Principal) -> Result<(), String> {
    let governance = with(|state| state.governance());
    let method = "register_dao_canister";
    match runtime::call(runtime, governance, method, (canister,)).await {
        Ok(Joined::Ok) => Ok(()),
        Ok(Joined::Err(_)) => Err("governance does not take the shard for its own".to_owned()),
        Err(failure) => Err(failure.message),
    }
}

enum Refused {
    Again(String),
    Unknown(String),
}

async fn create(runtime: &impl Runtime, id: u64) -> Result<Principal, Refused> {
    let cycles = with(|state| state.fleet.settings.get().shard_initial_cycles);
    let liquid = runtime.liquid_cycles();
    if liquid < u128::from(cycles) + OWN_CYCLES_MIN {
        return Err(Refused::Again(format!(
            "the registry has {liquid} cycles above its freezing limit; a shard takes {cycles} and {OWN_CYCLES_MIN} stay"
        )));
    }
    // The intent comes before the call.
    let asked = CreateStage::Asked;
    with_mut(|state| jobs::note(state, id, Work::Create { stage: asked }));
    let settings = CanisterSettings {
        controllers: Some(vec![runtime.own_id()]),
    };
    let argument = Encode!(&CreateCanisterArgs {
        settings: Some(settings)
    })
    .expect("BUG: settings do not encode");
    let reply = runtime
        .manage("create_canister", argument, cycles.into())
        .await
        .map_err(|failure| match failure {
            CallFailure {
                is_unknown: false,
                message,
            } => Refused::Again(message),
            failure => Refused::Unknown(failure.message),
        })?;
    candid::decode_one::<CanisterId>(&reply)
        .map(|created| created.canister_id)
        .map_err(|error| Refused::Unknown(error.to_string()))
}

/// Reinstalling is harmless: nothing is on a shard that is not registered.
async fn install(runtime: &impl Runtime, canister: Principal) -> Result<(), String> {
    let (wasm_module, capacity_bytes) = with(|state| {
        let capacity_bytes = state.fleet.settings.get().shard_capacity_bytes;
        (module::bytes(state), capacity_bytes)
    });
    let wasm_module = wasm_module.ok_or("the module of new shards is not complete")?;
    let arg = Encode!(&InitArgs {
        registry: runtime.own_id(),
        capacity_bytes,
    })
    .expect("BUG: arguments do not encode");
    let argument = Encode!(&InstallCodeArgs {
        mode: InstallMode::reinstall,
        canister_id: canister,
        wasm_module,
        arg,
    })
    .expect("BUG: arguments do not encode");
    manage(runtime, "install_code", argument).await
}

async fn hand_over(runtime: &impl Runtime, canister: Principal) -> Result<(), String> {
    let governance = with(|state| state.governance());
    let argument = Encode!(&UpdateSettingsArgs {
        canister_id: canister,
        settings: CanisterSettings {
            controllers: Some(vec![governance]),
        },
    })
    .expect("BUG: settings do not encode");
    match manage(runtime, "update_settings", argument).await {
        Ok(()) => Ok(()),
        // Done before, and the answer was lost: whoever controls no longer, handed over.
        Err(_) if controllers(runtime, canister).await.as_deref() == Some(&[governance]) => Ok(()),
        Err(problem) => Err(problem),
    }
}

async fn controllers(runtime: &impl Runtime, canister: Principal) -> Option<Vec<Principal>> {
    let argument = Encode!(&CanisterInfoArgs {
        canister_id: canister,
        num_requested_changes: None,
    })
    .expect("BUG: arguments do not encode");
    let reply = runtime.manage("canister_info", argument, 0).await.ok()?;
    candid::decode_one::<CanisterInfo>(&reply)
        .ok()
        .map(|info| info.controllers)
}

async fn manage(
    runtime: &impl Runtime,
    method: &'static str,
    argument: Vec<u8>,
) -> Result<(), String> {
    match runtime.manage(method, argument, 0).await {
        Ok(_) => Ok(()),
        Err(failure) => Err(format!("{method}: {}", failure.message)),
    }
}

/// Takes a shard into the fleet, under the next number. Again changes nothing.
pub fn register(
    state: &mut State,
    runtime: &impl Runtime,
    by: impl Into<Mandate>,
    shard: Principal,
    capacity_bytes: Option<u64>,
) {
    let is_known = state
        .shards
        .iter()
        .any(|entry| entry.value().principal == shard);
    if is_known {
        return;
    }
    let number = state
        .shards
        .last_key_value()
        .map_or(0, |(number, _)| number + 1);
    let record = ShardRecord {
        principal: shard,
        capacity_bytes,
        assigned_bytes: 0,
    };
    state.shards.insert(number, record);
    state.fleet.members.insert(number, Member::default());
    state.record(runtime, by, Action::AddedShard { shard });
}

/// The management canister's interface, as far as it is used.
#[derive(CandidType, Deserialize)]
pub struct CanisterSettings {
    pub controllers: Option<Vec<Principal>>,
}

#[derive(CandidType, Deserialize)]
pub struct CreateCanisterArgs {
    pub settings: Option<CanisterSettings>,
}

#[derive(CandidType, Deserialize)]
pub struct CanisterId {
    pub canister_id: Principal,
}

#[derive(CandidType, Deserialize)]
pub struct UpdateSettingsArgs {
    pub canister_id: Principal,
    pub settings: CanisterSettings,
}

#[allow(non_camel_case_types)]
#[derive(CandidType, Deserialize)]
pub enum InstallMode {
    reinstall,
}

#[derive(CandidType, Deserialize)]
pub struct InstallCodeArgs {
    pub mode: InstallMode,
    pub canister_id: Principal,
    #[serde(with = "serde_bytes")]
    pub wasm_module: Vec<u8>,
    #[serde(with = "serde_bytes")]
    pub arg: Vec<u8>,
}

#[derive(CandidType, Deserialize)]
pub struct CanisterInfoArgs {
    pub canister_id: Principal,
    pub num_requested_changes: Option<u64>,
}

#[derive(CandidType, Deserialize)]
pub struct CanisterInfo {
    pub controllers: Vec<Principal>,
}
