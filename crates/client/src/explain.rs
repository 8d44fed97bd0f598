//! What each refusal of a canister means to a person, and what to do next.
//!
//! Matches are exhaustive on purpose: a new refusal does not compile until it has words.

mod inference;
mod registry;
mod shard;

use icrc_ledger_types::icrc1::transfer::TransferError;
use icrc_ledger_types::icrc2::approve::ApproveError;
use stoa_governance_api::GovernanceError;
use stoa_governance_api::code::ErrorType;

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
        let reason = &self.error_message;
        match ErrorType::try_from(self.error_type) {
            // The text that governance owes to SNS clients says nothing to a person.
            Ok(ErrorType::NotFound) if reason.starts_with("No neuron") => {
                "this identity has no such neuron: `stoa neuron list` shows those that it has, `stoa neuron stake 10` makes one".to_owned()
            }
            Ok(kind) => format!("governance refuses: {reason} ({kind:?})"),
            Err(number) => format!("governance refuses: {reason} (error type {number})"),
        }
    }
}

fn unknown_version(version: &stoa_types::Sha256) -> String {
    format!("the registry does not know the version {version}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explain(error_type: i32, message: &str) -> String {
        let error_message = message.to_owned();
        GovernanceError {
            error_type,
            error_message,
        }
        .explain()
    }

    #[test]
    fn should_name_the_kind_of_a_refusal_of_governance_and_tell_who_has_no_neuron_how_to_get_one() {
        let not_found = ErrorType::NotFound.number();
        let text = explain(not_found, "No neuron for given NeuronId.");
        assert!(text.contains("`stoa neuron stake 10`"), "{text}");
        for (number, text) in [
            (not_found, "governance refuses: no (NotFound)"),
            (1_000, "governance refuses: no (error type 1000)"),
        ] {
            assert_eq!(explain(number, "no"), text);
        }
    }
}
