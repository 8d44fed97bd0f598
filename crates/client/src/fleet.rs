//! The fleet of shards, as anyone may see it, and what the DAO decides about it.

use candid::Principal;
use serde_bytes::Bytes;
use stoa_governance_api::{
    FunctionType, GenericNervousSystemFunction, NervousSystemFunction, Topic,
};
use stoa_registry_api::{
    ADD_SHARD_FUNCTION_ID, FleetJob, FleetPolicy, FleetStatus, GROW_FLEET_FUNCTION_ID,
    ListJobsArgs, PutModuleChunkResult, RETIRE_SHARD_FUNCTION_ID, SCRUB_SHARDS_FUNCTION_ID,
    SET_FLEET_POLICY_FUNCTION_ID, SET_SHARD_MODULE_FUNCTION_ID, ShardArgs, ShardModule,
};
use stoa_types::Sha256;

use crate::connection::Connection;
use crate::error::{ClientError, Result};

/// As the management canister's chunks: what an ingress message carries.
const MODULE_CHUNK_BYTES: usize = 1 << 20;

#[derive(Clone, Debug)]
pub struct Fleet {
    connection: Connection,
    registry: Principal,
}

/// A decision for the DAO: the generic function and its payload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    pub function_id: u64,
    pub payload: Vec<u8>,
    pub title: String,
}

impl Fleet {
    pub fn new(connection: &Connection, registry: Principal) -> Self {
        Self {
            connection: connection.clone(),
            registry,
        }
    }

    pub async fn status(&self) -> Result<FleetStatus> {
        let (status,) = self
            .connection
            .query(self.registry, "fleet_status", ())
            .await?;
        Ok(status)
    }

    /// The newest 100, or those before a job of an earlier page.
    pub async fn jobs(&self, before: Option<u64>) -> Result<Vec<FleetJob>> {
        let args = ListJobsArgs {
            before,
            limit: None,
        };
        let (jobs,) = self
            .connection
            .query(self.registry, "list_jobs", (args,))
            .await?;
        Ok(jobs)
    }

    /// Brings the bytes of the module that the DAO has named.
    pub async fn put_module(&self, module: &[u8]) -> Result<()> {
        for chunk in module.chunks(MODULE_CHUNK_BYTES) {
            let (answer,): (PutModuleChunkResult,) = self
                .connection
                .update(
                    self.registry,
                    "put_shard_module_chunk",
                    (Bytes::new(chunk),),
                )
                .await?;
            answer.map_err(|refused| ClientError::Failed(format!("the module: {refused:?}")))?;
        }
        Ok(())
    }
}

/// What names a module to the DAO.
pub fn module_of(bytes: &[u8]) -> ShardModule {
    ShardModule {
        hash: Sha256::of(bytes),
        chunk_hashes: bytes.chunks(MODULE_CHUNK_BYTES).map(Sha256::of).collect(),
    }
}

pub fn set_module(module: &ShardModule) -> Result<Decision> {
    let title = format!("Code of new shards: {}", module.hash);
    decision(SET_SHARD_MODULE_FUNCTION_ID, title, (module,))
}

pub fn set_policy(policy: &FleetPolicy) -> Result<Decision> {
    let title = "Fleet policy".to_owned();
    decision(SET_FLEET_POLICY_FUNCTION_ID, title, (policy,))
}

pub fn scrub() -> Result<Decision> {
    decision(
        SCRUB_SHARDS_FUNCTION_ID,
        "Check all chunks now".to_owned(),
        (),
    )
}

pub fn grow() -> Result<Decision> {
    decision(GROW_FLEET_FUNCTION_ID, "Add a shard".to_owned(), ())
}

pub fn add(shard: Principal) -> Result<Decision> {
    let title = format!("Add the shard {shard}");
    decision(ADD_SHARD_FUNCTION_ID, title, (ShardArgs { shard },))
}

pub fn retire(shard: Principal) -> Result<Decision> {
    let title = format!("Retire the shard {shard}");
    decision(RETIRE_SHARD_FUNCTION_ID, title, (ShardArgs { shard },))
}

fn decision(
    function_id: u64,
    title: String,
    payload: impl candid::utils::ArgumentEncoder,
) -> Result<Decision> {
    let payload = candid::encode_args(payload).map_err(|source| ClientError::Encode {
        method: title.clone(),
        source,
    })?;
    Ok(Decision {
        function_id,
        payload,
        title,
    })
}

/// The generic functions by which the DAO decides about the fleet, for genesis.
pub fn functions(registry: Principal) -> Vec<NervousSystemFunction> {
    let function = |id: u64, name: &str, method: &str| NervousSystemFunction {
        id,
        name: name.to_owned(),
        description: None,
        function_type: Some(FunctionType::GenericNervousSystemFunction(
            GenericNervousSystemFunction {
                validator_canister_id: Some(registry),
                target_canister_id: Some(registry),
                validator_method_name: Some(format!("validate_{method}")),
                target_method_name: Some(method.to_owned()),
                topic: Some(Topic::ApplicationBusinessLogic),
            },
        )),
    };
    vec![
        function(ADD_SHARD_FUNCTION_ID, "Add a shard", "add_shard"),
        function(RETIRE_SHARD_FUNCTION_ID, "Retire a shard", "retire_shard"),
        function(
            SET_FLEET_POLICY_FUNCTION_ID,
            "Set the fleet's policy",
            "set_fleet_policy",
        ),
        function(
            SET_SHARD_MODULE_FUNCTION_ID,
            "Set the code of new shards",
            "set_shard_module",
        ),
        function(
            SCRUB_SHARDS_FUNCTION_ID,
            "Check all chunks now",
            "scrub_shards",
        ),
        function(GROW_FLEET_FUNCTION_ID, "Create a shard", "grow_fleet"),
    ]
}
