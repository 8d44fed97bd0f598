//! The three ways to move tokens: ICP `transfer`, `icrc1_transfer` and
//! `icrc2_transfer_from`.

use candid::Nat;
use icrc_ledger_types::icrc1::account::Account;
use icrc_ledger_types::icrc1::transfer::{Memo as IcrcMemo, TransferArg, TransferError};
use icrc_ledger_types::icrc2::transfer_from::{TransferFromArgs, TransferFromError};

use crate::account::AccountIdentifier;
use crate::block::Memo;
use crate::faults;
use crate::icp;
use crate::ledger::TransferRequest;
use crate::memory::with_ledger;
use crate::refusal::Refusal;
use crate::runtime;

/// `None` where the number does not fit 64 bits.
pub fn fitting(number: &Nat) -> Option<u64> {
    u64::try_from(&number.0).ok()
}

impl From<Option<IcrcMemo>> for Memo {
    fn from(memo: Option<IcrcMemo>) -> Self {
        memo.map_or(Self::None, |memo| Self::Bytes(memo.0.into_vec()))
    }
}

pub async fn transfer(arguments: icp::TransferArgs) -> Result<u64, icp::TransferError> {
    let from = Account {
        owner: runtime::caller(),
        subaccount: arguments.from_subaccount,
    };
    let to = AccountIdentifier::try_from(arguments.to.as_slice())
        .unwrap_or_else(|error| runtime::trap(&error.to_string()));
    let request = TransferRequest {
        from: from.into(),
        to: to.into(),
        spender: None,
        amount: Some(arguments.amount.e8s),
        fee: Some(Some(arguments.fee.e8s)),
        memo: Memo::Number(arguments.memo),
        created_at_time: arguments.created_at_time.map(|time| time.timestamp_nanos),
    };
    let index = answer("transfer", request).await?;
    Ok(index)
}

pub async fn icrc1_transfer(arguments: TransferArg) -> Result<Nat, TransferError> {
    let from = Account {
        owner: runtime::caller(),
        subaccount: arguments.from_subaccount,
    };
    let request = TransferRequest {
        from: from.into(),
        to: arguments.to.into(),
        spender: None,
        amount: fitting(&arguments.amount),
        fee: arguments.fee.as_ref().map(fitting),
        memo: arguments.memo.into(),
        created_at_time: arguments.created_at_time,
    };
    let index = answer("icrc1_transfer", request).await?;
    Ok(Nat::from(index))
}

pub async fn icrc2_transfer_from(arguments: TransferFromArgs) -> Result<Nat, TransferFromError> {
    let spender = Account {
        owner: runtime::caller(),
        subaccount: arguments.spender_subaccount,
    };
    let request = TransferRequest {
        from: arguments.from.into(),
        to: arguments.to.into(),
        spender: Some(spender.into()),
        amount: fitting(&arguments.amount),
        fee: arguments.fee.as_ref().map(fitting),
        memo: arguments.memo.into(),
        created_at_time: arguments.created_at_time,
    };
    let index = answer("icrc2_transfer_from", request).await?;
    Ok(Nat::from(index))
}

async fn answer(method: &str, request: TransferRequest) -> Result<u64, Refusal> {
    faults::answer(method, || {
        with_ledger(|ledger| ledger.transfer(request, runtime::time_nanos()))
    })
    .await
}
