//! `withdraw`: tokens become cycles of a canister.

use candid::{CandidType, Nat, Principal};
use icrc_ledger_types::icrc1::account::{Account, Subaccount};
use serde::Deserialize;

use super::{
    REFUND_OF_WITHDRAWAL, RejectionCode, ZERO_CODE, refund, require_cycles, taking_out_error,
};
use crate::block::Memo;
use crate::ledger::TakeOutRequest;
use crate::memory::with_ledger;
use crate::refusal::Refusal;
use crate::runtime;
use crate::transfer::fitting;

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct WithdrawArgs {
    pub amount: Nat,
    pub from_subaccount: Option<Subaccount>,
    pub to: Principal,
    pub created_at_time: Option<u64>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum WithdrawError {
    GenericError {
        message: String,
        error_code: Nat,
    },
    TemporarilyUnavailable,
    /// The block is that of the refund.
    FailedToWithdraw {
        fee_block: Option<Nat>,
        rejection_code: RejectionCode,
        rejection_reason: String,
    },
    Duplicate {
        duplicate_of: Nat,
    },
    BadFee {
        expected_fee: Nat,
    },
    InvalidReceiver {
        receiver: Principal,
    },
    CreatedInFuture {
        ledger_time: u64,
    },
    TooOld,
    InsufficientFunds {
        balance: Nat,
    },
}

impl From<Refusal> for WithdrawError {
    fn from(refusal: Refusal) -> Self {
        type E = WithdrawError;
        taking_out_error!(refusal, E, |of: u64| E::Duplicate {
            duplicate_of: Nat::from(of)
        })
    }
}

/// The principal of a key, which has no cycles.
fn is_of_a_key(principal: &Principal) -> bool {
    let bytes = principal.as_slice();
    bytes.len() == 29 && bytes[28] == 2
}

pub async fn withdraw(arguments: WithdrawArgs) -> Result<Nat, WithdrawError> {
    require_cycles();
    let to = arguments.to;
    if is_of_a_key(&to) {
        return Err(WithdrawError::InvalidReceiver { receiver: to });
    }
    if arguments.amount == 0u8 {
        return Err(WithdrawError::GenericError {
            message: "nothing is to be withdrawn".to_string(),
            error_code: Nat::from(ZERO_CODE),
        });
    }
    let from = Account {
        owner: runtime::caller(),
        subaccount: arguments.from_subaccount,
    };
    let amount = fitting(&arguments.amount);
    let request = TakeOutRequest {
        from,
        amount,
        memo: Memo::Bytes(to.as_slice().to_vec()),
        created_at_time: arguments.created_at_time,
    };
    let block = with_ledger(|ledger| ledger.take_out(request, runtime::time_nanos()))?;
    let amount = amount.expect("BUG: an amount without a number was taken out");
    match runtime::deposit_cycles(to, amount.into()).await {
        Ok(()) => Ok(Nat::from(block)),
        Err(rejected) => Err(WithdrawError::FailedToWithdraw {
            fee_block: refund(from, amount, REFUND_OF_WITHDRAWAL),
            rejection_code: rejected.code.into(),
            rejection_reason: rejected.message,
        }),
    }
}
