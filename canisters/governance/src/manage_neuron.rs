//! `manage_neuron`: to whom each command goes, and what refusals look like.

use stoa_governance_api::{By, Command, CommandResponse, ManageNeuron, ManageNeuronResponse};

use crate::claim_or_refresh::{Which, claim_or_refresh};
use crate::configure::configure;
use crate::lock::NeuronLock;
use crate::make_proposal::make_proposal;
use crate::neuron::neuron_key;
use crate::refusal::Refusal;
use crate::register_vote::register_vote;
use crate::runtime;

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
    let unsupported = |what| Err(Refusal::Unsupported { what });
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
        Command::Configure(command) => {
            let neuron = neuron_key(&request.subaccount)?;
            let lock = NeuronLock::acquire(neuron)?;
            let response = configure(neuron, caller, command);
            drop(lock);
            response
        }
        Command::RegisterVote(command) => {
            let neuron = neuron_key(&request.subaccount)?;
            let lock = NeuronLock::acquire(neuron)?;
            let response = register_vote(neuron, caller, command);
            drop(lock);
            response
        }
        Command::Split(_) => unsupported("the command Split"),
        Command::Follow(_) => unsupported("the command Follow"),
        Command::SetFollowing(_) => unsupported("the command SetFollowing"),
        Command::DisburseMaturity(_) => unsupported("the command DisburseMaturity"),
        Command::StakeMaturity(_) => unsupported("the command StakeMaturity"),
        Command::MergeMaturity(_) => unsupported("the command MergeMaturity"),
        Command::Disburse(_) => unsupported("the command Disburse"),
        Command::AddNeuronPermissions(_) => unsupported("the command AddNeuronPermissions"),
        Command::RemoveNeuronPermissions(_) => unsupported("the command RemoveNeuronPermissions"),
    }
}
