//! What principals may do with a neuron: a set of the SNS's permission types.

use candid::Principal;
use minicbor::{Decode, Encode};
use stoa_governance_api::code::NeuronPermissionType;

/// Bit `n` stands for permission number `n`; the numbers end at 10.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct Permissions(#[n(0)] u16);

impl Permissions {
    pub const fn none() -> Self {
        Self(0)
    }

    pub fn all() -> Self {
        NeuronPermissionType::ALL
            .iter()
            .fold(Self::none(), |set, permission| set.with(*permission))
    }

    const fn bit(permission: NeuronPermissionType) -> u16 {
        1 << permission.number()
    }

    #[must_use]
    pub const fn with(self, permission: NeuronPermissionType) -> Self {
        Self(self.0 | Self::bit(permission))
    }

    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub const fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// What `ManageVotingPermission` may give and take.
    pub const fn for_voting() -> Self {
        Self::none()
            .with(NeuronPermissionType::Vote)
            .with(NeuronPermissionType::SubmitProposal)
            .with(NeuronPermissionType::ManageVotingPermission)
    }

    pub const fn has(self, permission: NeuronPermissionType) -> bool {
        self.0 & Self::bit(permission) != 0
    }

    pub fn iter(self) -> impl Iterator<Item = NeuronPermissionType> {
        NeuronPermissionType::ALL
            .iter()
            .copied()
            .filter(move |permission| self.has(*permission))
    }
}

impl TryFrom<&[i32]> for Permissions {
    /// The number that is no permission.
    type Error = i32;
    fn try_from(numbers: &[i32]) -> Result<Self, i32> {
        numbers.iter().try_fold(Self::none(), |set, number| {
            NeuronPermissionType::try_from(*number).map(|permission| set.with(permission))
        })
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Holder {
    #[cbor(n(0), with = "crate::cbor::principal")]
    pub principal: Principal,
    #[n(1)]
    pub permissions: Permissions,
}
