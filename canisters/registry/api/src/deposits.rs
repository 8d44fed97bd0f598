//! Storage deposits: ICP taken by ICRC-2 when an upload begins. They go back, less the ledger's fee, where the upload is withdrawn,
//! expires or is rejected, and to the treasury where the version is admitted.

use candid::{CandidType, Principal};
use icrc_ledger_types::icrc1::account::Account;
use serde::Deserialize;
use stoa_types::Sha256;

/// What `begin_upload` will ask for. The payer approves `amount_e8s + ledger_fee_e8s` for `spender` first.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct DepositQuote {
    /// 0 where the DAO asks for no deposit.
    pub amount_e8s: u64,
    pub ledger_fee_e8s: u64,
    pub ledger: Principal,
    pub spender: Account,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct DepositInfo {
    pub id: u64,
    pub version: Sha256,
    pub payer: Principal,
    pub amount_e8s: u64,
    pub created_at_nanos: u64,
    pub state: DepositState,
}

/// ```text
/// Charging --> Held --> Returning  --> Returned      withdrawn, expired, rejected
///    |           +----> Forwarding --> Forwarded     admitted
///    +--> NotTaken                                   the ledger refused
/// ```
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum DepositState {
    Charging,
    NotTaken {
        reason: String,
    },
    Held {
        block: Option<u64>,
    },
    Returning,
    /// `block` is absent where the outcome was learnt from balances.
    Returned {
        block: Option<u64>,
    },
    Forwarding,
    Forwarded {
        block: Option<u64>,
    },
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum DepositRefusal {
    InsufficientAllowance { allowance_e8s: u64 },
    InsufficientFunds { balance_e8s: u64 },
    Other { message: String },
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ListDepositsArgs {
    pub payer: Principal,
    /// Continue behind this id of an earlier page.
    pub before: Option<u64>,
    /// At most 100; 100 where absent.
    pub limit: Option<u32>,
}
