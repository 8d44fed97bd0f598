//! Why governance refuses, with the numbers a caller needs, and how the SNS
//! interface says so.

use candid::Principal;
use stoa_governance_api::GovernanceError;
use stoa_governance_api::code::{ErrorType, NeuronPermissionType};

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    AnonymousCaller,
    InvalidNeuronId {
        length: usize,
    },
    NeuronNotFound,
    ProposalNotFound {
        proposal: u64,
    },
    MissingField {
        field: &'static str,
    },
    /// Part of the SNS interface that this governance does not have.
    Unsupported {
        what: &'static str,
    },
    NotPermitted {
        caller: Principal,
        permission: NeuronPermissionType,
    },
    /// A command of this neuron is in flight.
    NeuronLocked,
    TooManyInFlight {
        max: usize,
    },
    TooManyNeurons {
        max: u64,
    },
    StakeTooSmall {
        balance_e8s: u64,
        needed_e8s: u64,
    },
    StakeBelowCached {
        balance_e8s: u64,
        cached_e8s: u64,
    },
    StakeBelowRejectCost {
        stake_e8s: u64,
        reject_cost_e8s: u64,
    },
    LedgerFailed {
        message: String,
    },
    DissolveDelayNotIncreased {
        current_seconds: u64,
        max_seconds: u64,
    },
    DissolveDelayTooShort {
        dissolve_delay_seconds: u64,
        needed_seconds: u64,
    },
    NotDissolving,
    AlreadyDissolving,
    Dissolved,
    InvalidProposal {
        reason: String,
    },
    UnknownFunction {
        function: u64,
    },
    TooManyOpenProposals {
        open: u64,
        max: u64,
    },
    NoVotingPower,
    VotingPowerTooLarge,
    VotingPowerNotCurrent,
    InvalidVote {
        vote: i32,
    },
    VotingClosed {
        deadline_seconds: u64,
        now_seconds: u64,
    },
    AlreadyVoted,
    NotEligible,
    /// A transfer of this neuron is not settled.
    MovementUnderWay,
    TooManyMovements {
        max: u64,
    },
    NotDissolved {
        left_seconds: u64,
    },
    DisburseTooSmall {
        given_e8s: u64,
        fee_e8s: u64,
    },
    InvalidSubaccount {
        length: usize,
    },
    LedgerRefused {
        message: String,
    },
    /// Governance goes on asking; the caller need not.
    OutcomeUnknown {
        message: String,
    },
    NeuronExists,
    SplitTooSmall {
        given_e8s: u64,
        needed_e8s: u64,
    },
    SplitLeavesTooLittle {
        stake_e8s: u64,
        given_e8s: u64,
        needed_e8s: u64,
    },
    InvalidPercentage {
        percentage: u32,
    },
    NoMaturity,
    NotMinting,
    UnknownPermission {
        number: i32,
    },
    NotGrantable,
    TooManyPrincipals {
        max: u64,
    },
    NoSuchHolder {
        principal: Principal,
    },
    InvalidFollowing {
        reason: String,
    },
    TooManyFollowees {
        given: usize,
        max: usize,
    },
    NoCertificate,
}

impl Refusal {
    fn error_type(&self) -> ErrorType {
        match self {
            Self::AnonymousCaller | Self::NotPermitted { .. } | Self::NotEligible => {
                ErrorType::NotAuthorized
            }
            Self::InvalidNeuronId { .. } => ErrorType::InvalidNeuronId,
            Self::NeuronNotFound | Self::ProposalNotFound { .. } | Self::UnknownFunction { .. } => {
                ErrorType::NotFound
            }
            Self::MissingField { .. }
            | Self::InvalidVote { .. }
            | Self::InvalidSubaccount { .. }
            | Self::InvalidPercentage { .. }
            | Self::UnknownPermission { .. }
            | Self::InvalidFollowing { .. }
            | Self::TooManyFollowees { .. }
            | Self::DissolveDelayNotIncreased { .. } => ErrorType::InvalidCommand,
            Self::Unsupported { .. } => ErrorType::Unavailable,
            Self::NeuronLocked | Self::MovementUnderWay => ErrorType::NeuronLocked,
            Self::NotGrantable | Self::NoSuchHolder { .. } => ErrorType::AccessControlList,
            Self::NotDissolved { .. } => ErrorType::RequiresDissolved,
            Self::TooManyInFlight { .. }
            | Self::TooManyNeurons { .. }
            | Self::TooManyOpenProposals { .. }
            | Self::TooManyMovements { .. }
            | Self::VotingPowerNotCurrent => ErrorType::ResourceExhausted,
            Self::StakeTooSmall { .. }
            | Self::StakeBelowRejectCost { .. }
            | Self::DisburseTooSmall { .. }
            | Self::SplitTooSmall { .. }
            | Self::SplitLeavesTooLittle { .. }
            | Self::NoMaturity => ErrorType::InsufficientFunds,
            Self::LedgerFailed { .. }
            | Self::LedgerRefused { .. }
            | Self::OutcomeUnknown { .. } => ErrorType::External,
            Self::NoCertificate => ErrorType::Unavailable,
            Self::StakeBelowCached { .. }
            | Self::DissolveDelayTooShort { .. }
            | Self::NoVotingPower
            | Self::VotingPowerTooLarge
            | Self::VotingClosed { .. }
            | Self::AlreadyVoted
            | Self::NeuronExists
            | Self::NotMinting
            | Self::TooManyPrincipals { .. } => ErrorType::PreconditionFailed,
            Self::NotDissolving => ErrorType::RequiresDissolving,
            Self::AlreadyDissolving | Self::Dissolved => ErrorType::RequiresNotDissolving,
            Self::InvalidProposal { .. } => ErrorType::InvalidProposal,
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AnonymousCaller => write!(f, "the anonymous principal cannot have neurons"),
            Self::InvalidNeuronId { length } => {
                write!(f, "a neuron id has 32 bytes, not {length}")
            }
            // The stock SNS client tells a missing neuron by this very text, and looks for a
            // free memo by it.
            Self::NeuronNotFound => write!(f, "No neuron for given NeuronId."),
            Self::ProposalNotFound { proposal } => write!(f, "there is no proposal {proposal}"),
            Self::MissingField { field } => write!(f, "`{field}` is missing or not known here"),
            Self::Unsupported { what } => write!(f, "{what} is not supported by this governance"),
            Self::NotPermitted { caller, permission } => {
                write!(
                    f,
                    "{caller} has not the permission {permission:?} on this neuron"
                )
            }
            Self::NeuronLocked => {
                write!(f, "another command of this neuron is in flight; try again")
            }
            Self::TooManyInFlight { max } => {
                write!(
                    f,
                    "{max} commands are in flight, which is the limit; try again"
                )
            }
            Self::TooManyNeurons { max } => write!(f, "there are {max} neurons, the limit"),
            Self::StakeTooSmall {
                balance_e8s,
                needed_e8s,
            } => write!(
                f,
                "the neuron's account holds {balance_e8s} e8s, a neuron needs {needed_e8s}"
            ),
            Self::StakeBelowCached {
                balance_e8s,
                cached_e8s,
            } => write!(
                f,
                "the neuron's account holds {balance_e8s} e8s, less than its stake of {cached_e8s}"
            ),
            Self::StakeBelowRejectCost {
                stake_e8s,
                reject_cost_e8s,
            } => write!(
                f,
                "a rejected proposal costs {reject_cost_e8s} e8s, the stake is {stake_e8s}"
            ),
            Self::LedgerFailed { message } => write!(f, "the ledger did not answer: {message}"),
            Self::DissolveDelayNotIncreased {
                current_seconds,
                max_seconds,
            } => write!(
                f,
                "the dissolve delay must grow; it is {current_seconds} s and at most {max_seconds} s"
            ),
            Self::DissolveDelayTooShort {
                dissolve_delay_seconds,
                needed_seconds,
            } => write!(
                f,
                "the dissolve delay is {dissolve_delay_seconds} s, this needs {needed_seconds} s"
            ),
            Self::NotDissolving => write!(f, "the neuron is not dissolving"),
            Self::AlreadyDissolving => write!(f, "the neuron is dissolving"),
            Self::Dissolved => write!(f, "the neuron is dissolved"),
            Self::InvalidProposal { reason } => write!(f, "{reason}"),
            Self::UnknownFunction { function } => {
                write!(f, "there is no generic function {function}")
            }
            Self::TooManyOpenProposals { open, max } => {
                write!(f, "{open} proposals are open to votes, {max} may be")
            }
            Self::NoVotingPower => write!(f, "no neuron has voting power"),
            Self::VotingPowerTooLarge => {
                write!(f, "the total voting power does not fit 64 bits")
            }
            Self::VotingPowerNotCurrent => write!(
                f,
                "the total voting power is being brought up to date; try again in a minute"
            ),
            Self::InvalidVote { vote } => write!(f, "{vote} is no vote: 1 is yes, 2 is no"),
            Self::VotingClosed {
                deadline_seconds,
                now_seconds,
            } => write!(
                f,
                "votes were accepted until {deadline_seconds}, now it is {now_seconds}"
            ),
            Self::AlreadyVoted => write!(f, "the neuron has voted on this proposal"),
            Self::NotEligible => write!(
                f,
                "the neuron had no voting power when the proposal was made"
            ),
            Self::MovementUnderWay => write!(
                f,
                "a transfer of this neuron is being settled with the ledger; try again later"
            ),
            Self::TooManyMovements { max } => {
                write!(f, "{max} transfers are being settled, which is the limit")
            }
            Self::NotDissolved { left_seconds } => {
                write!(f, "the neuron is not dissolved, {left_seconds} s are left")
            }
            Self::DisburseTooSmall { given_e8s, fee_e8s } => write!(
                f,
                "{given_e8s} e8s can be disbursed, which must be more than the ledger's fee of {fee_e8s}"
            ),
            Self::InvalidSubaccount { length } => {
                write!(f, "a subaccount has 32 bytes, not {length}")
            }
            Self::LedgerRefused { message } => write!(f, "the ledger refused: {message}"),
            Self::OutcomeUnknown { message } => write!(
                f,
                "the outcome is not known yet, governance goes on asking the ledger; do not repeat: {message}"
            ),
            Self::NeuronExists => write!(f, "there is a neuron with this memo; take another"),
            Self::SplitTooSmall {
                given_e8s,
                needed_e8s,
            } => write!(
                f,
                "{given_e8s} e8s are split off, it must be {needed_e8s}: the least stake and the ledger's fee"
            ),
            Self::SplitLeavesTooLittle {
                stake_e8s,
                given_e8s,
                needed_e8s,
            } => write!(
                f,
                "{given_e8s} of {stake_e8s} e8s leave less than the least stake of {needed_e8s}"
            ),
            Self::InvalidPercentage { percentage } => {
                write!(f, "{percentage} is no percentage from 1 to 100")
            }
            Self::NoMaturity => write!(f, "the neuron has no maturity to stake"),
            Self::NotMinting => write!(
                f,
                "governance is not the minting account of its token, so maturity cannot be minted"
            ),
            Self::UnknownPermission { number } => write!(f, "{number} is no permission"),
            Self::NotGrantable => write!(
                f,
                "neuron_grantable_permissions does not have all of these permissions"
            ),
            Self::TooManyPrincipals { max } => {
                write!(f, "{max} principals have permissions, which is the limit")
            }
            Self::NoSuchHolder { principal } => {
                write!(f, "{principal} does not have all of these permissions")
            }
            Self::InvalidFollowing { reason } => write!(f, "{reason}"),
            Self::TooManyFollowees { given, max } => write!(
                f,
                "the neuron would follow {given} in all subjects together, at most {max} are allowed"
            ),
            Self::NoCertificate => write!(
                f,
                "a certificate is only to be had in a query: call this method as one"
            ),
        }
    }
}

impl From<Refusal> for GovernanceError {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.error_type(), refusal.to_string())
    }
}
