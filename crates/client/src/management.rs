//! The management canister as a deployer uses it: create, install, upgrade, controllers.
//!
//! What must hold: a module over the ingress limit goes through the chunk store; an upgrade happens on a stopped
//! canister, so that no callback of the old code meets the new.

use candid::{Nat, Principal};
use ic_agent::AgentError;
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInstallMode, CanisterSettings, CanisterStatusResult, ChunkHash,
    InstallChunkedCodeArgs, InstallCodeArgs, ProvisionalCreateCanisterWithCyclesArgs,
    UpdateSettingsArgs, UploadChunkArgs,
};
use stoa_types::Sha256;

use crate::connection::Connection;
use crate::error::{ClientError, Result};
use crate::topology::effective_canister_id;
use crate::wasm::Wasm;

const MANAGEMENT: Principal = Principal::management_canister();

/// An ingress message has 2 MiB at most; 16 KiB of it are kept for the envelope (signature, key, field names).
const WHOLE_INSTALL_BYTES_MAX: usize = 2 * 1024 * 1024 - 16 * 1024;

/// Size of a chunk in the management canister's store.
const STORE_CHUNK_BYTES: usize = 1024 * 1024;

#[derive(Clone, Debug)]
pub struct Management {
    connection: Connection,
    /// Routes the creation of canisters whose id nobody knows yet.
    creation_route: Principal,
}

impl Management {
    pub async fn new(connection: &Connection) -> Result<Self> {
        Ok(Self {
            creation_route: effective_canister_id(connection.endpoint()).await?,
            connection: connection.clone(),
        })
    }

    /// Creates a canister with cycles out of nothing: only networks for development and tests offer this.
    pub async fn create(&self, cycles: u128, specified_id: Option<Principal>) -> Result<Principal> {
        let argument = ProvisionalCreateCanisterWithCyclesArgs {
            amount: Some(Nat::from(cycles)),
            settings: None,
            specified_id,
            sender_canister_version: None,
        };
        let route = specified_id.unwrap_or(self.creation_route);
        let (CanisterIdRecord { canister_id },) = self
            .connection
            .update_routed(
                MANAGEMENT,
                route,
                "provisional_create_canister_with_cycles",
                (argument,),
            )
            .await?;
        Ok(canister_id)
    }

    pub async fn install(&self, canister: Principal, wasm: &Wasm, arg: Vec<u8>) -> Result<()> {
        self.install_code(canister, wasm, arg, CanisterInstallMode::Install)
            .await
    }

    /// Stops, upgrades and starts; also starts where the upgrade failed, so that the old code goes on.
    pub async fn upgrade(&self, canister: Principal, wasm: &Wasm, arg: Vec<u8>) -> Result<()> {
        self.of_canister(canister, "stop_canister").await?;
        let upgraded = self
            .install_code(canister, wasm, arg, CanisterInstallMode::Upgrade(None))
            .await;
        self.of_canister(canister, "start_canister").await?;
        upgraded
    }

    async fn install_code(
        &self,
        canister: Principal,
        wasm: &Wasm,
        arg: Vec<u8>,
        mode: CanisterInstallMode,
    ) -> Result<()> {
        if wasm.bytes.len() + arg.len() <= WHOLE_INSTALL_BYTES_MAX {
            let argument = InstallCodeArgs {
                mode,
                canister_id: canister,
                wasm_module: wasm.bytes.clone(),
                arg,
                sender_canister_version: None,
            };
            return self.update(canister, "install_code", argument).await;
        }
        let chunk_hashes_list = self.store_chunks(canister, wasm).await?;
        let argument = InstallChunkedCodeArgs {
            mode,
            target_canister: canister,
            store_canister: None,
            chunk_hashes_list,
            wasm_module_hash: wasm.hash.0.to_vec(),
            arg,
            sender_canister_version: None,
        };
        self.update(canister, "install_chunked_code", argument)
            .await?;
        // The stored chunks would go on costing cycles.
        self.of_canister(canister, "clear_chunk_store").await
    }

    /// Puts what the store lacks; after an interruption only the rest is sent.
    pub async fn store_chunks(&self, canister: Principal, wasm: &Wasm) -> Result<Vec<ChunkHash>> {
        let record = CanisterIdRecord {
            canister_id: canister,
        };
        let (stored,): (Vec<ChunkHash>,) = self
            .connection
            .update_routed(MANAGEMENT, canister, "stored_chunks", (record,))
            .await?;
        let mut hashes = Vec::new();
        for chunk in wasm.bytes.chunks(STORE_CHUNK_BYTES) {
            let hash = Sha256::of(chunk).0.to_vec();
            if !stored.iter().any(|present| present.hash == hash) {
                let argument = UploadChunkArgs {
                    canister_id: canister,
                    chunk: chunk.to_vec(),
                };
                let (_,): (ChunkHash,) = self
                    .connection
                    .update_routed(MANAGEMENT, canister, "upload_chunk", (argument,))
                    .await?;
            }
            hashes.push(ChunkHash { hash });
        }
        Ok(hashes)
    }

    pub async fn set_controllers(
        &self,
        canister: Principal,
        controllers: Vec<Principal>,
    ) -> Result<()> {
        let argument = UpdateSettingsArgs {
            canister_id: canister,
            settings: CanisterSettings {
                controllers: Some(controllers),
                ..CanisterSettings::default()
            },
            sender_canister_version: None,
        };
        self.update(canister, "update_settings", argument).await
    }

    /// Balance, memory and state; controllers only.
    pub async fn status(&self, canister: Principal) -> Result<CanisterStatusResult> {
        let record = CanisterIdRecord {
            canister_id: canister,
        };
        let (status,) = self
            .connection
            .update_routed(MANAGEMENT, canister, "canister_status", (record,))
            .await?;
        Ok(status)
    }

    /// The controllers in the certified state; `None` where there is no such canister.
    pub async fn controllers(&self, canister: Principal) -> Result<Option<Vec<Principal>>> {
        let answer = self
            .connection
            .agent()
            .read_state_canister_controllers(canister)
            .await;
        absent_as_none(canister, "controllers", answer)
    }

    /// The hash of the installed module in the certified state; `None` for an empty canister or none at all.
    pub async fn module_hash(&self, canister: Principal) -> Result<Option<Sha256>> {
        let answer = self
            .connection
            .agent()
            .read_state_canister_module_hash(canister)
            .await;
        absent_as_none(canister, "module_hash", answer)?
            .map(|hash| {
                Sha256::try_from(hash.as_slice()).map_err(|_| {
                    ClientError::Failed(format!(
                        "the module hash of {canister} has {} bytes instead of 32",
                        hash.len()
                    ))
                })
            })
            .transpose()
    }

    async fn of_canister(&self, canister: Principal, method: &str) -> Result<()> {
        let record = CanisterIdRecord {
            canister_id: canister,
        };
        self.update(canister, method, record).await
    }

    async fn update<A: candid::CandidType>(
        &self,
        canister: Principal,
        method: &str,
        argument: A,
    ) -> Result<()> {
        self.connection
            .update_routed(MANAGEMENT, canister, method, (argument,))
            .await
    }
}

fn absent_as_none<T>(
    canister: Principal,
    what: &str,
    answer: std::result::Result<T, AgentError>,
) -> Result<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(AgentError::LookupPathAbsent(_)) => Ok(None),
        Err(source) => Err(ClientError::Call {
            canister,
            method: what.to_owned(),
            source: Box::new(source),
        }),
    }
}
