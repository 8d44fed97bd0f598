//! Functions that a proposal can execute, and the topics they belong to.

use candid::{CandidType, Principal};
use serde::Deserialize;

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Topic {
    DaoCommunitySettings,
    SnsFrameworkManagement,
    DappCanisterManagement,
    ApplicationBusinessLogic,
    Governance,
    TreasuryAssetManagement,
    CriticalDappOperations,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct GenericNervousSystemFunction {
    pub validator_canister_id: Option<Principal>,
    pub target_canister_id: Option<Principal>,
    pub validator_method_name: Option<String>,
    pub target_method_name: Option<String>,
    pub topic: Option<Topic>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum FunctionType {
    NativeNervousSystemFunction {},
    GenericNervousSystemFunction(GenericNervousSystemFunction),
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct NervousSystemFunction {
    pub id: u64,
    pub name: String,
    pub description: Option<String>,
    pub function_type: Option<FunctionType>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ListNervousSystemFunctionsResponse {
    /// Ids that were used once and are never given again.
    pub reserved_ids: Vec<u64>,
    pub functions: Vec<NervousSystemFunction>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ListTopicsRequest {}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct TopicInfo {
    pub topic: Option<Topic>,
    pub name: Option<String>,
    pub description: Option<String>,
    pub native_functions: Option<Vec<NervousSystemFunction>>,
    pub custom_functions: Option<Vec<NervousSystemFunction>>,
    pub is_critical: Option<bool>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ListTopicsResponse {
    pub topics: Option<Vec<TopicInfo>>,
    pub uncategorized_functions: Option<Vec<NervousSystemFunction>>,
}
