//! The same module for many canisters of the DAO, by one vote.

use candid::{CandidType, Principal};
use serde::Deserialize;
use serde_bytes::ByteBuf;

/// The generic function of governance (registered at genesis).
pub const UPGRADE_CANISTERS_FUNCTION_ID: u64 = 1203;

/// One after the other, in this order.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct UpgradeCanistersArgs {
    /// Canisters of the DAO, 500 at most.
    pub canisters: Vec<Principal>,
    pub wasm_module_hash: ByteBuf,
    /// Governance controls it too; its chunk store has the chunks.
    pub store_canister_id: Principal,
    pub chunk_hashes_list: Vec<ByteBuf>,
    /// Candid, 16 KiB at most.
    pub upgrade_argument: ByteBuf,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum RolloutState {
    UnderWay,
    Done,
    /// The canisters after that one run what they ran before.
    Failed {
        reason: String,
    },
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct RolloutInfo {
    pub wasm_module_hash: ByteBuf,
    pub canisters: u64,
    /// How many of them run the module.
    pub upgraded: u64,
    /// Whose turn it is, and how often that was tried.
    pub next: Option<Principal>,
    pub attempts: u64,
    pub begun_at_seconds: u64,
    pub changed_at_seconds: u64,
    pub state: RolloutState,
}
