//! ICRC-1 and ICRC-2 ledgers: balances, transfers, allowances.
//!
//! What must hold: every transfer and approval carries its time of creation, so that asking again after a lost
//! answer with the same arguments cannot pay twice.

use std::time::{SystemTime, UNIX_EPOCH};

use candid::{Nat, Principal};
use icrc_ledger_types::icrc1::account::Account;
use icrc_ledger_types::icrc1::transfer::{Memo, TransferArg, TransferError};
use icrc_ledger_types::icrc2::allowance::{Allowance, AllowanceArgs};
use icrc_ledger_types::icrc2::approve::{ApproveArgs, ApproveError};

use crate::amount::format_token_amount;
use crate::connection::Connection;
use crate::error::{Accepted, ClientError, Result};

#[derive(Clone, Debug)]
pub struct Ledger {
    connection: Connection,
    canister: Principal,
}

impl Ledger {
    pub fn new(connection: &Connection, canister: Principal) -> Self {
        Self {
            connection: connection.clone(),
            canister,
        }
    }

    pub async fn balance(&self, account: Account) -> Result<Nat> {
        let (balance,) = self
            .connection
            .query(self.canister, "icrc1_balance_of", (account,))
            .await?;
        Ok(balance)
    }

    pub async fn fee(&self) -> Result<Nat> {
        let (fee,) = self
            .connection
            .query(self.canister, "icrc1_fee", ())
            .await?;
        Ok(fee)
    }

    pub async fn symbol(&self) -> Result<String> {
        let (symbol,) = self
            .connection
            .query(self.canister, "icrc1_symbol", ())
            .await?;
        Ok(symbol)
    }

    pub async fn total_supply(&self) -> Result<Nat> {
        let (supply,) = self
            .connection
            .query(self.canister, "icrc1_total_supply", ())
            .await?;
        Ok(supply)
    }

    pub async fn transfer(&self, to: Account, amount: Nat, memo: Option<Memo>) -> Result<Nat> {
        let argument = TransferArg {
            from_subaccount: None,
            to,
            fee: None,
            created_at_time: Some(now_nanos()),
            memo,
            amount: amount.clone(),
        };
        let (answer,): (std::result::Result<Nat, TransferError>,) = self
            .connection
            .update(self.canister, "icrc1_transfer", (argument,))
            .await?;
        match answer {
            Err(TransferError::Duplicate { duplicate_of }) => Ok(duplicate_of),
            Err(TransferError::InsufficientFunds { balance }) => {
                Err(self.shortage(&balance, amount).await)
            }
            answer => answer.accepted(),
        }
    }

    /// Lets `spender` take up to `amount`, fees included, until told otherwise. Replaces what it might take before.
    pub async fn approve(&self, spender: Account, amount: Nat) -> Result<Nat> {
        let argument = ApproveArgs {
            from_subaccount: None,
            spender,
            amount,
            expected_allowance: None,
            expires_at: None,
            fee: None,
            memo: None,
            created_at_time: Some(now_nanos()),
        };
        let (answer,): (std::result::Result<Nat, ApproveError>,) = self
            .connection
            .update(self.canister, "icrc2_approve", (argument,))
            .await?;
        match answer {
            Err(ApproveError::Duplicate { duplicate_of }) => Ok(duplicate_of),
            Err(ApproveError::InsufficientFunds { balance }) => {
                Err(self.shortage(&balance, Nat::from(0_u8)).await)
            }
            answer => answer.accepted(),
        }
    }

    /// What the ledger's refusal leaves out: whose account it is, in which token, and what would have been enough.
    async fn shortage(&self, balance: &Nat, amount: Nat) -> ClientError {
        let known = async { Ok((self.symbol().await?, self.fee().await?)) };
        let (symbol, fee) = match known.await {
            Ok(known) => known,
            Err(error) => return error,
        };
        ClientError::Refused(format!(
            "{owner} has {balance} {symbol}, and {needed} {symbol} is needed with the ledger's fee: whoever has some can `stoa transfer` it to you",
            owner = self.connection.principal(),
            balance = format_token_amount(balance),
            needed = format_token_amount(&(amount + fee)),
        ))
    }

    pub async fn allowance(&self, account: Account, spender: Account) -> Result<Nat> {
        let argument = AllowanceArgs { account, spender };
        let (Allowance { allowance, .. },) = self
            .connection
            .query(self.canister, "icrc2_allowance", (argument,))
            .await?;
        Ok(allowance)
    }
}

fn now_nanos() -> u64 {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("BUG: this machine's clock is before 1970");
    u64::try_from(since_1970.as_nanos()).expect("BUG: this machine's clock is past 2554")
}
