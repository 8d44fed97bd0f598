//! What is known of each payment: written before a call goes out, so that a trap or
//! an upgrade in the middle neither loses nor repeats it.
//!
//! ```text
//! Depositing --> Burning  --> Settled(cycles)
//!       |
//!       +------> Refunding --> Settled(refunded)
//! ```
//! A payment for a new canister goes `Depositing --> BurningAfterCreation --> Created`, one for cycles at the
//! cycles ledger `Depositing --> BurningAfterMint --> Minted`.
//! From a `Burning` stage on the answer is final; the burn only tidies up. Refunds and burns
//! carry the `created_at_time` of the record, so that the ledger makes them once.

use std::borrow::Cow;

use candid::{Nat, Principal};
use ic_stable_structures::Storable;
use ic_stable_structures::storable::Bound;
use minicbor::{Decode, Encode};
use stoa_cmc_api::{
    ERROR_CODE_OUTCOME_UNKNOWN, NotifyCreateCanisterResult, NotifyError, NotifyMintCyclesResult,
    NotifyMintCyclesSuccess, NotifyTopUpResult,
};

/// How many payments are remembered; mainnet's number.
pub const PAYMENTS_MAX: u64 = 1_000_000;

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Settings {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub ledger: Vec<u8>,
    #[n(1)]
    pub xdr_permyriad_per_icp: u64,
    #[n(2)]
    pub rate_timestamp_seconds: u64,
    /// Payments in blocks below this one have been forgotten.
    #[n(3)]
    pub forgotten_below: u64,
    /// Settings from before there was `notify_mint_cycles` lack the field.
    #[n(4)]
    pub cycles_ledger: Option<Vec<u8>>,
}

impl Settings {
    pub fn ledger(&self) -> Principal {
        Principal::from_slice(&self.ledger)
    }

    pub fn cycles_ledger(&self) -> Option<Principal> {
        self.cycles_ledger.as_deref().map(Principal::from_slice)
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Payment {
    /// The canister that the cycles are for; of a new canister, its controller; at the cycles ledger, the owner.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub canister: Vec<u8>,
    /// Account identifier of the payer, for a refund.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub payer: [u8; 32],
    #[n(2)]
    pub amount_e8s: u64,
    #[n(3)]
    pub stage: Stage,
    /// Of a new canister; records from before there were such payments lack the field.
    #[n(4)]
    pub creation: Option<bool>,
}

impl Payment {
    pub fn canister(&self) -> Principal {
        Principal::from_slice(&self.canister)
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Stage {
    #[n(0)]
    Depositing,
    #[n(1)]
    Burning {
        #[n(0)]
        cycles: WideNumber,
        #[n(1)]
        created_at_nanos: u64,
    },
    #[n(2)]
    Refunding {
        #[n(0)]
        reason: String,
        #[n(1)]
        created_at_nanos: u64,
    },
    #[n(3)]
    Credited {
        #[n(0)]
        cycles: WideNumber,
    },
    #[n(4)]
    Refunded {
        #[n(0)]
        reason: String,
        #[n(1)]
        block: Option<u64>,
    },
    /// Upgraded while the deposit, or the creation, was under way.
    #[n(5)]
    Unknown,
    #[n(6)]
    BurningAfterCreation {
        #[cbor(n(0), with = "minicbor::bytes")]
        canister: Vec<u8>,
        #[n(1)]
        created_at_nanos: u64,
    },
    #[n(7)]
    Created {
        #[cbor(n(0), with = "minicbor::bytes")]
        canister: Vec<u8>,
    },
    #[n(8)]
    BurningAfterMint {
        #[n(0)]
        minted: Minted,
        #[n(1)]
        created_at_nanos: u64,
    },
    #[n(9)]
    Minted {
        #[n(0)]
        minted: Minted,
    },
}

/// What the cycles ledger said of a deposit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Minted {
    #[n(0)]
    pub block_index: WideNumber,
    #[n(1)]
    pub cycles: WideNumber,
    #[n(2)]
    pub balance: WideNumber,
}

impl From<Minted> for NotifyMintCyclesSuccess {
    fn from(minted: Minted) -> Self {
        let nat = |number: WideNumber| Nat::from(u128::from(number));
        Self {
            block_index: nat(minted.block_index),
            minted: nat(minted.cycles),
            balance: nat(minted.balance),
        }
    }
}

/// A 128-bit number, which CBOR integers do not hold: high and low half.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct WideNumber {
    #[n(0)]
    high: u64,
    #[n(1)]
    low: u64,
}

impl From<u128> for WideNumber {
    fn from(number: u128) -> Self {
        Self {
            high: (number >> 64) as u64,
            low: number as u64,
        }
    }
}

impl From<WideNumber> for u128 {
    fn from(parts: WideNumber) -> Self {
        (u128::from(parts.high) << 64) | u128::from(parts.low)
    }
}

impl Stage {
    /// What the payer of a top-up is told who asks about it.
    pub fn answer(&self) -> NotifyTopUpResult {
        match self {
            Self::Burning { cycles, .. } | Self::Credited { cycles } => {
                Ok(Nat::from(u128::from(*cycles)))
            }
            other => Err(other.error()),
        }
    }

    /// What the payer of a new canister is told.
    pub fn answer_creation(&self) -> NotifyCreateCanisterResult {
        match self {
            Self::BurningAfterCreation { canister, .. } | Self::Created { canister } => {
                Ok(Principal::from_slice(canister))
            }
            other => Err(other.error()),
        }
    }

    /// What the payer of cycles at the cycles ledger is told.
    pub fn answer_mint(&self) -> NotifyMintCyclesResult {
        match self {
            Self::BurningAfterMint { minted, .. } | Self::Minted { minted } => Ok((*minted).into()),
            other => Err(other.error()),
        }
    }

    fn error(&self) -> NotifyError {
        match self {
            Self::Depositing | Self::Refunding { .. } => NotifyError::Processing,
            Self::Refunded { reason, block } => NotifyError::Refunded {
                block_index: *block,
                reason: reason.clone(),
            },
            Self::Unknown => NotifyError::Other {
                error_code: ERROR_CODE_OUTCOME_UNKNOWN,
                error_message: "the canister was upgraded during the deposit; whether it \
                                arrived is not known and it is not repeated"
                    .to_string(),
            },
            Self::Burning { .. }
            | Self::Credited { .. }
            | Self::BurningAfterCreation { .. }
            | Self::Created { .. }
            | Self::BurningAfterMint { .. }
            | Self::Minted { .. } => {
                unreachable!("BUG: the memo of a block is that of one kind of payment")
            }
        }
    }

    pub fn is_finished(&self) -> bool {
        matches!(
            self,
            Self::Credited { .. }
                | Self::Created { .. }
                | Self::Minted { .. }
                | Self::Refunded { .. }
                | Self::Unknown
        )
    }
}

/// Stores a value as CBOR with numbered fields.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cbor<T>(pub T);

impl<T: Encode<()> + for<'b> Decode<'b, ()>> Storable for Cbor<T> {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Owned(minicbor::to_vec(&self.0).expect("BUG: encoding to memory cannot fail"))
    }

    fn into_bytes(self) -> Vec<u8> {
        self.to_bytes().into_owned()
    }

    fn from_bytes(bytes: Cow<[u8]>) -> Self {
        Self(minicbor::decode(&bytes).expect("BUG: a stored value does not decode"))
    }

    const BOUND: Bound = Bound::Unbounded;
}
