//! The enumerations that the SNS sends as `int32`: each number with its name.

use crate::GovernanceError;

/// Declares an enumeration that travels as `int32`, and reading it back.
macro_rules! wire_enumeration {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $number:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(i32)]
        pub enum $name {
            $($(#[$variant_meta])* $variant = $number),+
        }

        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            pub const fn number(self) -> i32 {
                self as i32
            }
        }

        impl TryFrom<i32> for $name {
            type Error = i32;
            fn try_from(number: i32) -> Result<Self, i32> {
                match number {
                    $($number => Ok($name::$variant),)+
                    unknown => Err(unknown),
                }
            }
        }
    };
}

wire_enumeration! {
    /// What a ballot says. An empty ballot carries 0.
    Vote { Yes = 1, No = 2 }
}

wire_enumeration! {
    /// What a principal may do with a neuron.
    NeuronPermissionType {
        ConfigureDissolveState = 1,
        ManagePrincipals = 2,
        SubmitProposal = 3,
        Vote = 4,
        Disburse = 5,
        Split = 6,
        MergeMaturity = 7,
        DisburseMaturity = 8,
        StakeMaturity = 9,
        ManageVotingPermission = 10,
    }
}

wire_enumeration! {
    /// Where a proposal stands.
    ProposalDecisionStatus {
        Open = 1,
        Rejected = 2,
        /// Decided, and its outcome not yet known.
        Adopted = 3,
        Executed = 4,
        Failed = 5,
    }
}

wire_enumeration! {
    /// Where a proposal stands with respect to voting rewards.
    ProposalRewardStatus {
        AcceptVotes = 1,
        ReadyToSettle = 2,
        Settled = 3,
    }
}

wire_enumeration! {
    /// `GovernanceError::error_type`.
    ErrorType {
        Unspecified = 0,
        Unavailable = 1,
        NotAuthorized = 2,
        NotFound = 3,
        InvalidCommand = 4,
        RequiresNotDissolving = 5,
        RequiresDissolving = 6,
        RequiresDissolved = 7,
        AccessControlList = 8,
        ResourceExhausted = 9,
        PreconditionFailed = 10,
        External = 11,
        NeuronLocked = 12,
        InsufficientFunds = 13,
        InvalidPrincipal = 14,
        InvalidProposal = 15,
        InvalidNeuronId = 16,
        InconsistentInternalData = 17,
        UnreachableCode = 18,
    }
}

wire_enumeration! {
    /// `GetModeResponse::mode`.
    Mode { Normal = 1, PreInitializationSwap = 2 }
}

wire_enumeration! {
    /// `TransferSnsTreasuryFunds::from_treasury`.
    TransferFrom { IcpTreasury = 1, SnsTokenTreasury = 2 }
}

/// Ids of the native actions, as `ProposalData::action` and `exclude_type` give
/// them. Generic functions start at `FIRST_GENERIC`.
pub mod action_id {
    pub const UNSPECIFIED: u64 = 0;
    pub const MOTION: u64 = 1;
    pub const MANAGE_NERVOUS_SYSTEM_PARAMETERS: u64 = 2;
    pub const UPGRADE_SNS_CONTROLLED_CANISTER: u64 = 3;
    pub const ADD_GENERIC_NERVOUS_SYSTEM_FUNCTION: u64 = 4;
    pub const REMOVE_GENERIC_NERVOUS_SYSTEM_FUNCTION: u64 = 5;
    pub const EXECUTE_GENERIC_NERVOUS_SYSTEM_FUNCTION: u64 = 6;
    pub const MANAGE_SNS_METADATA: u64 = 8;
    pub const TRANSFER_SNS_TREASURY_FUNDS: u64 = 9;
    pub const MANAGE_LEDGER_PARAMETERS: u64 = 13;
    pub const SET_TOPICS_FOR_CUSTOM_PROPOSALS: u64 = 16;
    pub const FIRST_GENERIC: u64 = 1_000;
}

impl GovernanceError {
    pub fn new(error_type: ErrorType, error_message: impl Into<String>) -> Self {
        Self {
            error_type: error_type.number(),
            error_message: error_message.into(),
        }
    }
}
