//! The settings of a canister: what may be set to what.

use std::sync::Arc;

use candid::Nat;
use ic_management_canister_types::{
    CanisterSettings, ChangeDetails, ControllersChangeRecord, LogVisibility, UpdateSettingsArgs,
};

use super::{ManagementResult, contract_violation, decode_one, invalid, reply};
use crate::canister::{Canister, ManagementCaller, Settings};
use crate::error::{ErrorCode, Failure};
use crate::limits::*;
use crate::scheduler::Executor;

const ALLOWED_VIEWERS_MAX: usize = 10;
const LOG_BYTES_LIMIT_MAX: u64 = 2 << 20;

impl Executor {
    pub(super) fn update_settings(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        let given: UpdateSettingsArgs = decode_one(argument)?;
        let now = self.network().now();
        let mut state = self.network().write();
        let canister = state
            .canisters
            .get_mut(&given.canister_id)
            .ok_or_else(|| Failure::canister_not_found(given.canister_id))?;
        let mut settings = canister.settings.clone();
        apply(&mut settings, &given.settings)?;
        let before = std::mem::replace(&mut canister.settings, settings);
        if let Err(failure) = check_affordable(canister, &before) {
            canister.settings = before;
            return Err(failure);
        }
        canister.version += 1;
        if given.settings.controllers.is_some() {
            let controllers = canister.settings.controllers.clone();
            canister.record(
                now,
                caller,
                ChangeDetails::ControllersChange(ControllersChangeRecord { controllers }),
            );
        }
        self.network().publish(canister);
        reply(caller, ())
    }
}

/// Allocations may only rise if the canister is not frozen by them. (A higher
/// freezing threshold may freeze it: that is how one freezes a canister.)
pub fn check_affordable(canister: &Canister, before: &Settings) -> Result<(), Failure> {
    let threshold = canister.freezing_balance();
    let Some(missing) = threshold
        .checked_sub(canister.cycles)
        .filter(|missing| *missing > 0)
    else {
        return Ok(());
    };
    let now = &canister.settings;
    let (code, what, value) = if now.compute_allocation > before.compute_allocation {
        let value = format!("{}%", now.compute_allocation);
        (
            ErrorCode::InsufficientCyclesInComputeAllocation,
            "compute allocation",
            value,
        )
    } else if now.memory_allocation > before.memory_allocation {
        let value = now.memory_allocation.to_string();
        (
            ErrorCode::InsufficientCyclesInMemoryAllocation,
            "memory allocation",
            value,
        )
    } else {
        return Ok(());
    };
    Err(Failure::new(
        code,
        format!(
            "Cannot increase {what} to {value} due to insufficient cycles. \
             At least {missing} additional cycles are required."
        ),
    ))
}

/// Takes over what is given; an invalid value changes nothing.
pub fn apply(settings: &mut Settings, given: &CanisterSettings) -> Result<(), Failure> {
    let mut new = settings.clone();
    if let Some(controllers) = &given.controllers {
        if controllers.len() > CONTROLLERS_MAX {
            return Err(invalid(format!(
                "Error decoding candid: The number of elements exceeds maximum allowed {CONTROLLERS_MAX}"
            )));
        }
        new.controllers = controllers.clone();
        new.controllers.sort();
        new.controllers.dedup();
    }
    if let Some(value) = &given.compute_allocation {
        new.compute_allocation = bounded(value, 100, "ComputeAllocation")?;
    }
    if let Some(value) = &given.memory_allocation {
        new.memory_allocation = bounded(value, 1 << 48, "MemoryAllocation")?;
    }
    if let Some(value) = &given.freezing_threshold {
        new.freezing_threshold_seconds = bounded(value, u64::MAX, "FreezingThreshold")?;
    }
    if let Some(value) = &given.reserved_cycles_limit {
        new.reserved_cycles_limit = amount(value, "reserved_cycles_limit")?;
    }
    if let Some(visibility) = &given.log_visibility {
        if let LogVisibility::AllowedViewers(viewers) = visibility
            && viewers.len() > ALLOWED_VIEWERS_MAX
        {
            return Err(invalid(format!(
                "Error decoding candid: The number of elements exceeds maximum allowed {ALLOWED_VIEWERS_MAX}"
            )));
        }
        new.log_visibility = visibility.clone();
    }
    if let Some(value) = &given.log_memory_limit {
        new.log_memory_limit = log_memory_limit(value)?;
    }
    if let Some(value) = &given.wasm_memory_limit {
        new.wasm_memory_limit = bounded(value, 1 << 48, "WasmMemoryLimit")?;
    }
    if let Some(value) = &given.wasm_memory_threshold {
        new.wasm_memory_threshold = bounded(value, u64::MAX, "WasmMemoryThreshold")?;
    }
    if let Some(variables) = &given.environment_variables {
        let variables: Vec<(String, String)> = variables
            .iter()
            .map(|variable| (variable.name.clone(), variable.value.clone()))
            .collect();
        new.environment_variables = Arc::new(environment(variables)?);
    }
    *settings = new;
    Ok(())
}

fn environment(mut variables: Vec<(String, String)>) -> Result<Vec<(String, String)>, Failure> {
    if variables.len() > ENVIRONMENT_VARIABLES_MAX {
        return Err(invalid(format!(
            "Too many environment variables: {} (max: {ENVIRONMENT_VARIABLES_MAX})",
            variables.len()
        )));
    }
    for (name, value) in &variables {
        if name.len() > ENVIRONMENT_NAME_BYTES_MAX {
            return Err(invalid(format!(
                "Environment variable name \"{name}\" exceeds the maximum allowed length of {ENVIRONMENT_NAME_BYTES_MAX}."
            )));
        }
        if value.len() > ENVIRONMENT_VALUE_BYTES_MAX {
            return Err(invalid(format!(
                "Environment variable value \"{value}\" exceeds the maximum allowed length of {ENVIRONMENT_VALUE_BYTES_MAX}."
            )));
        }
    }
    variables.sort();
    if variables.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(invalid("Duplicate environment variables are not allowed"));
    }
    Ok(variables)
}

/// 0 keeps no log.
fn log_memory_limit(value: &Nat) -> Result<u64, Failure> {
    let refused = |bound: &str, limit: u64| {
        Failure::new(
            ErrorCode::RejectedMessage,
            format!("The canister log memory limit {value} is too {bound} {limit}."),
        )
    };
    match u64::try_from(&value.0) {
        Ok(given) if given != 0 && given < LOG_BYTES_MAX as u64 => {
            Err(refused("low. It must be at least", LOG_BYTES_MAX as u64))
        }
        Ok(given) if given <= LOG_BYTES_LIMIT_MAX => Ok(given),
        _ => Err(refused("high. It must be at most", LOG_BYTES_LIMIT_MAX)),
    }
}

fn bounded(value: &Nat, max: u64, name: &str) -> Result<u64, Failure> {
    match u64::try_from(&value.0) {
        Ok(given) if given <= max => Ok(given),
        _ => Err(contract_violation(format!(
            "{name} expected to be in the range [0..{max}], got {value}"
        ))),
    }
}

/// An amount of cycles.
pub fn amount(value: &Nat, name: &str) -> Result<u128, Failure> {
    u128::try_from(&value.0).map_err(|_| {
        contract_violation(format!(
            "{name} expected to be in the range [0..2^128-1], got {value}"
        ))
    })
}
