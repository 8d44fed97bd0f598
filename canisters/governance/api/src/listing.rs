//! Questions about neurons and proposals.

use candid::{CandidType, Principal};
use serde::Deserialize;

use crate::{GovernanceError, Neuron, NeuronId, ProposalData, ProposalId, Topic};

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct GetNeuron {
    pub neuron_id: Option<NeuronId>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub struct GetNeuronResponse {
    pub result: Option<GetNeuronResult>,
}

#[allow(clippy::large_enum_variant)]
#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub enum GetNeuronResult {
    Error(GovernanceError),
    Neuron(Neuron),
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub struct GetProposalResponse {
    pub result: Option<GetProposalResult>,
}

#[allow(clippy::large_enum_variant)]
#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub enum GetProposalResult {
    Error(GovernanceError),
    Proposal(ProposalData),
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ListNeurons {
    /// Only neurons on which this principal has a permission.
    pub of_principal: Option<Principal>,
    /// 0 asks for as many as there may be: 100.
    pub limit: u32,
    /// Continue behind this neuron of an earlier page.
    pub start_page_at: Option<NeuronId>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub struct ListNeuronsResponse {
    pub neurons: Vec<Neuron>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct TopicSelector {
    pub topic: Option<Topic>,
}

/// Newest first. Empty lists of what to include include everything.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ListProposals {
    /// `code::ProposalRewardStatus`.
    pub include_reward_status: Vec<i32>,
    /// Continue below this proposal of an earlier page.
    pub before_proposal: Option<ProposalId>,
    /// 0 asks for as many as there may be: 100.
    pub limit: u32,
    /// Action ids.
    pub exclude_type: Vec<u64>,
    /// `code::ProposalDecisionStatus`.
    pub include_status: Vec<i32>,
    pub include_topics: Option<Vec<TopicSelector>>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub struct ListProposalsResponse {
    pub include_ballots_by_caller: Option<bool>,
    pub include_topic_filtering: Option<bool>,
    pub proposals: Vec<ProposalData>,
}
