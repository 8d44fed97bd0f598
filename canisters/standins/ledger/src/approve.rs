//! ICRC-2 allowances: setting one and asking for it.

use candid::Nat;
use icrc_ledger_types::icrc1::account::Account;
use icrc_ledger_types::icrc2::allowance::{Allowance, AllowanceArgs};
use icrc_ledger_types::icrc2::approve::{ApproveArgs, ApproveError};

use crate::faults;
use crate::ledger::ApproveRequest;
use crate::memory::with_ledger;
use crate::runtime;
use crate::transfer::fitting;

pub async fn icrc2_approve(arguments: ApproveArgs) -> Result<Nat, ApproveError> {
    let request = ApproveRequest {
        from: Account {
            owner: runtime::caller(),
            subaccount: arguments.from_subaccount,
        },
        spender: arguments.spender,
        allowance: fitting(&arguments.amount).unwrap_or(u64::MAX),
        expected_allowance: arguments.expected_allowance.as_ref().map(fitting),
        expires_at: arguments.expires_at,
        fee: arguments.fee.as_ref().map(fitting),
        memo: arguments.memo.into(),
        created_at_time: arguments.created_at_time,
    };
    let index = faults::answer("icrc2_approve", || {
        with_ledger(|ledger| ledger.approve(request, runtime::time_nanos()))
    })
    .await?;
    Ok(Nat::from(index))
}

pub fn icrc2_allowance(arguments: AllowanceArgs) -> Allowance {
    let allowance = with_ledger(|ledger| {
        ledger.allowance(
            &arguments.account.into(),
            &arguments.spender.into(),
            runtime::time_nanos(),
        )
    });
    Allowance {
        allowance: Nat::from(allowance.amount),
        expires_at: allowance.expires_at,
    }
}
