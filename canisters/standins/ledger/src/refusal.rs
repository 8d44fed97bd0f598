//! Why a request was refused, and how each interface says so.

use candid::Nat;
use icrc_ledger_types::icrc1::transfer::TransferError as Icrc1TransferError;
use icrc_ledger_types::icrc2::approve::ApproveError;
use icrc_ledger_types::icrc2::transfer_from::TransferFromError;

use crate::icp;
use crate::ledger::TRANSACTION_WINDOW_NANOS;
use crate::runtime;

/// `GenericError` code for a mint that the 64-bit supply cannot hold.
const SUPPLY_EXHAUSTED_CODE: u64 = 1;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    BadFee {
        expected: u64,
    },
    BadBurn {
        minimum: u64,
    },
    InsufficientFunds {
        balance: u64,
    },
    InsufficientAllowance {
        allowance: u64,
    },
    AllowanceChanged {
        current: u64,
    },
    Expired {
        ledger_time: u64,
    },
    TooOld,
    CreatedInFuture {
        ledger_time: u64,
    },
    Duplicate {
        of: u64,
    },
    /// The window holds as many transactions as it may.
    TemporarilyUnavailable,
    SupplyExhausted {
        supply: u64,
    },
    /// What the official ledgers answer with a trap.
    Trap(&'static str),
}

fn supply_exhausted(supply: u64) -> String {
    format!("the supply of {supply} and this mint together do not fit 64 bits")
}

/// The part that the ICRC errors share, variant by variant.
macro_rules! icrc_error {
    ($refusal:ident, $error:ident, { $($pattern:pat => $value:expr),* $(,)? }) => {
        match $refusal {
            $($pattern => $value,)*
            Refusal::BadFee { expected } => $error::BadFee { expected_fee: Nat::from(expected) },
            Refusal::InsufficientFunds { balance } => {
                $error::InsufficientFunds { balance: Nat::from(balance) }
            }
            Refusal::TooOld => $error::TooOld,
            Refusal::CreatedInFuture { ledger_time } => $error::CreatedInFuture { ledger_time },
            Refusal::Duplicate { of } => $error::Duplicate { duplicate_of: Nat::from(of) },
            Refusal::TemporarilyUnavailable => $error::TemporarilyUnavailable,
            Refusal::SupplyExhausted { supply } => $error::GenericError {
                error_code: Nat::from(SUPPLY_EXHAUSTED_CODE),
                message: supply_exhausted(supply),
            },
            Refusal::Trap(message) => runtime::trap(message),
            other => unreachable!("BUG: {other:?} from a request that cannot cause it"),
        }
    };
}

impl From<Refusal> for Icrc1TransferError {
    fn from(refusal: Refusal) -> Self {
        type E = Icrc1TransferError;
        icrc_error!(refusal, E, {
            Refusal::BadBurn { minimum } => E::BadBurn { min_burn_amount: Nat::from(minimum) },
        })
    }
}

impl From<Refusal> for TransferFromError {
    fn from(refusal: Refusal) -> Self {
        type E = TransferFromError;
        icrc_error!(refusal, E, {
            Refusal::BadBurn { minimum } => E::BadBurn { min_burn_amount: Nat::from(minimum) },
            Refusal::InsufficientAllowance { allowance } => {
                E::InsufficientAllowance { allowance: Nat::from(allowance) }
            },
        })
    }
}

impl From<Refusal> for ApproveError {
    fn from(refusal: Refusal) -> Self {
        type E = ApproveError;
        icrc_error!(refusal, E, {
            Refusal::AllowanceChanged { current } => {
                E::AllowanceChanged { current_allowance: Nat::from(current) }
            },
            Refusal::Expired { ledger_time } => E::Expired { ledger_time },
        })
    }
}

impl From<Refusal> for icp::TransferError {
    /// The ICP ledger's older error has fewer cases; what it lacks it answers with a trap.
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::BadFee { expected } => Self::BadFee {
                expected_fee: icp::Tokens { e8s: expected },
            },
            Refusal::InsufficientFunds { balance } => Self::InsufficientFunds {
                balance: icp::Tokens { e8s: balance },
            },
            Refusal::TooOld => Self::TxTooOld {
                allowed_window_nanos: TRANSACTION_WINDOW_NANOS,
            },
            Refusal::CreatedInFuture { .. } => Self::TxCreatedInFuture,
            Refusal::Duplicate { of } => Self::TxDuplicate { duplicate_of: of },
            Refusal::BadBurn { minimum } => {
                runtime::trap(&format!("burns of less than {minimum} e8s are not allowed"))
            }
            Refusal::TemporarilyUnavailable => {
                runtime::trap("too many transactions in the window; try again later")
            }
            Refusal::SupplyExhausted { supply } => runtime::trap(&supply_exhausted(supply)),
            Refusal::Trap(message) => runtime::trap(message),
            other => unreachable!("BUG: {other:?} from a transfer"),
        }
    }
}
