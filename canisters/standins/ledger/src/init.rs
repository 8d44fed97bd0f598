//! Installing: the settings, and a mint for every initial balance.

use candid::{CandidType, Nat};
use icrc_ledger_types::icrc1::account::Account;
use serde::Deserialize;

use crate::account::Party;
use crate::block::Memo;
use crate::ledger::{Cbor, Ledger, Settings, TransferRequest};
use crate::memory::{LAYOUT_VERSION, with_ledger};
use crate::runtime;
use crate::transfer::fitting;

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct InitArgs {
    pub token_name: String,
    pub token_symbol: String,
    pub decimals: u8,
    pub transfer_fee: Nat,
    pub minting_account: Account,
    pub initial_balances: Vec<(Account, Nat)>,
    /// Whether the tokens are cycles, which this canister holds and gives out again. It has to be
    /// given what the initial balances promise.
    pub holds_cycles: Option<bool>,
}

/// Traps on settings that cannot be, so that nothing is installed.
pub fn init(arguments: InitArgs) {
    with_ledger(|ledger| install(ledger, arguments, runtime::time_nanos()))
}

pub fn install(ledger: &mut Ledger, arguments: InitArgs, now: u64) {
    let transfer_fee = fitting(&arguments.transfer_fee).unwrap_or_else(|| {
        panic!(
            "transfer_fee {} does not fit 64 bits",
            arguments.transfer_fee
        )
    });
    ledger.layout_version.set(LAYOUT_VERSION);
    ledger.settings.set(Cbor(Some(Settings {
        token_name: arguments.token_name,
        token_symbol: arguments.token_symbol,
        decimals: arguments.decimals,
        transfer_fee,
        minting_account: arguments.minting_account,
        holds_cycles: arguments.holds_cycles,
    })));
    ledger.certify_tip();
    for (account, amount) in arguments.initial_balances {
        let request = TransferRequest {
            from: Party::from(arguments.minting_account),
            to: Party::from(account),
            spender: None,
            amount: fitting(&amount),
            fee: None,
            memo: Memo::None,
            created_at_time: None,
        };
        if let Err(refusal) = ledger.transfer(request, now) {
            panic!("the initial balance of {account}, {amount}, is refused: {refusal:?}");
        }
    }
}
