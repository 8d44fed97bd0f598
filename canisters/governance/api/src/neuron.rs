//! Neurons as the wire shows them.

use candid::{CandidType, Principal};
use serde::Deserialize;

use crate::Topic;

/// The neuron's subaccount of governance on the token ledger: 32 bytes.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NeuronId {
    #[serde(with = "serde_bytes")]
    pub id: Vec<u8>,
}

impl From<[u8; 32]> for NeuronId {
    fn from(subaccount: [u8; 32]) -> Self {
        Self {
            id: subaccount.to_vec(),
        }
    }
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Subaccount {
    #[serde(with = "serde_bytes")]
    pub subaccount: Vec<u8>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Account {
    pub owner: Option<Principal>,
    pub subaccount: Option<Subaccount>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct NeuronPermission {
    pub principal: Option<Principal>,
    /// `code::NeuronPermissionType`.
    pub permission_type: Vec<i32>,
}

#[derive(CandidType, Deserialize, Clone, Default, PartialEq, Eq, Debug)]
pub struct NeuronPermissionList {
    /// `code::NeuronPermissionType`.
    pub permissions: Vec<i32>,
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum DissolveState {
    /// Standing still, with this much left.
    DissolveDelaySeconds(u64),
    /// Running out, or run out where this lies in the past.
    WhenDissolvedTimestampSeconds(u64),
}

#[derive(CandidType, Deserialize, Clone, Default, PartialEq, Eq, Debug)]
pub struct Followees {
    pub followees: Vec<NeuronId>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Followee {
    pub neuron_id: Option<NeuronId>,
    pub alias: Option<String>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct FolloweesForTopic {
    pub followees: Vec<Followee>,
    pub topic: Option<Topic>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct TopicFollowees {
    pub topic_id_to_followees: Vec<(i32, FolloweesForTopic)>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct DisburseMaturityInProgress {
    pub timestamp_of_disbursement_seconds: u64,
    pub amount_e8s: u64,
    pub account_to_disburse_to: Option<Account>,
    pub finalize_disbursement_timestamp_seconds: Option<u64>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Neuron {
    pub id: Option<NeuronId>,
    pub staked_maturity_e8s_equivalent: Option<u64>,
    pub permissions: Vec<NeuronPermission>,
    pub maturity_e8s_equivalent: u64,
    pub cached_neuron_stake_e8s: u64,
    pub created_timestamp_seconds: u64,
    pub source_nns_neuron_id: Option<u64>,
    pub auto_stake_maturity: Option<bool>,
    /// `u64::MAX` while the neuron does not age.
    pub aging_since_timestamp_seconds: u64,
    pub dissolve_state: Option<DissolveState>,
    pub voting_power_percentage_multiplier: u64,
    pub vesting_period_seconds: Option<u64>,
    pub disburse_maturity_in_progress: Vec<DisburseMaturityInProgress>,
    pub followees: Vec<(u64, Followees)>,
    pub topic_followees: Option<TopicFollowees>,
    pub neuron_fees_e8s: u64,
}
