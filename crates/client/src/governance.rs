//! Governance through the SNS interface: neurons, proposals, votes; and what is Stoa's own, its treasury.

mod neurons;
mod proposing;
mod treasury;

use std::time::{Duration, Instant};

use candid::{Nat, Principal};
use icrc_ledger_types::icrc1::account::Account;
use icrc_ledger_types::icrc1::transfer::Memo;
use stoa_governance_api::code::{ProposalDecisionStatus, Vote};
use stoa_governance_api::{
    Action, By, ClaimOrRefresh, Command, CommandResponse, ExecuteGenericNervousSystemFunction,
    GetProposal, GetProposalResponse, GetProposalResult, GovernanceError, ListNeurons,
    ListNeuronsResponse, ListProposals, ListProposalsResponse, ManageNeuron, ManageNeuronResponse,
    MemoAndController, NervousSystemParameters, Neuron, NeuronId, Proposal, ProposalData,
    ProposalId, RegisterVote, RolloutInfo, Topic, TopicSelector, neuron_staking_subaccount,
};
use stoa_registry_api::AdmissionProposal;

use crate::connection::Connection;
use crate::error::{Accepted, ClientError, Result};
use crate::ledger::Ledger;
use crate::polling::Backoff;

pub use proposing::{
    Texts, Treasury, metadata_changes, parameter_changes, parameter_texts, upgrade_argument,
};

#[derive(Clone, Debug)]
pub struct Governance {
    connection: Connection,
    canister: Principal,
}

impl Governance {
    pub fn new(connection: &Connection, canister: Principal) -> Self {
        Self {
            connection: connection.clone(),
            canister,
        }
    }

    /// The neuron that this identity claims with `memo`.
    pub fn neuron_id(&self, memo: u64) -> [u8; 32] {
        neuron_staking_subaccount(self.connection.principal(), memo)
    }

    /// Transfers `amount` of the governance token to the neuron's account, claims the neuron (or refreshes its stake)
    /// and gives it the dissolve delay that voting takes. May be repeated after an interruption with amount 0: what was
    /// transferred is claimed.
    pub async fn stake(&self, ledger: &Ledger, amount_e8s: u64, memo: u64) -> Result<[u8; 32]> {
        let subaccount = self.neuron_id(memo);
        if amount_e8s > 0 {
            let account = Account {
                owner: self.canister,
                subaccount: Some(subaccount),
            };
            // The memo of the transfer is the neuron's nonce, as SNS wallets write it.
            ledger
                .transfer(account, Nat::from(amount_e8s), Some(Memo::from(memo)))
                .await?;
        }
        self.claim(memo).await?;
        let needed = self
            .parameters()
            .await?
            .neuron_minimum_dissolve_delay_to_vote_seconds
            .unwrap_or(0);
        self.raise_dissolve_delay(subaccount, needed).await?;
        Ok(subaccount)
    }

    async fn claim(&self, memo: u64) -> Result<()> {
        let by = By::MemoAndController(MemoAndController {
            controller: None,
            memo,
        });
        let command = Command::ClaimOrRefresh(ClaimOrRefresh { by: Some(by) });
        match self.command(self.neuron_id(memo), command).await? {
            CommandResponse::ClaimOrRefresh(_) => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    async fn raise_dissolve_delay(&self, subaccount: [u8; 32], needed: u64) -> Result<()> {
        let present = self
            .neurons(Some(self.connection.principal()))
            .await?
            .into_iter()
            .find(|candidate| candidate.id == Some(NeuronId::from(subaccount)))
            .map_or(0, |found| dissolve_delay_seconds(&found));
        let missing = needed.saturating_sub(present);
        if missing == 0 {
            return Ok(());
        }
        let additional = u32::try_from(missing).map_err(|_| {
            ClientError::Failed(format!(
                "voting takes a dissolve delay of {needed} seconds, more than one call can add"
            ))
        })?;
        self.increase_dissolve_delay(subaccount, additional).await
    }

    pub async fn propose(&self, neuron: [u8; 32], proposal: Proposal) -> Result<u64> {
        match self
            .command(neuron, Command::MakeProposal(proposal))
            .await?
        {
            CommandResponse::MakeProposal(GetProposal {
                proposal_id: Some(ProposalId { id }),
            }) => Ok(id),
            other => Err(unexpected(&other)),
        }
    }

    /// The proposal that the registry handed out at submission, as it is.
    pub async fn propose_admission(
        &self,
        neuron: [u8; 32],
        admission: &AdmissionProposal,
    ) -> Result<u64> {
        let action =
            Action::ExecuteGenericNervousSystemFunction(ExecuteGenericNervousSystemFunction {
                function_id: admission.function_id,
                payload: admission.payload.clone(),
            });
        let proposal = Proposal {
            url: String::new(),
            title: admission.title.clone(),
            summary: admission.summary.clone(),
            action: Some(action),
        };
        self.propose(neuron, proposal).await
    }

    pub async fn vote(&self, neuron: [u8; 32], proposal: u64, vote: Vote) -> Result<()> {
        self.try_vote(neuron, proposal, vote).await?.accepted()
    }

    /// The inner error is governance's own refusal.
    pub async fn try_vote(
        &self,
        neuron: [u8; 32],
        proposal: u64,
        vote: Vote,
    ) -> Result<std::result::Result<(), GovernanceError>> {
        let command = Command::RegisterVote(RegisterVote {
            vote: vote.number(),
            proposal: Some(ProposalId { id: proposal }),
        });
        match self.manage_neuron(neuron, command).await? {
            CommandResponse::RegisterVote {} => Ok(Ok(())),
            CommandResponse::Error(refusal) => Ok(Err(refusal)),
            other => Err(unexpected(&other)),
        }
    }

    pub async fn proposal(&self, id: u64) -> Result<ProposalData> {
        let argument = GetProposal {
            proposal_id: Some(ProposalId { id }),
        };
        let (answer,): (GetProposalResponse,) = self
            .connection
            .query(self.canister, "get_proposal", (argument,))
            .await?;
        match answer.result {
            Some(GetProposalResult::Proposal(proposal)) => Ok(proposal),
            Some(GetProposalResult::Error(refusal)) => Err(refusal).accepted(),
            None => Err(ClientError::Refused(format!("there is no proposal {id}"))),
        }
    }

    pub async fn proposals(&self, limit: u32) -> Result<Vec<ProposalData>> {
        self.list_proposals(limit, None, &[], &[]).await
    }

    /// The newest of these statuses and topics, or those below `before`; no filter is all.
    pub async fn list_proposals(
        &self,
        limit: u32,
        before: Option<u64>,
        statuses: &[ProposalDecisionStatus],
        topics: &[Topic],
    ) -> Result<Vec<ProposalData>> {
        let argument = ListProposals {
            include_reward_status: Vec::new(),
            before_proposal: before.map(|id| ProposalId { id }),
            limit,
            exclude_type: Vec::new(),
            include_status: statuses.iter().map(|status| status.number()).collect(),
            include_topics: (!topics.is_empty()).then(|| {
                topics
                    .iter()
                    .map(|topic| TopicSelector {
                        topic: Some(*topic),
                    })
                    .collect()
            }),
        };
        let (answer,): (ListProposalsResponse,) = self
            .connection
            .query(self.canister, "list_proposals", (argument,))
            .await?;
        Ok(answer.proposals)
    }

    /// The roll-out of a module to many canisters that is under way, else the last.
    pub async fn rollout(&self) -> Result<Option<RolloutInfo>> {
        let (rollout,) = self
            .connection
            .query(self.canister, "get_rollout", ())
            .await?;
        Ok(rollout)
    }

    /// Asks until the proposal has run; one that was rejected or whose execution failed is an error.
    pub async fn wait_executed(&self, id: u64, timeout: Duration) -> Result<ProposalData> {
        let start = Instant::now();
        let mut backoff = Backoff::quick();
        loop {
            let proposal = self.proposal(id).await?;
            match decision(&proposal) {
                ProposalDecisionStatus::Executed => return Ok(proposal),
                ProposalDecisionStatus::Rejected => {
                    return Err(ClientError::Failed(format!("proposal {id} was rejected")));
                }
                ProposalDecisionStatus::Failed => {
                    let reason = proposal
                        .failure_reason
                        .map_or_else(String::new, |reason| reason.error_message);
                    return Err(ClientError::Failed(format!(
                        "proposal {id} was adopted, but its execution failed: {reason}"
                    )));
                }
                ProposalDecisionStatus::Open | ProposalDecisionStatus::Adopted => {}
            }
            if start.elapsed() > timeout {
                return Err(ClientError::TimedOut {
                    what: format!("proposal {id}"),
                    waited: start.elapsed(),
                });
            }
            backoff.wait().await;
        }
    }

    /// The first hundred neurons, or those on which `of` has a permission.
    pub async fn neurons(&self, of: Option<Principal>) -> Result<Vec<Neuron>> {
        let argument = ListNeurons {
            of_principal: of,
            limit: 0,
            start_page_at: None,
        };
        let (answer,): (ListNeuronsResponse,) = self
            .connection
            .query(self.canister, "list_neurons", (argument,))
            .await?;
        Ok(answer.neurons)
    }

    pub async fn parameters(&self) -> Result<NervousSystemParameters> {
        let (parameters,) = self
            .connection
            .query(self.canister, "get_nervous_system_parameters", ((),))
            .await?;
        Ok(parameters)
    }

    async fn command(&self, neuron: [u8; 32], command: Command) -> Result<CommandResponse> {
        match self.manage_neuron(neuron, command).await? {
            CommandResponse::Error(refusal) => Err(refusal).accepted(),
            done => Ok(done),
        }
    }

    async fn manage_neuron(&self, neuron: [u8; 32], command: Command) -> Result<CommandResponse> {
        let argument = ManageNeuron {
            subaccount: neuron.to_vec(),
            command: Some(command),
        };
        let (answer,): (ManageNeuronResponse,) = self
            .connection
            .update(self.canister, "manage_neuron", (argument,))
            .await?;
        answer
            .command
            .ok_or_else(|| ClientError::Failed("governance answered nothing".to_owned()))
    }
}

/// Where a proposal stands, from its times as SNS clients read them.
pub fn decision(proposal: &ProposalData) -> ProposalDecisionStatus {
    if proposal.decided_timestamp_seconds == 0 {
        return ProposalDecisionStatus::Open;
    }
    if proposal.executed_timestamp_seconds > 0 {
        return ProposalDecisionStatus::Executed;
    }
    if proposal.failed_timestamp_seconds > 0 {
        return ProposalDecisionStatus::Failed;
    }
    if yes_wins(proposal) {
        ProposalDecisionStatus::Adopted
    } else {
        ProposalDecisionStatus::Rejected
    }
}

/// The SNS's rule at the end of voting: more yes than no, and yes is at least the minimum share of all voting power.
fn yes_wins(proposal: &ProposalData) -> bool {
    let minimum_basis_points = proposal
        .minimum_yes_proportion_of_total
        .and_then(|share| share.basis_points)
        .unwrap_or(0);
    proposal.latest_tally.is_some_and(|tally| {
        tally.yes > tally.no
            && u128::from(tally.yes) * 10_000
                >= u128::from(tally.total) * u128::from(minimum_basis_points)
    })
}

/// What is left of a standing neuron's delay; one that is dissolving has none that voting could count on here.
fn dissolve_delay_seconds(neuron: &Neuron) -> u64 {
    match neuron.dissolve_state {
        Some(stoa_governance_api::DissolveState::DissolveDelaySeconds(seconds)) => seconds,
        _ => 0,
    }
}

fn unexpected(response: &CommandResponse) -> ClientError {
    ClientError::Failed(format!(
        "governance answered another command than was given: {response:?}"
    ))
}
