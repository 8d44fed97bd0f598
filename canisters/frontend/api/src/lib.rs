//! What the frontend canister is told at installation, which it passes on to the page at `/config.json`.

use candid::{CandidType, Principal};
use serde::{Deserialize, Serialize};

/// Where the page finds the canisters of its Stoa. The page trusts it because the answer is certified.
#[derive(CandidType, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Configuration {
    pub network: Network,
    pub governance: Principal,
    pub registry: Principal,
    pub token_ledger: Principal,
    pub icp_ledger: Principal,
    pub cycles_minting: Principal,
}

/// Which root key the page believes in, and who may sign in.
#[derive(CandidType, Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Network {
    /// The Internet Computer, whose root key is built into the agents; identities are Internet Identity's.
    Mainnet,
    /// A network for development: the page asks the endpoint for its root key and offers marked development identities.
    Development,
}
