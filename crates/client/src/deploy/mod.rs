//! Putting up a whole Stoa on a network for development or tests, and giving it away to its own governance.
//!
//! What must hold: a deployment may be interrupted and run again. Each canister is written down when it is created, and
//! what is installed is read from the certified state, so that nothing is created twice and nothing is installed over.

mod arguments;
mod journal;
mod plan;
mod standins;

pub use arguments::{admit_version_function, genesis_functions};
pub use plan::{CYCLES_LEDGER_ID, CYCLES_MINTING_ID, Cycles, DeployPlan, ICP_LEDGER_ID};
pub use standins::put_up_standins;

use std::path::Path;

use candid::Principal;
use futures_util::{StreamExt, TryStreamExt, stream};
use stoa_registry_api::ShardModule;

use crate::connection::{Connection, is_mainnet};
use crate::deployment::Deployment;
use crate::error::{ClientError, Result};
use crate::fleet::{Fleet, module_of};
use crate::management::Management;
use crate::wasm::{Wasm, WasmFolder};
use arguments::Arguments;
use journal::Journal;

/// Installs at once: the network compiles them in parallel, and two are enough to keep it busy.
const PARALLEL_INSTALLS: usize = 3;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeployProgress {
    Created { name: String, canister: Principal },
    Installed { name: String },
    Upgraded { name: String },
    Unchanged { name: String },
}

/// A canister of the deployment, with what it is installed from.
struct Target {
    name: String,
    canister: Principal,
    module: &'static str,
    arguments: Vec<u8>,
    /// Whether its code lies in its own chunk store as well, where governance finds it when the DAO changes the token's
    /// fee or name: a ledger takes those with an upgrade.
    keeps_code: bool,
}

/// Creates what is missing, installs what is empty and upgrades what is out of date. Writes the deployment to `path`.
pub async fn deploy(
    connection: &Connection,
    plan: &DeployPlan,
    wasm: &WasmFolder,
    path: &Path,
    mut progress: impl FnMut(DeployProgress),
) -> Result<Deployment> {
    if is_mainnet(connection.endpoint()) {
        return Err(ClientError::InvalidArgument(
            "this makes cycles and tokens out of nothing, which mainnet does not allow: deploy to a local or test network"
                .to_owned(),
        ));
    }
    let management = Management::new(connection).await?;
    let deployment = create_all(connection, &management, plan, path, &mut progress).await?;
    let shard = wasm.read("shard")?;
    let shard_module = module_of(&shard.bytes);
    let targets = targets(connection, plan, &deployment, &shard_module)?;
    let modules = read_modules(wasm, &targets)?;
    let mut installs = stream::iter(targets.iter().zip(&modules))
        .map(|(target, module)| bring_up_to_date(&management, target, module))
        .buffer_unordered(PARALLEL_INSTALLS);
    while let Some(step) = installs.try_next().await? {
        progress(step);
    }
    bring_shard_module(connection, &deployment, &shard).await?;
    deployment.write(path)?;
    Journal::remove(path)?;
    Ok(deployment)
}

/// The bytes of what the registry was installed with, so that the fleet grows without a vote. A registry that has another
/// module got it by a vote, or an earlier deployment: it keeps that one.
async fn bring_shard_module(
    connection: &Connection,
    deployment: &Deployment,
    shard: &Wasm,
) -> Result<()> {
    let fleet = Fleet::new(connection, deployment.registry);
    let status = fleet.status().await?;
    let is_wanted = status
        .module
        .is_some_and(|module| module.hash == shard.hash && !status.is_module_complete);
    if is_wanted {
        fleet.put_module(&shard.bytes).await?;
    }
    Ok(())
}

/// Makes governance the only controller of every canister, itself included: from then on only votes change code.
pub async fn hand_over(
    connection: &Connection,
    deployment: &Deployment,
    mut progress: impl FnMut(&str, Principal),
) -> Result<()> {
    let management = Management::new(connection).await?;
    let governance = vec![deployment.governance];
    for (name, canister) in deployment.canisters() {
        if management.controllers(canister).await?.as_ref() != Some(&governance) {
            management
                .set_controllers(canister, governance.clone())
                .await?;
        }
        progress(&name, canister);
    }
    Ok(())
}

async fn create_all(
    connection: &Connection,
    management: &Management,
    plan: &DeployPlan,
    path: &Path,
    progress: &mut impl FnMut(DeployProgress),
) -> Result<Deployment> {
    if let Some(mut present) = still_there(connection, management, path).await? {
        if plan.frontend && present.frontend.is_none() {
            // A deployment from before there was a web application.
            let canister = management.create(plan.cycles.other, None).await?;
            present.frontend = Some(canister);
            present.write(path)?;
            progress(DeployProgress::Created {
                name: "frontend".to_owned(),
                canister,
            });
        }
        return Ok(present);
    }
    let mut journal = Journal::open(path, connection.endpoint(), management).await?;
    let mut ids = Vec::new();
    for wanted in plan.canisters() {
        let canister = match journal.created(&wanted.name) {
            Some(canister) => canister,
            None => {
                let canister = management
                    .create(wanted.cycles, wanted.specified_id)
                    .await?;
                journal.remember(&wanted.name, canister)?;
                progress(DeployProgress::Created {
                    name: wanted.name.clone(),
                    canister,
                });
                canister
            }
        };
        ids.push(canister);
    }
    Ok(plan.assemble(connection.endpoint(), &ids))
}

/// The deployment of an earlier run, if its canisters exist on this network: a local network may have been wiped.
async fn still_there(
    connection: &Connection,
    management: &Management,
    path: &Path,
) -> Result<Option<Deployment>> {
    if !path.exists() {
        return Ok(None);
    }
    let present = Deployment::read(path)?;
    if present.endpoint != connection.endpoint() {
        return Err(ClientError::InvalidFile {
            path: path.to_owned(),
            reason: format!(
                "it is a deployment on {}: name another file with --deployment",
                present.endpoint
            ),
        });
    }
    for (_, canister) in present.canisters() {
        if management.controllers(canister).await?.is_none() {
            return Ok(None);
        }
    }
    Ok(Some(present))
}

fn targets(
    connection: &Connection,
    plan: &DeployPlan,
    deployment: &Deployment,
    shard_module: &ShardModule,
) -> Result<Vec<Target>> {
    let arguments = Arguments {
        shard_module,
        plan,
        deployment,
        deployer: connection.principal(),
        root_key: connection.agent().read_root_key(),
    };
    deployment
        .canisters()
        .into_iter()
        .map(|(name, canister)| {
            let (module, arguments) = arguments.of(canister)?;
            Ok(Target {
                name,
                canister,
                module,
                arguments,
                keeps_code: canister == deployment.token_ledger,
            })
        })
        .collect()
}

fn read_modules(wasm: &WasmFolder, targets: &[Target]) -> Result<Vec<Wasm>> {
    targets
        .iter()
        .map(|target| wasm.read(target.module))
        .collect()
}

async fn bring_up_to_date(
    management: &Management,
    target: &Target,
    module: &Wasm,
) -> Result<DeployProgress> {
    let name = target.name.clone();
    let present = management.module_hash(target.canister).await?;
    // Before the code, so that what is interrupted in between is found unfinished.
    if target.keeps_code && present != Some(module.hash) {
        management.store_chunks(target.canister, module).await?;
    }
    match present {
        Some(present) if present == module.hash => Ok(DeployProgress::Unchanged { name }),
        Some(_) => {
            // An upgrade keeps what the canister was installed with.
            management
                .upgrade(target.canister, module, candid_nothing())
                .await
                .map_err(|error| ClientError::Failed(format!(
                    "{name} ({}) runs other code and could not be upgraded: {error}. After hand-over only a proposal can do it; a wiped network takes a new deployment file",
                    target.canister
                )))?;
            Ok(DeployProgress::Upgraded { name })
        }
        None => {
            management
                .install(target.canister, module, target.arguments.clone())
                .await?;
            Ok(DeployProgress::Installed { name })
        }
    }
}

/// Candid for no arguments at all.
pub fn candid_nothing() -> Vec<u8> {
    candid::encode_args(()).expect("BUG: nothing can be encoded")
}
