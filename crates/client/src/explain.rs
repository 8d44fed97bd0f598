//! What each refusal of a canister means to a person, and what to do next.
//!
//! Matches are exhaustive on purpose: a new refusal does not compile until it has words.

mod inference;
mod registry;
mod shard;

use icrc_ledger_types::icrc1::transfer::TransferError;
use icrc_ledger_types::icrc2::approve::ApproveError;
use stoa_governance_api::GovernanceError;

use crate::amount::format_token_amount;

pub trait Explain {
    fn explain(&self) -> String;
}

const ANONYMOUS: &str = "the anonymous identity may not do this: choose another with --identity";
const BUSY: &str = "an earlier call is still being worked on: try again in a moment";

impl Explain for TransferError {
    fn explain(&self) -> String {
        match self {
            Self::InsufficientFunds { balance } => {
                format!("the account has only {}", format_token_amount(balance))
            }
            other => format!("the ledger refuses: {other}"),
        }
    }
}

impl Explain for ApproveError {
    fn explain(&self) -> String {
        match self {
            Self::InsufficientFunds { balance } => format!(
                "the account has only {}, less than the ledger fee",
                format_token_amount(balance)
            ),
            other => format!("the ledger refuses: {other}"),
        }
    }
}

impl Explain for GovernanceError {
    fn explain(&self) -> String {
        format!(
            "governance refuses: {} (error type {})",
            self.error_message, self.error_type
        )
    }
}

fn unknown_version(version: &stoa_types::Sha256) -> String {
    format!("the registry does not know the version {version}")
}
