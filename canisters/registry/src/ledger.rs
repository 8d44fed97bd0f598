//! Transfers on the ICP ledger by its ICRC-1 and ICRC-2 methods, and what each answer means: done, definitely not done, or not known.

use candid::{Nat, Principal};
use icrc_ledger_types::icrc1::account::{Account, Subaccount};
use icrc_ledger_types::icrc1::transfer::{Memo, TransferArg, TransferError};
use icrc_ledger_types::icrc2::transfer_from::{TransferFromArgs, TransferFromError};

use crate::runtime::{self, CallFailure, Runtime};
use crate::state::records::TransferRecord;

/// What is known about a transfer after asking for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Transfer {
    /// Now or, by an earlier request of the same, before.
    Done {
        block: Option<u64>,
    },
    Refused(Refusal),
    /// It may have happened; asking again with the same arguments tells.
    Unknown {
        message: String,
    },
}

/// The ledger did not move anything by this request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    BadFee { expected_e8s: u64 },
    InsufficientFunds { balance_e8s: u64 },
    InsufficientAllowance { allowance_e8s: u64 },
    Other { message: String },
}

impl Refusal {
    /// Whether this says that the transfer did not happen by an earlier request either. The ledger looks for a duplicate
    /// before it looks at balances and allowances, but after the fee, the time and its own state; and a request that
    /// was not delivered has looked at nothing.
    pub fn is_about_all_requests(&self) -> bool {
        match self {
            Refusal::InsufficientFunds { .. } | Refusal::InsufficientAllowance { .. } => true,
            Refusal::BadFee { .. } | Refusal::Other { .. } => false,
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::BadFee { expected_e8s } => {
                write!(f, "the ledger's fee is now {expected_e8s} e8s")
            }
            Refusal::InsufficientFunds { balance_e8s } => {
                write!(f, "the account holds {balance_e8s} e8s")
            }
            Refusal::InsufficientAllowance { allowance_e8s } => {
                write!(f, "the allowance is {allowance_e8s} e8s")
            }
            Refusal::Other { message } => f.write_str(message),
        }
    }
}

/// Pulls `amount_e8s` from the default account of `payer`. The arguments follow from what is stored, so that a retry repeats them.
pub async fn pull(
    runtime: &impl Runtime,
    ledger: Principal,
    id: u64,
    payer: Principal,
    amount_e8s: u64,
    transfer: TransferRecord,
) -> Transfer {
    let arguments = TransferFromArgs {
        spender_subaccount: None,
        from: Account::from(payer),
        to: Account {
            owner: runtime.own_id(),
            subaccount: Some(subaccount(id)),
        },
        amount: amount_e8s.into(),
        fee: Some(transfer.fee_e8s.into()),
        memo: Some(memo(b"stoa-dep", id)),
        created_at_time: Some(transfer.created_at_nanos),
    };
    let answer: Result<Result<Nat, TransferFromError>, CallFailure> =
        runtime::call(runtime, ledger, "icrc2_transfer_from", (arguments,)).await;
    settle(answer, |error| match error {
        TransferFromError::Duplicate { duplicate_of } => Ok(duplicate_of),
        TransferFromError::BadFee { expected_fee } => Err(bad_fee(&expected_fee)),
        TransferFromError::InsufficientFunds { balance } => Err(Refusal::InsufficientFunds {
            balance_e8s: saturated(&balance),
        }),
        TransferFromError::InsufficientAllowance { allowance } => {
            Err(Refusal::InsufficientAllowance {
                allowance_e8s: saturated(&allowance),
            })
        }
        other => Err(Refusal::Other {
            message: other.to_string(),
        }),
    })
}

/// Sends what a deposit's own account holds, less the fee.
pub async fn push(
    runtime: &impl Runtime,
    ledger: Principal,
    id: u64,
    to: Principal,
    amount_e8s: u64,
    transfer: TransferRecord,
) -> Transfer {
    let arguments = TransferArg {
        from_subaccount: Some(subaccount(id)),
        to: Account::from(to),
        amount: amount_e8s.saturating_sub(transfer.fee_e8s).into(),
        fee: Some(transfer.fee_e8s.into()),
        memo: Some(memo(b"stoa-dep", id)),
        created_at_time: Some(transfer.created_at_nanos),
    };
    let answer: Result<Result<Nat, TransferError>, CallFailure> =
        runtime::call(runtime, ledger, "icrc1_transfer", (arguments,)).await;
    settle(answer, |error| match error {
        TransferError::Duplicate { duplicate_of } => Ok(duplicate_of),
        TransferError::BadFee { expected_fee } => Err(bad_fee(&expected_fee)),
        TransferError::InsufficientFunds { balance } => Err(Refusal::InsufficientFunds {
            balance_e8s: saturated(&balance),
        }),
        other => Err(Refusal::Other {
            message: other.to_string(),
        }),
    })
}

/// What a deposit's own account holds.
pub async fn balance_e8s(
    runtime: &impl Runtime,
    ledger: Principal,
    id: u64,
) -> Result<u64, CallFailure> {
    let account = Account {
        owner: runtime.own_id(),
        subaccount: Some(subaccount(id)),
    };
    let balance: Nat = runtime::call(runtime, ledger, "icrc1_balance_of", (account,)).await?;
    Ok(saturated(&balance))
}

fn settle<E>(
    answer: Result<Result<Nat, E>, CallFailure>,
    meaning: impl FnOnce(E) -> Result<Nat, Refusal>,
) -> Transfer {
    match answer {
        Ok(Ok(block)) => done(&block),
        Ok(Err(error)) => match meaning(error) {
            Ok(block) => done(&block),
            Err(refusal) => Transfer::Refused(refusal),
        },
        Err(CallFailure {
            is_unknown: false,
            message,
        }) => Transfer::Refused(Refusal::Other { message }),
        Err(CallFailure { message, .. }) => Transfer::Unknown { message },
    }
}

fn done(block: &Nat) -> Transfer {
    Transfer::Done {
        block: u64::try_from(&block.0).ok(),
    }
}

fn bad_fee(expected: &Nat) -> Refusal {
    match u64::try_from(&expected.0) {
        Ok(expected_e8s) => Refusal::BadFee { expected_e8s },
        Err(_) => Refusal::Other {
            message: "the ledger's fee does not fit 64 bits".to_owned(),
        },
    }
}

fn saturated(amount: &Nat) -> u64 {
    u64::try_from(&amount.0).unwrap_or(u64::MAX)
}

/// Every deposit has an account of its own: `stoa-dep`, 16 zeros, the id in big-endian. So its balance alone tells
/// what became of a transfer that nobody answered for.
pub fn subaccount(id: u64) -> Subaccount {
    let mut subaccount = [0; 32];
    subaccount[..8].copy_from_slice(b"stoa-dep");
    subaccount[24..].copy_from_slice(&id.to_be_bytes());
    subaccount
}

/// Eight letters and the id: no two deposits are the same transfer to the ledger.
fn memo(kind: &[u8; 8], id: u64) -> Memo {
    Memo::from([kind.as_slice(), &id.to_be_bytes()].concat())
}
