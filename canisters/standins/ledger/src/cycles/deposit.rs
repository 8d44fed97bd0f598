//! `deposit`: cycles that come with the call become tokens.

use candid::{CandidType, Nat};
use icrc_ledger_types::icrc1::account::Account;
use icrc_ledger_types::icrc1::transfer::Memo as IcrcMemo;
use serde::Deserialize;

use super::{fits, require_cycles};
use crate::account::AccountIdentifier;
use crate::memory::with_ledger;
use crate::runtime;

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct DepositArgs {
    pub to: Account,
    pub memo: Option<IcrcMemo>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct DepositResult {
    pub balance: Nat,
    pub block_index: Nat,
}

/// Traps, as mainnet's does, where nothing would be left after the fee: then the cycles go back.
pub fn deposit(arguments: DepositArgs) -> DepositResult {
    require_cycles();
    let given = fits(runtime::accept_cycles());
    with_ledger(|ledger| {
        let fee = ledger.settings().transfer_fee;
        let amount = given
            .checked_sub(fee)
            .filter(|amount| *amount > 0)
            .unwrap_or_else(|| {
                runtime::trap(&format!(
                    "{given} cycles cannot be deposited: the fee is {fee}"
                ))
            });
        match ledger.put_in(
            arguments.to,
            amount,
            arguments.memo.into(),
            runtime::time_nanos(),
        ) {
            Ok(block) => DepositResult {
                balance: Nat::from(ledger.balance(&AccountIdentifier::from(arguments.to))),
                block_index: Nat::from(block),
            },
            Err(refusal) => runtime::trap(&format!("the deposit is refused: {refusal:?}")),
        }
    })
}
