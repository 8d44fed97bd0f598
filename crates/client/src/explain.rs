//! What each refusal of a canister means to a person, and what to do next.
//!
//! Matches are exhaustive on purpose: a new refusal does not compile until it has words.

use icrc_ledger_types::icrc1::transfer::TransferError;
use icrc_ledger_types::icrc2::approve::ApproveError;
use stoa_governance_api::GovernanceError;
use stoa_inference_api::{
    GetJobError, GetReceiptError, InferError, LoadError, LoadStatusError, MoneyError, QuoteError,
    TopUpError,
};
use stoa_registry_api::{
    AcceptPublisherError, BeginUploadError, ClaimPublisherError, DepositRefusal, GetVersionError,
    NoteProposalError, OfferPublisherError, SealError, SearchError, SetAliasError,
    SetCoPublishersError, SetPriceError, SubmitError, WithdrawError,
};
use stoa_shard_api::{ConfirmError, GetChunkError, PutChunkError};

use crate::amount::{format_cycles, format_token_amount, format_tokens};
use crate::registry::status_name;

pub trait Explain {
    fn explain(&self) -> String;
}

const ANONYMOUS: &str = "the anonymous identity may not do this: choose another with --identity";
const UNKNOWN_HANDLE: &str = "nobody has this publisher handle";
const BUSY: &str = "an earlier call is still being worked on: try again in a moment";

impl Explain for ClaimPublisherError {
    fn explain(&self) -> String {
        match self {
            Self::AnonymousCaller => ANONYMOUS.to_owned(),
            Self::InvalidHandle { reason } => format!("not a valid publisher handle: {reason}"),
            Self::Taken => "somebody else has this publisher handle: choose another".to_owned(),
            Self::TooManyHandles { max } => {
                format!("this identity already has {max} handles, the most that one may have")
            }
            Self::TooManyPublishers { max } => {
                format!("the registry is full: it has {max} publishers")
            }
        }
    }
}

impl Explain for BeginUploadError {
    fn explain(&self) -> String {
        match self {
            Self::AnonymousCaller => ANONYMOUS.to_owned(),
            Self::InvalidManifest { field, reason } => {
                format!("the manifest is not valid at {field}: {reason}")
            }
            Self::UnknownPublisher { publisher } => format!(
                "nobody has the publisher handle {publisher}: claim it with `stoa publisher claim {publisher}`"
            ),
            Self::NotPublisher { publisher } => {
                format!("the publisher handle {publisher} belongs to another identity")
            }
            Self::VersionTaken { existing } => format!(
                "this version number exists with other content ({existing}): raise `version` in model.toml"
            ),
            Self::TooManyDrafts { open, max } => format!(
                "{open} uploads of this identity are open and {max} is the most: finish or submit one"
            ),
            Self::TooManyChunks { given, max } => {
                format!("the model has {given} chunks of 1 MiB and {max} is the most")
            }
            Self::TooManyVersions { max } => {
                format!("the registry is full: it has {max} versions")
            }
            Self::NoRoom { needed_bytes } => format!(
                "no two shards have room for {needed_bytes} bytes more: the DAO has to add shards"
            ),
            Self::UnknownParent { parent } => {
                format!("the lineage names the version {parent}, which the registry does not know")
            }
            Self::TooFewShards { shards, needed } => {
                format!(
                    "the registry has {shards} shards and needs {needed}: the deployment is incomplete"
                )
            }
            Self::ShardFailed { shard, message } => {
                format!("shard {shard} failed ({message}): try again, nothing is lost")
            }
            Self::DepositRefused {
                needed_e8s,
                refusal,
            } => {
                let needed = format_tokens(*needed_e8s);
                match refusal {
                    DepositRefusal::InsufficientAllowance { allowance_e8s } => format!(
                        "the storage deposit is {needed} ICP with the ledger fee, and the registry may take {} ICP: push approves it, push again",
                        format_tokens(*allowance_e8s)
                    ),
                    DepositRefusal::InsufficientFunds { balance_e8s } => format!(
                        "the storage deposit is {needed} ICP with the ledger fee, and the account has {} ICP: send ICP to it (`stoa identity` shows it) and push again",
                        format_tokens(*balance_e8s)
                    ),
                    DepositRefusal::Other { message } => {
                        format!("the ledger refuses the storage deposit of {needed} ICP: {message}")
                    }
                }
            }
            Self::DepositUnknown { message } => format!(
                "whether the storage deposit was taken is not known yet ({message}): push again, it is never taken twice"
            ),
            Self::TooManyVersionsOfModel { max } => {
                format!("this model has {max} versions, the most that one may have")
            }
            Self::TooManyRequests {
                retry_after_seconds,
            } => format!(
                "this identity has announced as many chunks as it may within an hour: push again in {} minutes",
                retry_after_seconds.div_ceil(60)
            ),
            Self::Busy => BUSY.to_owned(),
        }
    }
}

impl Explain for SealError {
    fn explain(&self) -> String {
        match self {
            Self::AnonymousCaller => ANONYMOUS.to_owned(),
            Self::NotFound { version } => unknown_version(version),
            Self::NotPublisher { publisher } => {
                format!("only the owner of the publisher handle {publisher} may seal this")
            }
            Self::WrongStatus { status } => {
                format!("this version is already {}", status_name(*status))
            }
            Self::ChunksMissing {
                missing,
                first,
                shard,
            } => format!(
                "{missing} chunks are not on their shards yet (the first: {first} on {shard}): push again, it goes on where it stopped"
            ),
            Self::SizeMismatch {
                chunk,
                announced,
                stored,
            } => format!(
                "the manifest gives chunk {chunk} {announced} bytes, but it has {stored}: raise `version` in model.toml and push again"
            ),
            Self::ShardFailed { shard, message } => {
                format!("shard {shard} failed ({message}): try again, nothing is lost")
            }
            Self::Busy => BUSY.to_owned(),
        }
    }
}

impl Explain for SubmitError {
    fn explain(&self) -> String {
        match self {
            Self::AnonymousCaller => ANONYMOUS.to_owned(),
            Self::NotFound { version } => unknown_version(version),
            Self::NotPublisher { publisher } => {
                format!("only the owner of the publisher handle {publisher} may submit this")
            }
            Self::WrongStatus { status } => format!(
                "a version that is {} cannot be submitted: it has to be sealed",
                status_name(*status)
            ),
            Self::ParentNotAdmitted { parent } => format!(
                "the lineage names the version {parent}, which is not admitted: submit this one when that one is in the library"
            ),
        }
    }
}

impl Explain for WithdrawError {
    fn explain(&self) -> String {
        match self {
            Self::AnonymousCaller => ANONYMOUS.to_owned(),
            Self::NotFound { version } => unknown_version(version),
            Self::NotPublisher { publisher } => {
                format!("only the owner of the publisher handle {publisher} may withdraw this")
            }
            Self::WrongStatus { status } => format!(
                "a version that is {} stays: only what nobody has decided about can be withdrawn",
                status_name(*status)
            ),
            Self::Busy => BUSY.to_owned(),
        }
    }
}

impl Explain for NoteProposalError {
    fn explain(&self) -> String {
        match self {
            Self::AnonymousCaller => ANONYMOUS.to_owned(),
            Self::NotFound { version } => unknown_version(version),
            Self::WrongStatus { status } => {
                format!(
                    "this version is {}: there is nothing to decide",
                    status_name(*status)
                )
            }
            Self::OtherProposal { reason } => {
                format!("the proposal is not about this version: {reason}")
            }
            Self::GovernanceFailed { message } => {
                format!("governance did not answer ({message}): try again")
            }
            Self::Busy => BUSY.to_owned(),
        }
    }
}

impl Explain for SearchError {
    fn explain(&self) -> String {
        match self {
            Self::TooLong { field, given, max } => {
                format!("{field} has {given} bytes and {max} is the most")
            }
            Self::TooManyWords { given, max } => {
                format!("{given} words are searched for and {max} is the most")
            }
        }
    }
}

impl Explain for OfferPublisherError {
    fn explain(&self) -> String {
        match self {
            Self::AnonymousCaller => ANONYMOUS.to_owned(),
            Self::NotFound => UNKNOWN_HANDLE.to_owned(),
            Self::NotOwner { owner } => format!("only its owner, {owner}, may hand the handle on"),
            Self::InvalidRecipient { reason } => {
                format!("the handle cannot be offered to them: {reason}")
            }
        }
    }
}

impl Explain for AcceptPublisherError {
    fn explain(&self) -> String {
        match self {
            Self::AnonymousCaller => ANONYMOUS.to_owned(),
            Self::NotFound => UNKNOWN_HANDLE.to_owned(),
            Self::NotOffered => "nobody offered this handle to this identity".to_owned(),
            Self::TooManyHandles { max } => {
                format!("this identity already has {max} handles, the most that one may have")
            }
        }
    }
}

impl Explain for SetCoPublishersError {
    fn explain(&self) -> String {
        match self {
            Self::AnonymousCaller => ANONYMOUS.to_owned(),
            Self::NotFound => UNKNOWN_HANDLE.to_owned(),
            Self::NotOwner { owner } => {
                format!("only its owner, {owner}, may say who else publishes under the handle")
            }
            Self::TooMany { given, max } => {
                format!("{given} co-publishers are given and {max} is the most")
            }
            Self::InvalidPrincipal { principal, reason } => {
                format!("{principal} cannot be a co-publisher: {reason}")
            }
        }
    }
}

impl Explain for SetAliasError {
    fn explain(&self) -> String {
        match self {
            Self::AnonymousCaller => ANONYMOUS.to_owned(),
            Self::NotFound => "the registry does not know this model or version".to_owned(),
            Self::NotPublisher { publisher } => {
                format!("only the owner of the publisher handle {publisher} may set its aliases")
            }
            Self::InvalidAlias { reason } => format!("not a valid alias: {reason}"),
            Self::OtherModel { model } => format!("that version belongs to {model}"),
            Self::NotAdmitted { status } => format!(
                "that version is {}: an alias points to an admitted one",
                status_name(*status)
            ),
            Self::TooManyAliases { max } => {
                format!("this model has {max} aliases, the most that one may have")
            }
        }
    }
}

impl Explain for GetVersionError {
    fn explain(&self) -> String {
        match self {
            Self::NotFound => "the registry does not know this version".to_owned(),
            Self::InvalidReference { reason } => format!(
                "not a version: {reason}; write publisher/name, publisher/name@1.0.0, publisher/name@alias or 64 hexadecimal digits"
            ),
        }
    }
}

impl Explain for SetPriceError {
    fn explain(&self) -> String {
        match self {
            Self::AnonymousCaller => ANONYMOUS.to_owned(),
            Self::NotFound => "the registry does not know this model".to_owned(),
            Self::NotPublisher { publisher } => {
                format!("only the owner of the publisher handle {publisher} may set its prices")
            }
            Self::PriceTooHigh { given, max } => format!(
                "{} ICP is over the highest price, {} ICP",
                format_tokens(*given),
                format_tokens(*max)
            ),
        }
    }
}

impl Explain for PutChunkError {
    fn explain(&self) -> String {
        match self {
            Self::AnonymousCaller => ANONYMOUS.to_owned(),
            Self::NotExpected { hash } => format!(
                "no upload asks this shard for bytes that hash to {hash}: they are not what was announced"
            ),
            Self::NotUploader { uploader } => {
                format!("this upload was begun by {uploader}, only it may put chunks")
            }
            Self::ChunkTooLarge { given, max } => {
                format!("the chunk has {given} bytes and {max} is the most")
            }
            Self::OutOfSpace {
                needed_bytes,
                free_bytes,
            } => format!(
                "the shard has {free_bytes} bytes free and {needed_bytes} are needed: the DAO has to add shards"
            ),
            Self::LowCycles { balance, needed } => format!(
                "the shard has {balance} cycles and takes nothing in below {needed}: the DAO has to top it up"
            ),
        }
    }
}

impl Explain for GetChunkError {
    fn explain(&self) -> String {
        match self {
            Self::NotFound { hash } => format!("the shard does not hold {hash}"),
            Self::Corrupt { hash } => {
                format!("the shard's copy of {hash} is damaged: another shard may have a good one")
            }
        }
    }
}

impl Explain for ConfirmError {
    fn explain(&self) -> String {
        match self {
            Self::TooManyChunks { given, max } => {
                format!("{given} chunks in one question, {max} is the most")
            }
        }
    }
}

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
