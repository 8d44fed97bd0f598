//! What an inference canister is installed with, and what the DAO decides about it.

use candid::{CandidType, Nat, Principal};
use serde::Deserialize;
use stoa_types::Sha256;

/// Generic functions of the registry about inference canisters.
pub const ADD_INFERENCE_FUNCTION_ID: u64 = 1100;
pub const ASSIGN_MODEL_FUNCTION_ID: u64 = 1101;
pub const REMOVE_INFERENCE_FUNCTION_ID: u64 = 1102;
/// Generic functions of the inference canister number `i` (from 0) are these and `i`.
pub const SET_POLICY_FUNCTION_ID: u64 = 1110;
pub const LOAD_MODEL_FUNCTION_ID: u64 = 1130;
pub const UNLOAD_MODEL_FUNCTION_ID: u64 = 1150;
pub const SETTLE_PAYMENT_FUNCTION_ID: u64 = 1170;

#[derive(CandidType, Deserialize, Clone, Debug)]
pub struct InitArgs {
    pub registry: Principal,
    pub governance: Principal,
    pub icp_ledger: Principal,
    /// Ledger of the governance token; without it only ICP and cycles are taken.
    pub token_ledger: Option<Principal>,
    pub cycles_minting: Principal,
    pub policy: Policy,
}

/// Set by the DAO, with `set_policy`.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Price of a billion instructions, in e8s of ICP.
    pub rate_e8s_per_billion_instructions: u64,
    /// Price of a billion instructions, in cycles.
    pub rate_cycles_per_billion_instructions: Nat,
    /// Author's price in e8s is converted at this rate for callers that attach cycles.
    pub cycles_per_e8: Nat,
    /// What one ICP is worth in e8s of the governance token. Absent: that token is not taken.
    pub token_e8s_per_icp: Option<u64>,
    /// Where fewer may be spent without falling below the freezing limit, the canister buys cycles from its own revenue, and asks
    /// governance when that is not enough.
    pub top_up_below_cycles: Nat,
    /// How much ICP one top-up converts at most, in e8s.
    pub top_up_e8s: u64,
    /// Of the author's price, what goes to the treasury. The rest is the royalties', and what no share names stays here.
    pub treasury_basis_points: u16,
    /// Of the metered part, what stays here for cycles and for the fees of failed calls. The rest is the treasury's.
    pub reserve_basis_points: u16,
    /// A royalty or the treasury's share is sent once it is this much.
    pub payout_e8s_min: u64,
    /// What a chunk of a load costs whoever asks for it, in e8s of ICP; 0: loads are free.
    pub load_e8s_per_chunk: u64,
    /// `infer_query` runs what is expected to need this much at most; 0: it runs nothing.
    pub preview_instructions_max: u64,
    /// Calls over HTTP without a key, of all callers together.
    pub free_calls_per_hour: u32,
    /// A free call may be expected to need this much at most.
    pub free_instructions_max: u64,
    /// For compiled models in the heap; the least recently used leaves for another.
    pub model_memory_bytes_max: u64,
}

/// Payload of `load_model` and `unload_model`.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ModelArgs {
    pub version: Sha256,
}

/// Payload of `settle_payment`: what people found in the ledger's blocks about a payment or an outgoing transfer that the
/// ledger gave no answer about within its window.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct SettleArgs {
    pub subject: SettleSubject,
    /// The block with the transfer; absent: it did not happen.
    pub block: Option<u64>,
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum SettleSubject {
    Payment(u64),
    Transfer(u64),
    /// No ledger has a block of these: any number says that they arrived.
    CyclesClaim(u64),
}

/// The convention of SNS generic functions: a rendering for voters, or why it cannot be.
pub type ValidationResult = Result<String, String>;
