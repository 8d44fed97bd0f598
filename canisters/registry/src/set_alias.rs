//! `set_alias`: a publisher's own name for one admitted version of a model, as `publisher/name@small`.

use candid::Principal;
use stoa_registry_api::{SetAliasArgs, SetAliasError, SetAliasResult};
use stoa_types::names::check_alias;

use crate::limits::ALIASES_PER_MODEL_MAX;
use crate::models::{self, is_usable};
use crate::runtime::Runtime;
use crate::state::State;
use crate::state::records::{Action, AliasRecord};

pub fn set_alias(
    state: &mut State,
    runtime: &impl Runtime,
    caller: Principal,
    args: SetAliasArgs,
) -> SetAliasResult {
    if caller == Principal::anonymous() {
        return Err(SetAliasError::AnonymousCaller);
    }
    let SetAliasArgs {
        model,
        alias,
        version,
    } = args;
    let before = state.models.get(&model).ok_or(SetAliasError::NotFound)?;
    let publisher = model.split('/').next().unwrap_or_default().to_owned();
    if !state.is_publisher(&publisher, caller) {
        return Err(SetAliasError::NotPublisher { publisher });
    }
    check_alias(&alias).map_err(|problem| SetAliasError::InvalidAlias {
        reason: problem.to_string(),
    })?;
    let mut after = before.clone();
    after.aliases.retain(|entry| entry.alias != alias);
    if let Some(version) = version {
        let record = state.version(&version).ok_or(SetAliasError::NotFound)?;
        if record.model() != model {
            let model = record.model();
            return Err(SetAliasError::OtherModel { model });
        }
        if !is_usable(record.status) {
            let status = record.status.into();
            return Err(SetAliasError::NotAdmitted { status });
        }
        if after.aliases.len() as u64 >= ALIASES_PER_MODEL_MAX {
            return Err(SetAliasError::TooManyAliases {
                max: ALIASES_PER_MODEL_MAX,
            });
        }
        let entry = AliasRecord {
            alias: alias.clone(),
            version,
        };
        after.aliases.push(entry);
        after.aliases.sort_by(|a, b| a.alias.cmp(&b.alias));
    }
    if before != after {
        models::certify(state, runtime, &model, &before, &after);
        state.models.insert(model.clone(), after);
        let action = Action::SetAlias {
            model,
            alias,
            version,
        };
        state.record(runtime, caller, action);
    }
    Ok(())
}
