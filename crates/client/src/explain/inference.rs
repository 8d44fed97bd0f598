//! The inference canister's refusals.

use stoa_inference_api::{
    GetJobError, GetReceiptError, InferError, LoadError, LoadStatusError, MoneyError, QuoteError,
    TopUpError,
};

use super::{ANONYMOUS, BUSY, Explain, unknown_version};
use crate::amount::{format_cycles, format_token_amount, format_tokens};

impl Explain for LoadError {
    fn explain(&self) -> String {
        match self {
            Self::AnonymousCaller => ANONYMOUS.to_owned(),
            Self::NotFound { version } => unknown_version(version),
            Self::NotAdmitted { status, .. } => format!(
                "this version is {status}: only versions that token holders admitted can be run; propose it with `stoa propose admit`"
            ),
            Self::TooLarge {
                given_bytes,
                max_bytes,
            } => format!(
                "the model has {given_bytes} bytes and this canister takes up to {max_bytes}"
            ),
            Self::TooManyLoads { open, max } => {
                format!("{open} models are being loaded and {max} is the most: try again later")
            }
            Self::PaymentNeeded { price_e8s } => format!(
                "this load costs {} ICP: pay with --pay credit or --pay icp",
                format_tokens(*price_e8s)
            ),
            Self::NotWithCycles => {
                "a load goes on after the call that cycles come with: pay from credit or an allowance".to_owned()
            }
            Self::TokenNotTaken { token } => token_not_taken(*token),
            Self::PaymentFailed {
                message,
                journal_id,
            } => payment_failed(message, *journal_id),
            Self::OutOfCycles { balance, needed } => out_of_cycles(balance, needed),
            Self::Busy => BUSY.to_owned(),
            Self::RegistryFailed { message } => {
                format!("the registry did not answer ({message}): try again")
            }
        }
    }
}

impl Explain for LoadStatusError {
    fn explain(&self) -> String {
        match self {
            Self::NotFound { version } => not_loaded(version),
        }
    }
}

impl Explain for QuoteError {
    fn explain(&self) -> String {
        match self {
            Self::NotLoaded { version } => not_loaded(version),
            Self::NotReady { version } => not_ready(version),
        }
    }
}

impl Explain for InferError {
    fn explain(&self) -> String {
        match self {
            Self::AnonymousCaller => ANONYMOUS.to_owned(),
            Self::NotLoaded { version } => not_loaded(version),
            Self::NotReady { version } => not_ready(version),
            Self::NotAdmitted { status, .. } => {
                format!("this version is {status} and is not run any more; nothing was charged")
            }
            Self::InvalidInput { input, reason } => {
                format!(
                    "the input \"{input}\" does not fit the model: {reason}; nothing was charged"
                )
            }
            Self::InputTooLarge {
                given_bytes,
                max_bytes,
            } => format!(
                "the inputs have {given_bytes} bytes and {max_bytes} is the most; nothing was charged"
            ),
            Self::PriceTooHigh { price, max_price } => format!(
                "the call costs {price} and the limit given is {max_price}; nothing was charged"
            ),
            Self::InsufficientCycles { attached, price } => format!(
                "{} cycles are attached and the call costs {}; all were refunded",
                format_cycles(attached),
                format_cycles(price)
            ),
            Self::InsufficientAllowance {
                allowance_e8s,
                needed_e8s,
            } => format!(
                "the allowance is {} ICP and {} ICP is needed with the ledger fee: raise it with `stoa approve`; nothing was charged",
                format_token_amount(allowance_e8s),
                format_token_amount(needed_e8s)
            ),
            Self::InsufficientFunds {
                balance_e8s,
                needed_e8s,
            } => format!(
                "the balance is {} ICP and {} ICP is needed with the ledger fee; nothing was charged",
                format_token_amount(balance_e8s),
                format_token_amount(needed_e8s)
            ),
            Self::PaymentFailed {
                message,
                journal_id,
            } => payment_failed(message, *journal_id),
            Self::UnknownModel { name } => {
                format!(
                    "the registry knows no admitted version by the name {name}; nothing was charged"
                )
            }
            Self::TooManyInstructions { needed, max } => format!(
                "the call is expected to take {needed} instructions and {max} is the most; nothing was charged"
            ),
            Self::TokenNotTaken { token } => token_not_taken(*token),
            Self::InsufficientCredit {
                credit_e8s,
                needed_e8s,
            } => format!(
                "{} tokens of credit may be spent and the call costs {}: add some with `stoa credit deposit`; nothing was charged",
                format_tokens(*credit_e8s),
                format_tokens(*needed_e8s)
            ),
            Self::GoesOn { job } => format!(
                "the call is paid and goes on as job {job}: its result comes with `stoa job {job}`"
            ),
            Self::QuotaUsedUp { per_hour } => {
                format!("the {per_hour} free calls of this hour are used up")
            }
            Self::QueryOnly => "a free preview is a query and cannot be an update call".to_owned(),
            Self::NotWithCycles => {
                "cycles come and go with a call that waits: use infer, or pay from credit"
                    .to_owned()
            }
            Self::RunFailed { message, refunded } => {
                let money = if *refunded {
                    "the payment is back as credit (`stoa credit show`), which the next call uses first"
                } else {
                    "the payment is being given back"
                };
                format!("the run failed ({message}); {money}")
            }
            Self::OutOfCycles { balance, needed } => out_of_cycles(balance, needed),
            Self::Busy => BUSY.to_owned(),
            Self::RegistryFailed { message } => format!(
                "the registry did not say whether this version is still admitted ({message}): try again, nothing was charged"
            ),
        }
    }
}

impl Explain for MoneyError {
    fn explain(&self) -> String {
        match self {
            Self::AnonymousCaller => ANONYMOUS.to_owned(),
            Self::TokenNotTaken { token } => token_not_taken(*token),
            Self::AmountTooSmall { given_e8s, min_e8s } => format!(
                "{} is too little: {} is the least",
                format_tokens(*given_e8s),
                format_tokens(*min_e8s)
            ),
            Self::InsufficientBalance { balance, needed } => format!(
                "there are {} and {} are needed",
                format_token_amount(balance),
                format_token_amount(needed)
            ),
            Self::InsufficientAllowance {
                allowance_e8s,
                needed_e8s,
            } => format!(
                "the allowance is {} and {} is needed with the ledger fee: raise it with `stoa approve`",
                format_token_amount(allowance_e8s),
                format_token_amount(needed_e8s)
            ),
            Self::Refused { message } => format!("nothing moved: {message}"),
            Self::Pending { id, message } => format!(
                "the ledger has not answered ({message}): the canister goes on asking, record {id}"
            ),
            Self::TooManyKeys { max } => format!("{max} keys are the most"),
            Self::Busy => BUSY.to_owned(),
        }
    }
}

impl Explain for GetJobError {
    fn explain(&self) -> String {
        match self {
            Self::NotFound { id } => {
                format!("there is no job {id} of yours: it never was, or ended more than a day ago")
            }
        }
    }
}

impl Explain for GetReceiptError {
    fn explain(&self) -> String {
        match self {
            Self::NotFound { id, count } => {
                format!("there is no receipt {id}: the log has {count}, counted from 0")
            }
        }
    }
}

impl Explain for TopUpError {
    fn explain(&self) -> String {
        match self {
            Self::NotNeeded {
                balance,
                top_up_below,
            } => format!(
                "no top-up is needed: {} cycles are there and it buys below {}",
                format_cycles(balance),
                format_cycles(top_up_below)
            ),
            Self::NotEnoughRevenue {
                revenue_e8s,
                needed_e8s,
            } => format!(
                "the revenue is {} ICP and a top-up takes {} ICP: it waits for paid calls",
                format_tokens(*revenue_e8s),
                format_tokens(*needed_e8s)
            ),
            Self::Busy { id } => format!("top-up {id} is under way"),
            Self::LedgerFailed { message } => {
                format!("the ledger did not do it ({message}): it is tried again by timer")
            }
        }
    }
}

fn not_loaded(version: &stoa_types::Sha256) -> String {
    format!("{version} is not loaded here: load it with `stoa load {version}`")
}

fn not_ready(version: &stoa_types::Sha256) -> String {
    format!("{version} is still being loaded: wait with `stoa load {version}`")
}

fn token_not_taken(token: stoa_inference_api::Token) -> String {
    format!("this canister does not take the token {token:?}")
}

fn payment_failed(message: &str, journal_id: Option<u64>) -> String {
    match journal_id {
        Some(id) => format!(
            "the payment's outcome is not known ({message}): it is settled from journal record {id}, look at your balance before you pay again"
        ),
        None => format!("the payment failed ({message}); nothing was charged"),
    }
}

fn out_of_cycles(balance: &candid::Nat, needed: &candid::Nat) -> String {
    format!(
        "the canister has {} cycles and needs {}: top it up with `stoa top-up`, nothing was charged",
        format_cycles(balance),
        format_cycles(needed)
    )
}
