//! Proposals, their votes and what became of them.

use candid::{CandidType, Principal};
use serde::Deserialize;

use crate::{
    GovernanceError, NervousSystemFunction, NervousSystemParameters, NeuronId, Subaccount, Topic,
};

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ProposalId {
    pub id: u64,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub struct Proposal {
    pub url: String,
    pub title: String,
    pub action: Option<Action>,
    pub summary: String,
}

/// The actions of the SNS that have a meaning for Stoa; the others, which manage an
/// SNS's own canisters, swap and extensions, arrive as `null`.
// Passes once a call; boxing would only move the bytes.
#[allow(clippy::large_enum_variant)]
#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub enum Action {
    Unspecified {},
    Motion(Motion),
    ManageNervousSystemParameters(NervousSystemParameters),
    UpgradeSnsControlledCanister(UpgradeSnsControlledCanister),
    AddGenericNervousSystemFunction(NervousSystemFunction),
    RemoveGenericNervousSystemFunction(u64),
    SetTopicsForCustomProposals(SetTopicsForCustomProposals),
    ExecuteGenericNervousSystemFunction(ExecuteGenericNervousSystemFunction),
    ManageSnsMetadata(ManageSnsMetadata),
    TransferSnsTreasuryFunds(TransferSnsTreasuryFunds),
    ManageLedgerParameters(ManageLedgerParameters),
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Motion {
    pub motion_text: String,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ExecuteGenericNervousSystemFunction {
    pub function_id: u64,
    /// Candid arguments of the validator and the target method, handed on as they are.
    #[serde(with = "serde_bytes")]
    pub payload: Vec<u8>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ChunkedCanisterWasm {
    #[serde(with = "serde_bytes")]
    pub wasm_module_hash: Vec<u8>,
    pub store_canister_id: Option<Principal>,
    pub chunk_hashes_list: Vec<serde_bytes::ByteBuf>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct UpgradeSnsControlledCanister {
    #[serde(with = "serde_bytes")]
    pub new_canister_wasm: Vec<u8>,
    pub chunked_canister_wasm: Option<ChunkedCanisterWasm>,
    pub mode: Option<i32>,
    pub canister_id: Option<Principal>,
    pub canister_upgrade_arg: Option<serde_bytes::ByteBuf>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct SetTopicsForCustomProposals {
    pub custom_function_id_to_topic: Vec<(u64, Topic)>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ManageSnsMetadata {
    pub url: Option<String>,
    pub logo: Option<String>,
    pub name: Option<String>,
    pub description: Option<String>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct TransferSnsTreasuryFunds {
    /// `code::TransferFrom`.
    pub from_treasury: i32,
    pub to_principal: Option<Principal>,
    pub to_subaccount: Option<Subaccount>,
    pub memo: Option<u64>,
    pub amount_e8s: u64,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ManageLedgerParameters {
    pub token_symbol: Option<String>,
    pub transfer_fee: Option<u64>,
    pub token_logo: Option<String>,
    pub token_name: Option<String>,
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ballot {
    /// `code::Vote`, 0 while it is not cast.
    pub vote: i32,
    pub cast_timestamp_seconds: u64,
    pub voting_power: u64,
}

#[derive(CandidType, Deserialize, Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Tally {
    pub no: u64,
    pub yes: u64,
    pub total: u64,
    pub timestamp_seconds: u64,
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Percentage {
    pub basis_points: Option<u64>,
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct WaitForQuietState {
    pub current_deadline_timestamp_seconds: u64,
}

/// A time of 0 means: not (yet).
#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub struct ProposalData {
    pub id: Option<ProposalId>,
    pub payload_text_rendering: Option<String>,
    /// `code::action_id`, or the id of the generic function.
    pub action: u64,
    pub failure_reason: Option<GovernanceError>,
    /// Of the caller's own neurons only: neuron id in hexadecimal, and its ballot.
    pub ballots: Vec<(String, Ballot)>,
    pub minimum_yes_proportion_of_total: Option<Percentage>,
    pub reward_event_round: u64,
    pub failed_timestamp_seconds: u64,
    pub reward_event_end_timestamp_seconds: Option<u64>,
    pub proposal_creation_timestamp_seconds: u64,
    pub initial_voting_period_seconds: u64,
    pub reject_cost_e8s: u64,
    pub latest_tally: Option<Tally>,
    pub wait_for_quiet_deadline_increase_seconds: u64,
    pub decided_timestamp_seconds: u64,
    pub proposal: Option<Proposal>,
    pub proposer: Option<NeuronId>,
    pub wait_for_quiet_state: Option<WaitForQuietState>,
    pub minimum_yes_proportion_of_exercised: Option<Percentage>,
    pub is_eligible_for_rewards: bool,
    pub executed_timestamp_seconds: u64,
    pub topic: Option<Topic>,
}
