//! `AddNeuronPermissions` and `RemoveNeuronPermissions`, with the SNS's rules: whoever
//! manages principals may change all, whoever manages voting permissions only those
//! that voting takes; only what the parameters say can be granted.

use candid::Principal;
use stoa_governance_api::code::NeuronPermissionType;
use stoa_governance_api::{self as api, CommandResponse, NeuronPermissionList};

use crate::memory::with_state;
use crate::neuron::{Neuron, NeuronKey};
use crate::permission::{Holder, Permissions};
use crate::refusal::Refusal;
use crate::runtime;

fn given(
    principal: Option<Principal>,
    permissions: Option<NeuronPermissionList>,
    field: &'static str,
) -> Result<(Principal, Permissions), Refusal> {
    let list = permissions.ok_or(Refusal::MissingField { field })?;
    let permissions = Permissions::try_from(list.permissions.as_slice())
        .map_err(|number| Refusal::UnknownPermission { number })?;
    if permissions == Permissions::none() {
        return Err(Refusal::MissingField { field });
    }
    let principal = principal.ok_or(Refusal::MissingField {
        field: "principal_id",
    })?;
    Ok((principal, permissions))
}

fn require_may_change(
    neuron: &Neuron,
    caller: Principal,
    permissions: Permissions,
) -> Result<(), Refusal> {
    let needed = if permissions.is_within(Permissions::for_voting()) {
        if neuron.permits(&caller, NeuronPermissionType::ManageVotingPermission) {
            return Ok(());
        }
        NeuronPermissionType::ManagePrincipals
    } else {
        NeuronPermissionType::ManagePrincipals
    };
    neuron.require(caller, needed)
}

pub fn add(
    key: NeuronKey,
    caller: Principal,
    command: api::AddNeuronPermissions,
) -> Result<CommandResponse, Refusal> {
    let (principal, permissions) = given(
        command.principal_id,
        command.permissions_to_add,
        "permissions_to_add",
    )?;
    if principal == Principal::anonymous() {
        return Err(Refusal::AnonymousCaller);
    }
    with_state(|state| {
        let grantable = state.parameters().neuron_grantable_permissions;
        let max = state.parameters().max_number_of_principals_per_neuron;
        state.change_neuron(&key, runtime::now_seconds(), |neuron| {
            require_may_change(neuron, caller, permissions)?;
            if !permissions.is_within(grantable) {
                return Err(Refusal::NotGrantable);
            }
            let is_full = neuron.holders.len() as u64 >= max;
            let holder = neuron
                .holders
                .iter_mut()
                .find(|holder| holder.principal == principal);
            match holder {
                Some(holder) => holder.permissions = holder.permissions.union(permissions),
                None if is_full => {
                    return Err(Refusal::TooManyPrincipals { max });
                }
                None => neuron.holders.push(Holder {
                    principal,
                    permissions,
                }),
            }
            Ok(())
        })?;
        state.index_principal(key, &principal, true);
        Ok(CommandResponse::AddNeuronPermission {})
    })
}

pub fn remove(
    key: NeuronKey,
    caller: Principal,
    command: api::RemoveNeuronPermissions,
) -> Result<CommandResponse, Refusal> {
    let (principal, permissions) = given(
        command.principal_id,
        command.permissions_to_remove,
        "permissions_to_remove",
    )?;
    with_state(|state| {
        let is_left = state.change_neuron(&key, runtime::now_seconds(), |neuron| {
            require_may_change(neuron, caller, permissions)?;
            let Some(holder) = neuron
                .holders
                .iter_mut()
                .find(|holder| holder.principal == principal)
            else {
                return Err(Refusal::NoSuchHolder { principal });
            };
            if !permissions.is_within(holder.permissions) {
                return Err(Refusal::NoSuchHolder { principal });
            }
            holder.permissions = holder.permissions.without(permissions);
            let is_left = holder.permissions != Permissions::none();
            neuron
                .holders
                .retain(|holder| holder.permissions != Permissions::none());
            Ok(is_left)
        })?;
        if !is_left {
            state.index_principal(key, &principal, false);
        }
        Ok(CommandResponse::RemoveNeuronPermission {})
    })
}
