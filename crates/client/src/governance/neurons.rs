//! What a neuron's people can tell it, one method a command.

use candid::Principal;
use icrc_ledger_types::icrc1::account::Account;
use stoa_governance_api::code::NeuronPermissionType;
use stoa_governance_api::{
    AddNeuronPermissions, Amount, Command, CommandResponse, Configure, Disburse, DisburseMaturity,
    Followee, FolloweesForTopic, GetNeuron, GetNeuronResponse, GetNeuronResult,
    IncreaseDissolveDelay, Neuron, NeuronId, NeuronPermissionList, Operation,
    RemoveNeuronPermissions, SetFollowing, Split, StakeMaturity, Subaccount, Topic,
};

use super::{Governance, unexpected};
use crate::error::{Accepted, ClientError, Result};

impl Governance {
    pub async fn neuron(&self, id: [u8; 32]) -> Result<Neuron> {
        let argument = GetNeuron {
            neuron_id: Some(NeuronId::from(id)),
        };
        let (answer,): (GetNeuronResponse,) = self
            .connection
            .query(self.canister, "get_neuron", (argument,))
            .await?;
        match answer.result {
            Some(GetNeuronResult::Neuron(neuron)) => Ok(neuron),
            Some(GetNeuronResult::Error(refusal)) => Err(refusal).accepted(),
            None => Err(ClientError::Refused("there is no such neuron".to_owned())),
        }
    }

    async fn configure(&self, neuron: [u8; 32], operation: Operation) -> Result<()> {
        let command = Command::Configure(Configure {
            operation: Some(operation),
        });
        match self.command(neuron, command).await? {
            CommandResponse::Configure {} => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    pub async fn increase_dissolve_delay(&self, neuron: [u8; 32], by_seconds: u32) -> Result<()> {
        let operation = Operation::IncreaseDissolveDelay(IncreaseDissolveDelay {
            additional_dissolve_delay_seconds: by_seconds,
        });
        self.configure(neuron, operation).await
    }

    pub async fn start_dissolving(&self, neuron: [u8; 32]) -> Result<()> {
        self.configure(neuron, Operation::StartDissolving {}).await
    }

    pub async fn stop_dissolving(&self, neuron: [u8; 32]) -> Result<()> {
        self.configure(neuron, Operation::StopDissolving {}).await
    }

    /// All of the stake where no amount is given, to the caller where no account is. Answers the ledger's block.
    pub async fn disburse(
        &self,
        neuron: [u8; 32],
        amount_e8s: Option<u64>,
        to: Option<Account>,
    ) -> Result<u64> {
        let command = Command::Disburse(Disburse {
            to_account: to.map(wire_account),
            amount: amount_e8s.map(|e8s| Amount { e8s }),
        });
        match self.command(neuron, command).await? {
            CommandResponse::Disburse(done) => Ok(done.transfer_block_height),
            other => Err(unexpected(&other)),
        }
    }

    /// The new neuron, which takes `amount_e8s` less the ledger's fee.
    pub async fn split(
        &self,
        neuron: [u8; 32],
        amount_e8s: u64,
        new_memo: u64,
    ) -> Result<[u8; 32]> {
        let command = Command::Split(Split {
            memo: new_memo,
            amount_e8s,
        });
        match self.command(neuron, command).await? {
            CommandResponse::Split(split) => Ok(split
                .created_neuron_id
                .and_then(|id| id.id.try_into().ok())
                .unwrap_or_else(|| self.neuron_id(new_memo))),
            other => Err(unexpected(&other)),
        }
    }

    /// Replaces whom the neuron follows on these topics; without followees it follows nobody there.
    pub async fn follow(
        &self,
        neuron: [u8; 32],
        topics: &[Topic],
        followees: &[[u8; 32]],
    ) -> Result<()> {
        let followees: Vec<Followee> = followees
            .iter()
            .map(|followee| Followee {
                neuron_id: Some(NeuronId::from(*followee)),
                alias: None,
            })
            .collect();
        let command = Command::SetFollowing(SetFollowing {
            topic_following: topics
                .iter()
                .map(|topic| FolloweesForTopic {
                    followees: followees.clone(),
                    topic: Some(*topic),
                })
                .collect(),
        });
        match self.command(neuron, command).await? {
            CommandResponse::SetFollowing {} => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    pub async fn add_permissions(
        &self,
        neuron: [u8; 32],
        principal: Principal,
        permissions: &[NeuronPermissionType],
    ) -> Result<()> {
        let command = Command::AddNeuronPermissions(AddNeuronPermissions {
            permissions_to_add: Some(permission_list(permissions)),
            principal_id: Some(principal),
        });
        match self.command(neuron, command).await? {
            CommandResponse::AddNeuronPermission {} => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    pub async fn remove_permissions(
        &self,
        neuron: [u8; 32],
        principal: Principal,
        permissions: &[NeuronPermissionType],
    ) -> Result<()> {
        let command = Command::RemoveNeuronPermissions(RemoveNeuronPermissions {
            permissions_to_remove: Some(permission_list(permissions)),
            principal_id: Some(principal),
        });
        match self.command(neuron, command).await? {
            CommandResponse::RemoveNeuronPermission {} => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// The maturity that was taken, in e8s.
    pub async fn disburse_maturity(
        &self,
        neuron: [u8; 32],
        percentage: u32,
        to: Option<Account>,
    ) -> Result<u64> {
        let command = Command::DisburseMaturity(DisburseMaturity {
            to_account: to.map(wire_account),
            percentage_to_disburse: percentage,
        });
        match self.command(neuron, command).await? {
            CommandResponse::DisburseMaturity(done) => Ok(done.amount_disbursed_e8s),
            other => Err(unexpected(&other)),
        }
    }

    /// The staked maturity of the neuron afterwards, in e8s.
    pub async fn stake_maturity(&self, neuron: [u8; 32], percentage: u32) -> Result<u64> {
        let command = Command::StakeMaturity(StakeMaturity {
            percentage_to_stake: Some(percentage),
        });
        match self.command(neuron, command).await? {
            CommandResponse::StakeMaturity(done) => Ok(done.staked_maturity_e8s),
            other => Err(unexpected(&other)),
        }
    }
}

fn permission_list(permissions: &[NeuronPermissionType]) -> NeuronPermissionList {
    NeuronPermissionList {
        permissions: permissions.iter().map(|one| one.number()).collect(),
    }
}

fn wire_account(account: Account) -> stoa_governance_api::Account {
    stoa_governance_api::Account {
        owner: Some(account.owner),
        subaccount: account.subaccount.map(|subaccount| Subaccount {
            subaccount: subaccount.to_vec(),
        }),
    }
}
