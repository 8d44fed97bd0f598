//! What layout 1 wrote where layout 2 writes something else. Only read, and turned into today's types.

use candid::{CandidType, Principal};
use serde::Deserialize;
use stoa_types::Sha256;
use stoa_types::manifest::Signature;

use super::{FileRange, Payment, PlacedChunk, Registered, StoredLoadState, StoredPolicy, Unit};
use super::{Funds, Purpose, StoredPaymentState};

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Configuration {
    pub registry: Principal,
    pub governance: Principal,
    pub icp_ledger: Principal,
    pub cycles_minting: Principal,
    pub rate_e8s_per_billion_instructions: u64,
    pub rate_cycles_per_billion_instructions: u128,
    pub cycles_per_e8: u128,
    pub top_up_below_cycles: u128,
    pub top_up_e8s: u64,
    pub ledger_fee_e8s: u64,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub struct Load {
    pub version: Sha256,
    pub started_at_nanos: u64,
    pub file: ModelFile,
    pub signature: Signature,
    pub state: StoredLoadState,
    pub attempts: u32,
    pub registered: RegisteredV1,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ModelFile {
    pub size_bytes: u64,
    pub sha256: Sha256,
    pub chunks: Vec<PlacedChunk>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct RegisteredV1 {
    pub status: String,
    pub author_price_e8s: u64,
    pub asked_at_nanos: u64,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct PaymentV1 {
    pub id: u64,
    pub caller: Principal,
    pub from_subaccount: Option<Sha256>,
    pub version: Sha256,
    pub price_e8s: u64,
    pub fee_e8s: u64,
    pub created_at_nanos: u64,
    pub state: PaymentStateV1,
    pub attempts: u32,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum PaymentStateV1 {
    Charging,
    Charged { block: u64 },
    Refunding { block: u64, refund: Refund },
    Earned { block: u64, receipt: u64 },
    NotCharged { message: String },
    Refunded { block: u64, refund_block: u64 },
    Unresolved { message: String },
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refund {
    pub created_at_nanos: u64,
    pub fee_e8s: u64,
}

/// Own ICP in two counters.
#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Books {
    pub earned_e8s: u64,
    pub spent_e8s: u64,
}

impl From<Configuration> for super::Configuration {
    fn from(old: Configuration) -> Self {
        super::Configuration {
            registry: old.registry,
            governance: old.governance,
            icp_ledger: old.icp_ledger,
            token_ledger: None,
            cycles_minting: old.cycles_minting,
            icp_fee_e8s: old.ledger_fee_e8s,
            token_fee_e8s: old.ledger_fee_e8s,
            // What layout 1 did: the canister keeps all that it earns, and nothing is free.
            policy: StoredPolicy {
                rate_e8s_per_billion_instructions: old.rate_e8s_per_billion_instructions,
                rate_cycles_per_billion_instructions: old.rate_cycles_per_billion_instructions,
                cycles_per_e8: old.cycles_per_e8,
                token_e8s_per_icp: None,
                top_up_below_cycles: old.top_up_below_cycles,
                top_up_e8s: old.top_up_e8s,
                treasury_basis_points: 0,
                reserve_basis_points: 10_000,
                payout_e8s_min: 100_000_000,
                load_e8s_per_chunk: 0,
                preview_instructions_max: 0,
                free_calls_per_hour: 0,
                free_instructions_max: 0,
                model_memory_bytes_max: 1 << 30,
            },
        }
    }
}

impl From<Load> for super::Load {
    fn from(old: Load) -> Self {
        super::Load {
            version: old.version,
            started_at_nanos: old.started_at_nanos,
            files: vec![FileRange {
                path: String::new(),
                size_bytes: old.file.size_bytes,
                sha256: old.file.sha256,
                chunks: old.file.chunks.len() as u32,
            }],
            chunks: old.file.chunks,
            signature: old.signature,
            pipeline: None,
            state: old.state,
            probe: None,
            attempts: old.attempts,
            payment: None,
            // Asked long ago: the next call asks again and learns the rest.
            registered: Registered {
                status: old.registered.status,
                author_price_e8s: old.registered.author_price_e8s,
                asked_at_nanos: 0,
                model: String::new(),
                semver: String::new(),
                payees: Vec::new(),
            },
        }
    }
}

impl From<PaymentV1> for Payment {
    fn from(old: PaymentV1) -> Self {
        Payment {
            id: old.id,
            caller: old.caller,
            purpose: Purpose::Call {
                version: old.version,
            },
            unit: Unit::Icp,
            funds: Funds::Allowance {
                from_subaccount: old.from_subaccount,
            },
            amount: old.price_e8s,
            author_part: 0,
            fee: old.fee_e8s,
            backed: 0,
            created_at_nanos: old.created_at_nanos,
            attempts: old.attempts,
            state: match old.state {
                PaymentStateV1::Charging => StoredPaymentState::Charging,
                PaymentStateV1::Charged { block } => {
                    StoredPaymentState::Charged { block: Some(block) }
                }
                // The migration goes on with it as an outgoing transfer before anything reads this.
                PaymentStateV1::Refunding { block, .. } => StoredPaymentState::Credited {
                    block: Some(block),
                    amount: 0,
                },
                PaymentStateV1::Earned { block, receipt } => StoredPaymentState::Earned {
                    block: Some(block),
                    receipt,
                    price: old.price_e8s,
                },
                PaymentStateV1::NotCharged { message } => {
                    StoredPaymentState::NotCharged { message }
                }
                PaymentStateV1::Refunded {
                    block,
                    refund_block,
                } => StoredPaymentState::Refunded {
                    block,
                    refund_block,
                },
                PaymentStateV1::Unresolved { message } => {
                    StoredPaymentState::Unresolved { message }
                }
            },
        }
    }
}
