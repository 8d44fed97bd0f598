//! The registry's refusals.

use stoa_registry_api::{
    AcceptPublisherError, BeginUploadError, ClaimPublisherError, DepositRefusal, GetVersionError,
    NoteProposalError, OfferPublisherError, SealError, SearchError, SetAliasError,
    SetCoPublishersError, SetPriceError, SubmitError, WithdrawError,
};

use super::{ANONYMOUS, BUSY, Explain, unknown_version};
use crate::amount::format_tokens;
use crate::registry::status_name;

const UNKNOWN_HANDLE: &str = "nobody has this publisher handle";

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
                format!(
                    "all {max} publisher handles are taken; one that nothing is published under goes back an hour after it was claimed: try again later"
                )
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
            Self::TooManyRequests {
                retry_after_seconds,
            } => format!(
                "this identity has asked about as many chunks as it may within an hour: push again in {} minutes",
                retry_after_seconds.div_ceil(60)
            ),
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
