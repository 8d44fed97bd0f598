//! What governance is installed with.

use candid::{CandidType, Principal};
use serde::Deserialize;

use crate::{CyclesPolicy, NervousSystemFunction, NervousSystemParameters};

#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub struct InitArgs {
    /// ICRC-1 ledger of the governance token.
    pub token_ledger: Principal,
    pub icp_ledger: Principal,
    pub cycles_minting: Principal,
    /// What is absent, here or inside, takes the SNS default.
    pub parameters: Option<NervousSystemParameters>,
    /// Generic functions that exist from the start; ids from 1000.
    pub functions: Vec<NervousSystemFunction>,
    /// Canisters of the DAO, which may ask for cycles and register others.
    pub dao_canisters: Option<Vec<Principal>>,
    pub cycles_policy: Option<CyclesPolicy>,
    pub name: String,
    pub description: String,
    pub url: String,
}
