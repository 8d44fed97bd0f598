//! What the cycles ledger does beyond the ICRC standards: cycles come in with a call, go
//! out to a canister, or become a new one. Methods, arguments and errors are those of
//! `um5iw-rqaaa-aaaaq-qaaba-cai`, as icp-cli and dfx call it.
//!
//! What must hold: the supply is never more than the cycles that came in. Tokens are
//! burned before the cycles leave and minted again, less a fee for that block, only
//! when the call was rejected: then the cycles are back. A call to the management
//! canister waits without a limit, so there is no third outcome.

mod create_canister;
mod deposit;
mod withdraw;

use candid::{CandidType, Nat};
use icrc_ledger_types::icrc1::account::Account;
use serde::Deserialize;

pub use create_canister::{
    CreateCanisterArgs, CreateCanisterError, CreateCanisterSuccess, CreationArgs, create_canister,
};
pub use deposit::{DepositArgs, DepositResult, deposit};
pub use withdraw::{WithdrawArgs, WithdrawError, withdraw};

use crate::block::Memo;
use crate::ledger::MEMO_LENGTH_BYTES_MAX;
use crate::memory::with_ledger;
use crate::runtime;

/// The memos that mark the cycles ledger's own blocks.
const REFUND_OF_WITHDRAWAL: u8 = u8::MAX;
const CREATION: u8 = u8::MAX - 1;
const REFUND_OF_CREATION: u8 = u8::MAX - 2;

/// `GenericError` code for what the cycles ledger does not do with nothing.
const ZERO_CODE: u64 = 100;

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum RejectionCode {
    NoError,
    SysFatal,
    SysTransient,
    DestinationInvalid,
    CanisterReject,
    CanisterError,
    Unknown,
}

impl From<u32> for RejectionCode {
    fn from(code: u32) -> Self {
        match code {
            0 => Self::NoError,
            1 => Self::SysFatal,
            2 => Self::SysTransient,
            3 => Self::DestinationInvalid,
            4 => Self::CanisterReject,
            5 => Self::CanisterError,
            _ => Self::Unknown,
        }
    }
}

fn require_cycles() {
    if !with_ledger(|ledger| ledger.holds_cycles()) {
        runtime::trap("this ledger holds no cycles");
    }
}

fn marked(mark: u8) -> Memo {
    Memo::Bytes(vec![mark; MEMO_LENGTH_BYTES_MAX])
}

/// Gives back what did not leave, less the fee for the block that says so. `None` where
/// nothing would be left of it.
fn refund(to: Account, amount: u64, mark: u8) -> Option<Nat> {
    with_ledger(|ledger| {
        let back = amount.saturating_sub(ledger.settings().transfer_fee);
        if back == 0 {
            return None;
        }
        match ledger.put_in(to, back, marked(mark), runtime::time_nanos()) {
            Ok(block) => Some(Nat::from(block)),
            Err(refusal) => panic!("BUG: what was burned cannot be minted again: {refusal:?}"),
        }
    })
}

fn fits(amount: u128) -> u64 {
    u64::try_from(amount).unwrap_or_else(|_| {
        runtime::trap(&format!(
            "{amount} cycles are more than this stand-in can count: {}",
            u64::MAX
        ))
    })
}

/// The refusals of `Ledger::take_out`, in the words of an error that has them all.
macro_rules! taking_out_error {
    ($refusal:ident, $error:ident, $duplicate:expr) => {
        match $refusal {
            Refusal::InsufficientFunds { balance } => $error::InsufficientFunds {
                balance: Nat::from(balance),
            },
            Refusal::TooOld => $error::TooOld,
            Refusal::CreatedInFuture { ledger_time } => $error::CreatedInFuture { ledger_time },
            Refusal::Duplicate { of } => $duplicate(of),
            Refusal::TemporarilyUnavailable => $error::TemporarilyUnavailable,
            other => unreachable!("BUG: {other:?} where cycles are taken out"),
        }
    };
}
use taking_out_error;
