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

/// A proposal with the proof of it: the certificate carries the canister's certified
/// data, which is the witness's root hash; the witness has, under `proposals` and the
/// proposal's number as u64 big-endian, the proposal's state (75 bytes) and the digest of
/// what was proposed (32 bytes), as `certification.rs` of the canister draws them.
#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub struct CertifiedProposal {
    pub proposal: ProposalData,
    #[serde(with = "serde_bytes")]
    pub certificate: Vec<u8>,
    #[serde(with = "serde_bytes")]
    pub witness: Vec<u8>,
}

pub type GetProposalCertifiedResult = Result<CertifiedProposal, GovernanceError>;

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct RewardEvent {
    pub rounds_since_last_distribution: Option<u64>,
    pub actual_timestamp_seconds: u64,
    pub end_timestamp_seconds: Option<u64>,
    pub total_available_e8s_equivalent: Option<u64>,
    pub distributed_e8s_equivalent: u64,
    pub round: u64,
    pub settled_proposals: Vec<ProposalId>,
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
