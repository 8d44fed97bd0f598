//! What can be asked about a canister.

use candid::{Nat, Principal};
use ic_management_canister_types::{
    CanisterInfoArgs, CanisterInfoResult, CanisterMetadataArgs, CanisterMetadataResult,
    CanisterStatusResult, CanisterStatusType, DefiniteCanisterSettings, EnvironmentVariable,
    MemoryMetrics, QueryStats,
};

use super::{ManagementResult, decode_one, reply};
use crate::canister::{Canister, ManagementCaller, Status};
use crate::error::{ErrorCode, Failure};
use crate::execution::SavedValue;
use crate::limits::{CHUNK_BYTES_MAX, WASM_PAGE_BYTES};
use crate::network::Network;
use crate::scheduler::Executor;

const SECONDS_A_DAY: u64 = 86_400;

pub fn status(network: &Network, id: Principal) -> Result<CanisterStatusResult, Failure> {
    let state = network.read();
    let canister = state
        .canisters
        .get(&id)
        .ok_or_else(|| Failure::canister_not_found(id))?;
    Ok(CanisterStatusResult {
        status: match canister.status {
            Status::Running => CanisterStatusType::Running,
            Status::Stopping(_) => CanisterStatusType::Stopping,
            Status::Stopped => CanisterStatusType::Stopped,
        },
        ready_for_migration: matches!(canister.status, Status::Stopped),
        version: canister.version,
        settings: settings(canister),
        module_hash: canister.code.as_ref().map(|code| code.module.hash.to_vec()),
        memory_size: Nat::from(canister.memory_bytes()),
        memory_metrics: metrics(canister),
        cycles: Nat::from(canister.cycles),
        reserved_cycles: Nat::from(0u8),
        idle_cycles_burned_per_day: Nat::from(canister.idle_cost(SECONDS_A_DAY)),
        // Queries are not counted: nobody is paid for them.
        query_stats: QueryStats {
            num_calls_total: Nat::from(0u8),
            num_instructions_total: Nat::from(0u8),
            request_payload_bytes_total: Nat::from(0u8),
            response_payload_bytes_total: Nat::from(0u8),
        },
    })
}

fn settings(canister: &Canister) -> DefiniteCanisterSettings {
    let settings = &canister.settings;
    DefiniteCanisterSettings {
        controllers: settings.controllers.clone(),
        compute_allocation: Nat::from(settings.compute_allocation),
        memory_allocation: Nat::from(settings.memory_allocation),
        freezing_threshold: Nat::from(settings.freezing_threshold_seconds),
        reserved_cycles_limit: Nat::from(settings.reserved_cycles_limit),
        log_visibility: settings.log_visibility.clone(),
        log_memory_limit: Nat::from(settings.log_memory_limit),
        wasm_memory_limit: Nat::from(settings.wasm_memory_limit),
        wasm_memory_threshold: Nat::from(settings.wasm_memory_threshold),
        environment_variables: settings
            .environment_variables
            .iter()
            .map(|(name, value)| EnvironmentVariable {
                name: name.clone(),
                value: value.clone(),
            })
            .collect(),
    }
}

fn metrics(canister: &Canister) -> MemoryMetrics {
    let code = canister.code.as_ref();
    let globals = code.map_or(0, |code| {
        let bytes = |value: &SavedValue| match value {
            SavedValue::V128(_) => 16u64,
            _ => 8,
        };
        code.memory.globals.iter().map(bytes).sum()
    });
    let sections: usize = code.map_or(0, |code| {
        code.module
            .metadata
            .iter()
            .map(|(name, section)| name.len() + section.content.len())
            .sum()
    });
    let snapshots: u64 = canister
        .snapshots
        .values()
        .map(|snapshot| snapshot.bytes())
        .sum();
    MemoryMetrics {
        wasm_memory_size: Nat::from(code.map_or(0, |code| code.memory.heap.bytes())),
        stable_memory_size: Nat::from(
            code.map_or(0, |code| code.memory.stable.pages * WASM_PAGE_BYTES),
        ),
        global_memory_size: Nat::from(globals),
        wasm_binary_size: Nat::from(code.map_or(0, |code| code.module.sent.len())),
        custom_sections_size: Nat::from(sections),
        canister_history_size: Nat::from(canister.history.len() * 100),
        wasm_chunk_store_size: Nat::from(canister.chunks.len() * CHUNK_BYTES_MAX),
        snapshots_size: Nat::from(snapshots),
        log_memory_store_size: Nat::from(canister.logs.bytes()),
    }
}

impl Executor {
    pub(super) fn canister_info(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        let given: CanisterInfoArgs = decode_one(argument)?;
        let id = given.canister_id;
        let state = self.network().read();
        let canister = state
            .canisters
            .get(&id)
            .ok_or_else(|| Failure::canister_not_found(id))?;
        let wanted = given.num_requested_changes.unwrap_or(0);
        let skipped = canister
            .history
            .len()
            .saturating_sub(usize::try_from(wanted).unwrap_or(usize::MAX));
        let info = CanisterInfoResult {
            total_num_changes: canister.changes_total,
            recent_changes: canister.history.iter().skip(skipped).cloned().collect(),
            module_hash: canister.code.as_ref().map(|code| code.module.hash.to_vec()),
            controllers: canister.settings.controllers.clone(),
        };
        reply(caller, (info,))
    }

    pub(super) fn canister_metadata(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        let given: CanisterMetadataArgs = decode_one(argument)?;
        let id = given.canister_id;
        let state = self.network().read();
        let canister = state
            .canisters
            .get(&id)
            .ok_or_else(|| Failure::canister_not_found(id))?;
        let Some(code) = &canister.code else {
            return Err(Failure::new(
                ErrorCode::RejectedMessage,
                format!("The canister {id} has no Wasm module and hence no metadata is available."),
            ));
        };
        match code.module.metadata.get(&given.name) {
            Some(section) if section.public || canister.is_controller(&caller.sender()) => reply(
                caller,
                (CanisterMetadataResult {
                    value: section.content.clone(),
                },),
            ),
            _ => Err(Failure::new(
                ErrorCode::RejectedMessage,
                format!(
                    "The canister {id} has no metadata section with the name {}.",
                    given.name
                ),
            )),
        }
    }
}
