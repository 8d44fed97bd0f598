//! `manage_neuron`: to whom each command goes, and what refusals look like.

use stoa_governance_api::{By, Command, CommandResponse, ManageNeuron, ManageNeuronResponse};

use crate::claim_or_refresh::{Which, claim_or_refresh};
use crate::configure::configure;
use crate::disburse::disburse;
use crate::disburse_maturity::disburse_maturity;
use crate::follow::{follow, set_following};
use crate::lock::NeuronLock;
use crate::make_proposal::make_proposal;
use crate::neuron::{NeuronKey, neuron_key};
use crate::refusal::Refusal;
use crate::register_vote::register_vote;
use crate::split::split;
use crate::stake_maturity::stake_maturity;
use crate::{permissions, runtime};

pub async fn manage_neuron(request: ManageNeuron) -> ManageNeuronResponse {
    let response = execute(request)
        .await
        .unwrap_or_else(|refusal| CommandResponse::Error(refusal.into()));
    ManageNeuronResponse {
        command: Some(response),
    }
}

async fn execute(request: ManageNeuron) -> Result<CommandResponse, Refusal> {
    let caller = runtime::caller();
    // Not left to `inspect_message`, which canisters pass by.
    if caller == candid::Principal::anonymous() {
        return Err(Refusal::AnonymousCaller);
    }
    let command = request
        .command
        .ok_or(Refusal::MissingField { field: "command" })?;
    match command {
        Command::ClaimOrRefresh(claim) => {
            let which = match claim.by.ok_or(Refusal::MissingField { field: "by" })? {
                By::MemoAndController(by) => Which::OfController {
                    controller: by.controller.unwrap_or(caller),
                    memo: by.memo,
                },
                By::NeuronId {} => Which::Existing(neuron_key(&request.subaccount)?),
            };
            claim_or_refresh(which).await
        }
        Command::MakeProposal(proposal) => {
            make_proposal(neuron_key(&request.subaccount)?, caller, proposal).await
        }
        Command::Split(command) => split(neuron_key(&request.subaccount)?, caller, command).await,
        Command::Disburse(command) => {
            disburse(neuron_key(&request.subaccount)?, caller, command).await
        }
        Command::DisburseMaturity(command) => {
            disburse_maturity(neuron_key(&request.subaccount)?, caller, command).await
        }
        Command::Configure(command) => {
            locked(&request.subaccount, |key| configure(key, caller, command))
        }
        Command::RegisterVote(command) => locked(&request.subaccount, |key| {
            register_vote(key, caller, command)
        }),
        Command::Follow(command) => locked(&request.subaccount, |key| follow(key, caller, command)),
        Command::SetFollowing(command) => locked(&request.subaccount, |key| {
            set_following(key, caller, command)
        }),
        Command::StakeMaturity(command) => locked(&request.subaccount, |key| {
            stake_maturity(key, caller, command)
        }),
        Command::AddNeuronPermissions(command) => locked(&request.subaccount, |key| {
            permissions::add(key, caller, command)
        }),
        Command::RemoveNeuronPermissions(command) => locked(&request.subaccount, |key| {
            permissions::remove(key, caller, command)
        }),
        Command::MergeMaturity(_) => Err(Refusal::Unsupported {
            what: "the command MergeMaturity (StakeMaturity takes its place)",
        }),
    }
}

/// A command that is over within its message; it waits for none of the neuron's that is
/// in flight.
fn locked(
    subaccount: &[u8],
    command: impl FnOnce(NeuronKey) -> Result<CommandResponse, Refusal>,
) -> Result<CommandResponse, Refusal> {
    let key = neuron_key(subaccount)?;
    let lock = NeuronLock::acquire(key)?;
    let response = command(key);
    drop(lock);
    response
}
